"""Amazon's binary event streams (`application/vnd.amazon.eventstream`) as events, with botocore's parser of messages.

Invariants: a length is believed only after its checksum; what is held back is at most `max_event_bytes`; the events are
the same however the bytes are cut. An event's type is the message's `:event-type`, or its `:exception-type`, or
`error` for an error without one; its data is the payload.
Costs: bytes are held once until a message is whole, then parsed once: linear, also for a message in many pieces.
Not here: the format of headers and the message checksum, which are botocore's.

Source: Amazon Transcribe, "Event stream encoding" (the format is the same for Bedrock).
"""

from __future__ import annotations

import importlib
import zlib
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from streamarena.errors import DecodeError, EventTooLargeError, MissingExtraError, StreamClosedError
from streamarena.sse import ServerSentEvent

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EventStreamFramer", "eventstream_framer", "is_prelude"]

_PRELUDE: Final = 12  # total length, header length, their checksum: four bytes each, big-endian
_SMALLEST: Final = 16  # a prelude and the message's checksum


def eventstream_framer(max_event_bytes: int) -> EventStreamFramer:
    """Return a framer, or say what must be installed for it.

    Raises:
        MissingExtraError: botocore is not installed.
    """
    try:
        module = importlib.import_module("botocore.eventstream")
    except ImportError as error:
        raise MissingExtraError("botocore", "bedrock", "a binary event stream") from error
    return EventStreamFramer(module, max_event_bytes)


def is_prelude(data: bytes) -> bool:
    """Tell whether these bytes begin a message: the checksum of the two lengths is right."""
    return len(data) >= _PRELUDE and zlib.crc32(data[:8]) == int.from_bytes(data[8:12], "big")


class EventStreamFramer:
    """Cut a body into messages; `Framer` says what the methods promise.

    Args:
        library: the module `botocore.eventstream`.
        max_event_bytes: the most bytes of one message.
    """

    def __init__(self, library: Any, max_event_bytes: int) -> None:  # noqa: ANN401 - botocore has no types
        self._library = library
        self._max = max_event_bytes
        self.reset()

    def reset(self) -> None:
        """Be ready for a new stream; an unfinished message is dropped."""
        self._held = bytearray()
        self._failure: EventTooLargeError | DecodeError | None = None
        self._closed = False

    def feed(self, data: bytes | bytearray | memoryview) -> list[ServerSentEvent]:
        """Return the messages that these bytes complete; the data is borrowed for the call only.

        Raises:
            EventTooLargeError: a message says that it is larger than the limit.
            DecodeError: the bytes are not a message, or a checksum is wrong.
            StreamClosedError: `close` was called before.

        Messages before a faulty one are returned first; the next call raises.
        """
        if self._closed:
            raise StreamClosedError("this framer was closed; reset() makes it ready for another stream")
        events: list[ServerSentEvent] = []
        if self._failure is None:
            self._held += data
            try:
                self._scan(events)
            except (EventTooLargeError, DecodeError) as error:
                self._failure = error
        if self._failure is not None and not events:
            raise self._failure
        return events

    def close(self) -> bool:
        """End the input; True if it was cut inside a message."""
        cut = bool(self._held)
        self._held = bytearray()
        self._closed = True
        return cut

    def _scan(self, events: list[ServerSentEvent]) -> None:
        start = 0
        try:
            while len(self._held) - start >= _PRELUDE:
                prelude = bytes(self._held[start : start + _PRELUDE])
                size = int.from_bytes(prelude[:4], "big")
                if not is_prelude(prelude) or size < _SMALLEST:
                    raise DecodeError("not a message of a binary event stream", body=prelude)
                if size > self._max:
                    raise EventTooLargeError(self._max, size, "max_event_bytes")
                if len(self._held) - start < size:
                    break
                events.append(self._parse(bytes(self._held[start : start + size])))
                start += size
        finally:
            del self._held[:start]

    def _parse(self, message: bytes) -> ServerSentEvent:
        buffer = self._library.EventStreamBuffer()
        buffer.add_data(message)
        try:
            parsed = next(buffer)
        except self._library.ParserError as error:
            raise DecodeError(f"a faulty message in a binary event stream: {error}", body=message[:1024]) from error
        return _event(cast("Mapping[str, Any]", parsed.headers), bytes(parsed.payload))


def _event(headers: Mapping[str, Any], payload: bytes) -> ServerSentEvent:
    if headers.get(":message-type") == "error":
        body = {"message": headers.get(":error-message"), "code": headers.get(":error-code")}
        return ServerSentEvent(orjson.dumps(body), "error")
    name = headers.get(":event-type") or headers.get(":exception-type") or "message"
    return ServerSentEvent(payload, str(name))
