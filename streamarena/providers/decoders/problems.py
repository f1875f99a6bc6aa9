"""Errors that providers put inside a stream, whatever form they gave them, as one `ErrorChunk`.

Forms seen: `{"error": {"message", "type", "code"}}` (OpenAI and most), `{"error": "text"}` (Ollama, TGI),
`{"object": "error", "message", ...}` (vLLM), `{"detail": ...}` (FastAPI), `{"message": ...}` (Cohere, Bedrock).
"""

from __future__ import annotations

from typing import Any

from streamarena.providers.chunks import ErrorChunk
from streamarena.providers.json_values import is_object, word_or_none

__all__ = ["error_chunk", "looks_like_error"]


def looks_like_error(body: dict[str, Any]) -> bool:
    """Tell whether an object that no decoder could use is one of the known error forms."""
    return bool(body.get("error")) or body.get("object") == "error" or "detail" in body


def error_chunk(
    body: object,
    *,
    code: str | None = None,
    type: str | None = None,  # noqa: A002 - the wires' name for it
) -> ErrorChunk:
    """Build the chunk from an error in any of the known forms.

    Args:
        body: the error, or the event that holds one under `error`.
        code: what to say where the body names no code.
        type: what to say where the body names no type.
    """
    outer = body if is_object(body) else {}
    inner: object = outer.get("error") or body
    error = inner if is_object(inner) else {"message": inner, "type": outer.get("error_type")}
    message = _first(error, "message", "detail", "error")
    return ErrorChunk(
        message or "the provider reported an error without a message",
        code=_first(error, "code") or code,
        type=_first(error, "type", "error_type", "status") or type,
        raw=body,
    )


def _first(error: dict[str, Any], *names: str) -> str | None:
    return next((word for name in names if (word := word_or_none(error.get(name))) is not None), None)
