r"""Is this error the provider's way of saying that the context window is full? And how long to wait otherwise.

Rules of section 1.6 of the reference behaviour. An error is looked at as data: a mapping, or an exception through its
attributes (`status`, `code`, `message`, `error`, `response`, `name`). Patterns are written out with the meaning that
they have in the reference: `\b` and case folding ASCII only, `\s` with Unicode spaces and U+FEFF.

Invariant: classifying never raises; what cannot be read is not a match.
Cost: a few regular expressions, linear in the message.
Not here: what to do about it (`manage.recover_from_overflow`), and sleeping.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from streamarena.context._javascript import text_of, truthy
from streamarena.errors import ProviderError

if TYPE_CHECKING:
    from streamarena.context.parameters import Generation

__all__ = ["is_context_window_error", "MAX_BACKOFF_SECONDS", "retry_delay"]

_S: Final = "[\\t\\n\\v\\f\\r \\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff]"
_LEFT: Final = "(?<![A-Za-z0-9_])"
_RIGHT: Final = "(?![A-Za-z0-9_])"
_DOT: Final = "[^\\n\\r\\u2028\\u2029]"


def _pattern(source: str) -> re.Pattern[str]:
    """Compile with every ASCII letter matching both its cases and nothing else."""
    cased = re.sub(r"(?<!\\)[a-z]", lambda letter: f"[{letter.group()}{letter.group().upper()}]", source)
    return re.compile(cased.replace("@", _S).replace("<", _LEFT).replace(">", _RIGHT).replace("~", _DOT))


# In these sources `@` is white space, `<` and `>` are the edges of an ASCII word, `~` is any character but a line end.
_OPENROUTER: Final = tuple(
    map(
        _pattern,
        ["<context@*(?:length|window)>", "<maximum@*context>", "<(?:input@*)?tokens?@*exceed", "<too@*many@*tokens?>"],
    )
)
_ANTHROPIC: Final = tuple(
    map(
        _pattern,
        [
            "prompt is too long",
            "maximum~*tokens",
            "context~*too~*long",
            "exceeds~*context",
            "token~*limit",
            "context_length_exceeded",
            "max_tokens_to_sample",
        ],
    )
)
_CEREBRAS: Final = "Please reduce the length of the messages or completion"
_RETRY_INFO: Final = "type.googleapis.com/google.rpc.RetryInfo"
MAX_BACKOFF_SECONDS: Final = 600


def is_context_window_error(error: object, *, generation: Generation = "native") -> bool:
    """Tell whether a provider refused a request because the context window is exceeded.

    Args:
        error: an exception, or the error as JSON data.
        generation: "classic" also knows Cerebras' wording.
    """
    return (
        _openai_says_so(error)
        or _openrouter_says_so(error)
        or _anthropic_says_so(error)
        or (generation == "classic" and _cerebras_says_so(error))
    )


def retry_delay(
    attempt: int, *, base_seconds: float = 5, error: object = None, rate_limit_remaining: float = 0
) -> float:
    """Return the seconds to wait before the next attempt (section 1.6).

    Args:
        attempt: how many have failed, from 0.
        base_seconds: doubled with each, up to 600 in all.
        error: a 429 with a google.rpc.RetryInfo detail of "<n>s" waits n + 1 instead.
        rate_limit_remaining: seconds that a rate limit still has to run; the longer wait wins.
    """
    delay = float(min(math.ceil(base_seconds * 2**attempt), MAX_BACKOFF_SECONDS))
    if _get(error, "status") == 429:
        details = _get(error, "errorDetails") or _get(error, "error_details")
        for detail in cast(Sequence[Any], details) if isinstance(details, list | tuple) else ():
            matched = re.fullmatch("([0-9]+)s", str(_get(detail, "retryDelay")))
            if _get(detail, "@type") == _RETRY_INFO and matched:
                delay = int(matched[1]) + 1.0
    return max(delay, rate_limit_remaining)


_MISSING: Final = object()


def _get(value: object, key: str) -> Any:  # noqa: ANN401 - a field of foreign data
    """Read a field of a mapping or an attribute of an object; None where it is missing or cannot be read."""
    if isinstance(value, Mapping):
        return cast(Mapping[str, Any], value).get(key)
    if value is None or isinstance(value, str | bytes | int | float | list | tuple):
        return None
    try:
        found = getattr(value, key, _MISSING)
    except Exception:  # noqa: BLE001 - a property of a foreign exception may raise anything, and then says nothing
        return None
    if found is _MISSING and key == "message" and isinstance(value, BaseException):
        return str(value)
    if found is _MISSING and key == "name" and isinstance(value, BaseException):
        return type(value).__name__
    return None if found is _MISSING else found


def _status(error: object) -> str:
    for value in (
        _get(error, "status"),
        _get(error, "status_code") if isinstance(error, BaseException) else None,
        _get(error, "code"),
        _get(_get(error, "error"), "status"),
        _get(_get(error, "response"), "status"),
    ):
        if value is not None:
            return _text(value)
    return "undefined"


def _message(error: object) -> str:
    message = _get(error, "message")
    return _text(message) if truthy(message) else _text_or_empty(_get(_get(error, "error"), "message"))


def _text_or_empty(value: object) -> str:
    return _text(value) if truthy(value) else ""


def _text(value: object) -> str:
    return text_of(value) if isinstance(value, str | int | float | Mapping | list | tuple) else str(value)


def _is_object(error: object) -> bool:
    return error is not None and not isinstance(error, str | bytes | int | float)


def _openai_says_so(error: object) -> bool:
    """A finish for length that the SDK raised, or its API error with the code "400" and a telling message."""
    if not _is_object(error):
        return False
    if _get(error, "name") == "LengthFinishReasonError":
        return True
    if not any(base.__name__ == "APIError" for base in type(error).__mro__):
        return False
    code, message = _get(error, "code"), _get(error, "message")
    return (
        code is not None
        and _text(code) == "400"
        and isinstance(message, str)
        and any(part in message for part in ("token", "context length"))
    )


def _openrouter_says_so(error: object) -> bool:
    if not _is_object(error) or _status(error) != "400":
        return False
    message = _message(error)
    return any(pattern.search(message) for pattern in _OPENROUTER)


def _anthropic_says_so(error: object) -> bool:
    inner = _get(_get(error, "error"), "error")
    if inner is None:  # our own ProviderError carries the inner object's fields itself
        inner = error if isinstance(error, ProviderError) else None
    if _get(inner, "type") != "invalid_request_error":
        return False
    message = _text_or_empty(_get(inner, "message"))
    return any(pattern.search(message) for pattern in _ANTHROPIC)


def _cerebras_says_so(error: object) -> bool:
    return _is_object(error) and _status(error) == "400" and _CEREBRAS in _message(error)
