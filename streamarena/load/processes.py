"""Several workers, each a process with a loop of its own, on this machine.

Invariants: all workers begin at the same moment, given by this process once every one of them is ready; a worker that
dies is reported as lost and its finished intervals stay; when `run` returns or is cancelled, no child is left: a child
ends by itself when its standard input ends, which also happens when this process is killed.
Cost: the start of an interpreter a worker, 0.3-0.5 s of CPU; a frame of some kilobytes a second.
Moments need no shifting: all processes of a machine read the same monotonic clock.
Not here: the worker program (`worker.py`), the child's side (`worker_process.py`), other machines (the Ray adapter).
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import sys
import time
from typing import TYPE_CHECKING, Final

from streamarena.errors import ConfigurationError, WorkerLostError
from streamarena.load.interval import decode_interval

if TYPE_CHECKING:
    from streamarena.load.engines import Receiver
    from streamarena.load.plan import LoadPlan

__all__ = ["Processes", "pickled_plan"]

_READY_SECONDS: Final = 30.0
_END_SECONDS: Final = 5.0
_LEAD_NS: Final = 100_000_000
_FRAME_BYTES: Final = 64 * 2**20


def pickled_plan(plan: LoadPlan) -> bytes:
    """Return a plan as bytes for a worker elsewhere.

    Raises:
        ConfigurationError: something in it cannot travel: a lambda, or a function of the main script.
    """
    source = plan.requests
    if getattr(source, "__module__", None) == "__main__" or type(source).__module__ == "__main__":
        raise ConfigurationError("the request source is defined in the main script; workers need it in a module")
    try:
        return pickle.dumps(plan)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ConfigurationError(f"this plan cannot travel to other processes: {error}") from error


class Processes:
    """An engine of `workers` processes.

    Args:
        workers: how many; usually at most one a core.
    """

    def __init__(self, workers: int) -> None:
        if workers < 1:
            raise ConfigurationError("there is at least one worker")
        self.workers = workers
        self._children: list[_Child] = []

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers, while there are any."""
        return [child.pid for child in self._children]

    async def run(self, plan: LoadPlan, receiver: Receiver) -> None:
        """Run the plan on all workers.

        Raises:
            WorkerLostError: a worker did not get ready, or all of them were lost.
        """
        program = pickled_plan(plan)
        self._children = [_Child(index, receiver) for index in range(self.workers)]
        try:
            await asyncio.gather(*(child.start(program, self.workers) for child in self._children))
            begun = time.perf_counter_ns() + _LEAD_NS
            receiver.began(begun)
            for child in self._children:
                child.tell(b"begin %d\n" % begun)
            await asyncio.gather(*(child.follow() for child in self._children))
        finally:
            for child in self._children:
                child.kill()
            ending = asyncio.gather(*(child.wait() for child in self._children))
            await asyncio.shield(ending)
        reasons = [child.reason for child in self._children if child.reason]
        if len(reasons) == self.workers:
            raise WorkerLostError(f"every worker was lost: {reasons[0]}")

    def stop(self) -> None:
        """Start no further requests."""
        for child in self._children:
            child.tell(b"stop\n")


class _Child:
    """One worker's process, as its parent sees it."""

    def __init__(self, index: int, receiver: Receiver) -> None:
        self._index = index
        self._receiver = receiver
        self._process: asyncio.subprocess.Process | None = None
        self.reason = ""

    @property
    def pid(self) -> int:
        """Its process id; 0 before it has started."""
        return self._process.pid if self._process is not None else 0

    async def start(self, program: bytes, workers: int) -> None:
        """Start it and wait until it is ready to begin."""
        self._process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "streamarena.load.worker_process", str(self._index), str(workers)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_FRAME_BYTES,
        )
        self.tell(b"%d\n" % len(program) + program)
        assert process.stdout is not None
        try:
            async with asyncio.timeout(_READY_SECONDS):
                answer = await process.stdout.readline()
        except TimeoutError:
            answer = b""
        if answer != b"ready\n":
            raise WorkerLostError(f"worker {self._index} did not get ready (process {process.pid})")

    def tell(self, message: bytes) -> None:
        """Send it a message; one that is gone hears nothing."""
        process = self._process
        if process is not None and process.stdin is not None and process.returncode is None:
            process.stdin.write(message)

    async def follow(self) -> None:
        """Hand over its intervals until its last one; report its loss otherwise."""
        assert self._process is not None
        assert self._process.stdout is not None
        done = False
        failure = ""
        with contextlib.suppress(asyncio.IncompleteReadError):
            while not done:
                length = int.from_bytes(await self._process.stdout.readexactly(4))
                frame = await self._process.stdout.readexactly(length)
                if frame.startswith(b"failed "):
                    failure = frame.removeprefix(b"failed ").decode()
                    break
                interval = decode_interval(frame)
                done = interval.done
                self._receiver.received(interval)
        if failure:
            raise WorkerLostError(f"worker {self._index} failed: {failure}")
        if not done:
            code = await self._process.wait()
            self.reason = f"its process ended with code {code}"
            self._receiver.lost(self._index, self.reason)

    def kill(self) -> None:
        """Close its input, which ends it."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    async def wait(self) -> None:
        """Wait until it is gone, by force if need be."""
        process = self._process
        if process is None:
            return
        try:
            async with asyncio.timeout(_END_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
