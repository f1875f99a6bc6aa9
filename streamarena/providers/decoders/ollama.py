"""Ollama's own streams, `/api/chat` and `/api/generate`, to chunks: one JSON object a line.

Invariants: tool calls come whole and without an id, so each is given the id "name-counter"; usage comes with the last
line. Costs one typed decode a line. Not here: durations, and the token ids of `context`.

Source: Ollama, "API", "Generate a chat completion" and "Generate a completion"; "Thinking".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Final

import msgspec

from streamarena.providers.chunks import (
    Chunk,
    FinishChunk,
    FinishReason,
    ReasoningChunk,
    StartChunk,
    TextChunk,
    ToolCallPartialChunk,
    UsageChunk,
)
from streamarena.providers.decoders.base import StructDecoder
from streamarena.providers.decoders.openai_chat_values import json_text
from streamarena.providers.interfaces import NO_CHUNKS, Framing, WireEvent

__all__ = ["DONE_REASONS", "OllamaDecoder"]

DONE_REASONS: Final[dict[str, FinishReason]] = {"stop": "stop", "length": "length", "load": "other", "unload": "other"}


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: dict[str, Any] | str | None = None


class _Call(msgspec.Struct, gc=False):
    id: str | None = None
    function: _Function | None = None


class _Message(msgspec.Struct, gc=False):
    role: str | None = None
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[_Call] | None = None


class _Event(msgspec.Struct, gc=False):
    model: str | None = None
    message: _Message | None = None
    response: str | None = None
    thinking: str | None = None
    done: bool | None = None
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    error: Any = None


class OllamaDecoder(StructDecoder[_Event], api="ollama", shape=_Event):
    """Decode lines of Ollama's streams; `Decoder` says what the methods promise."""

    framing: ClassVar[Framing] = "ndjson"

    def reset(self) -> None:
        """Forget the stream; counters go back to zero."""
        super().reset()
        self._calls = 0

    def _take(self, message: _Event, event: WireEvent) -> Sequence[Chunk]:
        if message.error:
            return self._fail(event)
        if message.message is None and message.response is None and message.done is None:
            return self._pass_over(event)
        return list(self._chunks(message)) or NO_CHUNKS

    def _chunks(self, message: _Event) -> Iterator[Chunk]:
        if not self._started:
            self._started = True
            yield StartChunk(None, message.model or None, "assistant")
        inner = message.message or _Message(None, message.response, message.thinking)
        if inner.thinking:
            yield ReasoningChunk(inner.thinking)
        if inner.content:
            yield TextChunk(inner.content)
        for call in inner.tool_calls or ():
            yield self._call(call)
        if message.done:
            self._end()
            raw = message.done_reason or "stop"
            reason = DONE_REASONS.get(raw, "other")
            yield FinishChunk("tool_calls" if reason == "stop" and self._calls else reason, raw)
            if message.eval_count is not None or message.prompt_eval_count is not None:
                yield UsageChunk(message.prompt_eval_count or 0, message.eval_count or 0)

    def _call(self, call: _Call) -> Chunk:
        number = self._calls
        self._calls += 1
        function = call.function or _Function()
        name = function.name or None
        arguments = json_text(function.arguments) or "{}"
        return ToolCallPartialChunk(number, call.id or f"{name or 'call'}-{number}", name, arguments)
