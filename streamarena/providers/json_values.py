"""Reading and narrowing of JSON values whose shape nobody has promised."""

from __future__ import annotations

from typing import Any, TypeGuard

import msgspec

__all__ = ["is_array", "is_object", "read_exactly", "text_or_none", "word_or_none"]


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Tell whether the value is a JSON object."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[Any]]:
    """Tell whether the value is a JSON array."""
    return isinstance(value, list)


def text_or_none(value: object) -> str | None:
    """Return a string that is not empty, or None."""
    return value if isinstance(value, str) and value else None


def word_or_none(value: object) -> str | None:
    """Return what names something, as text: codes come as strings and as numbers; None where there is nothing."""
    return None if value is None or value == "" else str(value)


def read_exactly(text: str) -> object:
    """Read a JSON value that a model wrote; integers of any size stay integers, where orjson would make floats of them.

    Raises:
        msgspec.DecodeError: it is not JSON, or nested too deeply.
    """
    try:
        return msgspec.json.decode(text)
    except (RecursionError, UnicodeEncodeError) as error:
        raise msgspec.DecodeError(str(error)) from error
