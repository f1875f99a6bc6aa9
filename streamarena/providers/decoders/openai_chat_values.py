"""Readers of the members of chat events that are not plain: parts, reasoning details, usage, annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from streamarena.providers.chunks import (
    Chunk,
    FinishReason,
    GroundingChunk,
    GroundingSource,
    ReasoningChunk,
    TextChunk,
    ThinkingCompleteChunk,
    UsageChunk,
)
from streamarena.providers.decoders.openai_chat_shapes import ContentPart, Delta, ReasoningDetail, Usage
from streamarena.providers.json_values import is_object, text_or_none

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["FINISH_REASONS", "content_parts", "grounding_of", "json_text", "reasoning_of", "usage_of"]

FINISH_REASONS: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    # members of the family
    "eos": "stop",  # together
    "stop_sequence": "stop",  # text generation inference
    "end_turn": "stop",  # proxies in front of Anthropic
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "refusal",
    "model_length": "length",  # mistral
    "error": "error",  # openrouter, mistral
    "insufficient_system_resource": "error",  # deepseek
    "abort": "error",  # vllm
}

_ENCODE: Final = msgspec.json.Encoder().encode


def json_text(value: str | dict[str, Any] | None) -> str | None:
    """Return arguments as JSON text, whether they came as text or as an object; None where there are none."""
    return _ENCODE(value).decode() if isinstance(value, dict) else value or None


def content_parts(parts: Iterable[ContentPart], index: int) -> Iterator[Chunk]:
    """Yield the chunks of Mistral's list form of content: text, and thinking with parts of its own."""
    for part in parts:
        if part.text:
            yield TextChunk(part.text, index)
        thinking = part.thinking
        if isinstance(thinking, str):
            thinking = [ContentPart(text=thinking)]
        for inner in thinking or ():
            if inner.text:
                yield ReasoningChunk(inner.text, None, index)


def reasoning_of(delta: Delta, index: int) -> Iterator[Chunk]:
    """Yield the reasoning of a delta once, though some servers give it under several names at the same time."""
    text = delta.reasoning_content or delta.reasoning
    if text:
        yield ReasoningChunk(text, None, index)
    for detail in delta.reasoning_details or ():
        yield from _detail(detail, index, text_is_known=bool(text))


def _detail(detail: ReasoningDetail, index: int, *, text_is_known: bool) -> Iterator[Chunk]:
    text = detail.text or detail.summary
    if text and not text_is_known:
        yield ReasoningChunk(text, None, index)
    if detail.signature:
        yield ThinkingCompleteChunk(detail.signature)
    if detail.data:
        yield ThinkingCompleteChunk(detail.data, redacted=True)


def usage_of(usage: Usage) -> UsageChunk:
    """Return the snapshot that one usage object states; the first name that holds a number counts."""
    prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
    return UsageChunk(
        input_tokens=usage.prompt_tokens or 0,
        output_tokens=usage.completion_tokens or 0,
        cache_write_tokens=_first(usage.cache_creation_input_tokens, prompt.cache_write_tokens if prompt else None),
        cache_read_tokens=_first(
            usage.cache_read_input_tokens,
            prompt.cached_tokens if prompt else None,
            usage.prompt_cache_hit_tokens,
        ),
        reasoning_tokens=_first(completion.reasoning_tokens if completion else None, usage.reasoning_tokens),
        total_cost=_cost(usage),
    )


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)


def _cost(usage: Usage) -> float | None:
    upstream = usage.cost_details.upstream_inference_cost if usage.cost_details else None
    if usage.cost is None and upstream is None:
        return None
    return (usage.cost or 0.0) + (upstream or 0.0)


def grounding_of(annotations: list[Any]) -> GroundingChunk | None:
    """Return the sources that URL citations name; None where there is no URL among them."""
    sources: list[GroundingSource] = []
    for annotation in annotations:
        if is_object(annotation):
            cited = annotation.get("url_citation")
            source = cited if is_object(cited) else annotation
            url = text_or_none(source.get("url"))
            if url:
                title = text_or_none(source.get("title")) or ""
                sources.append(GroundingSource(title, url, text_or_none(source.get("content"))))
    return GroundingChunk(tuple(sources)) if sources else None
