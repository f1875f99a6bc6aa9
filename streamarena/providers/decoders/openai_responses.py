"""OpenAI's Responses stream to chunks.

Invariants: a tool call's `index` is its item's `output_index`, its id the item's `call_id`; what came in deltas is not
given again by the events that repeat it whole, and what came only whole is given then (some compatible servers send no
deltas); calls of tools that the provider runs itself are not tool calls for us. Encrypted reasoning that comes with a
summary is its signature.
A response that ends complete with calls in it finishes with `tool_calls`, otherwise with `stop`.
Costs one typed decode an event. Not here: progress of the provider's own tools, and audio; they give nothing.

Source: OpenAI, API reference, "Responses streaming events".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from streamarena.providers.chunks import (
    Chunk,
    FinishChunk,
    FinishReason,
    ReasoningChunk,
    StartChunk,
    TextChunk,
    ThinkingCompleteChunk,
    ToolCallPartialChunk,
    UsageChunk,
)
from streamarena.providers.decoders.base import StructDecoder
from streamarena.providers.decoders.openai_chat_values import grounding_of, json_text
from streamarena.providers.decoders.openai_responses_shapes import Event, Item, Response, Usage
from streamarena.providers.decoders.problems import error_chunk
from streamarena.providers.interfaces import NO_CHUNKS, WireEvent
from streamarena.providers.tolerant import as_struct

__all__ = ["INCOMPLETE_REASONS", "OpenAIResponsesDecoder"]

INCOMPLETE_REASONS: Final[dict[str, FinishReason]] = {
    "max_output_tokens": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
}

_TEXT: Final = frozenset({"response.output_text.delta", "response.text.delta"})
_REASONING: Final = frozenset(
    {
        "response.reasoning_text.delta",
        "response.reasoning_summary_text.delta",
        "response.reasoning.delta",
        "response.reasoning_summary.delta",
    }
)
_ARGUMENTS: Final = frozenset(
    {
        "response.function_call_arguments.delta",
        "response.tool_call_arguments.delta",
        "response.custom_tool_call_input.delta",
    }
)
_CALLS: Final = frozenset({"function_call", "custom_tool_call"})
# The event that ends a stream, and the status that its response has, should it not say.
_OUTCOMES: Final[dict[str | None, str]] = {
    "response.completed": "completed",
    "response.done": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",
}


class OpenAIResponsesDecoder(StructDecoder[Event], api="openai-responses", shape=Event):
    """Decode Responses events; `Decoder` says what the methods promise."""

    def reset(self) -> None:
        """Forget the stream; counters go back to zero."""
        super().reset()
        self._brought: set[int] = set()  # output items that have brought content
        self._called = False

    # ------------------------------------------------------------ by type

    def _take(self, message: Event, event: WireEvent) -> Sequence[Chunk]:
        kind = message.type
        if kind in _TEXT:
            return self._bring(message.output_index, TextChunk(message.delta) if message.delta else None)
        if kind in _ARGUMENTS:
            index, delta = message.output_index, message.delta
            return self._bring(index, ToolCallPartialChunk(index, arguments=delta) if delta else None)
        if kind in _REASONING:
            return self._bring(message.output_index, ReasoningChunk(message.delta) if message.delta else None)
        return self._take_rare(message, event)

    def _take_rare(self, message: Event, event: WireEvent) -> Sequence[Chunk]:
        kind, response = message.type, message.response
        if kind == "response.refusal.delta":
            chunk = TextChunk(message.delta, refusal=True) if message.delta else None
            return self._bring(message.output_index, chunk)
        if kind == "response.output_item.added" and message.item is not None:
            return self._add_item(message.item, message.output_index)
        if kind == "response.output_item.done" and message.item is not None:
            return self._finish_item(message.item, message.output_index)
        if kind == "response.content_part.added" and message.part is not None and message.part.text:
            return self._bring(message.output_index, TextChunk(message.part.text))
        if kind == "response.output_text.annotation.added":
            return self._bring(message.output_index, grounding_of([message.annotation]))
        if response is not None:
            return self._conclude(response, event, _OUTCOMES[kind]) if kind in _OUTCOMES else self._start(response)
        if kind in ("error", "response.error") or message.error or (kind is None and event.event == "error"):
            return self._fail(event)
        if message.object == "response":
            return self._take_whole(event)
        # Unknown types pass: progress of the provider's own tools, and the events that repeat deltas whole.
        return NO_CHUNKS if kind is not None and kind.startswith("response.") else self._pass_over(event)

    def _bring(self, index: int, chunk: Chunk | None) -> Sequence[Chunk]:
        if chunk is None:
            return NO_CHUNKS
        self._brought.add(index)
        return (chunk,)

    def _start(self, response: Response) -> Sequence[Chunk]:
        if self._started:
            return NO_CHUNKS
        self._started = True
        return (StartChunk(response.id or None, response.model or None, "assistant"),)

    # ------------------------------------------------------------ items

    def _add_item(self, item: Item, index: int) -> Sequence[Chunk]:
        if item.type in _CALLS:
            self._called = True
            arguments = json_text(item.arguments) or item.input or None
            if arguments:
                self._brought.add(index)
            call_id = item.call_id or item.id or f"call_{index}"
            return (ToolCallPartialChunk(index, call_id, item.name or None, arguments),)
        content = self._content(item)
        if content:
            self._brought.add(index)
        return content or NO_CHUNKS

    def _finish_item(self, item: Item, index: int) -> Sequence[Chunk]:
        chunks: list[Chunk] = []
        encrypted_only = index not in self._brought and not item.summary and not item.content
        if index not in self._brought:
            chunks += self._content(item)
            arguments = json_text(item.arguments) or item.input
            if item.type in _CALLS and arguments:
                chunks.append(ToolCallPartialChunk(index, arguments=arguments))
            self._brought.add(index)
        if item.encrypted_content:
            chunks.append(ThinkingCompleteChunk(item.encrypted_content, redacted=encrypted_only))
        return chunks or NO_CHUNKS

    def _content(self, item: Item) -> list[Chunk]:
        """Return the content of an item that came whole."""
        chunks: list[Chunk] = []
        if item.type == "reasoning":
            texts = [part.text for part in (item.summary or []) + (item.content or []) if part.text]
            return [ReasoningChunk(text) for text in texts]
        for part in (item.content or []) if item.type == "message" else []:
            if part.text:
                chunks.append(TextChunk(part.text))
            if part.refusal:
                chunks.append(TextChunk(part.refusal, refusal=True))
            sources = grounding_of(part.annotations or [])
            if sources:
                chunks.append(sources)
        return chunks

    # ------------------------------------------------------------ the end

    def _conclude(self, response: Response, event: WireEvent, status: str) -> Sequence[Chunk]:
        self._end()
        raw = response.status or status
        if raw == "failed":
            body = self._body(event)
            return (error_chunk(body.get("response") or body),)
        chunks = list(self._start(response))
        reason: FinishReason = "tool_calls" if self._called else "stop"
        if raw == "incomplete":
            raw = (response.incomplete_details and response.incomplete_details.reason) or raw
            reason = INCOMPLETE_REASONS.get(raw, "other")
        elif raw != "completed":
            reason = "other"
        chunks.append(FinishChunk(reason, raw))
        if response.usage is not None:
            chunks.append(_usage(response.usage))
        return chunks

    def _take_whole(self, event: WireEvent) -> Sequence[Chunk]:
        """Decode a response that was not streamed: its items, as if each had come whole."""
        response = as_struct(self._body(event), Response)
        chunks = list(self._start(response))
        for index, item in enumerate(response.output or []):
            chunks += self._add_item(item, index)
            chunks += self._finish_item(item, index)
        return [*chunks, *self._conclude(response, event, "completed")]


def _usage(usage: Usage) -> UsageChunk:
    given, spent = usage.input_tokens_details, usage.output_tokens_details
    return UsageChunk(
        usage.input_tokens or 0,
        usage.output_tokens or 0,
        given.cache_write_tokens if given else None,
        given.cached_tokens if given else None,
        spent.reasoning_tokens if spent else None,
        usage.cost,
    )
