"""Errors of recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamarena.errors._base import StreamArenaError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CassetteError", "CassetteMismatchError"]


class CassetteError(StreamArenaError):
    """A recording cannot be read or written.

    Attributes:
        path: of the recording; line: where it is wrong, from 1, or None.
    """

    def __init__(self, path: str, reason: str, line: int | None = None) -> None:
        super().__init__(f"{path}{f', line {line}' if line else ''}: {reason}")
        self.path = path
        self.line = line


class CassetteMismatchError(CassetteError):
    """The requests that came are not those that were recorded.

    Attributes:
        differences: one line for each.
    """

    def __init__(self, path: str, differences: Sequence[str]) -> None:
        super().__init__(path, "the requests differ from the recording:\n" + "\n".join(differences))
        self.differences = tuple(differences)
