"""The JSON body that goes with an error status, in the form of each wire API.

Invariants: shapes follow the providers' published API references (OpenAI, Anthropic, Google, Ollama); an API that is
not known gets OpenAI's, which most clients read. Costs one JSON dump.
Not here: errors inside a stream, which the encoders write from an `ErrorChunk`; what a message may tell whom.
"""

from __future__ import annotations

from typing import Final

from streamarena.providers.encoders.parts import dump

__all__ = ["error_body", "error_type"]


def error_body(
    api: str | None,
    status: int,
    message: str,
    *,
    type: str | None = None,  # noqa: A002 - the wires' name for it
    code: str | None = None,
) -> bytes:
    """Return the JSON body of an error.

    Args:
        api: the wire API that the reader speaks; None, or one without a form of its own, means OpenAI's.
        status: the HTTP status that it is sent with.
        message: for humans.
        type: the kind of error; by default what the providers call this status.
        code: OpenAI's finer word; by default there is one for status 429 only.
    """
    kind = type or error_type(status)
    if api == "anthropic":
        return dump({"type": "error", "error": {"type": kind, "message": message}})
    if api == "gemini":
        state = _GOOGLE_STATES.get(status, "INTERNAL")
        return dump({"error": {"code": status, "message": message, "status": state}})
    if api == "ollama":
        return dump({"error": message})
    code = code or ("rate_limit_exceeded" if status == 429 else None)
    return dump({"error": {"message": message, "type": kind, "param": None, "code": code}})


def error_type(status: int) -> str:
    """Return what OpenAI and Anthropic call the kind of error that a status stands for."""
    return _ERROR_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")


_ERROR_TYPES: Final[dict[int, str]] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
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
