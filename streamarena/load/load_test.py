"""`LoadTest`: a plan, an engine, and the result.

Invariants: cancelling `run` closes every stream; `stop` ends a run early and keeps what was measured.
Not here: the worker program (`worker.py`), where workers run (`engines.py`), what results hold (`summary.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamarena.errors import ConfigurationError
from streamarena.load.engines import InProcess
from streamarena.load.summary import PERCENTILES, LoadResult
from streamarena.load.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamarena.load.engines import Engine
    from streamarena.load.interval import Interval
    from streamarena.load.plan import LoadPlan

__all__ = ["LoadTest"]


class LoadTest:
    """A load test: `result = await LoadTest(plan).run()`.

    Args:
        plan: what to do.
        engine: where; default in this process, on the running loop.
        percentiles: of every metric in the result.
        progress: called with the totals so far after each interval of a worker.
        on_interval: called with each interval before it is merged; for per-request output.
    """

    def __init__(
        self,
        plan: LoadPlan,
        *,
        engine: Engine | None = None,
        percentiles: Sequence[float] = PERCENTILES,
        progress: Callable[[Totals], object] | None = None,
        on_interval: Callable[[Interval], object] | None = None,
    ) -> None:
        if any(not 0 <= percent <= 100 for percent in percentiles):
            raise ConfigurationError(f"percentiles lie between 0 and 100, not {list(percentiles)}")
        self.plan = plan
        self._engine: Engine = engine or InProcess()
        self._percentiles = tuple(percentiles)
        self._progress = progress
        self._on_interval = on_interval
        self._totals = self._new_totals(0)

    @property
    def totals(self) -> Totals:
        """What has been measured so far."""
        return self._totals

    async def run(self) -> LoadResult:
        """Run the plan and return what was measured.

        Raises:
            whatever a request source or the plan's pipeline raised. Failed requests are results and raise nothing.
            WorkerLostError: every worker was lost.

        After an error or a cancellation `result` still gives what was measured until then.
        """
        await self._engine.run(self.plan, self)
        return self.result()

    def result(self) -> LoadResult:
        """Return what has been measured so far: after a run that was cancelled or failed, all until then."""
        return LoadResult(self.plan, self._totals, self._percentiles)

    def stop(self) -> None:
        """End the run early: no further requests; `run` returns with what was measured."""
        self._engine.stop()

    # ------------------------------------------------------------ Receiver: for the engine

    def began(self, moment: int) -> None:
        """Take note of the start."""
        self._totals = self._new_totals(moment)

    def received(self, interval: Interval) -> None:
        """Merge an interval."""
        if self._on_interval is not None:
            self._on_interval(interval)
        self._totals.add(interval)
        if self._progress is not None:
            self._progress(self._totals)

    def lost(self, worker: int, reason: str) -> None:
        """Take note that a worker is gone."""
        self._totals.lose(worker, reason)

    def _new_totals(self, begun: int) -> Totals:
        return Totals(begun, self._engine.workers, has_objectives=bool(self.plan.goodput))
