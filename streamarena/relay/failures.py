"""Errors as a model's client expects them: a JSON body before the header has gone, an event of the stream after it.

What a reader is told is chosen here, error by error. Invariants: nothing of a key, an address of an upstream, a body of
an upstream or an exception of somebody else's code is ever among it; a limit that was met says its name; a word that a
provider chose (its code) passes only if it looks like one.
Costs one JSON dump an error.
Not here: when an error is raised, and the forms of the bodies themselves (`providers/`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from streamarena.errors import (
    CannotFitError,
    ConnectionFailedError,
    ConnectTimeoutError,
    FirstContentTimeoutError,
    IdleTimeoutError,
    LimitExceededError,
    PoolTimeoutError,
    ProtocolError,
    ProviderError,
    RelayBusyError,
    RequestRefusedError,
    StreamTimeoutError,
    StreamTruncatedError,
    TotalTimeoutError,
)
from streamarena.providers import ErrorChunk, encoder_for
from streamarena.providers.error_bodies import error_body, error_type
from streamarena.sse import encode_event

__all__ = ["Failure", "error_body", "failure_body", "failure_of", "stream_failure"]


class Failure(NamedTuple):
    """What a reader is told of an error.

    Attributes:
        status: HTTP status, if the header has not gone. type: the providers' name for the kind. code: a finer word.
        message: a sentence without secrets.
    """

    status: int
    type: str
    code: str | None
    message: str


class _Rule(NamedTuple):
    status: int
    code: str | None
    says: str | Callable[[BaseException], str]


# The first class that fits decides, so the finer ones stand first.
_RULES: Final[tuple[tuple[type[BaseException], _Rule], ...]] = (
    (FirstContentTimeoutError, _Rule(504, "first_content_timeout", str)),
    (IdleTimeoutError, _Rule(504, "idle_timeout", str)),
    (TotalTimeoutError, _Rule(504, "total_timeout", str)),
    (ConnectTimeoutError, _Rule(504, "upstream_timeout", "the upstream could not be reached in time")),
    (PoolTimeoutError, _Rule(503, "overloaded", "no connection to the upstream became free in time")),
    (StreamTimeoutError, _Rule(504, "timeout", "the upstream took too long")),
    (CannotFitError, _Rule(400, "context_length_exceeded", str)),
    (RelayBusyError, _Rule(503, "overloaded", "the server has no place free; try again")),
    (LimitExceededError, _Rule(502, "limit_exceeded", str)),
    (ConnectionFailedError, _Rule(502, "upstream_unreachable", "the upstream could not be reached")),
    (StreamTruncatedError, _Rule(502, "stream_truncated", "the upstream's answer broke off")),
    (ProtocolError, _Rule(502, "upstream_protocol", "the upstream did not answer in valid HTTP")),
)
_UNKNOWN: Final = Failure(500, "api_error", "internal_error", "the server failed at this request")
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


def failure_of(error: BaseException, status: int | None = None) -> Failure:
    """Choose what a reader is told.

    Args:
        error: what happened.
        status: the HTTP status, where the caller knows better than the error's class.
    """
    if isinstance(error, ProviderError):
        return _provider_failure(error, status)
    if isinstance(error, RequestRefusedError):
        chosen = status or error.status
        return Failure(chosen, error_type(chosen), None, error.problem)
    for kind, rule in _RULES:
        if isinstance(error, kind):
            chosen = status or rule.status
            message = rule.says if isinstance(rule.says, str) else rule.says(error)
            return Failure(chosen, error_type(chosen), rule.code, message)
    return _UNKNOWN if status is None else _UNKNOWN._replace(status=status, type=error_type(status))


def failure_body(api: str | None, failure: Failure) -> bytes:
    """Return the JSON body that goes with `failure.status`, in the form of an API."""
    return error_body(api, failure.status, failure.message, type=failure.type, code=failure.code)


def stream_failure(api: str | None, error: BaseException | Failure) -> bytes:
    """Return what ends a stream after an error, in the stream's own form. No end marker follows it.

    Args:
        api: the wire API of the stream; None, or one that nothing here writes, gives an `error` event with OpenAI's
            object in it.
        error: what happened, or what was chosen to be told of it.

    Returns:
        Whole events or lines. They may be sent only where the stream so far ends with a whole event or line.
    """
    failure = error if isinstance(error, Failure) else failure_of(error)
    # Gemini's clients read the status as the code.
    code = str(failure.status) if api == "gemini" else failure.code
    chunk = ErrorChunk(failure.message, code, failure.type)
    if api is None or api in _NOT_WRITTEN:
        return encode_event(failure_body(None, failure), event="error")
    return encoder_for(api).encode([chunk])


_NOT_WRITTEN: Final = frozenset({"cohere-v2", "tgi", "bedrock-converse"})


def _provider_failure(error: ProviderError, status: int | None) -> Failure:
    """Say that the provider refused, and with which words for machines; its sentences may quote keys and prompts."""
    chosen = status or error.status or 502
    where = f" with status {error.status}" if error.status is not None else ""
    kind = error.type if error.type and _WORD.fullmatch(error.type) else error_type(chosen)
    code = error.code if error.code and _WORD.fullmatch(error.code) else None
    return Failure(chosen, kind, code, f"the upstream refused the request{where}")
