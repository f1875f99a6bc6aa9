"""Look-up of interned texts straight from a buffer, in plain Python: there is none, the caller decodes and looks.

Invariant: the same methods as the compiled `BufferTable`, which compares bytes with bytes and makes no str.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamarena.memory._blocks import BytesLike


class BufferTable:
    """Finds nothing, and so leaves every look-up to the dict of texts."""

    __slots__ = ("hits", "saved")

    def __init__(self) -> None:
        self.hits = 0
        self.saved = 0

    def get(self, source: BytesLike, start: int, stop: int) -> str | None:
        """Return the shared text of `source[start:stop]`, if it is known here."""
        del source, start, stop
        return None

    def add(self, text: str) -> None:
        """Take up a text; only ASCII texts are kept here."""
        del text

    def size_with_next(self) -> int:
        """Return the bytes of the table after one more text."""
        return 0

    def size(self) -> int:
        """Return the bytes of the table now."""
        return 0

    def clear(self) -> None:
        """Forget every text."""
