"""Which framing a body has, and the framers: bytes to events, for every wire.

The content type decides, and the first bytes overrule it where they contradict it: error pages and JSON bodies come
with status 200 and any label. A body that is no stream is an `UnexpectedContentError` that shows what was seen.
Invariants: however the bytes are cut, the events are the same; what is held back is at most `max_event_bytes`.
Costs: server-sent events as `SSEParser`; lines one search and one copy a line, linear also for a line in many pieces.
Not here: what is inside an event (`decoders/`); the binary framing's own code (`eventstream.py`).
"""

from __future__ import annotations

import re
from typing import Final, Protocol

from streamarena.errors import ConfigurationError, EventTooLargeError, StreamClosedError, UnexpectedContentError
from streamarena.providers.eventstream import eventstream_framer, is_prelude
from streamarena.providers.interfaces import Framing  # noqa: TC001 - annotations stay readable at run time
from streamarena.sse import ServerSentEvent, SSEParser

__all__ = ["FIRST_BYTES", "Framer", "LineFramer", "framer_for", "framing_of", "last_events"]

FIRST_BYTES: Final = 64  # as many bytes of a body as can matter to the decision
_SHOWN_BYTES: Final = 1024

_CONTENT_TYPES: Final[dict[str, Framing]] = {
    "text/event-stream": "sse",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/x-jsonlines": "ndjson",
    "application/jsonlines": "ndjson",
    "application/vnd.amazon.eventstream": "eventstream",
}
_FIELD: Final = re.compile(rb"(?:data|event|id|retry)?:|\xef\xbb\xbf|[\r\n]")
_NDJSON_APIS: Final = frozenset({"ollama"})


class Framer(Protocol):
    """Cuts a body into events. `SSEParser` is one."""

    def feed(self, data: bytes | bytearray | memoryview, /) -> list[ServerSentEvent]:
        """Return the events that these bytes complete.

        Raises:
            EventTooLargeError: one event is larger than the framer's limit.
        """
        ...

    def close(self) -> bool:
        """End the input; True if it was cut inside an event."""
        ...


def framing_of(content_type: str | None, first_bytes: bytes, api: str | None = None) -> Framing:
    """Decide how a body is framed.

    Args:
        content_type: the header's value, parameters and all; None where there is none.
        first_bytes: the start of the body, `FIRST_BYTES` or as many as have come; may be empty.
        api: the API that was asked, for the bodies that say nothing of themselves.

    Raises:
        UnexpectedContentError: the body is a page, or one JSON value, and no stream.
    """
    media_type = (content_type or "").partition(";")[0].strip().lower()
    named = _CONTENT_TYPES.get(media_type)
    if named == "eventstream" or (named is None and is_prelude(first_bytes)):
        return "eventstream"
    start = first_bytes.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start == b"<" or (media_type == "text/html" and named is None):
        raise _unexpected("a page of markup", content_type, first_bytes)
    if start in (b"{", b"["):
        if named == "ndjson" or (api in _NDJSON_APIS and start == b"{"):
            return "ndjson"
        hint = "; Gemini sends events only with ?alt=sse" if start == b"[" else ""
        raise _unexpected("one JSON value" + hint, content_type, first_bytes)
    if named is not None:
        return named
    if not start:
        return "ndjson" if api in _NDJSON_APIS else "sse"
    if _FIELD.match(first_bytes):
        return "sse"
    raise _unexpected("neither events nor lines of JSON", content_type, first_bytes)


def framer_for(
    content_type: str | None,
    first_bytes: bytes = b"",
    api: str | None = None,
    *,
    max_event_bytes: int = 16 * 2**20,
) -> Framer:
    """Return the framer for a body; the first bytes are looked at, not consumed: feed them to it.

    Args:
        content_type: the header's value, or None.
        first_bytes: the start of the body; may be empty.
        api: the API that was asked.
        max_event_bytes: the limit of one event.

    Raises:
        UnexpectedContentError: the body is no stream.
        MissingExtraError: the binary framing needs botocore.
    """
    framing = framing_of(content_type, first_bytes, api)
    if framing == "sse":
        return SSEParser(max_event_bytes)
    if framing == "ndjson":
        return LineFramer(max_event_bytes)
    return eventstream_framer(max_event_bytes)


def last_events(framer: Framer) -> list[ServerSentEvent]:
    """Return what only the end of the body completes: a last line without its line end. Call it before `close`."""
    return framer.take_rest() if isinstance(framer, LineFramer) else []


class LineFramer:
    """Lines of JSON (NDJSON, JSON Lines): each line that is not blank is one event.

    Args:
        max_event_bytes: the most bytes of one line.
    """

    def __init__(self, max_event_bytes: int = 16 * 2**20) -> None:
        if max_event_bytes < 1:
            raise ConfigurationError(f"max_event_bytes must be at least 1, not {max_event_bytes}")
        self._max = max_event_bytes
        self.reset()

    def reset(self) -> None:
        """Be ready for a new stream; an unfinished line is dropped."""
        self._pieces: list[bytes] = []
        self._held = 0
        self._too_large = 0
        self._closed = False

    def feed(self, data: bytes | bytearray | memoryview) -> list[ServerSentEvent]:
        """Return the lines that these bytes complete; the data is borrowed for the call only.

        Raises:
            EventTooLargeError: a line passed the limit. Lines before it are returned first; the next call raises.
            StreamClosedError: `close` was called before.
        """
        self._check()
        lines = bytes(data).split(b"\n")
        events: list[ServerSentEvent] = []
        for number, piece in enumerate(lines):
            self._held += len(piece)
            if self._held > self._max:
                self._too_large = self._held
                break
            if number < len(lines) - 1:
                self._dispatch(piece, events)
            elif piece:
                self._pieces.append(piece)
        if self._too_large and not events:
            self._check()
        return events

    def take_rest(self) -> list[ServerSentEvent]:
        """Return the last line where the body ended without a line end."""
        self._check()
        events: list[ServerSentEvent] = []
        self._dispatch(b"", events)
        return events

    def close(self) -> bool:
        """End the input; True if an unfinished line was dropped."""
        cut = any(piece.strip() for piece in self._pieces)
        self._pieces.clear()
        self._closed = True
        return cut

    def _dispatch(self, piece: bytes, events: list[ServerSentEvent]) -> None:
        if self._pieces:
            self._pieces.append(piece)
            piece = b"".join(self._pieces)
            self._pieces.clear()
        self._held = 0
        line = piece.strip()
        if line:
            events.append(ServerSentEvent(line))

    def _check(self) -> None:
        if self._closed:
            raise StreamClosedError("this framer was closed; reset() makes it ready for another stream")
        if self._too_large:
            self._pieces.clear()
            raise EventTooLargeError(self._max, self._too_large, "max_event_bytes")


def _unexpected(what: str, content_type: str | None, first_bytes: bytes) -> UnexpectedContentError:
    shown = first_bytes[:80].decode("utf-8", "replace")
    return UnexpectedContentError(
        f"expected a stream of events and got {what} (content type {content_type or 'not given'}): {shown!r}",
        body=first_bytes[:_SHOWN_BYTES],
    )
