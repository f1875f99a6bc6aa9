"""Chunks to Ollama's `/api/chat` stream: one JSON object a line.

Invariants: tool calls are whole on this wire and have no id, and fragments of parallel calls may interleave, so they
are held back to the end; the finish reason and the counts stand in the last line.
Costs one JSON dump a chunk; calls are held whole, `max_bytes` characters at most, with `BodyTooLargeError`.
Not here: sources, signatures, and choices other than the first, for which the wire has no place.

Source: Ollama, "API", "Generate a chat completion".
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

__all__ = ["DONE_REASONS", "OllamaEncoder", "created_at", "ollama_call", "ollama_counts"]

DONE_REASONS: Final[dict[FinishReason, str]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "stop",
    "content_filter": "stop",
    "refusal": "stop",
    "error": "stop",
    "other": "stop",
}


class OllamaEncoder:
    """Encode lines of Ollama's chat stream.

    Args:
        id: taken for the sake of one signature with the others; this wire has no ids.
        model: the model's name; None takes the one that the chunks bring.
        created: seconds since 1970, in every line.
        include_usage: whether the last line has counts.
        max_bytes: characters of tool calls that are held back at most.
    """

    content_type: ClassVar[str] = "application/x-ndjson"

    def __init__(
        self,
        *,
        id: str | None = None,  # noqa: A002 - one signature with the others
        model: str | None = None,
        created: int = 0,
        include_usage: bool = True,
        max_bytes: int = 64 * 2**20,
    ) -> None:
        del id
        self._model = model
        self._created_at = created_at(created)
        self._include_usage = include_usage
        self._calls = WholeCalls(max_bytes, "OllamaEncoder(max_bytes=...)")
        self._usage: UsageChunk | None = None
        self._finish: FinishChunk | None = None
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
        """Return the held-back calls and the last line; nothing after an error."""
        if self._failed:
            return b""
        out: list[bytes] = []
        self._flush_calls(out)
        line: dict[str, Any] = {"done_reason": DONE_REASONS[self._finish.reason if self._finish else "stop"]}
        if self._include_usage and self._usage is not None:
            line |= ollama_counts(self._usage)
        self._emit({"content": ""}, out, done=True, **line)
        return b"".join(out)

    def _encode_one(self, chunk: Chunk, out: list[bytes]) -> None:
        match chunk:
            case TextChunk(index=0):
                self._emit({"content": chunk.text}, out)
            case ReasoningChunk(index=0):
                self._emit({"content": "", "thinking": chunk.text}, out)
            case StartChunk():
                self._model = self._model or chunk.model
            case UsageChunk():
                self._usage = chunk
            case FinishChunk():
                self._finish = chunk if chunk.index == 0 else self._finish
            case ErrorChunk():
                self._failed = True
                out.append(dump({"error": chunk.message}) + b"\n")
            case TextChunk() | ReasoningChunk() | ToolCallEndChunk() | ThinkingCompleteChunk() | GroundingChunk():
                pass  # this wire has no place for them
            case _:
                self._calls.add(chunk)

    def _flush_calls(self, out: list[bytes]) -> None:
        calls = [call for call in self._calls.take() if call.choice == 0]
        if calls:
            whole = [ollama_call(call.name, call.arguments) for call in calls]
            self._emit({"content": "", "tool_calls": whole}, out)

    def _emit(self, message: dict[str, Any], out: list[bytes], *, done: bool = False, **more: object) -> None:
        line = {
            "model": self._model or "unknown",
            "created_at": self._created_at,
            "message": {"role": "assistant", **message},
            "done": done,
            **more,
        }
        out.append(dump(line) + b"\n")


def created_at(seconds: int) -> str:
    """Return a time, in seconds since 1970, as Ollama writes it (RFC 3339, UTC).

    By arithmetic, because this floor reads no clock and so imports none: years are counted from March, in eras of 400
    years of 146,097 days, which puts the leap day at the end of a year.
    """
    days, second = divmod(seconds, 86_400)
    era, day = divmod(days + 719_468, 146_097)
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5 - 1
    month, year = (month + 3, year + 400 * era) if month < 10 else (month - 9, year + 400 * era + 1)
    return f"{year:04}-{month:02}-{day:02}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"


def ollama_call(name: str, arguments: str) -> dict[str, Any]:
    """Return a whole call."""
    return {"function": {"name": name, "arguments": tool_input(arguments)}}


def ollama_counts(usage: UsageChunk) -> dict[str, int]:
    """Return the counts of the last line."""
    return {"prompt_eval_count": input_with_cache(usage), "eval_count": usage.output_tokens}
