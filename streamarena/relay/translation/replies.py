"""A reply's stream from one wire API to another: as a stream, or put together to the whole reply it stands for.

Invariants: pieces come out in order and as soon as an event is whole; a stream that broke off does not get an end that
it never had: `finish` says whether it was complete. An error inside the stream is the last word in either form.
Costs a decode and an encode of each event.
Limits: `event_bytes` for one event, `reply_bytes` for a whole reply and for calls that have to be held back.
Not here: errors that come in place of a stream (`relay/upstream_errors.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from streamarena.errors import ProviderError
from streamarena.providers import Accumulator, Chunk, ErrorChunk, Framer, decoder_for, encoder_for, framer_for
from streamarena.providers.encoders.parts import dump
from streamarena.providers.framing import last_events

__all__ = ["ReplyTranslator"]

_REPLY_BYTES: Final = 64 * 2**20


class ReplyTranslator:
    """Translates one reply.

    Args:
        target_api: what the stream is written in. api: what the caller reads.
        content_type: of the target's response.
        stream: whether the caller reads a stream; else the whole reply comes out of `finish`.
        include_usage: whether the caller's stream has token counts. created: seconds since 1970.
        event_bytes: the largest event.

    Attributes:
        error: what the provider reported inside the stream, once it did.
    """

    def __init__(
        self,
        target_api: str,
        api: str,
        *,
        content_type: str | None,
        stream: bool,
        include_usage: bool,
        created: int,
        event_bytes: int,
    ) -> None:
        self._target_api = target_api
        self._api = api
        self._content_type = content_type
        self._event_bytes = event_bytes
        self._created = created
        self._framer: Framer | None = None
        self._decoder = decoder_for(target_api)
        self._encoder = encoder_for(api, created=created, include_usage=include_usage) if stream else None
        self._whole = None if stream else Accumulator(api, max_bytes=_REPLY_BYTES)
        self.error: ProviderError | None = None

    @property
    def content_type(self) -> str:
        """What the caller's response says it is."""
        return "application/json" if self._encoder is None else self._encoder.content_type

    def feed(self, data: bytes) -> bytes:
        """Take a piece of the target's stream; return what the caller gets for it.

        Raises:
            EventTooLargeError, BodyTooLargeError: a limit was passed.
            UnexpectedContentError, DecodeError: this is no stream of that API.
        """
        framer = self._framer
        if framer is None:
            framer = framer_for(self._content_type, data, self._target_api, max_event_bytes=self._event_bytes)
            self._framer = framer
        return self._take(chunk for event in framer.feed(data) for chunk in self._decoder.decode(event))

    def finish(self) -> tuple[bytes, bool]:
        """Take the end of the target's stream; return the rest of the reply, and whether the stream was complete.

        Without completeness the rest is what had been held back, and no end. Call it once.
        """
        last: list[Chunk] = []
        if self._framer is not None:
            for event in last_events(self._framer):
                last += self._decoder.decode(event)
            self._framer.close()
        last += self._decoder.finish()
        rest = self._take(last)
        if not self._decoder.complete or self.error is not None:
            return rest, self._decoder.complete
        if self._encoder is not None:
            return rest + self._encoder.finish(), True
        assert self._whole is not None
        return dump(self._whole.message(self._api, created=self._created)), True

    def _take(self, chunks: Iterable[Chunk]) -> bytes:
        taken: list[Chunk] = []
        for chunk in chunks:
            taken.append(chunk)
            if isinstance(chunk, ErrorChunk):
                self.error = ProviderError(chunk.message, code=chunk.code, type=chunk.type)
        if self._encoder is not None:
            return self._encoder.encode(taken) if taken else b""
        assert self._whole is not None
        self._whole.extend(taken)
        return b""
