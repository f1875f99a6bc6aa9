"""Cohere's v2 chat stream to chunks.

Invariants: the plan that Cohere writes before it calls tools is reasoning, and so are thinking parts; a tool call's
`index` is the event's; usage is what was used (`tokens`), and what is billed only where that is missing.
Costs one typed decode an event. Not here: citations without an address; the wire gives documents by id then.

Source: Cohere, "A Guide to Streaming Responses" and "Streaming for tool use", v2 API.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    ToolCallPartialChunk,
    UsageChunk,
)
from streamarena.providers.decoders.base import StructDecoder
from streamarena.providers.decoders.problems import error_chunk
from streamarena.providers.interfaces import NO_CHUNKS, WireEvent
from streamarena.providers.json_values import is_object, text_or_none

__all__ = ["CohereDecoder", "FINISH_REASONS"]

FINISH_REASONS: Final[dict[str, FinishReason]] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR": "error",
    "ERROR_LIMIT": "length",
    "ERROR_TOXIC": "content_filter",
    "TIMEOUT": "error",
}


class _Counts(msgspec.Struct, gc=False):
    input_tokens: float | None = None  # Cohere writes whole numbers as 12.0
    output_tokens: float | None = None


class _Usage(msgspec.Struct, gc=False):
    tokens: _Counts | None = None
    billed_units: _Counts | None = None
    cached_tokens: float | None = None


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct, gc=False):
    id: str | None = None
    function: _Function | None = None


class _Content(msgspec.Struct, gc=False):
    type: str | None = None
    text: str | None = None
    thinking: str | None = None


class _Source(msgspec.Struct, gc=False):
    id: str | None = None
    document: Any = None
    tool_output: Any = None


class _Citation(msgspec.Struct, gc=False):
    text: str | None = None
    sources: list[_Source] | None = None


class _Message(msgspec.Struct, gc=False):
    role: str | None = None
    content: _Content | list[Any] | None = None  # message-start has empty lists in all three places
    tool_plan: str | None = None
    tool_calls: _Call | list[Any] | None = None
    citations: _Citation | list[Any] | None = None


class _Delta(msgspec.Struct, gc=False):
    message: _Message | None = None
    finish_reason: str | None = None
    usage: _Usage | None = None
    error: Any = None


class _Event(msgspec.Struct, gc=False):
    type: str | None = None
    id: str | None = None
    index: int = 0
    delta: _Delta | None = None
    message: Any = None  # an error outside any event: {"message": "..."}


class CohereDecoder(StructDecoder[_Event], api="cohere-v2", shape=_Event):
    """Decode v2 chat events; `Decoder` says what the methods promise."""

    def _take(self, message: _Event, event: WireEvent) -> Sequence[Chunk]:
        kind = message.type
        delta = message.delta or _Delta()
        inner = delta.message or _Message()
        if kind in ("content-delta", "content-start"):
            return _content(inner.content)
        if kind in ("tool-call-start", "tool-call-delta"):
            return _call(inner.tool_calls, message.index)
        if kind == "tool-plan-delta":
            return (ReasoningChunk(inner.tool_plan),) if inner.tool_plan else NO_CHUNKS
        if kind == "message-start":
            self._started = True
            return (StartChunk(message.id or None, None, inner.role or "assistant"),)
        if kind == "citation-start":
            return _sources(inner.citations)
        if kind == "message-end":
            return self._conclude(delta)
        if kind is None:
            failed = message.message is not None or event.event == "error"
            return self._fail(event) if failed else self._pass_over(event)
        return NO_CHUNKS  # content-end, tool-call-end, citation-end, debug, and what is not known yet

    def _conclude(self, delta: _Delta) -> Sequence[Chunk]:
        self._end()
        chunks: list[Chunk] = []
        raw = delta.finish_reason
        if raw:
            chunks.append(FinishChunk(FINISH_REASONS.get(raw, "other"), raw))
        if delta.usage is not None:
            chunks.append(_usage(delta.usage))
        if delta.error:
            chunks.append(error_chunk({"error": delta.error}))
        return chunks


def _content(content: _Content | list[Any] | None) -> Sequence[Chunk]:
    if not isinstance(content, _Content):
        return NO_CHUNKS
    chunks: list[Chunk] = []
    if content.thinking:
        chunks.append(ReasoningChunk(content.thinking))
    if content.text:
        chunks.append(TextChunk(content.text))
    return chunks or NO_CHUNKS


def _call(call: _Call | list[Any] | None, index: int) -> Sequence[Chunk]:
    if not isinstance(call, _Call):
        return NO_CHUNKS
    function = call.function or _Function()
    if not (call.id or function.name or function.arguments):
        return NO_CHUNKS
    return (ToolCallPartialChunk(index, call.id or None, function.name or None, function.arguments or None),)


def _usage(usage: _Usage) -> UsageChunk:
    counts = usage.tokens or usage.billed_units or _Counts()
    cached = usage.cached_tokens
    return UsageChunk(
        int(counts.input_tokens or 0),
        int(counts.output_tokens or 0),
        cache_read_tokens=None if cached is None else int(cached),
    )


def _sources(citation: _Citation | list[Any] | None) -> Sequence[Chunk]:
    sources: list[GroundingSource] = []
    for source in (citation.sources if isinstance(citation, _Citation) else None) or ():
        document = source.document or source.tool_output
        url = text_or_none(document.get("url")) if is_object(document) else None
        if url and is_object(document):
            title = text_or_none(document.get("title")) or source.id or ""
            sources.append(GroundingSource(title, url, text_or_none(document.get("snippet"))))
    return (GroundingChunk(tuple(sources)),) if sources else NO_CHUNKS
