"""Fragments of tool calls to whole ones: starts, deltas and ends, with the arguments readable while they come.

Invariants: a call is known from its first fragment with an id on; fragments without a known call are dropped and
counted; its start is given when its name is known, and what came before follows at once; its end comes once, after all
its deltas. Everything that is not a fragment of a call passes unchanged and in order.
Costs linear in the arguments: each delta is appended and parsed once (`partial_json.py`).
Limits: `max_bytes` of arguments together, and 256 for each call, with `BodyTooLargeError`.
Not here: the strict parse and what a tool demands of its arguments (`tools.py`).

The order of events is that of the reference behaviour, section 6.4. A new id on a known index begins a new call there:
some servers number every call 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from streamarena.errors import BodyTooLargeError
from streamarena.providers.chunks import (
    Chunk,
    FinishChunk,
    ToolCallChunk,
    ToolCallDeltaChunk,
    ToolCallEndChunk,
    ToolCallPartialChunk,
    ToolCallStartChunk,
)
from streamarena.providers.interfaces import NO_CHUNKS
from streamarena.providers.partial_json import PartialJSON
from streamarena.providers.tools import MCP_PREFIX

__all__ = ["ToolCallAssembler"]

_CALL_BYTES: Final = 256
_FINISHED: Final = frozenset({"tool_calls", "stop"})


class ToolCallAssembler:
    """Make whole calls of fragments; a stage with memory (`feed`, `flush`), one object for each stream.

    Args:
        give: `"events"` gives starts, deltas and ends; `"calls"` gives each call once, whole, when it has ended.
        max_bytes: characters of arguments, and 256 for each call, that one stream may have.

    Attributes:
        dropped: fragments that belonged to no known call.
    """

    def __init__(self, give: Literal["events", "calls"] = "events", *, max_bytes: int = 16 * 2**20) -> None:
        self._give = give
        self._max_bytes = max_bytes
        self._size = 0
        self._current: dict[tuple[int, int], _Call] = {}
        self._calls: list[_Call] = []
        self.dropped = 0

    @property
    def calls(self) -> tuple[ToolCallChunk, ...]:
        """All calls so far, the unfinished with what has come of their arguments."""
        return tuple(call.whole() for call in self._calls)

    def arguments(self, call_id: str) -> Any:  # noqa: ANN401 - any JSON value
        """Return what has come of a call's arguments, as a value; None where nothing has, or nothing readable.

        The object grows with the stream: copy it to keep it. Calls of MCP tools are readable only when they have ended,
        as in the reference.

        Raises:
            KeyError: no call has this id.
        """
        for call in reversed(self._calls):
            if call.id == call_id:
                hidden = call.name.startswith(MCP_PREFIX) and not call.ended
                return None if hidden else call.parser.value
        raise KeyError(call_id)

    def feed(self, chunk: Chunk) -> Sequence[Chunk]:
        """Take one chunk and return what it becomes.

        Raises:
            BodyTooLargeError: the calls are larger than `max_bytes`.
        """
        if isinstance(chunk, ToolCallPartialChunk):
            call, delta = self._current.get((chunk.choice, chunk.index)), chunk.arguments
            # Nearly all fragments bring more arguments of a call that has begun, and nothing else.
            if call is None or delta is None or chunk.id is not None or not call.started:
                return self._take(chunk)
            self._grow(len(delta))
            call.pieces.append(delta)
            call.parser.feed(delta)
            return (ToolCallDeltaChunk(call.id, delta),) if self._give == "events" else NO_CHUNKS
        if isinstance(chunk, FinishChunk) and chunk.reason in _FINISHED:
            return [*self._end_all(chunk.index), chunk]
        return (chunk,)

    def flush(self) -> Sequence[Chunk]:
        """Return the ends of the calls that no finish has ended; their arguments may have been cut."""
        return [chunk for choice in {choice for choice, _ in self._current} for chunk in self._end_all(choice)]

    def _take(self, chunk: ToolCallPartialChunk) -> list[Chunk]:
        place = (chunk.choice, chunk.index)
        call = self._current.get(place)
        out: list[Chunk] = []
        if chunk.id and (call is None or (call.id != chunk.id and call.started)):
            if call is not None:
                out += self._end(call)
            call = self._current[place] = _Call(chunk.id, len(self._calls), chunk.choice)
            self._calls.append(call)
            self._grow(_CALL_BYTES)
        if call is None:
            self.dropped += 1
            return out
        if chunk.name and not call.name:
            call.name = chunk.name
        if chunk.arguments:
            self._grow(len(chunk.arguments))
            call.pieces.append(chunk.arguments)
            call.parser.feed(chunk.arguments)
        if self._give == "events" and call.name:
            out += call.news(chunk.arguments)
        call.started = call.started or bool(call.name)
        return out

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > self._max_bytes:
            raise BodyTooLargeError(self._max_bytes, self._size, "ToolCallAssembler(max_bytes=...)")

    def _end_all(self, choice: int) -> list[Chunk]:
        places = [place for place in self._current if place[0] == choice]
        return [chunk for place in places for chunk in self._end(self._current.pop(place))]

    def _end(self, call: _Call) -> list[Chunk]:
        call.ended = True
        if self._give == "calls":
            return [call.whole()]
        return [ToolCallEndChunk(call.id)] if call.started else []


class _Call:
    """One call: who it is, its arguments as text and as a value that grows."""

    __slots__ = ("choice", "ended", "id", "name", "number", "parser", "pieces", "started")

    def __init__(self, call_id: str, number: int, choice: int) -> None:
        self.id = call_id
        self.number = number
        self.choice = choice
        self.name = ""
        self.pieces: list[str] = []
        self.parser = PartialJSON()
        self.started = False
        self.ended = False

    def news(self, delta: str | None) -> list[Chunk]:
        """Return the start, if it is due, with all that came before it; or else the delta."""
        if not self.started:
            start: list[Chunk] = [ToolCallStartChunk(self.id, self.name)]
            text = "".join(self.pieces)
            return [*start, ToolCallDeltaChunk(self.id, text)] if text else start
        return [ToolCallDeltaChunk(self.id, delta)] if delta else []

    def whole(self) -> ToolCallChunk:
        """Return the call as it stands."""
        return ToolCallChunk(self.id, self.name, "".join(self.pieces), self.number, self.choice)
