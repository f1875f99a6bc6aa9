"""The unfinished line of one stream, kept between two reads in the arena of its request. Both parsers use it.

Invariants: the span is freed before the line's bytes are used, so a request's arena holds one tail at a time; no view
of the arena outlives a call, so a scope that ends first finds nothing escaped.
Cost: one span for a line that ends in the next read. A line that goes on over many reads moves to a span of twice its
size each time it outgrows one: linear in its length. The quota of the scope counts the span, not only what is in it.
Not here: what a line is, and whether it is worth keeping (the parsers).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamarena.errors import NoScopeError

if TYPE_CHECKING:
    from streamarena.memory._spans import Span
    from streamarena.memory.arena import Arena

__all__ = ["ArenaTail"]

HEAD = 7  # bytes of the line's beginning that say which field it is; as DECIDED in the parsers


class ArenaTail:
    """At most one unfinished line. Without an arena it is never used; `len()` is 0 when nothing is kept.

    Attributes:
        arena: where the line is kept; set anew for each request.
        head: the first bytes of the line; they can be read even when the scope has ended.
    """

    __slots__ = ("_capacity", "_length", "_span", "arena", "head")

    def __init__(self) -> None:
        self.arena: Arena | None = None
        self.head = b""
        self._span: Span | None = None
        self._length = 0
        self._capacity = 0

    def __len__(self) -> int:
        return self._length

    def append(self, piece: bytes) -> None:
        """Keep more of the line.

        Raises:
            MemoryScopeError: the arena refused: its quota, its thread, or its scope has ended.
        """
        span, length = self._span, self._length + len(piece)
        if span is None:
            self.head = piece[:HEAD]
            self._move(piece, length)
        elif length > self._capacity:
            self._move(self.take() + piece, 2 * length)
        else:
            with span.view as view:
                view[self._length : length] = piece
        self._length = length

    def take(self) -> bytes:
        """Return the line so far and keep nothing."""
        span, length = self._span, self._length
        if span is None:
            return b""
        if length == self._capacity:
            line = bytes(span)
        else:
            with span.view as view:
                line = bytes(view[:length])
        self.drop()
        return line

    def drop(self) -> None:
        """Keep nothing."""
        if self._span is not None and self.arena is not None:
            self.arena.free(self._span)
        self._span = None
        self._length = self._capacity = 0

    def _move(self, line: bytes, capacity: int) -> None:
        if self.arena is None:
            raise NoScopeError
        self._span = self.arena.alloc_bytes(line if capacity == len(line) else line + bytes(capacity - len(line)))
        self._capacity = capacity
