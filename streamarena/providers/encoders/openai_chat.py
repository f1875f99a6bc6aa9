"""Chunks to OpenAI's chat completions stream.

Invariants: each choice begins with its role; tool calls are numbered from 0 in the order of their first fragment; usage
comes once, in a last event with empty `choices`; after an error nothing follows, not even `[DONE]`.
Costs one small JSON dump a piece of text: the envelope is made once for each stream.
Not here: signatures of reasoning, for which this wire has no place; they are dropped.

Source: OpenAI, API reference, "The chat completion chunk object"; `reasoning_content` as DeepSeek's API has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from streamarena.providers.calls import CallFragment, CallNumbers
from streamarena.providers.chunks import (
    Chunk,
    ErrorChunk,
    FinishChunk,
    FinishReason,
    GroundingChunk,
    GroundingSource,
    ReasoningChunk,
    StartChunk,
    TextChunk,
    ThinkingCompleteChunk,
    ToolCallEndChunk,
    UsageChunk,
)
from streamarena.providers.encoders.parts import dump, input_with_cache, sse

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["FINISH_REASONS", "OpenAIChatEncoder", "chat_annotations", "chat_usage"]

FINISH_REASONS: Final[dict[FinishReason, str]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "error": "error",
    "other": "stop",
}


class OpenAIChatEncoder:
    """Encode `chat.completion.chunk` events.

    Args:
        id: the completion's id; None takes the one that the chunks bring.
        model: the model's name; None takes the one that the chunks bring.
        created: seconds since 1970.
        include_usage: whether usage is written, and `"usage": null` in every other event, as the service does.
        reasoning_field: the delta's member for reasoning: `reasoning_content` (DeepSeek) or `reasoning` (OpenRouter).
    """

    content_type: ClassVar[str] = "text/event-stream; charset=utf-8"

    def __init__(
        self,
        *,
        id: str | None = None,  # noqa: A002 - the wire's name
        model: str | None = None,
        created: int = 0,
        include_usage: bool = True,
        reasoning_field: str = "reasoning_content",
    ) -> None:
        self._id = id
        self._model = model
        self._created = created
        self._include_usage = include_usage
        self._reasoning_field = reasoning_field
        self._head = self._tail = b""
        self._open_choices: set[int] = set()
        self._calls = CallNumbers()
        self._usage: UsageChunk | None = None
        self._failed = False

    def encode(self, chunks: Iterable[Chunk]) -> bytes:
        """Return the bytes of these chunks."""
        if self._failed:
            return b""
        out: list[bytes] = []
        for chunk in chunks:
            if isinstance(chunk, TextChunk) and not chunk.refusal:
                self._delta(b'{"content":' + dump(chunk.text) + b"}", chunk.index, out)
            elif not self._encode_other(chunk, out):
                break
        return b"".join(out)

    def finish(self) -> bytes:
        """Return the usage, where wanted and known, and `[DONE]`; nothing after an error."""
        if self._failed:
            return b""
        usage = b""
        if self._include_usage and self._usage is not None:
            usage = sse({**self._envelope(), "choices": [], "usage": chat_usage(self._usage)})
        return usage + b"data: [DONE]\n\n"

    # ------------------------------------------------------------ kinds

    def _encode_other(self, chunk: Chunk, out: list[bytes]) -> bool:
        """Encode anything but plain text; False when the stream has ended with an error."""
        match chunk:
            case StartChunk():
                self._id, self._model = self._id or chunk.id, self._model or chunk.model
                self._open(0, out)
            case TextChunk():
                self._delta(dump({"refusal": chunk.text}), chunk.index, out)
            case ReasoningChunk():
                self._delta(dump({self._reasoning_field: chunk.text}), chunk.index, out)
            case GroundingChunk():
                self._delta(dump({"annotations": chat_annotations(chunk.sources)}), 0, out)
            case UsageChunk():
                self._usage = chunk
            case FinishChunk():
                self._delta(b"{}", chunk.index, out, dump(FINISH_REASONS[chunk.reason]))
            case ErrorChunk():
                error = {"message": chunk.message, "type": chunk.type, "param": None, "code": chunk.code}
                out.append(sse({"error": error}))
                self._failed = True
                return False
            case ThinkingCompleteChunk() | ToolCallEndChunk():
                pass  # this wire has no place for them
            case _:
                self._call(self._calls.fragment(chunk), out)
        return True

    def _call(self, call: CallFragment, out: list[bytes]) -> None:
        function: dict[str, Any] = {"arguments": call.arguments}
        if call.name:
            function = {"name": call.name, **function}
        body: dict[str, Any] = {"index": call.number, "function": function}
        if call.first:
            body = {"index": call.number, "id": call.id, "type": "function", "function": {"name": "", **function}}
        self._delta(dump({"tool_calls": [body]}), call.choice, out)

    # ------------------------------------------------------------ the envelope

    def _open(self, index: int, out: list[bytes]) -> None:
        if not self._head:
            prefix = dump(self._envelope())
            self._head = b"data: " + prefix[:-1] + b',"choices":[{"index":'
            self._tail = b'}],"usage":null}\n\n' if self._include_usage else b"}]}\n\n"
        if index not in self._open_choices:
            self._open_choices.add(index)
            self._write(b'{"role":"assistant","content":""}', index, b"null", out)

    def _delta(self, delta: bytes, index: int, out: list[bytes], reason: bytes = b"null") -> None:
        if index not in self._open_choices:
            self._open(index, out)
        self._write(delta, index, reason, out)

    def _write(self, delta: bytes, index: int, reason: bytes, out: list[bytes]) -> None:
        out.append(
            b'%b%d,"delta":%b,"logprobs":null,"finish_reason":%b%b' % (self._head, index, delta, reason, self._tail)
        )

    def _envelope(self) -> dict[str, Any]:
        return {
            "id": self._id or "chatcmpl-0",
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model or "unknown",
        }


def chat_usage(usage: UsageChunk) -> dict[str, Any]:
    """Return usage in the form of OpenAI's chat completions; `cost` as OpenRouter has it."""
    prompt = input_with_cache(usage)
    body: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": usage.output_tokens,
        "total_tokens": prompt + usage.output_tokens,
    }
    cache = {"cached_tokens": usage.cache_read_tokens, "cache_write_tokens": usage.cache_write_tokens}
    cache = {name: count for name, count in cache.items() if count is not None}
    if cache:
        body["prompt_tokens_details"] = cache
    if usage.reasoning_tokens is not None:
        body["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    if usage.total_cost is not None:
        body["cost"] = usage.total_cost
    return body


def chat_annotations(sources: Iterable[GroundingSource]) -> list[dict[str, Any]]:
    """Return citations; the wire wants a place in the text, which no chunk knows; `content` as OpenRouter has it."""
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "url": source.url,
                "title": source.title,
                "start_index": 0,
                "end_index": 0,
                **({"content": source.snippet} if source.snippet else {}),
            },
        }
        for source in sources
    ]
