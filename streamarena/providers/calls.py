"""Tool calls told apart, whichever of the four chunk kinds they come as.

Invariants: a call's number counts from 0 within its choice, in the order of first fragments; its first fragment always
has an id, one made of the number where the wire gave none.
Cost: one dictionary entry a call. Not here: what is inside the arguments (`partial_json.py`, `tools.py`).
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

from streamarena.providers.chunks import (
    ToolCallChunk,
    ToolCallDeltaChunk,
    ToolCallPartialChunk,
    ToolCallStartChunk,
)

__all__ = ["CallChunk", "CallFragment", "CallNumbers"]

CallChunk: TypeAlias = ToolCallPartialChunk | ToolCallStartChunk | ToolCallDeltaChunk | ToolCallChunk


class CallFragment(NamedTuple):
    """A piece of one call: its number in the message from 0, whether it is the first piece, and what it brings."""

    number: int
    first: bool
    id: str | None
    name: str | None
    arguments: str
    choice: int


class CallNumbers:
    """Numbers tool calls from 0 for each choice, whichever of the four chunk kinds they come as."""

    def __init__(self, id_prefix: str = "call_") -> None:
        self._prefix: Final = id_prefix
        self._numbers: dict[tuple[int, int | str], int] = {}
        self._next: dict[int, int] = {}

    def fragment(self, chunk: CallChunk) -> CallFragment:
        """Return what the chunk brings; a call that comes without an id is given one made of its number."""
        if isinstance(chunk, ToolCallPartialChunk):
            return self._number(chunk.index, chunk.choice, chunk.id, chunk.name, chunk.arguments or "")
        if isinstance(chunk, ToolCallDeltaChunk):
            return self._number(chunk.id, 0, chunk.id, None, chunk.delta)
        if isinstance(chunk, ToolCallStartChunk):
            return self._number(chunk.id, 0, chunk.id, chunk.name, "")
        return self._number(chunk.id, chunk.choice, chunk.id, chunk.name, chunk.arguments)

    def _number(
        self, key: int | str, choice: int, call_id: str | None, name: str | None, arguments: str
    ) -> CallFragment:
        number = self._numbers.get((choice, key))
        first = number is None
        if number is None:
            number = self._numbers[choice, key] = self._next.get(choice, 0)
            self._next[choice] = number + 1
            call_id = call_id or f"{self._prefix}{number}"
        return CallFragment(number, first, call_id if first else None, name, arguments, choice)
