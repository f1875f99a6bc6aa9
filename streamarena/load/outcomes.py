"""How a request ended, in words that add up: one kind for each error, from a table.

Invariant: every exception has a kind; kinds of HTTP errors carry their status.
"""

from __future__ import annotations

from typing import Final

from streamarena import errors

__all__ = ["error_kind"]

_KINDS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (errors.ConnectTimeoutError, "connect_timeout"),
    (errors.PoolTimeoutError, "pool_timeout"),
    (errors.FirstContentTimeoutError, "first_content_timeout"),
    (errors.IdleTimeoutError, "idle_timeout"),
    (errors.TotalTimeoutError, "total_timeout"),
    (errors.ConnectionFailedError, "connection_failed"),
    (errors.StreamTruncatedError, "stream_cut_short"),
    (errors.ProtocolError, "protocol"),
    (errors.LimitExceededError, "limit_exceeded"),
    (errors.UnexpectedContentError, "not_a_stream"),
    (errors.DecodeError, "undecodable"),
    (errors.StreamClosedError, "closed"),
)


def error_kind(error: BaseException) -> str:
    """Return the kind of an error: `http_429`, `connection_failed`, `stream_cut_short`, ..."""
    for kind, name in _KINDS:
        if isinstance(error, kind):
            return name
    if isinstance(error, errors.ProviderError):
        return "error_in_stream" if error.status is None else f"http_{error.status}"
    return type(error).__name__
