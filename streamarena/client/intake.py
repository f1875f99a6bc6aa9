"""Bytes of one body to the items that its consumer chose: chunks, or raw events.

Sans-IO, so that it can be tested without a socket. Until a consumer has chosen, parsed events are held undecoded.
Invariants: items come in wire order; an error inside the stream is delivered as its chunk and then named as the end;
a body that ends without the provider's own end is named as cut short.
Cost: no copy and no allocation beside the events and chunks themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from streamarena.errors import (
    BodyTooLargeError,
    EventTooLargeError,
    ProviderError,
    StreamArenaError,
    StreamClosedError,
    StreamTruncatedError,
)
from streamarena.providers import Accumulator, Chunk, Framer, WireEvent, last_events

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamarena.client.wire_state import WireState
    from streamarena.memory import Arena
    from streamarena.providers import FinishChunk, StartChunk, UsageChunk

__all__ = ["Intake", "Mode"]

Mode: TypeAlias = Literal["chunks", "events"]


class Intake:
    """Takes one body.

    Args:
        wire: the parser and the decoder.
        keeper: keeps chunks for the result, or None.
        stream_bytes: the largest body taken.
        arena: holds the unfinished tail of an event.

    Attributes:
        content_type: of the response; set it before the first bytes.
        batch: items that await the consumer.
        held: events that await the consumer's choice.
        fresh: whether content came since the flag was last cleared.
        received: body bytes so far; count: items so far.
        problem: the provider's error, once its chunk is in the batch.
        content: of the items, the chunks that brought text, reasoning or a part of a tool call.
        usage: the latest token counts that the provider told.
        started, finished: the latest chunk of each kind, which names the response, and says why a choice ended.
    """

    __slots__ = (
        "_arena",
        "_decoder",
        "_framer",
        "_keeper",
        "_mode",
        "_stream_bytes",
        "_wire",
        "batch",
        "content",
        "content_type",
        "count",
        "finished",
        "fresh",
        "held",
        "problem",
        "received",
        "started",
        "usage",
    )

    def __init__(self, wire: WireState, keeper: Accumulator | None, stream_bytes: int, arena: Arena) -> None:
        self._wire = wire
        self._keeper = keeper
        self._stream_bytes = stream_bytes
        self._arena = arena
        self._framer: Framer | None = None
        self._decoder = wire.decoder
        self._mode: Mode | None = None
        self.content_type: str | None = None
        self.batch: list[Any] = []
        self.held: list[WireEvent] = []
        self.fresh = False
        self.received = 0
        self.count = self.content = 0
        self.problem: ProviderError | None = None
        self.usage: UsageChunk | None = None
        self.started: StartChunk | None = None
        self.finished: FinishChunk | None = None

    @property
    def chosen(self) -> bool:
        """Whether a consumer has chosen what it wants."""
        return self._mode is not None

    @property
    def framing(self) -> str:
        """How bytes become events on this wire."""
        return self._decoder.framing

    @property
    def complete(self) -> bool:
        """Whether the provider's own end has come."""
        return self._decoder.complete

    def choose(self, mode: Mode) -> None:
        """Choose, once, what the batches hold; held events become items.

        Raises:
            StreamClosedError: the other was chosen before.
        """
        if self._mode is None:
            self._mode = mode
            held, self.held = self.held, []
            self._take(held)
        elif self._mode != mode:
            raise StreamClosedError("a stream gives either its chunks or its raw events, not both")

    def feed(self, data: bytes) -> None:
        """Parse and decode what one read brought.

        Raises:
            BodyTooLargeError, EventTooLargeError: a limit is met.
            ReplyTooLargeError, QuotaExceededError: the result has grown past its limit.
            UnexpectedContentError: the first bytes are no stream.
            DecodeError: an event is beyond every decoder.
            What came before any of these is in the batch.
        """
        self.received += len(data)
        over = self.received - self._stream_bytes
        if over > 0:
            data = data[:-over]
        framer = self._framer
        if framer is None:
            framer = self._framer = self._wire.framer(self.content_type, data, self._arena)
        try:
            events = framer.feed(data)
        except EventTooLargeError as error:
            raise EventTooLargeError(error.limit, error.seen, "Limits.event_bytes") from None
        if events:
            if self._mode is None:
                self.held += events
            else:
                self._take(events)
        if over > 0:
            raise BodyTooLargeError(self._stream_bytes, self.received, "Limits.stream_bytes")

    def take(self) -> list[Any]:
        """Hand the batch over for good and start a new one."""
        batch, self.batch = self.batch, []
        return batch

    def use(self, batch: list[Any]) -> None:
        """Collect into this empty list from now on; for whoever calls `lend` only, which uses it again and again."""
        batch += self.batch
        self.batch = batch

    def lend(self, sink: Callable[[list[Any]], object]) -> None:
        """Lend the batch to `sink` for the length of its call, then empty it for the next read."""
        try:
            sink(self.batch)
        finally:
            self.batch.clear()

    def finish(self) -> StreamArenaError | None:
        """Take the end of the body; return what is wrong with it, if anything."""
        if self._framer is not None:
            self._take(last_events(self._framer))
            self._framer.close()
        if self._mode == "events":
            return None
        last = self._decoder.finish()
        self.batch += last
        self.count += len(last)
        if self._keeper is not None and last:
            self._keep(self._keeper, last)
        if self.problem is None and not self._decoder.complete:
            return StreamTruncatedError("the body ended without the provider's own end of the stream", self.received)
        return self.problem

    def _take(self, events: Sequence[WireEvent]) -> None:
        batch = self.batch
        if self._mode == "events":
            batch += events
            self.count += len(events)
            self.fresh = True
            return
        decode = self._decoder.decode
        before = len(batch)
        try:
            for event in events:
                for chunk in decode(event):
                    batch.append(chunk)
                    if chunk.is_content:
                        self.fresh = True
                        self.content += 1
                    elif chunk.kind == "usage":
                        self.usage = chunk
                    elif chunk.kind == "start":
                        self.started = chunk
                    elif chunk.kind == "finish":
                        self.finished = chunk
                    elif chunk.kind == "error":
                        self.problem = ProviderError(chunk.message, code=chunk.code, type=chunk.type)
        finally:
            self.count += len(batch) - before
            if self._keeper is not None and len(batch) > before:
                self._keep(self._keeper, batch[before:] if before else batch)

    def _keep(self, keeper: Accumulator, chunks: Sequence[Chunk]) -> None:
        """Keep chunks for the result."""
        try:
            keeper.extend(chunks)
        except BodyTooLargeError as error:
            raise BodyTooLargeError(error.limit, error.seen, "Limits.result_bytes") from None
