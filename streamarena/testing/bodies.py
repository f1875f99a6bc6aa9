"""JSON bodies that are no replies, by wire API: errors and lists of models.

Invariants: shapes follow the providers' published API references (OpenAI, Anthropic, Google, Ollama).
Not here: replies, which are made by `streamarena.providers`, streamed or whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import orjson

__all__ = ["error_body", "model_list"]


def error_body(api: str, status: int, message: str) -> bytes:
    """Return the JSON body that goes with an error status."""
    kind = _ERROR_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    if api == "anthropic":
        return orjson.dumps({"type": "error", "error": {"type": kind, "message": message}})
    if api == "gemini":
        state = _GOOGLE_STATES.get(status, "INTERNAL")
        return orjson.dumps({"error": {"code": status, "message": message, "status": state}})
    if api == "ollama":
        return orjson.dumps({"error": message})
    code = "rate_limit_exceeded" if status == 429 else None
    return orjson.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}})


def model_list(api: str, models: Iterable[str], created: int) -> bytes:
    """Return the body of the listing of models, in the shape of one API."""
    names = list(models)
    if api == "anthropic":
        day = "2026-01-01T00:00:00Z"
        listed = [{"type": "model", "id": name, "display_name": name, "created_at": day} for name in names]
        ends = {"first_id": names[0], "last_id": names[-1]} if names else {}
        return orjson.dumps({"data": listed, "has_more": False, **ends})
    if api == "gemini":
        return orjson.dumps({"models": [{"name": f"models/{name}", "displayName": name} for name in names]})
    if api == "ollama":
        return orjson.dumps({"models": [{"name": name, "model": name} for name in names]})
    entries = [{"id": name, "object": "model", "created": created, "owned_by": "streamarena"} for name in names]
    return orjson.dumps({"object": "list", "data": entries})


_ERROR_TYPES: Final[dict[int, str]] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}

_GOOGLE_STATES: Final[dict[int, str]] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
