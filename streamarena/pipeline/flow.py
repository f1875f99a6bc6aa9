"""Streams that are read as lists and iterated as items: `BatchIterator`, and `Flow`, a pipeline over a source.

Invariants:
    * Breaking out of a loop and iterating again loses nothing: the rest of the current batch comes first, whichever
      way the stream is read on.
    * When a stage raises, what was produced before is delivered first; the error, as it is, comes at the next pull.
      The stream is over then and its source closed.
    * When the stream ends well, stages with memory are flushed. After an error or a close they are not.
    * Closing a stream closes what it reads from. Closing twice does nothing.
    * One consumer at a time: a second pull while one waits is a StreamInUseError.

Costs one coroutine per item for `async for` (0.1 us), nothing per item for `batches`, and for `for_each` over a source
that pushes not even a wake-up per batch: the fused loop runs inside the callback that read.

It deliberately is no asynchronous generator: those cannot be left and re-entered, and are closed at a time and in a
task that nobody chose.
"""

from __future__ import annotations

import contextvars
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, TypeVar, overload

from streamarena.errors import StreamClosedError, StreamInUseError
from streamarena.pipeline.boundary import Boundary
from streamarena.pipeline.fusing import CallingEach
from streamarena.pipeline.run import Run
from streamarena.pipeline.sources import BatchSource, Source, batch_source, close_source
from streamarena.pipeline.steps import FeedStage, Kind, StageLike, Step, steps_of

if TYPE_CHECKING:
    from streamarena.pipeline.pipeline import Keep

__all__ = ["BatchIterator", "Batches", "Flow", "flow_over"]

T_co = TypeVar("T_co", covariant=True)
B = TypeVar("B")
T = TypeVar("T")


class BatchIterator(ABC, Generic[T_co]):
    """A stream that arrives as lists: the base of `Flow` and of the client's streams.

    A subclass implements `receive_batch`, and where it can deliver inside its read callback also `receive_each`;
    iteration, `batches`, `for_each` and `|` come from here.
    """

    _rest: Iterator[T_co] = iter(())  # of the current batch; an exhausted iterator may be shared
    _pulling = False

    @abstractmethod
    async def receive_batch(self) -> list[T_co] | None:
        """For subclasses: wait for the next list, which the caller then owns; None at the end and ever after."""

    def receive_each(self, callback: Callable[[list[T_co]], object]) -> Coroutine[Any, Any, None]:
        """For subclasses that push: call `callback` with each list as it arrives, return at the end.

        An exception of the callback must be raised when awaited, unchanged. This one pulls.
        """
        return self._pull_each(callback)

    async def aclose(self) -> None:
        """Close the stream and what it reads from; what has not been read is dropped. Closing twice does nothing."""
        self._rest = iter(())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T_co:
        for item in self._rest:
            return item
        self._claim()
        try:
            while (batch := await self.receive_batch()) is not None:
                self._rest = iter(batch)
                for item in self._rest:
                    return item
        finally:
            self._pulling = False
        raise StopAsyncIteration

    async def next_batch(self) -> list[T_co] | None:
        """All that the next read brings, or what is left of the current batch; None when the stream has ended.

        Raises:
            StreamInUseError: another task is waiting for this stream.
            StreamClosedError: the stream was closed.
            Exception: what the source or a stage raised, unchanged.
        """
        if rest := list(self._rest):
            return rest
        self._claim()
        try:
            return await self.receive_batch()
        finally:
            self._pulling = False

    def batches(self) -> Batches[T_co]:
        """Iterate lists instead of items: each holds all that one read brought, none is empty."""
        return Batches(self)

    async def for_each(self, callback: Callable[[T_co], object]) -> None:
        """Call `callback` with every item to the end of the stream: the cheapest way to read it.

        Where the source can push, the callback runs inside the callback that read from the socket, without a wake-up.
        It must not block; it sees the context variables (the request scope) that are set here, and what it sets itself
        stays among the callbacks. Cancellation stops reading and closes nothing by itself.

        Raises:
            TypeError: the callback returned an awaitable.
            Exception: what the callback, a stage or the source raised, unchanged; the stream is closed then.
        """
        await self.for_each_batch(CallingEach(callback))

    async def for_each_batch(self, callback: Callable[[list[T_co]], object]) -> None:
        """Call `callback` with every list, as `for_each` does with every item."""
        try:
            if rest := list(self._rest):
                callback(rest)
            self._claim()
            try:
                await self.receive_each(_here(callback))
            finally:
                self._pulling = False
        except Exception as error:
            await self._close_after(error)
            raise

    @overload
    def __or__(self, stage: Keep[T_co]) -> Flow[T_co]: ...
    @overload
    def __or__(self, stage: type[FeedStage[T_co, B]]) -> Flow[B]: ...
    @overload
    def __or__(self, stage: StageLike[T_co, B]) -> Flow[B]: ...
    def __or__(self, stage: StageLike[Any, Any]) -> Flow[Any]:
        """This stream through a stage; a bare callable is `map`."""
        return self._through(steps_of(stage))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            await self.aclose()
        else:
            await self._close_after(error)

    def _through(self, steps: Sequence[Step]) -> Flow[Any]:
        return flow_over(self, steps)

    async def _pull_each(self, callback: Callable[[list[T_co]], object]) -> None:
        while (batch := await self.receive_batch()) is not None:
            callback(batch)

    def _claim(self) -> None:
        if self._pulling:
            raise StreamInUseError
        self._pulling = True

    async def _close_after(self, error: BaseException) -> None:
        """Close; what fails in that becomes a note of the error that is on its way."""
        try:
            await self.aclose()
        except Exception as failure:  # noqa: BLE001 - it must not hide the error that caused the close
            error.add_note(f"closing the stream failed too: {failure!r}")


class Batches(Generic[T_co]):
    """A stream's lists, as an asynchronous iterator. Leaving it loses nothing."""

    __slots__ = ("_stream",)

    def __init__(self, stream: BatchIterator[T_co]) -> None:
        self._stream = stream

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[T_co]:
        while (batch := await self._stream.next_batch()) is not None:
            if batch:
                return batch
        raise StopAsyncIteration


class Flow(BatchIterator[T_co]):
    """A pipeline over a source: made by `Pipeline.over` and by `stream | stage`.

    Nothing runs before the first item is asked for. A flow with `map_async` in it has tasks from then on: use it in
    `async with`, or read it to its end; dropping it cancels them too.
    """

    def __init__(self, source: BatchSource[Any], steps: Sequence[Step]) -> None:
        """For `flow_over`: `steps` are synchronous."""
        self._source = source
        self._steps = tuple(steps)
        self._run: Run[Any, Any] | None = None
        self._ended = False
        self._closed = False
        self._failure: Exception | None = None

    async def receive_batch(self) -> list[T_co] | None:
        """The next list that is not empty after all stages; None at the end."""
        run = self._run
        if run is None or run.over or self._failure is not None:
            run = await self._begin()
        while run is not None and not self._ended:
            try:
                batch = await self._source.next_batch()
            except Exception:
                self._end(run)
                raise
            out: list[T_co] = []
            try:
                self._pass(run, batch, out)
            except Exception as error:  # noqa: BLE001 - raised at the pull after the one that delivers `out`
                if not out:
                    await self._fail(error)
                self._failure, self._ended = error, True
            if out:
                return out
        return None

    async def receive_each(self, callback: Callable[[list[T_co]], object]) -> None:
        """Push lists from the source through the stages into `callback`, inside the source's own read callback."""
        run = await self._begin()
        if run is None:
            return

        def deliver(batch: Sequence[Any] | None) -> None:
            out: list[T_co] = []
            try:
                self._pass(run, batch, out)
            finally:
                if out:
                    callback(out)

        await self._push(run, deliver)
        deliver(None)

    async def for_each(self, callback: Callable[[T_co], object]) -> None:
        """Call `callback` with every item, in one loop with the stages; see `BatchIterator.for_each`."""
        try:
            CallingEach(callback)(self._rest)
            if (run := await self._begin()) is not None:
                feed, finish = run.to(callback)
                self._claim()
                try:
                    await self._push(run, feed)
                finally:
                    self._pulling = False
                self._ended = True
                finish()
        except Exception as error:
            await self._close_after(error)
            raise

    async def aclose(self) -> None:
        """Close the flow and its source; calls of `map_async` are cancelled first of all, synchronously."""
        self._closed = True
        self._failure = None
        self._rest = iter(())
        if self._run is not None:
            self._run.close()
        await close_source(self._source)

    def _through(self, steps: Sequence[Step]) -> Flow[Any]:
        """Before anything has run, further stages are fused with those that are there."""
        if self._run is None and not self._closed:
            return flow_over(self._source, (*self._steps, *steps))
        return super()._through(steps)

    async def _begin(self) -> Run[Any, Any] | None:
        """The run, started at need; None when the flow has ended. A failure that had to wait is raised here."""
        if self._failure is not None:
            await self._fail(self._failure)
        if self._closed:
            raise StreamClosedError("the flow is closed")
        if self._ended:
            return None
        if self._run is None:
            self._run = Run(self._steps)
        return self._run

    async def _push(self, run: Run[Any, Any], deliver: Callable[[Sequence[Any]], object]) -> None:
        push = getattr(self._source, "for_each_batch", None)
        try:
            if push is not None:
                await push(deliver if isinstance(self._source, BatchIterator) else _here(deliver))
                return
            while (batch := await self._source.next_batch()) is not None:
                deliver(batch)
        except Exception:
            self._end(run)
            raise

    def _end(self, run: Run[Any, Any]) -> None:
        self._ended = True
        run.close()

    def _pass(self, run: Run[Any, Any], batch: Sequence[Any] | None, out: list[T_co]) -> None:
        if batch is None:
            self._ended = True
            run.finish(out)
        else:
            run.feed(batch, out)

    async def _fail(self, failure: Exception) -> NoReturn:
        """End the flow with a stage's failure; what closing the source raises becomes a note of it."""
        self._ended, self._failure = True, None
        try:
            await close_source(self._source)
        except Exception as error:  # noqa: BLE001 - it must not hide the failure that caused the close
            failure.add_note(f"closing the source failed too: {error!r}")
        try:
            raise failure
        finally:
            del failure  # a frame that is held by its own exception would live until the collector comes


def _here(callback: Callable[[T], object]) -> Callable[[T], object]:
    """The callback, run in this task's context wherever it is called from.

    A protocol's callbacks run in the context of whoever opened the connection, which was another request when the
    connection comes from a pool: a stage there would find that request's scope.
    """
    run: Callable[..., object] = contextvars.copy_context().run
    return partial(run, callback)


def flow_over(source: Source[Any], steps: Sequence[Step]) -> Flow[Any]:
    """A flow of `steps` over anything that a pipeline can stand over; `map_async` steps become boundaries in it."""
    last = max((i for i, step in enumerate(steps) if step.kind is Kind.MAP_ASYNC), default=-1)
    if last < 0:
        return Flow(batch_source(source), steps)
    before = flow_over(source, steps[:last]) if last else batch_source(source)
    return Flow(Boundary(before, steps[last]), steps[last + 1 :])
