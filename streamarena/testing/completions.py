"""The fake server's side of OpenAI's older completions endpoint: a prompt and no messages, plain text in `choices`.

Load tests of base models still ask it (`--endpoint-type completions`). Its stream is read by the chat decoder, so there
is a writer of it here only, beside the server that needs one.

Invariants: usage comes once, in a last event with empty `choices`, where it was asked for; after an error nothing
follows. Reasoning and tool calls have no place on this wire and are dropped.
Source: OpenAI, API reference, "The completion object" (legacy).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from streamarena.providers.chunks import Chunk, ErrorChunk, FinishChunk, TextChunk, UsageChunk
from streamarena.providers.encoders.openai_chat import FINISH_REASONS, chat_usage
from streamarena.providers.encoders.parts import sse

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["COMPLETIONS", "CompletionsEncoder", "whole_completion"]

COMPLETIONS: Final = "openai-completions"


class CompletionsEncoder:
    """Encode `text_completion` events; arguments as for `OpenAIChatEncoder`."""

    content_type: ClassVar[str] = "text/event-stream; charset=utf-8"

    def __init__(self, *, id: str, model: str, created: int, include_usage: bool) -> None:  # noqa: A002 - the wire's name
        self._envelope = {"id": id, "object": "text_completion", "created": created, "model": model}
        self._include_usage = include_usage
        self._usage: UsageChunk | None = None
        self._failed = False

    def encode(self, chunks: Iterable[Chunk]) -> bytes:
        """Return the bytes of these chunks."""
        return b"".join(self._event(chunk) for chunk in chunks if not self._failed)

    def finish(self) -> bytes:
        """Return the usage, where wanted and known, and `[DONE]`; nothing after an error."""
        if self._failed:
            return b""
        usage = b""
        if self._include_usage and self._usage is not None:
            usage = sse({**self._envelope, "choices": [], "usage": chat_usage(self._usage)})
        return usage + b"data: [DONE]\n\n"

    def _event(self, chunk: Chunk) -> bytes:
        match chunk:
            case TextChunk():
                return self._choice(chunk.text, None)
            case FinishChunk():
                return self._choice("", FINISH_REASONS[chunk.reason])
            case ErrorChunk():
                self._failed = True
                return sse({"error": {"message": chunk.message, "type": chunk.type, "param": None, "code": chunk.code}})
            case UsageChunk():
                self._usage = chunk
            case _:
                pass  # the start, reasoning, tool calls: this wire has no place for them
        return b""

    def _choice(self, text: str, reason: str | None) -> bytes:
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": reason}
        return sse({**self._envelope, "choices": [choice]})


def whole_completion(chat: dict[str, Any]) -> dict[str, Any]:
    """Return a completion that is not streamed, from the chat completion of the same reply."""
    choice = chat["choices"][0]
    text = choice["message"]["content"] or ""
    whole = {"index": 0, "text": text, "logprobs": None, "finish_reason": choice["finish_reason"]}
    return {**chat, "object": "text_completion", "choices": [whole]}
