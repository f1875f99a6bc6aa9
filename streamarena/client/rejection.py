"""What a response that is not a stream says: the error it becomes.

Providers wrap their errors differently; `streamarena.providers` knows the forms. Header fields that may carry secrets
or identify a session are left out of the error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from streamarena.errors import ProviderError, UnexpectedContentError
from streamarena.providers.decoders.problems import error_chunk

if TYPE_CHECKING:
    from streamarena.client.connection import ResponseHead

__all__ = ["is_stream", "rejection"]

_NOT_STREAMS: Final = frozenset(
    {"text/html", "application/json", "application/problem+json", "application/xml", "text/xml"}
)
_PRIVATE_HEADERS: Final = frozenset(
    {"set-cookie", "cookie", "authorization", "proxy-authorization", "proxy-authenticate", "www-authenticate"}
)


def is_stream(head: ResponseHead, framing: str) -> bool:
    """Tell whether a response may be read as a stream: a success whose content type does not exclude it."""
    if not 200 <= head.status < 300:
        return False
    content_type = head.headers.get("content-type", "").partition(";")[0].strip().lower()
    return content_type not in _NOT_STREAMS or (framing == "ndjson" and content_type == "application/json")


def rejection(head: ResponseHead, body: bytes) -> ProviderError:
    """Build the error for a response that is not a stream, from its header and the start of its body."""
    headers = {name: value for name, value in head.headers.items() if name not in _PRIVATE_HEADERS}
    parsed = _object_in(body)
    problem = error_chunk(parsed) if parsed is not None and (head.status >= 400 or "error" in parsed) else None
    start = body[:200].decode("utf-8", "replace").strip()
    if problem is None and head.status < 300:
        content_type = head.headers.get("content-type", "no content type")
        message = f"a success with {content_type} instead of a stream; it begins: {start!r}"
        return UnexpectedContentError(message, status=head.status, body=body, headers=headers)
    if problem is None:
        return ProviderError(start or "no body", status=head.status, body=body, headers=headers)
    return ProviderError(
        problem.message, status=head.status, code=problem.code, type=problem.type, body=body, headers=headers
    )


def _object_in(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object that a body is, or begins with: Gemini wraps its errors in an array."""
    try:
        parsed: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if body.lstrip().startswith(b"["):
        parsed = parsed[0] if parsed else None
    return cast("dict[str, Any]", parsed) if isinstance(parsed, dict) else None
