"""Engines: where workers run. One program, `Worker`, is the same in all of them.

An engine starts its workers, gives them one moment to begin at, and hands over their intervals as they come, already
on the clock of this process. A worker that is lost is reported; its load is not run again by the others, because that
would change the load that the survivors measured.

Not here: the workers' program (`worker.py`), several processes (`processes.py`), a cluster (the Ray adapter).
"""

from __future__ import annotations

import time
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol, cast

from streamarena.errors import ConfigurationError, MissingExtraError
from streamarena.load.worker import Worker

if TYPE_CHECKING:
    from streamarena.load.interval import Interval
    from streamarena.load.plan import LoadPlan

__all__ = ["Engine", "InProcess", "Receiver", "engine_named"]


class Receiver(Protocol):
    """What an engine reports to; synchronous, on the loop that runs the engine."""

    def began(self, moment: int) -> None:
        """Take note of the common start (`time.perf_counter_ns` of this process)."""
        ...

    def received(self, interval: Interval) -> None:
        """Take an interval of one worker, its moments on this process's clock."""
        ...

    def lost(self, worker: int, reason: str) -> None:
        """Take note that a worker is gone."""
        ...


class Engine(Protocol):
    """Runs a plan on `workers` workers."""

    @property
    def workers(self) -> int:
        """How many workers there are."""
        ...

    async def run(self, plan: LoadPlan, receiver: Receiver) -> None:
        """Run a plan to its end. Cancellation ends every worker."""
        ...

    def stop(self) -> None:
        """Start no further requests; `run` returns when those in flight have ended or `drain_seconds` have passed."""
        ...


def engine_named(name: str, **options: object) -> Engine:
    """Return the engine that an adapter offers under a name (entry points of the group `streamarena.adapters`).

    Raises:
        ConfigurationError: there is none. MissingExtraError: its library is not installed.
    """
    for found in entry_points(group="streamarena.adapters", name=name):
        try:
            make = found.load()
        except ImportError as error:
            raise MissingExtraError(name, name, f"the engine {name!r}") from error
        if not callable(getattr(make, "run", None)):  # an adapter of another kind
            break
        return cast("Engine", make(**options))
    raise ConfigurationError(f"no engine is called {name!r}")


class InProcess:
    """One worker on the running event loop."""

    workers = 1

    def __init__(self) -> None:
        self._worker: Worker | None = None

    async def run(self, plan: LoadPlan, receiver: Receiver) -> None:
        """Run the plan here."""
        begun = time.perf_counter_ns()
        receiver.began(begun)
        self._worker = Worker(plan, receiver.received)
        await self._worker.run(begun)

    def stop(self) -> None:
        """Start no further requests."""
        if self._worker is not None:
            self._worker.stop()
