"""One open stream, as its consumer sees it: chunks, batches, events, text, and the result at the end.

Invariants: one consumer at a time; breaking out of a loop and iterating again loses nothing; whatever ended the stream
early is raised after everything before it has been delivered; leaving the `async with` gives everything back at once.
Cost: one wake-up for each read, however many chunks it brought; `for_each` has none.
Not here: the network's side (`receiver.py`), opening (`client.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from streamarena.errors import StreamClosedError
from streamarena.pipeline import BatchIterator, Flow
from streamarena.pipeline import filter as keep
from streamarena.pipeline import map as each
from streamarena.providers import Chunk, TextChunk, WireEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from streamarena.client.connection import ResponseHead
    from streamarena.client.intake import Mode
    from streamarena.client.receiver import Receiver
    from streamarena.client.result import StreamResult, Timings
    from streamarena.client.retry import Attempt
    from streamarena.client.session import Session
    from streamarena.memory import Arena

__all__ = ["ChunkStream", "EventStream"]

T_co = TypeVar("T_co", covariant=True)


class _Received(BatchIterator[T_co]):
    """What chunks and events have in common: batches come from a receiver."""

    def __init__(self, session: Session, mode: Mode) -> None:
        self._session = session
        self._mode: Mode = mode

    @property
    def _receiver(self) -> Receiver:
        """The receiver of the current attempt."""
        receiver = self._session.receiver
        assert receiver is not None, "a stream is handed out once its response is there"
        return receiver

    async def receive_batch(self) -> list[T_co] | None:
        """Return what awaits the consumer, waiting for it if need be; None at the proper end.

        Raises:
            StreamTruncatedError: the stream was cut short.
            FirstContentTimeoutError, IdleTimeoutError, TotalTimeoutError: a limit of time passed.
            ProviderError: the provider reported an error inside the stream; its chunk was delivered before.
            StreamClosedError: the stream was closed on this side, or the other of chunks and events was chosen.

        Cancellation loses nothing: the next call goes on where this one would have.
        """
        receiver = self._receiver
        receiver.choose(self._mode)
        if self._session.resilient:
            return await self._session.next_batch(self._mode)
        return await receiver.next_batch()

    def receive_each(self, callback: Callable[[list[T_co]], object]) -> Coroutine[Any, Any, None]:
        """Call `callback` with every batch inside the read callback; its exception closes the stream.

        The list is lent for the length of the call, as the bytes were that it came from. With a retry policy or
        fallbacks the callback runs in the task that reads instead, for another attempt has to be awaited.

        Raises (when awaited):
            whatever `callback` raised, or `receive_batch` would have raised.
        """
        if self._session.resilient:
            return super().receive_each(callback)
        self._receiver.choose(self._mode)
        return self._receiver.deliver(callback, self._session.new_list())


class EventStream(_Received[WireEvent]):
    """The raw events of a stream, not decoded. Made by `ChunkStream.events()`."""

    async def aclose(self) -> None:
        """End the stream now; synchronous in fact, and repeatable."""
        self._receiver.close()


class ChunkStream(_Received[Chunk]):
    """An open stream of chunks.

    Iterate it, or its `batches()`; put stages behind it with `|`; or let `for_each` run a function inside the read
    callback. Made by `StreamClient.stream`.

    Attributes:
        arena: the request's arena; what the stream keeps is in it, and the user may keep things in it too.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session, "chunks")
        self.arena: Arena = session.arena
        self._result: StreamResult | None = None

    @property
    def timings(self) -> Timings:
        """When what happened, in nanoseconds; of the latest attempt."""
        return self._session.timings

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every request sent for this stream, in order; the one that is read has no `error` and is not `lost`."""
        return tuple(self._session.attempts)

    @property
    def head(self) -> ResponseHead:
        """Status and header of the response."""
        head = self._receiver.head
        assert head is not None, "a stream is handed out once its header is there"
        return head

    @property
    def received_at(self) -> int:
        """`time.perf_counter_ns` of the read that brought the latest batch."""
        return self._receiver.received_at

    @property
    def ended(self) -> bool:
        """Whether nothing more will come from the network."""
        return self._receiver.ended

    def events(self) -> EventStream:
        """Return the raw events instead of chunks; choose before the first chunk is taken.

        Raises:
            StreamClosedError: chunks were chosen before.
        """
        self._receiver.choose("events")
        return EventStream(self._session, "events")

    def text_deltas(self) -> Flow[str]:
        """Return only the answer's text, piece by piece."""
        return self | keep(TextChunk) | each(_text_of)

    async def result(self) -> StreamResult:
        """Read the rest and return the whole: message, usage, timings, sizes. Call it inside the `async with`.

        Raises:
            StreamArenaError: whatever ended the stream early.
            StreamClosedError: the stream was opened with `keep_result=False`, or has been closed.
        """
        if self._result is None:
            if self._session.closed:
                raise StreamClosedError("the stream was closed: ask for its result() inside the `async with`")
            if self._session.keeper is None:
                raise StreamClosedError("nothing was kept for a result: the stream was opened with keep_result=False")
            while await self.next_batch() is not None:
                pass
            self._result = self._session.result(self._session.keeper, complete=True)
        return self._result

    def partial(self) -> StreamResult | None:
        """Return what is known by now, also after an error and after the `async with` was left early.

        `complete` says whether that is all. None where nothing was kept or nothing had come.
        """
        return self._result or self._session.partial()

    async def aclose(self) -> None:
        """As `close`: nothing is awaited."""
        self.close()

    def close(self, error: BaseException | None = None) -> None:
        """End the stream now and give everything back; what was not read is dropped. Synchronous and repeatable.

        Args:
            error: why, for observers.
        """
        self._rest = iter(())
        self._session.close(error)


def _text_of(chunk: TextChunk) -> str:
    return chunk.text
