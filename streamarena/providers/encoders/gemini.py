"""Chunks to Google's Gemini stream, as `streamGenerateContent?alt=sse` writes it: lines end with CRLF.

Invariants: function calls are whole on this wire, and fragments of parallel calls may interleave, so they are held back
to the end; the finish reasons and the usage stand in the last event; a signature goes with the call that follows it, or
is a part of its own.
Costs one JSON dump a chunk; calls are held whole, `max_bytes` characters at most, with `BodyTooLargeError`.
Not here: redacted reasoning, for which the wire has no place.

Source: Google, Gemini API reference, "Generating content", GenerateContentResponse.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Final

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
from streamarena.providers.encoders.parts import WholeCalls, dump, input_with_cache, tool_input

__all__ = ["FINISH_REASONS", "GeminiEncoder", "call_part", "gemini_usage", "grounding_metadata"]

FINISH_REASONS: Final[dict[FinishReason, str]] = {
    "stop": "STOP",
    "length": "MAX_TOKENS",
    "tool_calls": "STOP",
    "content_filter": "SAFETY",
    "refusal": "SAFETY",
    "error": "OTHER",
    "other": "OTHER",
}


class GeminiEncoder:
    """Encode GenerateContentResponse events.

    Args:
        id: the response's id; None takes the one that the chunks bring.
        model: the model's version; None takes the one that the chunks bring.
        created: taken for the sake of one signature with the others; this wire has no time.
        include_usage: whether the last event has usage.
        max_bytes: characters of tool calls that are held back at most.
    """

    content_type: ClassVar[str] = "text/event-stream"

    def __init__(
        self,
        *,
        id: str | None = None,  # noqa: A002 - one signature with the others
        model: str | None = None,
        created: int = 0,
        include_usage: bool = True,
        max_bytes: int = 64 * 2**20,
    ) -> None:
        del created
        self._id = id
        self._model = model
        self._include_usage = include_usage
        self._calls = WholeCalls(max_bytes, "GeminiEncoder(max_bytes=...)")
        self._usage: UsageChunk | None = None
        self._finished: dict[int, FinishChunk] = {}
        self._signature: str | None = None  # of what comes next, if that is a call
        self._failed = False

    def encode(self, chunks: Iterable[Chunk]) -> bytes:
        """Return the bytes of these chunks.

        Raises:
            BodyTooLargeError: calls are longer than `max_bytes`.
        """
        out: list[bytes] = []
        for chunk in chunks:
            if self._failed:
                break
            self._encode_one(chunk, out)
        return b"".join(out)

    def finish(self) -> bytes:
        """Return the held-back calls and the event with finish reasons and usage; nothing after an error."""
        if self._failed:
            return b""
        out: list[bytes] = []
        self._flush_signature(out)
        self._flush_calls(out)
        candidates = [
            {"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": _reason(chunk), "index": index}
            for index, chunk in sorted(self._finished.items())
        ]
        body: dict[str, Any] = {"candidates": candidates} if candidates else {}
        if self._include_usage and self._usage is not None:
            body["usageMetadata"] = gemini_usage(self._usage)
        if body:
            self._emit(body, out)
        return b"".join(out)

    def _encode_one(self, chunk: Chunk, out: list[bytes]) -> None:
        match chunk:
            case TextChunk():
                self._part({"text": chunk.text}, chunk.index, out)
            case ReasoningChunk():
                self._part({"text": chunk.text, "thought": True}, chunk.index, out)
            case StartChunk():
                self._id, self._model = self._id or chunk.id, self._model or chunk.model
            case UsageChunk():
                self._usage = chunk
            case FinishChunk():
                self._finished[chunk.index] = chunk
            case ThinkingCompleteChunk():
                self._flush_signature(out)
                self._signature = None if chunk.redacted else chunk.signature
            case GroundingChunk():
                self._flush_signature(out)
                metadata = grounding_metadata(chunk.sources)
                self._emit({"candidates": [{"index": 0, "groundingMetadata": metadata}]}, out)
            case ErrorChunk():
                self._failed = True
                code = int(chunk.code) if chunk.code and chunk.code.isascii() and chunk.code.isdigit() else 500
                error = {"code": code, "message": chunk.message, "status": chunk.type or "INTERNAL"}
                out.append(b"data: " + dump({"error": error}) + b"\r\n\r\n")
            case ToolCallEndChunk():
                pass  # whole calls are told by what follows them
            case _:
                signature, self._signature = self._signature, None
                self._calls.add(chunk, signature)

    def _part(self, part: dict[str, Any], index: int, out: list[bytes]) -> None:
        self._flush_signature(out)
        self._emit({"candidates": [{"content": {"parts": [part], "role": "model"}, "index": index}]}, out)

    def _flush_signature(self, out: list[bytes]) -> None:
        signature, self._signature = self._signature, None
        if signature is not None:
            self._part({"text": "", "thoughtSignature": signature}, 0, out)

    def _flush_calls(self, out: list[bytes]) -> None:
        for call in self._calls.take():
            part = call_part(call.id, call.name, call.arguments)
            if call.signature is not None:
                part["thoughtSignature"] = call.signature
            candidate = {"content": {"parts": [part], "role": "model"}, "index": call.choice}
            self._emit({"candidates": [candidate]}, out)

    def _emit(self, body: dict[str, Any], out: list[bytes]) -> None:
        body["modelVersion"] = self._model or "unknown"
        if self._id:
            body["responseId"] = self._id
        out.append(b"data: " + dump(body) + b"\r\n\r\n")


def _reason(chunk: FinishChunk) -> str:
    raw = chunk.raw_reason
    return raw if raw is not None and raw.isupper() else FINISH_REASONS[chunk.reason]


def call_part(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    """Return a function call as a part of content."""
    return {"functionCall": {"id": call_id, "name": name, "args": tool_input(arguments)}}


def grounding_metadata(sources: Iterable[Any]) -> dict[str, Any]:
    """Return sources as a candidate has them."""
    return {
        "groundingChunks": [
            {"retrievedContext": {"uri": source.url, "title": source.title, "text": source.snippet}}
            if source.snippet
            else {"web": {"uri": source.url, "title": source.title}}
            for source in sources
        ]
    }


def gemini_usage(usage: UsageChunk) -> dict[str, Any]:
    """Return usage in the form of Gemini: the prompt with cache tokens."""
    prompt = input_with_cache(usage)
    counts = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": usage.output_tokens,
        "totalTokenCount": prompt + usage.output_tokens + (usage.reasoning_tokens or 0),
        "cachedContentTokenCount": usage.cache_read_tokens,
        "thoughtsTokenCount": usage.reasoning_tokens,
    }
    return {name: count for name, count in counts.items() if count is not None}
