"""What every decoder but OpenAI's chat does alike: one typed decode an event, a tolerant one where that fails.

Invariants: after `_end` nothing more comes; keep-alives that should have been comments give nothing; `[DONE]` ends any
stream, because proxies that speak OpenAI beside another wire send it everywhere.
A subclass names its wire and its struct, and turns one struct into chunks (`_take`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from streamarena.providers.chunks import Chunk  # noqa: TC001 - annotations stay readable at run time
from streamarena.providers.decoders.problems import error_chunk
from streamarena.providers.interfaces import NO_CHUNKS, Framing, WireEvent
from streamarena.providers.tolerant import TYPED_DECODE_ERRORS, as_struct, load_object, wrong_shape

__all__ = ["StructDecoder", "is_keep_alive"]

_Event = TypeVar("_Event", bound=msgspec.Struct)


def is_keep_alive(data: bytes) -> bool:
    """Tell a payload that says nothing: empty, a null, or the illegal `data: : keepalive`."""
    return not data or data == b"null" or data.startswith(b":")


class StructDecoder(ABC, Generic[_Event]):
    """Decode events through one struct; `Decoder` says what the methods promise.

    Attributes:
        api: the wire's name; shape: the struct of its events, every field of which has a default.
    """

    framing: ClassVar[Framing] = "sse"
    api: ClassVar[str]
    _read: Callable[[bytes], _Event]
    _shape: type[_Event]

    def __init_subclass__(cls, *, api: str, shape: type[_Event]) -> None:
        """Build the typed decoder once for each class."""
        cls.api = api
        cls._shape = shape
        # A static method: the reader is a bound method already and must not be bound again.
        cls._read = staticmethod(msgspec.json.Decoder(shape).decode)

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the stream; counters go back to zero."""
        self.complete = False
        self.fallbacks = 0
        self._ended = False
        self._started = False

    def decode(self, event: WireEvent) -> Sequence[Chunk]:
        """Return the chunks of one event.

        Raises:
            DecodeError: the payload is not a JSON object, or the stream begins as another wire's.
        """
        if self._ended:
            return NO_CHUNKS
        try:
            message = self._read(event.raw_data)
        except TYPED_DECODE_ERRORS:
            return self._decode_untyped(event)
        return self._take(message, event)

    def finish(self) -> Sequence[Chunk]:
        """Return what was held back; most wires hold nothing back."""
        return NO_CHUNKS

    @abstractmethod
    def _take(self, message: _Event, event: WireEvent) -> Sequence[Chunk]:
        """Turn one event's struct into chunks."""

    def _decode_untyped(self, event: WireEvent) -> Sequence[Chunk]:
        data = event.raw_data.strip()
        if is_keep_alive(data):
            return NO_CHUNKS
        if data == b"[DONE]":
            self._end()
            return NO_CHUNKS
        body = load_object(data, self.api)
        self.fallbacks += 1
        return self._take(as_struct(body, self._shape), event)

    def _end(self) -> None:
        self.complete = self._ended = True

    def _body(self, event: WireEvent) -> dict[str, Any]:
        """Return the whole event, untyped: for errors and for replies that were not streamed."""
        return load_object(event.raw_data, self.api)

    def _fail(self, event: WireEvent, *, code: str | None = None) -> Sequence[Chunk]:
        self._end()
        return (error_chunk(self._body(event), code=code),)

    def _pass_over(self, event: WireEvent) -> Sequence[Chunk]:
        """Return nothing for an event of an unknown shape; refuse it where it would be the stream's first."""
        if not self._started:
            raise wrong_shape(self.api, event.raw_data)
        return NO_CHUNKS
