"""What a decoder and an encoder promise, whatever wire API they speak.

Invariants: neither does IO, reads a clock or draws a random number; ids, model names and times are passed in. An event
without chunks gives `NO_CHUNKS`, one tuple for the whole process. After an `ErrorChunk` a decoder gives nothing more.
Not here: cutting bytes into events (`streamarena.sse`, `framing.py`), choosing by name (`registry.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Literal, Protocol, TypeAlias

from streamarena.providers.chunks import Chunk  # noqa: TC001 - others read these annotations at run time

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Decoder", "Encoder", "Framing", "NO_CHUNKS", "WireEvent"]

Framing: TypeAlias = Literal["sse", "ndjson", "eventstream"]

NO_CHUNKS: Final[tuple[Chunk, ...]] = ()


class WireEvent(Protocol):
    """What a decoder needs of an event; `ServerSentEvent` has it, and so has every framer's event."""

    @property
    def event(self) -> str:
        """The event's type; `"message"` where the wire names none."""
        ...

    @property
    def raw_data(self) -> bytes:
        """The payload as it came, not decoded."""
        ...


class Decoder(Protocol):
    """Events of one stream to chunks. Stateful: one stream at a time; `reset` makes it as new.

    Attributes:
        framing: how bytes become events on this wire.
        complete: the wire's own end marker, or the finish of every choice, has been seen. A body that ends while this
            is false was cut short.
        fallbacks: events that did not fit the typed form and were decoded again, tolerantly.
    """

    @property
    def framing(self) -> Framing:
        """How bytes become events on this wire."""
        ...

    @property
    def complete(self) -> bool:
        """Whether the stream has come to its own end."""
        ...

    @property
    def fallbacks(self) -> int:
        """How many events needed the tolerant decode."""
        ...

    def decode(self, event: WireEvent, /) -> Sequence[Chunk]:
        """Return the chunks of one event, in wire order; `NO_CHUNKS` where it has none.

        Raises:
            DecodeError: the payload is not a JSON object, or not one that this wire could have sent.
        """
        ...

    def finish(self) -> Sequence[Chunk]:
        """Return what was held back; call it once, when the body has ended."""
        ...

    def reset(self) -> None:
        """Forget the stream; counters go back to zero."""
        ...


class Encoder(Protocol):
    """Chunks to the bytes of one stream.

    Attributes:
        content_type: the HTTP header that belongs to these bytes.
    """

    content_type: ClassVar[str]

    def encode(self, chunks: Iterable[Chunk], /) -> bytes:
        """Return the bytes of these chunks; empty where the wire has no place for any of them yet."""
        ...

    def finish(self) -> bytes:
        """Return what ends the stream: held-back usage, closing events, the end marker. Call it once.

        After an `ErrorChunk` this is empty: on every wire the error was the last word.
        """
        ...
