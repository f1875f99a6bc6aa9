"""One open stream, as its consumer sees it: chunks, batches, events, text, and the result at the end.

Invariants: one consumer at a time; breaking out of a loop and iterating again loses nothing; whatever ended the stream
early is raised after everything before it has been delivered; leaving the `async with` gives everything back at once.
Cost: one wake-up for each read, however many chunks it brought; `for_each` has none.
Not here: the network's side (`receiver.py`), opening (`client.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from streamarena.client.result import StreamResult, Timings, build_result
from streamarena.errors import StreamClosedError
from streamarena.pipeline import BatchIterator, Flow
from streamarena.pipeline import filter as keep
from streamarena.pipeline import map as each
from streamarena.providers import Accumulator, Chunk, TextChunk, WireEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamarena.client.connection import ResponseHead
    from streamarena.client.intake import Mode
    from streamarena.client.receiver import Receiver
    from streamarena.memory import Arena

__all__ = ["ChunkStream", "EventStream"]

T_co = TypeVar("T_co", covariant=True)


class _Received(BatchIterator[T_co]):
    """What chunks and events have in common: batches come from a receiver."""

    def __init__(self, receiver: Receiver, mode: Mode, new_list: Callable[[], list[Any]]) -> None:
        self._receiver = receiver
        self._new_list = new_list
        self._mode: Mode = mode

    async def receive_batch(self) -> list[T_co] | None:
        """Return what awaits the consumer, waiting for it if need be; None at the proper end.

        Raises:
            StreamTruncatedError: the stream was cut short.
            FirstContentTimeoutError, IdleTimeoutError, TotalTimeoutError: a limit of time passed.
            ProviderError: the provider reported an error inside the stream; its chunk was delivered before.
            StreamClosedError: the stream was closed on this side, or the other of chunks and events was chosen.

        Cancellation loses nothing: the next call goes on where this one would have.
        """
        self._receiver.choose(self._mode)
        return await self._receiver.next_batch()

    async def receive_each(self, callback: Callable[[list[T_co]], object]) -> None:
        """Call `callback` with every batch inside the read callback; its exception closes the stream.

        The list is lent for the length of the call, as the bytes were that it came from.

        Raises:
            whatever `callback` raised, or `receive_batch` would have raised.
        """
        self._receiver.choose(self._mode)
        await self._receiver.deliver(callback, self._new_list())


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
        timings: when what happened, in nanoseconds.
    """

    def __init__(
        self,
        receiver: Receiver,
        arena: Arena,
        keeper: Accumulator | None,
        timings: Timings,
        new_list: Callable[[], list[Any]],
    ) -> None:
        super().__init__(receiver, "chunks", new_list)
        self.arena = arena
        self.timings = timings
        self._keeper = keeper
        self._result: StreamResult | None = None
        self.attempts = 1

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
        return EventStream(self._receiver, "events", self._new_list)

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
            keeper = self._keeper
            if keeper is None:
                raise StreamClosedError("nothing was kept for a result: the stream was opened with keep_result=False")
            while await self.next_batch() is not None:
                pass
            self._result = build_result(
                keeper, self.timings, self._receiver.received, self._receiver.count, self.attempts
            )
        return self._result

    async def aclose(self) -> None:
        """As `close`: nothing is awaited."""
        self.close()

    def close(self) -> None:
        """End the stream now and give everything back; what was not read is dropped. Synchronous and repeatable."""
        self._rest = iter(())
        self._receiver.close()
        self.arena.close()


def _text_of(chunk: TextChunk) -> str:
    return chunk.text
