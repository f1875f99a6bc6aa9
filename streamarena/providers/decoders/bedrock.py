"""Amazon Bedrock's ConverseStream to chunks.

Invariants: the event's type is the message's `:event-type`; where there is none (streams that were recorded as JSON, as
boto3 shows them) it is the object's only key. Exceptions are errors that end the stream, and their type is the code.
Input tokens exclude cache tokens, as Anthropic's do. Usage comes after the stop: the stream is complete at the stop,
and `metadata` is still read. Costs one typed decode an event.
Not here: the binary framing (`eventstream.py`); which model a prompt router chose.

Source: Amazon Bedrock, API reference, "ConverseStream" and "ConverseStreamOutput".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

import msgspec

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
from streamarena.providers.decoders.problems import error_chunk
from streamarena.providers.interfaces import NO_CHUNKS, Framing, WireEvent
from streamarena.providers.json_values import is_object
from streamarena.providers.tolerant import as_struct

__all__ = ["BedrockDecoder", "STOP_REASONS"]

STOP_REASONS: Final[dict[str, FinishReason]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "malformed_model_output": "error",
    "malformed_tool_use": "error",
}

_EVENTS: Final = frozenset(
    {"messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"}
)


class _Camel(msgspec.Struct, gc=False, rename="camel"):
    """Amazon's names in JSON are in camel case."""


class _ToolUse(_Camel, gc=False):
    tool_use_id: str | None = None
    name: str | None = None
    input: str | None = None


class _Reasoning(_Camel, gc=False):
    text: str | None = None
    signature: str | None = None
    redacted_content: str | None = None


class _Delta(_Camel, gc=False):
    text: str | None = None
    tool_use: _ToolUse | None = None
    reasoning_content: _Reasoning | None = None


class _Usage(_Camel, gc=False):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None


class _Event(_Camel, gc=False):
    role: str | None = None
    content_block_index: int = 0
    start: _Delta | None = None
    delta: _Delta | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None


class BedrockDecoder(StructDecoder[_Event], api="bedrock-converse", shape=_Event):
    """Decode ConverseStream events; `Decoder` says what the methods promise."""

    framing: ClassVar[Framing] = "eventstream"

    def reset(self) -> None:
        """Forget the stream; counters go back to zero."""
        super().reset()
        self._signature = ""

    def finish(self) -> Sequence[Chunk]:
        """Return the signature of a reasoning block that was cut short, if there is one."""
        return self._end_block()

    def _take(self, message: _Event, event: WireEvent) -> Sequence[Chunk]:
        name = event.event
        if name not in _EVENTS:
            body = self._body(event)
            keys = list(body)
            if len(keys) == 1 and keys[0] in _EVENTS and is_object(body[keys[0]]):
                name, message = keys[0], as_struct(body[keys[0]], _Event)
            else:
                return self._take_other(event, keys)
        return self._take_named(name, message)

    def _take_named(self, name: str, message: _Event) -> Sequence[Chunk]:
        self._started = True
        if name == "contentBlockDelta" and message.delta is not None:
            return self._delta(message.delta, message.content_block_index)
        if name == "contentBlockStart" and message.start is not None and message.start.tool_use is not None:
            call = message.start.tool_use
            index = message.content_block_index
            return (ToolCallPartialChunk(index, call.tool_use_id or f"call_{index}", call.name or None),)
        if name == "contentBlockStop":
            return self._end_block()
        if name == "messageStart":
            return (StartChunk(None, None, message.role or "assistant"),)
        if name == "messageStop":
            self.complete = True
            raw = message.stop_reason or "end_turn"
            return (*self._end_block(), FinishChunk(STOP_REASONS.get(raw, "other"), raw))
        if name == "metadata" and message.usage is not None:
            return (_usage(message.usage),)
        return NO_CHUNKS

    def _delta(self, delta: _Delta, index: int) -> Sequence[Chunk]:
        if delta.text:
            return (TextChunk(delta.text),)
        if delta.tool_use is not None and delta.tool_use.input:
            return (ToolCallPartialChunk(index, arguments=delta.tool_use.input),)
        reasoning = delta.reasoning_content
        if reasoning is None:
            return NO_CHUNKS
        if reasoning.signature:
            self._signature += reasoning.signature
        if reasoning.redacted_content:
            return (ThinkingCompleteChunk(reasoning.redacted_content, redacted=True),)
        return (ReasoningChunk(reasoning.text),) if reasoning.text else NO_CHUNKS

    def _end_block(self) -> Sequence[Chunk]:
        signature, self._signature = self._signature, ""
        return (ThinkingCompleteChunk(signature),) if signature else NO_CHUNKS

    def _take_other(self, event: WireEvent, keys: list[str]) -> Sequence[Chunk]:
        named = event.event if event.event.endswith("Exception") else (keys[0] if len(keys) == 1 else "")
        if named.endswith("Exception"):
            body = self._body(event)
            return self._fail_with(body.get(named) or body, named)
        if event.event == "error":
            return self._fail(event)
        return self._pass_over(event)

    def _fail_with(self, body: object, code: str) -> Sequence[Chunk]:
        self._end()
        return (error_chunk(body, code=code),)


def _usage(usage: _Usage) -> UsageChunk:
    return UsageChunk(
        usage.input_tokens or 0,
        usage.output_tokens or 0,
        usage.cache_write_input_tokens,
        usage.cache_read_input_tokens,
        cache_in_input=False,
    )
