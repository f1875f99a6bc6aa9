"""Chunks to Anthropic's Messages stream.

Invariants: `message_start` comes first and once; content blocks are numbered from 0 and one is open at a time; the stop
reason and the final usage come together in `message_delta`, at the end; after an error nothing follows. Should calls
interleave (only OpenAI's wire allows it), a later fragment is addressed by its block's index after that block's stop:
readers that collect by index, as the official SDK does, still get it whole.
Costs one JSON dump an event. Not here: choices other than the first, which this wire does not know; they are dropped.

Source: Anthropic, "Streaming Messages".
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
    ReasoningChunk,
    StartChunk,
    TextChunk,
    ThinkingCompleteChunk,
    ToolCallEndChunk,
    UsageChunk,
)
from streamarena.providers.encoders.parts import dump, input_without_cache, sse

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["AnthropicEncoder", "STOP_REASONS", "message_usage"]

STOP_REASONS: Final[dict[FinishReason, str]] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "refusal": "refusal",
    "error": "end_turn",
    "other": "end_turn",
}

# The wire's own error types; any other becomes `api_error`.
_ERROR_TYPES: Final = frozenset(
    {
        "invalid_request_error",
        "authentication_error",
        "billing_error",
        "permission_error",
        "not_found_error",
        "request_too_large",
        "rate_limit_error",
        "timeout_error",
        "api_error",
        "overloaded_error",
    }
)


class AnthropicEncoder:
    """Encode Messages events.

    Args:
        id: the message's id; None takes the one that the chunks bring.
        model: the model's name; None takes the one that the chunks bring.
        created: taken for the sake of one signature with the others; this wire has no time.
        include_usage: whether known counts are written; the members themselves are required and are 0 otherwise.
    """

    content_type: ClassVar[str] = "text/event-stream; charset=utf-8"

    def __init__(
        self,
        *,
        id: str | None = None,  # noqa: A002 - the wire's name
        model: str | None = None,
        created: int = 0,
        include_usage: bool = True,
    ) -> None:
        del created
        self._id = id
        self._model = model
        self._include_usage = include_usage
        self._started = False
        self._failed = False
        self._open: str | None = None
        self._index = -1
        self._calls = CallNumbers("toolu_")
        self._call_blocks: dict[int, int] = {}
        self._usage: UsageChunk | None = None
        self._finish: FinishChunk | None = None

    def encode(self, chunks: Iterable[Chunk]) -> bytes:
        """Return the bytes of these chunks."""
        if self._failed:
            return b""
        out: list[bytes] = []
        set_up = False
        for chunk in chunks:
            if isinstance(chunk, StartChunk):
                # Usage may follow in the same batch, and `message_start` has a place for it.
                self._id, self._model = self._id or chunk.id, self._model or chunk.model
                set_up = True
            elif isinstance(chunk, UsageChunk):
                self._usage = chunk
            elif isinstance(chunk, FinishChunk):
                self._finish = chunk if chunk.index == 0 else self._finish
            elif isinstance(chunk, ErrorChunk):
                out.append(_error(chunk))
                self._failed = True
                return b"".join(out)
            else:
                self._start(out)
                self._encode_content(chunk, out)
        if set_up:
            self._start(out)
        return b"".join(out)

    def finish(self) -> bytes:
        """Return the end of the open block, `message_delta` and `message_stop`; nothing after an error."""
        if self._failed:
            return b""
        out: list[bytes] = []
        self._start(out)
        self._close(out)
        reason, sequence = "end_turn", None
        if self._finish is not None:
            sequence = self._finish.stop_sequence
            reason = "stop_sequence" if sequence is not None else _stop_reason(self._finish)
        delta = {"stop_reason": reason, "stop_sequence": sequence}
        out.append(sse({"type": "message_delta", "delta": delta, "usage": self._counts()}, "message_delta"))
        out.append(sse({"type": "message_stop"}, "message_stop"))
        return b"".join(out)

    # ------------------------------------------------------------ content

    def _encode_content(self, chunk: Chunk, out: list[bytes]) -> None:
        match chunk:
            case TextChunk(index=0):
                if self._open != "text":
                    self._begin("text", {"type": "text", "text": ""}, out)
                self._delta(b'{"type":"text_delta","text":' + dump(chunk.text) + b"}", out)
            case ReasoningChunk(index=0):
                if self._open != "thinking":
                    self._begin("thinking", {"type": "thinking", "thinking": "", "signature": ""}, out)
                self._delta(b'{"type":"thinking_delta","thinking":' + dump(chunk.text) + b"}", out)
                if chunk.signature:
                    self._sign(chunk.signature, out)
            case ThinkingCompleteChunk():
                self._complete_thinking(chunk, out)
            case GroundingChunk():
                self._cite(chunk, out)
            case TextChunk() | ReasoningChunk() | ToolCallEndChunk():
                pass  # other choices; the end of a call is told by the end of its block
            case StartChunk() | UsageChunk() | FinishChunk() | ErrorChunk():
                raise AssertionError("handled by encode")
            case _:
                fragment = self._calls.fragment(chunk)
                if fragment.choice == 0:
                    self._call(fragment, out)

    def _call(self, call: CallFragment, out: list[bytes]) -> None:
        if call.first:
            block: dict[str, Any] = {"type": "tool_use", "id": call.id, "name": call.name or "", "input": {}}
            self._begin("tool_use", block, out)
            self._call_blocks[call.number] = self._index
        if call.arguments:
            delta = b'{"type":"input_json_delta","partial_json":' + dump(call.arguments) + b"}"
            self._delta(delta, out, self._call_blocks[call.number])

    def _complete_thinking(self, chunk: ThinkingCompleteChunk, out: list[bytes]) -> None:
        if chunk.redacted:
            self._begin("redacted", {"type": "redacted_thinking", "data": chunk.signature}, out)
        else:
            if self._open != "thinking":
                self._begin("thinking", {"type": "thinking", "thinking": "", "signature": ""}, out)
            self._sign(chunk.signature, out)
        self._close(out)

    def _sign(self, signature: str, out: list[bytes]) -> None:
        self._delta(b'{"type":"signature_delta","signature":' + dump(signature) + b"}", out)

    def _cite(self, chunk: GroundingChunk, out: list[bytes]) -> None:
        if self._open != "text":
            self._begin("text", {"type": "text", "text": ""}, out)
        for source in chunk.sources:
            citation = {
                "type": "web_search_result_location",
                "url": source.url,
                "title": source.title,
                "cited_text": source.snippet or "",
                "encrypted_index": "",
            }
            self._delta(dump({"type": "citations_delta", "citation": citation}), out)

    # ------------------------------------------------------------ blocks and envelope

    def _start(self, out: list[bytes]) -> None:
        if self._started:
            return
        self._started = True
        message: dict[str, Any] = {
            "id": self._id or "msg_0",
            "type": "message",
            "role": "assistant",
            "model": self._model or "unknown",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": self._counts(),
        }
        out.append(sse({"type": "message_start", "message": message}, "message_start"))

    def _begin(self, kind: str, block: dict[str, Any], out: list[bytes]) -> None:
        self._close(out)
        self._open = kind
        self._index += 1
        body = {"type": "content_block_start", "index": self._index, "content_block": block}
        out.append(sse(body, "content_block_start"))

    def _delta(self, delta: bytes, out: list[bytes], index: int | None = None) -> None:
        out.append(
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":%b}\n\n'
            % (self._index if index is None else index, delta)
        )

    def _close(self, out: list[bytes]) -> None:
        if self._open is not None:
            self._open = None
            out.append(sse({"type": "content_block_stop", "index": self._index}, "content_block_stop"))

    def _counts(self) -> dict[str, Any]:
        return message_usage(self._usage if self._include_usage else None)


def message_usage(usage: UsageChunk | None) -> dict[str, Any]:
    """Return usage in the form of Anthropic's Messages: input without cache tokens."""
    if usage is None:
        return {"input_tokens": 0, "output_tokens": 0}
    counts = {
        "input_tokens": input_without_cache(usage),
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "output_tokens": usage.output_tokens,
    }
    return {name: count for name, count in counts.items() if count is not None}


def _stop_reason(chunk: FinishChunk) -> str:
    # The wire's own words come back as they were: pause_turn, model_context_window_exceeded.
    raw = chunk.raw_reason
    return raw if raw in ("pause_turn", "model_context_window_exceeded") else STOP_REASONS[chunk.reason]


def _error(chunk: ErrorChunk) -> bytes:
    kind = chunk.type if chunk.type in _ERROR_TYPES else "api_error"
    return sse({"type": "error", "error": {"type": kind, "message": chunk.message}}, "error")
