"""A tap on one streamed response: it reads what passes and keeps what is worth knowing, and touches nothing.

It is fed each piece of the body, frames and decodes it as a client would, and keeps counts, stamps, gaps, usage and how
the stream ended. Whoever feeds it sends the same bytes on.

Invariants:
* A piece is borrowed for the call: nothing keeps a view of it, and it is never changed.
* What the tap cannot read never harms the stream: it is counted in `problems`, and after trouble that it cannot get
  over the tap is blind, which means that it counts bytes and takes every piece for content.
* The limits of bytes and events are the two things it raises for, and it raises before the piece is sent on.
* What is kept does not grow with the stream: the unfinished tail of one event, and a histogram of gaps.
Content is what `Chunk.is_content` says. On a wire that nobody knows every event counts as content but empty ones.

Cost: with the compiled parser about a microsecond a piece of one event: one parse, one typed decode, one clock read.
Parser and decoder come from the memory manager's pools and go back with the request's scope, which releases the tap;
from then on it reads nothing more.
Not here: sending, timers (`client/clock.py`), changing what passes (`texts/`).
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

from streamarena.errors import BodyTooLargeError, ProviderError, TooManyEventsError
from streamarena.histogram import Histogram
from streamarena.memory import default_manager
from streamarena.providers import (
    ErrorChunk,
    FinishChunk,
    StartChunk,
    UsageChunk,
    decoder_for,
    detect_api,
    framer_for,
    framing_of,
    last_events,
)
from streamarena.providers.decoders.base import is_keep_alive
from streamarena.providers.framing import FIRST_BYTES
from streamarena.relay.limits import StreamLimits
from streamarena.relay.summary import TapSummary
from streamarena.sse import SSEParser

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamarena.memory import Arena, MemoryManager, PooledObject
    from streamarena.providers import Chunk, Decoder, Framer, WireEvent

__all__ = ["StreamTap", "holds_lines", "is_tapped"]

_LINES: Final = frozenset(
    {
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonlines",
        "application/jsonlines",
    }
)
_TELLING_EVENTS: Final = 16
"""How many events may leave it open which wire this is; then it is one that nobody knows."""
_HOPELESS: Final = 16
"""So many events in a row that the decoder refuses, and none that it took, are another wire's."""
_GAPS_AT_ONCE: Final = 128


def is_tapped(media_type: str) -> bool:
    """Tell whether a response of this type, without parameters and in lower case, is a stream that a tap reads."""
    return media_type == "text/event-stream" or holds_lines(media_type)


def holds_lines(media_type: str) -> bool:
    """Tell whether a stream of this type is lines of JSON."""
    return media_type in _LINES


class StreamTap:
    """Watches one response's body.

    Args:
        content_type: the response's header field, or None.
        arena: the request's; the tap is leased to it, and it keeps the unfinished tail of an event.
        api: the wire API, if it is known; else it is read off the first events.
        limits: what ends the stream.
        started: `time.perf_counter_ns` of the request's start; now, by default.
        manager: whose pools are used; the process's by default.

    Attributes:
        bytes, pieces, events: so far.
        last_at: nanosecond stamp of the last piece. first_content_at, last_content_at: of content; None before any.
        usage, model, finish_reason, error: see `TapSummary`.
        problems: what could not be read so far.
    """

    __slots__ = (
        "_api",
        "_arena",
        "_blind",
        "_complete",
        "_content_type",
        "_decoded",
        "_decoder",
        "_end",
        "_finished",
        "_framer",
        "_gaps",
        "_histogram",
        "_leases",
        "_limits",
        "_lines",
        "_manager",
        "_refused",
        "_started",
        "_unknown",
        "bytes",
        "error",
        "events",
        "finish_reason",
        "first_content_at",
        "first_event_at",
        "first_problem",
        "last_at",
        "last_content_at",
        "model",
        "pieces",
        "problems",
        "released",
        "usage",
    )

    def __init__(
        self,
        content_type: str | None,
        arena: Arena,
        *,
        api: str | None = None,
        limits: StreamLimits | None = None,
        started: int | None = None,
        manager: MemoryManager | None = None,
    ) -> None:
        self._content_type = content_type
        self._lines = holds_lines((content_type or "").partition(";")[0].strip().lower())
        self._arena = arena
        self._limits = limits or StreamLimits()
        self._started = perf_counter_ns() if started is None else started
        self._manager = manager or default_manager()
        self._framer: Framer | None = None
        self._decoder: Decoder | None = None
        self._api: str | None = None
        self._leases: list[PooledObject[SSEParser] | PooledObject[Decoder]] = []
        self._complete: bool | None = None
        self._blind = self._unknown = self._decoded = self._finished = self.released = False
        self._refused = 0  # events in a row that the decoder could not read
        self._end = b""  # the last three bytes, by which a boundary is known
        self._gaps: list[int] = []
        self._histogram = Histogram()
        self.bytes = self.pieces = self.events = self.problems = 0
        self.last_at = 0
        self.first_event_at: int | None = None
        self.first_content_at: int | None = None
        self.last_content_at: int | None = None
        self.usage: UsageChunk | None = None
        self.model: str | None = None
        self.finish_reason: str | None = None
        self.error: ProviderError | None = None
        self.first_problem: str | None = None
        arena.lease(self)
        if api is not None:
            self._speak(api)

    @property
    def api(self) -> str | None:
        """The wire API, as given or found; None while it is not known."""
        return self._api

    @property
    def complete(self) -> bool | None:
        """Whether the stream has come to its own end; None on a wire that nobody knows."""
        return self._complete if self._decoder is None or self._blind else self._decoder.complete

    @property
    def at_boundary(self) -> bool:
        """Whether an event may be put here: nothing was sent so far, or a whole event (a whole line of NDJSON) last."""
        if self.bytes == 0:
            return True
        end = self._end
        if not end.endswith((b"\n", b"\r")):
            return False
        if self._lines:
            return True
        before = end[:-2] if end.endswith(b"\r\n") else end[:-1]
        return before.endswith((b"\n", b"\r")) or not before

    @property
    def takes_comments(self) -> bool:
        """Whether a comment may be put here: lines of JSON have none."""
        return not self._lines and self.at_boundary

    def feed(self, data: bytes | bytearray | memoryview, at: int | None = None) -> None:
        """Read a piece that is about to be sent on; the data is borrowed for the call only.

        Args:
            data: the piece.
            at: `time.perf_counter_ns` of when it came; now, by default.

        Raises:
            BodyTooLargeError, TooManyEventsError: a limit is passed with this piece.
        """
        size = len(data)
        if not size:
            return
        now = self.last_at = perf_counter_ns() if at is None else at
        self.bytes += size
        self.pieces += 1
        if self.bytes > self._limits.stream_bytes:
            raise BodyTooLargeError(self._limits.stream_bytes, self.bytes, "StreamLimits.stream_bytes")
        self._end = bytes(data[-3:]) if size > 2 else (self._end + bytes(data))[-3:]
        framer = self._framer or self._open(data)
        if framer is None:
            self._content(now)
            return
        try:
            events = framer.feed(data)
        except Exception as error:  # noqa: BLE001 - whatever the tap cannot read, the reader may
            self._go_blind(error)
            self._content(now)
            return
        if events:
            self._take(events, now)

    def finish(self) -> None:
        """Read what only the end of the body completes. Call it once, when the body has ended."""
        if self._finished:
            return
        self._finished = True
        framer, decoder = self._framer, self._decoder
        if framer is None or self._blind:
            return
        try:
            if rest := last_events(framer):
                self._take(rest, perf_counter_ns())
            framer.close()
            for chunk in decoder.finish() if decoder is not None else ():
                self._note(chunk)
        except Exception as error:  # noqa: BLE001 - as in `feed`
            self._problem(error)

    def summary(self) -> TapSummary:
        """Return what has passed so far."""
        self._histogram.add_all(self._gaps)
        self._gaps.clear()
        return TapSummary(
            api=self._api,
            model=self.model,
            bytes=self.bytes,
            pieces=self.pieces,
            events=self.events,
            first_event_seconds=self._since_start(self.first_event_at),
            first_content_seconds=self._since_start(self.first_content_at),
            seconds=self._since_start(self.last_at or None),
            gaps=self._histogram,
            usage=self.usage,
            finish_reason=self.finish_reason,
            complete=self.complete,
            error=self.error,
            problems=self.problems,
            first_problem=self.first_problem,
            blind=self._blind,
        )

    def release(self) -> None:
        """Give parser and decoder back. Called by the request's scope; what is known by then stays readable."""
        if self.released:
            return
        self._complete = self.complete
        self.released = self._finished = True
        self._framer = self._decoder = None
        while self._leases:
            self._leases.pop().release()

    # ------------------------------------------------------------ events

    def _take(self, events: Sequence[WireEvent], now: int) -> None:
        self.events += len(events)
        if self.first_event_at is None:
            self.first_event_at = now
        if self._decoder is None and not self._unknown:
            self._recognise(events)
        if self._decoder is None or self._blind:
            content = any(not is_keep_alive(event.raw_data) for event in events)
        else:
            content = self._decode(self._decoder, events)
        if content:
            self._content(now)
        if self.events > self._limits.events:
            raise TooManyEventsError(self._limits.events, self.events, "StreamLimits.events")

    def _decode(self, decoder: Decoder, events: Sequence[WireEvent]) -> bool:
        """Decode events; tell whether there was content in them."""
        decode = decoder.decode
        content = False
        for event in events:
            try:
                for chunk in decode(event):
                    if chunk.is_content:
                        content = True
                    else:
                        self._note(chunk)
                self._decoded = True
            except Exception as error:  # noqa: BLE001 - as in `feed`, and the events behind this one count too
                self._problem(error)
                self._refused += 1
                content = True
        if self._refused >= _HOPELESS and not self._decoded:
            self._decoder, self._unknown, self._api = None, True, None
        return content

    def _note(self, chunk: Chunk) -> None:
        """Keep what a chunk that is not content says."""
        if isinstance(chunk, UsageChunk):
            self.usage = chunk
        elif isinstance(chunk, FinishChunk):
            self.finish_reason = chunk.reason
        elif isinstance(chunk, StartChunk):
            self.model = chunk.model or self.model
        elif isinstance(chunk, ErrorChunk):
            self.error = ProviderError(chunk.message, code=chunk.code, type=chunk.type)

    def _content(self, now: int) -> None:
        last = self.last_content_at
        self.last_content_at = now
        if last is None:
            self.first_content_at = now
            return
        gaps = self._gaps
        gaps.append(now - last)
        if len(gaps) >= _GAPS_AT_ONCE:
            self._histogram.add_all(gaps)
            gaps.clear()

    # ------------------------------------------------------------ how to read

    def _open(self, first: bytes | bytearray | memoryview) -> Framer | None:
        """Choose how to cut this body into events; None where the tap is blind."""
        if self._blind or self.released:
            return None
        start = bytes(first[:FIRST_BYTES])
        try:
            if framing_of(self._content_type, start, self._api) == "sse":
                self._framer = self._lease_parser()
            else:
                limit = self._limits.event_bytes
                self._framer = framer_for(self._content_type, start, self._api, max_event_bytes=limit)
        except Exception as error:  # noqa: BLE001 - as in `feed`
            self._go_blind(error)
        return self._framer

    def _lease_parser(self) -> SSEParser:
        limit = self._limits.event_bytes
        pool = self._manager.request_pool.pool(f"tap, events to {limit} bytes", lambda: SSEParser(limit), _reset_parser)
        lease = pool.acquire()
        self._leases.append(lease)
        lease.value.arena = self._arena
        return lease.value

    def _recognise(self, events: Sequence[WireEvent]) -> None:
        api = detect_api(events)
        if api is not None:
            self._speak(api)
        elif self.events >= _TELLING_EVENTS:
            self._unknown = True

    def _speak(self, api: str) -> None:
        pool = self._manager.request_pool.pool(f"tap, {api}", lambda: decoder_for(api), _reset_decoder)
        lease = pool.acquire()
        self._leases.append(lease)
        self._decoder, self._api = lease.value, api

    def _go_blind(self, error: Exception) -> None:
        self._problem(error)
        self._blind = True
        self._framer = None

    def _problem(self, error: Exception) -> None:
        self.problems += 1
        if self.first_problem is None:
            self.first_problem = type(error).__name__

    def _since_start(self, stamp: int | None) -> float | None:
        return None if stamp is None else (stamp - self._started) / 1e9


def _reset_parser(parser: SSEParser) -> None:
    parser.reset(keep_last_event_id=False)


def _reset_decoder(decoder: Decoder) -> None:
    decoder.reset()
