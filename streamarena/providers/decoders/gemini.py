"""Google's Gemini stream (`streamGenerateContent?alt=sse`, also Vertex) to chunks.

Invariants: each event is a whole response with the parts that are new; a function call comes whole and is given as two
fragments, its name and its arguments, with the id that Gemini gives or, where it gives none, its name and a counter;
a thought signature is given after the text that it signs, and before the call. A candidate that stops with calls in it
finishes with `tool_calls`. The wire has no end marker: the stream is complete when every candidate has finished.
Costs one typed decode an event. Not here: code that Gemini runs itself, and inline media; they give nothing.

Source: Google, Gemini API reference, "Generating content", GenerateContentResponse; "Thought signatures".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from streamarena.providers.chunks import (
    Chunk,
    FinishChunk,
    FinishReason,
    GroundingChunk,
    GroundingSource,
    ReasoningChunk,
    StartChunk,
    TextChunk,
    ThinkingCompleteChunk,
    ToolCallPartialChunk,
    UsageChunk,
)
from streamarena.providers.decoders.base import StructDecoder
from streamarena.providers.decoders.openai_chat_values import json_text
from streamarena.providers.interfaces import NO_CHUNKS, WireEvent

__all__ = ["FINISH_REASONS", "GeminiDecoder"]

FINISH_REASONS: Final[dict[str, FinishReason]] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "MALFORMED_FUNCTION_CALL": "error",
    "UNEXPECTED_TOOL_CALL": "error",
    "TOO_MANY_TOOL_CALLS": "error",
    "MALFORMED_RESPONSE": "error",
}


class _Camel(msgspec.Struct, gc=False, rename="camel"):
    """Google's names in JSON are in camel case."""


class _FunctionCall(_Camel, gc=False):
    id: str | None = None
    name: str | None = None
    args: dict[str, Any] | None = None


class _Part(_Camel, gc=False):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: _FunctionCall | None = None


class _Content(_Camel, gc=False):
    parts: list[_Part] | None = None


class _Place(_Camel, gc=False):
    uri: str | None = None
    title: str | None = None
    text: str | None = None


class _GroundingPiece(_Camel, gc=False):
    web: _Place | None = None
    retrieved_context: _Place | None = None
    maps: _Place | None = None


class _Grounding(_Camel, gc=False):
    grounding_chunks: list[_GroundingPiece] | None = None


class _Candidate(_Camel, gc=False):
    content: _Content | None = None
    finish_reason: str | None = None
    index: int = 0
    grounding_metadata: _Grounding | None = None


class _Usage(_Camel, gc=False):
    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    cached_content_token_count: int | None = None
    thoughts_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None


class _Feedback(_Camel, gc=False):
    block_reason: str | None = None


class _Event(_Camel, gc=False):
    candidates: list[_Candidate] | None = None
    usage_metadata: _Usage | None = None
    prompt_feedback: _Feedback | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: Any = None


class GeminiDecoder(StructDecoder[_Event], api="gemini", shape=_Event):
    """Decode GenerateContentResponse events; `Decoder` says what the methods promise."""

    def reset(self) -> None:
        """Forget the stream; counters go back to zero."""
        super().reset()
        self._usage: UsageChunk | None = None
        self._calls: dict[int, int] = {}
        self._finished: dict[int, str] = {}  # by index; an empty set is three times as large
        self._highest_candidate = 0

    def _take(self, message: _Event, event: WireEvent) -> Sequence[Chunk]:
        if message.error:
            return self._fail(event)
        candidates = message.candidates
        if not self._started:
            if candidates is None and message.usage_metadata is None and message.prompt_feedback is None:
                return self._fail(event) if event.event == "error" else self._pass_over(event)
            return [*self._start(message), *self._chunks(message)]
        return list(self._chunks(message)) or NO_CHUNKS

    def _start(self, message: _Event) -> Iterator[Chunk]:
        self._started = True
        yield StartChunk(message.response_id or None, message.model_version or None, "assistant")

    def _chunks(self, message: _Event) -> Iterator[Chunk]:
        for candidate in message.candidates or ():
            yield from self._candidate(candidate)
        feedback = message.prompt_feedback
        if feedback is not None and feedback.block_reason:
            self.complete = True
            yield FinishChunk("content_filter", feedback.block_reason)
        if message.usage_metadata is not None:
            snapshot = _usage(message.usage_metadata)
            if snapshot != self._usage:
                self._usage = snapshot
                yield snapshot

    def _candidate(self, candidate: _Candidate) -> Iterator[Chunk]:
        index = candidate.index
        self._highest_candidate = max(self._highest_candidate, index)
        for part in (candidate.content and candidate.content.parts) or ():
            yield from self._part(part, index)
        if candidate.grounding_metadata is not None:
            yield from _sources(candidate.grounding_metadata)
        raw = candidate.finish_reason
        if raw and raw != "FINISH_REASON_UNSPECIFIED" and index not in self._finished:
            self._finished[index] = raw
            self.complete = len(self._finished) > self._highest_candidate
            reason = FINISH_REASONS.get(raw, "other")
            yield FinishChunk("tool_calls" if reason == "stop" and index in self._calls else reason, raw, index)

    def _part(self, part: _Part, index: int) -> Iterator[Chunk]:
        call, signature = part.function_call, part.thought_signature
        if part.text:
            yield ReasoningChunk(part.text, None, index) if part.thought else TextChunk(part.text, index)
        if signature:
            yield ThinkingCompleteChunk(signature)
        if call is not None:
            number = self._calls.get(index, 0)
            self._calls[index] = number + 1
            yield ToolCallPartialChunk(number, call.id or f"{call.name}-{number}", call.name, None, index)
            yield ToolCallPartialChunk(number, arguments=json_text(call.args or {}), choice=index)


def _usage(usage: _Usage) -> UsageChunk:
    return UsageChunk(
        (usage.prompt_token_count or 0) + (usage.tool_use_prompt_token_count or 0),
        usage.candidates_token_count or 0,
        None,
        usage.cached_content_token_count,
        usage.thoughts_token_count,
    )


def _sources(grounding: _Grounding) -> Iterator[Chunk]:
    places = [piece.web or piece.retrieved_context or piece.maps for piece in grounding.grounding_chunks or ()]
    sources = tuple(
        GroundingSource(place.title or "", place.uri, place.text or None) for place in places if place and place.uri
    )
    if sources:
        yield GroundingChunk(sources)
