"""Load tests on a Ray cluster: one asynchronous actor a worker, the same worker program as everywhere.

Invariants: every actor is ready before any begins, and all begin at one moment, which each is told on its own clock;
intervals are fetched about once a second, so an actor that dies loses at most what it had not handed over; its load is
never run again by another; when `run` returns or is cancelled, the actors are gone, and so is a local Ray that this
engine started.
Clock offsets are estimated as NTP does, from the quickest of several round trips; half of that trip bounds the error
and is reported as `clock_errors`.
Cost: one remote call a worker and second. Needs the extra `ray`.
Not here: the worker (`streamarena.load.Worker`), merging, Ray's own set-up: give `address="auto"` for a cluster.
"""

from __future__ import annotations

import asyncio
import importlib
import pickle
import time
from typing import TYPE_CHECKING, Any, Final

from streamarena.errors import ConfigurationError, MissingExtraError, WorkerLostError
from streamarena.load import Interval, Worker, decode_interval, encode_interval
from streamarena.load.interval import shift_interval
from streamarena.load.processes import pickled_plan

if TYPE_CHECKING:
    from streamarena.load import LoadPlan, Receiver

__all__ = ["RayEngine", "WorkerActor"]

_POLL_SECONDS: Final = 1.0
_READY_SECONDS: Final = 120.0
_PINGS: Final = 8
_LEAD_NS: Final = 500_000_000
_KEPT_INTERVALS: Final = 600


class WorkerActor:
    """One worker inside an actor; Ray runs its coroutines on the actor's own event loop.

    Args:
        program: a pickled plan. index, workers: which share of how many.
    """

    def __init__(self, program: bytes, index: int, workers: int) -> None:
        plan: LoadPlan = pickle.loads(program)  # noqa: S301 - from the driver that made this actor
        self._worker = Worker(plan, self._report, index=index, workers=workers)
        self._intervals: list[Interval] = []
        self._running: asyncio.Task[None] | None = None

    async def clock(self) -> int:
        """Return this machine's `time.perf_counter_ns`."""
        return time.perf_counter_ns()

    async def begin(self, moment: int) -> None:
        """Begin at a moment of this machine's clock; returns at once."""
        self._running = asyncio.ensure_future(self._worker.run(moment))

    async def take(self) -> list[bytes]:
        """Return the intervals since the last call.

        Raises:
            whatever ended the worker.
        """
        taken, self._intervals = self._intervals, []
        if not taken and self._running is not None and self._running.done():
            self._running.result()
        return [encode_interval(interval) for interval in taken]

    async def stop(self) -> None:
        """Start no further requests."""
        self._worker.stop()

    def _report(self, interval: Interval) -> None:
        if len(self._intervals) >= _KEPT_INTERVALS:  # the driver is away: keep the numbers, not the resolution
            self._intervals[-1].append(interval)
        else:
            self._intervals.append(interval)


class RayEngine:
    """An engine of actors.

    Args:
        workers: how many actors. address: of the cluster; None starts a local Ray for this run, "auto" finds the
            running one, and a Ray that this process is connected to already is used as it is.
        cpus: cores that each actor reserves.

    Attributes:
        clock_errors: nanoseconds by which each worker's clock offset may be off.

    Raises:
        MissingExtraError: Ray is not installed.
    """

    def __init__(self, workers: int = 1, *, address: str | None = None, cpus: float = 1.0) -> None:
        try:
            self._ray: Any = importlib.import_module("ray")
        except ImportError as error:
            raise MissingExtraError("ray", "ray", "the Ray engine") from error
        if workers < 1:
            raise ConfigurationError("there is at least one worker")
        self.workers = workers
        self._address = address
        self._cpus = cpus
        self._actors: list[Any] = []
        self._lost: dict[int, str] = {}
        self.clock_errors: list[int] = []

    async def run(self, plan: LoadPlan, receiver: Receiver) -> None:
        """Run the plan on all actors.

        Raises:
            WorkerLostError: the actors did not get ready, or all of them were lost.
        """
        program = pickled_plan(plan)
        started = await asyncio.to_thread(self._connect)
        try:
            await self._run(program, receiver)
        finally:
            for actor in self._actors:
                self._ray.kill(actor)
            self._actors = []
            if started:
                self._ray.shutdown()

    def stop(self) -> None:
        """Start no further requests."""
        for actor in self._actors:
            actor.stop.remote()

    # ------------------------------------------------------------ private

    def _connect(self) -> bool:
        if self._ray.is_initialized():
            return False
        options = {} if self._address else {"num_cpus": max(self.workers * self._cpus, 1), "include_dashboard": False}
        self._ray.init(address=self._address, log_to_driver=False, logging_level="ERROR", **options)
        return True

    async def _run(self, program: bytes, receiver: Receiver) -> None:
        actor_class = self._ray.remote(num_cpus=self._cpus, max_restarts=0)(WorkerActor)
        self._actors = [actor_class.remote(program, index, self.workers) for index in range(self.workers)]
        self._lost = {}
        try:
            async with asyncio.timeout(_READY_SECONDS):
                clocks = await asyncio.gather(*map(self._offset, self._actors))
        except (TimeoutError, self._ray.exceptions.RayError) as error:
            raise WorkerLostError(f"the actors did not get ready: {error}") from error
        self.clock_errors = [error for _, error in clocks]
        begun = time.perf_counter_ns() + _LEAD_NS
        receiver.began(begun)
        await asyncio.gather(
            *(actor.begin.remote(begun + offset) for actor, (offset, _) in zip(self._actors, clocks, strict=True))
        )
        await asyncio.gather(
            *(self._follow(index, offset, receiver) for index, (offset, _) in enumerate(clocks)),
        )
        if len(self._lost) == self.workers:
            raise WorkerLostError(f"every worker was lost: {self._lost[0]}")

    @staticmethod
    async def _offset(actor: Any) -> tuple[int, int]:  # noqa: ANN401 - Ray's handles are untyped
        """Return by how much an actor's clock is ahead of ours, and by how much that may be wrong; nanoseconds."""
        best: tuple[int, int] | None = None
        for _ in range(_PINGS):
            before = time.perf_counter_ns()
            theirs = await actor.clock.remote()
            after = time.perf_counter_ns()
            half = (after - before) // 2
            if best is None or half < best[1]:
                best = theirs - (before + half), half
        assert best is not None
        return best

    async def _follow(self, index: int, offset: int, receiver: Receiver) -> None:
        """Fetch one actor's intervals until its last; report its loss otherwise."""
        done = False
        while not done:
            await asyncio.sleep(_POLL_SECONDS)
            try:
                frames: list[bytes] = await self._actors[index].take.remote()
            except self._ray.exceptions.RayTaskError as error:
                raise WorkerLostError(f"worker {index} failed: {error.cause!r}") from error
            except self._ray.exceptions.RayError as error:
                self._lost[index] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
                receiver.lost(index, self._lost[index])
                return
            for frame in frames:
                interval = decode_interval(frame)
                shift_interval(interval, -offset)
                done = done or interval.done
                receiver.received(interval)
