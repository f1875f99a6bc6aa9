"""Anthropic's Messages stream to chunks.

Invariants: events are told apart by the `type` inside the JSON, because proxies lose the `event:` line; a tool call's
`index` is its content block's; a signature is given whole, when its block ends; calls of tools that the provider runs
itself are not tool calls for us, but the sources that they found are grounding. Usage is a snapshot: input tokens come
with `message_start` and stay, output tokens grow. After `message_stop` or an error nothing more comes.
Costs one typed decode an event. Not here: a newline between text blocks, which the reference adds for display.

Source: Anthropic, "Streaming Messages" and "Handling stop reasons".
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
    ThinkingCompleteChunk,
    ToolCallPartialChunk,
    UsageChunk,
)
from streamarena.providers.decoders.anthropic_shapes import Block, Delta, Event, Message, Usage
from streamarena.providers.decoders.base import StructDecoder
from streamarena.providers.interfaces import NO_CHUNKS, WireEvent
from streamarena.providers.json_values import is_array, is_object, text_or_none
from streamarena.providers.tolerant import as_struct

__all__ = ["AnthropicDecoder", "STOP_REASONS"]

STOP_REASONS: Final[dict[str, FinishReason]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "refusal",
    "pause_turn": "other",
}

_ENCODE: Final = msgspec.json.Encoder().encode


class AnthropicDecoder(StructDecoder[Event], api="anthropic", shape=Event):
    """Decode Messages events; `Decoder` says what the methods promise."""

    def reset(self) -> None:
        """Forget the stream; counters go back to zero."""
        super().reset()
        self._usage = UsageChunk()
        self._signature = ""
        self._calls: set[int] = set()

    def finish(self) -> Sequence[Chunk]:
        """Return the signature of a reasoning block that was cut short, if there is one."""
        return self._end_block()

    # ------------------------------------------------------------ by type

    def _take(self, message: Event, event: WireEvent) -> Sequence[Chunk]:
        kind = message.type
        if kind == "content_block_delta":
            return NO_CHUNKS if message.delta is None else self._decode_delta(message.delta, message.index)
        if kind == "content_block_start" and message.content_block is not None:
            return self._decode_block(message.content_block, message.index)
        if kind == "content_block_stop":
            return self._end_block()
        if kind == "message_start" and message.message is not None:
            return self._start(message.message)
        if kind == "message_delta":
            return self._decode_message_delta(message)
        if kind == "message_stop":
            self._end()
            return self._end_block()
        if kind == "message":
            return self._decode_whole(self._body(event))
        if kind == "error" or message.error or (kind is None and event.event == "error"):
            return (*self._end_block(), *self._fail(event))
        if kind is None:
            return self._pass_over(event)
        return NO_CHUNKS  # ping, and types that are not known yet: the documents ask to pass over them

    def _decode_delta(self, delta: Delta, index: int) -> Sequence[Chunk]:
        kind = delta.type
        if kind == "text_delta":
            return (TextChunk(delta.text),) if delta.text else NO_CHUNKS
        if kind == "input_json_delta":
            if index in self._calls and delta.partial_json:
                return (ToolCallPartialChunk(index, arguments=delta.partial_json),)
            return NO_CHUNKS
        if kind == "thinking_delta":
            return (ReasoningChunk(delta.thinking),) if delta.thinking else NO_CHUNKS
        if kind == "signature_delta":
            self._signature += delta.signature or ""
            return NO_CHUNKS
        if kind == "citations_delta":
            return _grounding([delta.citation])
        return NO_CHUNKS

    def _decode_block(self, block: Block, index: int) -> Sequence[Chunk]:
        kind = block.type
        if kind == "text":
            return (TextChunk(block.text),) if block.text else NO_CHUNKS
        if kind == "thinking":
            self._signature = block.signature or ""
            return (ReasoningChunk(block.thinking),) if block.thinking else NO_CHUNKS
        if kind == "redacted_thinking":
            return (ThinkingCompleteChunk(block.data, redacted=True),) if block.data else NO_CHUNKS
        if kind == "tool_use":
            self._calls.add(index)
            # The input is `{}` here and comes in deltas; some compatible servers give it whole and send none.
            arguments = _ENCODE(block.input).decode() if block.input else None
            return (ToolCallPartialChunk(index, block.id or f"call_{index}", block.name or None, arguments),)
        if kind == "web_search_tool_result":
            return _grounding(block.content)
        return NO_CHUNKS

    def _end_block(self) -> Sequence[Chunk]:
        signature, self._signature = self._signature, ""
        return (ThinkingCompleteChunk(signature),) if signature else NO_CHUNKS

    def _start(self, message: Message) -> Sequence[Chunk]:
        self._started = True
        chunks: list[Chunk] = [StartChunk(message.id or None, message.model or None, message.role or None)]
        if message.usage is not None:
            chunks.append(self._count(message.usage))
        return chunks

    def _decode_message_delta(self, message: Event) -> Sequence[Chunk]:
        chunks: list[Chunk] = []
        delta = message.delta
        if delta is not None and delta.stop_reason:
            reason = STOP_REASONS.get(delta.stop_reason, "other")
            chunks.append(FinishChunk(reason, delta.stop_reason, stop_sequence=delta.stop_sequence))
        if message.usage is not None:
            chunks.append(self._count(message.usage))
        return chunks

    def _count(self, usage: Usage) -> UsageChunk:
        before, details = self._usage, usage.output_tokens_details
        self._usage = UsageChunk(
            _newer(usage.input_tokens, before.input_tokens) or 0,
            _newer(usage.output_tokens, before.output_tokens) or 0,
            _newer(usage.cache_creation_input_tokens, before.cache_write_tokens),
            _newer(usage.cache_read_input_tokens, before.cache_read_tokens),
            _newer(details.thinking_tokens if details else None, before.reasoning_tokens),
            cache_in_input=False,
        )
        return self._usage

    # ------------------------------------------------------------ a message that was not streamed

    def _decode_whole(self, body: dict[str, Any]) -> Sequence[Chunk]:
        """Decode a message that was not streamed: its blocks, as if each had come whole."""
        message = as_struct(body, Message)
        whole: list[Chunk] = [chunk for chunk in self._start(message) if isinstance(chunk, StartChunk)]
        content = body.get("content")
        for index, block in enumerate(content if is_array(content) else ()):
            if is_object(block):
                whole.extend(self._decode_block(as_struct(block, Block), index))
                whole.extend(self._end_block())
        whole.extend(self._decode_message_delta(Event(delta=as_struct(body, Delta), usage=message.usage)))
        self._end()
        return whole


def _newer(value: int | None, before: int | None) -> int | None:
    return before if value is None else value


def _grounding(found: object) -> Sequence[Chunk]:
    """Return the sources that a list of citations or search results names."""
    sources: list[GroundingSource] = []
    for item in found if is_array(found) else ():
        url = text_or_none(item.get("url") or item.get("source")) if is_object(item) else None
        if url:
            title = text_or_none(item.get("title")) or ""
            sources.append(GroundingSource(title, url, text_or_none(item.get("cited_text"))))
    return (GroundingChunk(tuple(sources)),) if sources else NO_CHUNKS
