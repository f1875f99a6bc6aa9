"""Reading members of a request's JSON, with errors that name the member, and what becomes of those nobody carries over.

Invariants: a member that is null is not there; what cannot be carried over is refused where the answer would be another
one without it, and dropped and reported where it is a hint. A member that is not known is dropped and reported.
Not here: which member is which; each API's file has that as a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from streamarena.errors import TranslationError
from streamarena.providers.json_values import is_array, is_object

__all__ = ["Fate", "Members", "array_of", "flag_of", "number_of", "object_of", "text_of", "texts_of", "whole_number_of"]

Fate: TypeAlias = Literal["carried", "dropped", "refused"]


class Members:
    """The members of one request.

    Args:
        body: the JSON object.
        fates: what becomes of each member. harmless: values with which a "refused" one asks for nothing.

    Attributes:
        dropped: names of what was left out, in order.
    """

    def __init__(self, body: Mapping[str, Any], fates: Mapping[str, Fate], harmless: Mapping[str, object]) -> None:
        self.dropped: list[str] = []
        self._body: dict[str, Any] = {}
        for name, value in body.items():
            if value is None:
                continue
            fate = fates.get(name, "dropped")
            if fate == "carried":
                self._body[name] = value
            elif name in harmless and value == harmless[name]:
                continue
            elif fate == "refused":
                raise TranslationError(name, "the target's API has no place for it")
            else:
                self.drop(name)

    def drop(self, name: str) -> None:
        """Report that something was left out."""
        if name not in self.dropped:
            self.dropped.append(name)

    def get(self, name: str) -> Any:  # noqa: ANN401 - JSON that nobody has looked at yet
        """Return a carried member as it came; None where it is not there."""
        return self._body.get(name)

    def has(self, name: str) -> bool:
        """Tell whether a carried member is there."""
        return name in self._body

    def text(self, name: str) -> str | None:
        """Return a string; None where there is none."""
        return text_of(self._body[name], name) if name in self._body else None

    def number(self, name: str) -> float | None:
        """Return a number; None where there is none."""
        return number_of(self._body[name], name) if name in self._body else None

    def whole_number(self, name: str) -> int | None:
        """Return a whole number; None where there is none."""
        return whole_number_of(self._body[name], name) if name in self._body else None

    def flag(self, name: str) -> bool | None:
        """Return true or false; None where there is neither."""
        return flag_of(self._body[name], name) if name in self._body else None

    def array(self, name: str) -> list[Any]:
        """Return an array; empty where there is none."""
        return array_of(self._body.get(name, _NOTHING), name)

    def required_text(self, name: str) -> str:
        """Return a string that must be there."""
        return text_of(self._body.get(name), name)


_NOTHING: Final[list[Any]] = []


def text_of(value: object, place: str) -> str:
    """Return a string, or refuse."""
    if not isinstance(value, str):
        raise TranslationError(place, "must be a string")
    return value


def texts_of(value: object, place: str) -> tuple[str, ...]:
    """Return strings: of an array, or a single one."""
    if isinstance(value, str):
        return (value,)
    return tuple(text_of(item, f"{place}[{number}]") for number, item in enumerate(array_of(value, place)))


def number_of(value: object, place: str) -> float:
    """Return a number, or refuse."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TranslationError(place, "must be a number")
    return value


def whole_number_of(value: object, place: str) -> int:
    """Return a whole number, or refuse."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TranslationError(place, "must be a whole number")
    return value


def flag_of(value: object, place: str) -> bool:
    """Return true or false, or refuse."""
    if not isinstance(value, bool):
        raise TranslationError(place, "must be true or false")
    return value


def array_of(value: object, place: str) -> list[Any]:
    """Return an array, or refuse."""
    if not is_array(value):
        raise TranslationError(place, "must be an array")
    return value


def object_of(value: object, place: str) -> dict[str, Any]:
    """Return an object, or refuse."""
    if not is_object(value):
        raise TranslationError(place, "must be an object")
    return value
