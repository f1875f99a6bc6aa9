"""`map_async`: the boundary where a pipeline waits, with bounded concurrency, lists in and lists out.

One runner task holds one `asyncio.TaskGroup`; in it, one task reads the source and one task per item calls the
function. The consumer is woken once per list of results.

Invariants:
    * Items under way plus results not yet handed over never exceed `concurrency`; while they reach it, the source is
      not read, so back-pressure reaches the socket.
    * Ordered: results come in the order of the items. When a call fails, calls for later items are cancelled, calls
      for earlier ones finish, their results are handed over, then the error is raised: what a plain loop would give.
    * Unordered: when a call fails, all others are cancelled, what had finished is handed over, then the error.
    * One error is raised as it is. When several calls fail unordered, an ExceptionGroup; ordered, the first in order.
    * When the source fails, calls under way finish and their results are handed over first.
    * A cancelled pull, `aclose` and dropping the last reference cancel the runner synchronously and once; its clean-up
      is watched by the reaper.
    * Calls see the context (the request scope) of the first pull; each has a copy of its own.

Costs a task per item, about 4 us (`python -m perf pipeline`): for functions that wait, not for computing.
It deliberately has no queue of its own: what is not under way stays in the source, or in the one batch last read.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from streamarena.errors import StreamClosedError
from streamarena.pipeline.reaper import DEADLINE, reap
from streamarena.pipeline.sources import BatchSource, close_source

if TYPE_CHECKING:
    from streamarena.pipeline.steps import Step

__all__ = ["Boundary"]


class Boundary:
    """The source of batches that `map_async` makes of another source. For one consumer."""

    def __init__(self, source: BatchSource[Any], step: Step) -> None:
        self._source = source
        self._work = _Work(step)
        self._closed = False
        self._runner: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None  # cancelled, and cleaning up
        self._finaliser: weakref.finalize[..., Boundary] | None = None

    async def next_batch(self) -> list[Any] | None:
        """Wait until something has finished and take all of it.

        Cancellation ends every call; what had finished and was not yet handed over is lost with them.

        Raises:
            StreamClosedError: the boundary was closed, or an earlier pull was cancelled.
            Exception: what a call or the source raised, after everything that came before it.
        """
        if self._runner is None and not self._closed:
            self._start()
        work = self._work
        while self._closed or not (ready := work.take()):
            if self._closed:
                raise StreamClosedError("the calls of map_async were cancelled when the flow was closed")
            if work.over:
                self._detach()
                work.raise_failure()
                return None
            try:
                await work.something()
            except asyncio.CancelledError:
                self.abort()
                raise
        return ready

    def abort(self) -> None:
        """Cancel every call and the reading of the source, without waiting."""
        if self._closed:
            return
        self._closed = True
        runner, work = self._runner, self._work
        if runner is not None and not runner.done():
            self._detach()
            work.stopping = True
            runner.cancel()
            # A reader that has begun closes the source itself, in the task that read it.
            self._leaving = runner
            if not work.reading:
                closing = _close(self._source, work)
                self._leaving = runner.get_loop().create_task(closing, name=f"close of {work.name}")
            reap(self._leaving)

    async def aclose(self) -> None:
        """Abort, then wait for the clean-up, at most the reaper's deadline.

        Raises:
            Exception: what closing the source raised.
        """
        if self._runner is None and not self._closed:
            self._closed = True
            await close_source(self._source)
            return
        self.abort()
        if self._leaving is not None:
            await asyncio.wait({self._leaving}, timeout=DEADLINE)
        failure, self._work.close_failure = self._work.close_failure, None
        if failure is not None:
            raise failure

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        work = self._work
        # The runner knows the source and the work but not this object, so that dropping this object ends it.
        self._runner = loop.create_task(_run(self._source, work), name=f"runner of {work.name}")
        self._runner.add_done_callback(work.end)
        self._finaliser = weakref.finalize(self, _cancel_from_anywhere, loop, self._runner)
        self._finaliser.atexit = False

    def _detach(self) -> None:
        if self._finaliser is not None:
            self._finaliser.detach()
            self._finaliser = None


def _cancel_from_anywhere(loop: asyncio.AbstractEventLoop, runner: asyncio.Task[None]) -> None:
    """The finaliser: it runs whenever the collector does, in any thread."""
    with suppress(RuntimeError):  # the loop is closed, and its tasks are gone with it
        loop.call_soon_threadsafe(runner.cancel)


async def _run(source: BatchSource[Any], work: _Work) -> None:
    """The runner: its group ends when the source has been read to its end and every call is done."""
    async with asyncio.TaskGroup() as group:
        work.reader = group.create_task(_read(source, work, group), name=f"reader of {work.name}")


async def _read(source: BatchSource[Any], work: _Work, group: asyncio.TaskGroup) -> None:
    if work.stopping:  # closed before it began: whoever closed it closes the source
        return
    work.reading = True
    try:
        while (batch := await source.next_batch()) is not None:
            for item in batch:
                await work.room()
                call = work.begin()
                call.task = group.create_task(_call(work, call, item), name=work.name)
            await work.room()
        work.read_whole = True
    except Exception as error:  # noqa: BLE001 - raised to the consumer once the calls under way have finished
        work.source_failure = error
    finally:
        await _close(source, work)


async def _close(source: BatchSource[Any], work: _Work) -> None:
    try:
        await close_source(source)
    except Exception as error:  # noqa: BLE001 - raised to the consumer, or by aclose
        work.close_failure = error


async def _call(work: _Work, call: _Call, item: object) -> None:
    try:
        value = await work.function(item)
    except asyncio.CancelledError as error:
        if work.stopping or (task := asyncio.current_task()) is None or task.cancelling():
            raise
        work.fail(call, error)  # nobody cancelled this call: what it waited for was cancelled
    except (KeyboardInterrupt, SystemExit):  # they end the loop itself, as from any task
        raise
    except BaseException as error:  # noqa: BLE001 - raised to the consumer in its turn
        work.fail(call, error)
    else:
        work.finish(call, value)


class _Call:
    """One item under way, or finished and waiting for those before it."""

    __slots__ = ("error", "finished", "task", "value")

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.finished = False
        self.value: object = None
        self.error: BaseException | None = None


class _Work:
    """What the consumer, the reader and the calls share. All of it is used on one loop only."""

    def __init__(self, step: Step) -> None:
        self.name = str(step)
        self.function: Callable[[object], Awaitable[object]] = step.target
        self.limit = step.concurrency
        self.ordered = step.ordered
        self.occupied = 0  # under way, or finished and not yet taken
        self.line: deque[_Call] = deque()  # ordered: every occupied call that is not in `ready`
        self.live: set[_Call] = set()  # unordered: those under way
        self.ready: list[object] = []
        self.reader: asyncio.Task[None] | None = None
        self.reading = False  # the reader has begun
        self.read_whole = False
        self.stopping = False  # by a failure or a close
        self.over = False
        self.errors: list[BaseException] = []
        self.source_failure: Exception | None = None
        self.close_failure: Exception | None = None
        self._consumer: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None

    def begin(self) -> _Call:
        call = _Call()
        self.occupied += 1
        if self.ordered:
            self.line.append(call)
        else:
            self.live.add(call)
        return call

    def finish(self, call: _Call, value: object) -> None:
        if self.ordered:
            call.value, call.finished = value, True
            line = self.line
            while line and line[0].finished:
                self.ready.append(line.popleft().value)
        else:
            self.live.discard(call)
            self.ready.append(value)
        if self.ready:
            _wake(self._consumer)

    def fail(self, call: _Call, error: BaseException) -> None:
        """Keep the error, and cancel the reader and every call whose result can no longer be wanted."""
        call.error = error
        self.errors.append(error)
        self.stopping = True
        if self.ordered:
            unwanted = list(self.line)[self.line.index(call) + 1 :]
        else:
            unwanted = [other for other in self.live if other is not call]
        for task in (self.reader, *(other.task for other in unwanted)):
            if task is not None and not task.cancelling():
                task.cancel()

    def take(self) -> list[object]:
        ready, self.ready = self.ready, []
        if ready:
            self.occupied -= len(ready)
            _wake(self._room)
        return ready

    async def room(self) -> None:
        while self.occupied >= self.limit:
            self._room = asyncio.get_running_loop().create_future()
            await self._room

    async def something(self) -> None:
        self._consumer = asyncio.get_running_loop().create_future()
        await self._consumer

    def end(self, runner: asyncio.Task[None]) -> None:
        self.over = True
        if not runner.cancelled() and (error := runner.exception()) is not None:
            self.errors.append(error)
        _wake(self._consumer)

    def raise_failure(self) -> None:
        """Raise what ended the work early, once."""
        failure = self._failure()
        self.errors, self.source_failure, self.close_failure, self.read_whole = [], None, None, True
        self.occupied = 0
        if failure is not None:
            try:
                raise failure
            finally:
                del failure  # a frame that is held by its own exception would live until the collector comes

    def _failure(self) -> BaseException | None:
        if self.ordered and self.line and self.line[0].error is not None:
            first = self.line[0].error
            for later in self.errors:
                if later is not first:
                    first.add_note(f"a call of {self.name} for a later item failed too: {later!r}")
            return first
        if len(self.errors) > 1:
            return BaseExceptionGroup(f"{len(self.errors)} calls of {self.name} failed", self.errors)
        if self.errors:
            return self.errors[0]
        if self.source_failure is not None:
            if self.close_failure is not None:
                self.source_failure.add_note(f"closing the source failed too: {self.close_failure!r}")
            return self.source_failure
        if self.occupied or not self.read_whole:  # a task was cancelled by somebody else: never pass that for an end
            return StreamClosedError(f"tasks of {self.name} were cancelled from outside")
        return self.close_failure


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
