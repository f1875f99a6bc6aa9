"""Hugging Face's text-generation-inference stream, `/generate_stream`, to chunks.

Invariants: special tokens (the end of text) are not text; the last event repeats the whole text, which is not given
again. Its chat endpoint speaks `openai-chat`. Costs one typed decode an event.
Not here: log probabilities and alternative tokens.

Source: Hugging Face, text-generation-inference, "Consuming TGI", and its OpenAPI description.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from streamarena.providers.chunks import Chunk, FinishChunk, FinishReason, StartChunk, TextChunk, UsageChunk
from streamarena.providers.decoders.base import StructDecoder
from streamarena.providers.interfaces import NO_CHUNKS, WireEvent

__all__ = ["FINISH_REASONS", "TGIDecoder"]

FINISH_REASONS: Final[dict[str, FinishReason]] = {"length": "length", "eos_token": "stop", "stop_sequence": "stop"}


class _Token(msgspec.Struct, gc=False):
    text: str | None = None
    special: bool | None = None


class _Details(msgspec.Struct, gc=False):
    finish_reason: str | None = None
    generated_tokens: int | None = None
    input_length: int | None = None


class _Event(msgspec.Struct, gc=False):
    token: _Token | None = None
    generated_text: str | None = None
    details: _Details | None = None
    error: Any = None


class TGIDecoder(StructDecoder[_Event], api="tgi", shape=_Event):
    """Decode generate_stream events; `Decoder` says what the methods promise."""

    def _take(self, message: _Event, event: WireEvent) -> Sequence[Chunk]:
        if message.error:
            return self._fail(event)
        if message.token is None and message.generated_text is None:
            return self._pass_over(event)
        chunks: list[Chunk] = []
        if not self._started:
            self._started = True
            chunks.append(StartChunk(None, None, "assistant"))
            if message.token is None and message.generated_text:
                chunks.append(TextChunk(message.generated_text))  # a reply that was not streamed
        token = message.token
        if token is not None and token.text and not token.special:
            chunks.append(TextChunk(token.text))
        if message.generated_text is not None:
            chunks += self._conclude(message.details or _Details())
        return chunks or NO_CHUNKS

    def _conclude(self, details: _Details) -> list[Chunk]:
        self._end()
        raw = details.finish_reason
        chunks: list[Chunk] = [FinishChunk(FINISH_REASONS.get(raw or "eos_token", "other"), raw)]
        if details.generated_tokens is not None:
            chunks.append(UsageChunk(details.input_length or 0, details.generated_tokens))
        return chunks
