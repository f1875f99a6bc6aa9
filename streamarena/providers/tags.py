"""Finds the reasoning that a model writes between tags inside its text, as `<think>...</think>`.

Invariants: how the text is cut never matters to what is found; every character comes out exactly once, as reasoning or
as text, but for the outermost tags. A tag counts only at the very start of the text (`position`), because further on it
is far more likely to be somebody's words about tags; inside a match, tags of the same name nest.
Costs: outside tags one search for the next `<`, and none at all once the start has passed; inside a tag one step a
character. What is held back is at most one unfinished tag: its name, spaces without end, and no more than `max_held`.
Not here: attributes; a tag with any is text.

The rules are those of the reference behaviour, section 6.3; `tests/vectors` holds what the reference program answered.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final, NamedTuple

from streamarena.providers.chunks import Chunk, FinishChunk, ReasoningChunk, TextChunk
from streamarena.providers.interfaces import NO_CHUNKS, Decoder, Framing, WireEvent

__all__ = ["DEFAULT_MAX_HELD", "Run", "TagMatcher", "ThinkTagDecoder"]

_TEXT, _OPEN, _CLOSE = range(3)
DEFAULT_MAX_HELD: Final = 4096


class Run(NamedTuple):
    """A stretch of text, inside the tags or outside."""

    data: str
    matched: bool


class TagMatcher:
    """Split text into runs inside and outside a tag.

    Args:
        tag: the tag's name.
        position: how many UTF-16 code units may stand before the first tag, as the reference counts.
        max_held: characters of an unfinished tag that are held back; a longer one is text.
    """

    __slots__ = ("_depth", "_held", "_index", "_max_held", "_position", "_read", "_runs", "_state", "_tag", "matched")

    def __init__(self, tag: str = "think", position: int = 0, *, max_held: int = DEFAULT_MAX_HELD) -> None:
        self._tag = tag
        self._position = position
        self._max_held = max_held
        self._state = _TEXT
        self._index = 0  # how much of the tag's name has been read
        self._depth = 0
        self._read = 0  # UTF-16 code units read so far
        self._held: list[str] = []  # an unfinished tag
        self._runs: list[Run] = []
        self.matched = False

    @property
    def settled(self) -> bool:
        """Whether nothing that may still come can be a match: all further text is text."""
        return self._state == _TEXT and not self.matched and self._read > self._position

    def update(self, text: str) -> list[Run]:
        """Return the runs that this piece completes; neighbours of the same kind are one run."""
        start, end = 0, len(text)
        while start < end:
            if self._state == _TEXT:
                start = self._skip_text(text, start)
            else:
                self._step(text[start])
                start += 1
        return self._take()

    def final(self, text: str = "") -> list[Run]:
        """Return the last runs; an unfinished tag is data of the kind that it stands in."""
        runs = self.update(text) if text else []
        self._emit_held()
        for run in self._take():
            if runs and runs[-1].matched == run.matched:
                runs[-1] = Run(runs[-1].data + run.data, run.matched)
            else:
                runs.append(run)
        return runs

    # ------------------------------------------------------------ the machine

    def _skip_text(self, text: str, start: int) -> int:
        """Emit text up to the next `<` that may open a tag; return where to go on."""
        end = len(text)
        room = self._position + 1 - self._read  # a tag may still begin within so many code units
        if self.matched:
            found = text.find("<", start)
        else:
            found = text.find("<", start, min(end, start + room)) if room > 0 else -1
            if found > start and _code_units(text[start:found]) >= room:
                found = -1
        stop = end if found < 0 else found
        if stop > start:
            self._emit_held()
            self._emit(text[start:stop])
            self._read += _code_units(text[start:stop]) if room > 0 else stop - start  # exact as long as it matters
        if found < 0:
            return end
        self._read += 1
        self._held.append("<")
        self._state, self._index = _OPEN, 0
        return found + 1

    def _step(self, char: str) -> None:
        """Take one character inside what may be a tag."""
        self._read += 1 if char <= "\uffff" else 2
        self._held.append(char)
        tag, index = self._tag, self._index
        if char == ">" and index == len(tag):
            self._finish_tag()
        elif self._state == _OPEN and index == 0 and char == "/":
            self._state = _CLOSE
        elif char == " " and index in (0, len(tag)) and len(self._held) < self._max_held:
            pass
        elif index < len(tag) and tag[index] == char:
            self._index += 1
        else:
            self._state = _TEXT
            self._emit_held()

    def _finish_tag(self) -> None:
        opened = self._state == _OPEN
        self._state = _TEXT
        outermost = not self.matched
        self._depth += 1 if opened else -1
        self.matched = opened or self._depth > 0
        if outermost if opened else not self.matched:
            self._held.clear()
        elif len(self._held) >= self._max_held:
            self._emit_held()  # a nested tag is data, and goes out with what follows it, unless that never comes

    # ------------------------------------------------------------ runs

    def _emit_held(self) -> None:
        if self._held:
            self._emit("".join(self._held))
            self._held.clear()

    def _emit(self, data: str) -> None:
        self._runs.append(Run(data, self.matched))

    def _take(self) -> list[Run]:
        """Return the runs so far, neighbours of one kind joined."""
        runs, self._runs = self._runs, []
        if len(runs) < 2:
            return runs
        groups = itertools.groupby(runs, key=lambda run: run.matched)
        return [Run("".join(run.data for run in group), matched) for matched, group in groups]


def _code_units(text: str) -> int:
    return len(text) if text.isascii() else len(text) + sum(char > "\uffff" for char in text)


class ThinkTagDecoder:
    """A decoder whose texts pass through a matcher for each choice: what is inside the tags becomes reasoning.

    Everything else passes unchanged and in order; what a matcher holds back comes before its choice's finish.

    Args:
        inner: the decoder of the wire.
        tag: the tag's name.
    """

    def __init__(self, inner: Decoder, tag: str) -> None:
        self._inner = inner
        self._tag = tag
        self._matchers: dict[int, TagMatcher] = {}

    @property
    def framing(self) -> Framing:
        """The wire's framing."""
        return self._inner.framing

    @property
    def complete(self) -> bool:
        """Whether the wire's own end has come."""
        return self._inner.complete

    @property
    def fallbacks(self) -> int:
        """Events that were decoded again, tolerantly."""
        return self._inner.fallbacks

    def reset(self) -> None:
        """Forget the stream."""
        self._inner.reset()
        self._matchers.clear()

    def decode(self, event: WireEvent) -> Sequence[Chunk]:
        """Return the chunks of one event, as the wire's decoder does."""
        return self._split(self._inner.decode(event))

    def finish(self) -> Sequence[Chunk]:
        """Return what was held back: an unfinished tag, as what it stands in."""
        last = self._split(self._inner.finish())
        held = [chunk for index in self._matchers for chunk in self._flush(index)]
        return [*last, *held] if held else last

    def _split(self, chunks: Sequence[Chunk]) -> Sequence[Chunk]:
        if not chunks:
            return NO_CHUNKS
        out: list[Chunk] = []
        for chunk in chunks:
            if isinstance(chunk, TextChunk) and not chunk.refusal:
                matcher = self._matchers.get(chunk.index)
                if matcher is None:
                    matcher = self._matchers[chunk.index] = TagMatcher(self._tag)
                if matcher.settled:
                    out.append(chunk)
                else:
                    out += _chunks(matcher.update(chunk.text), chunk.index)
                continue
            if isinstance(chunk, FinishChunk):
                out += self._flush(chunk.index)
            out.append(chunk)
        return out or NO_CHUNKS

    def _flush(self, index: int) -> list[Chunk]:
        matcher = self._matchers.get(index)
        return [] if matcher is None else _chunks(matcher.final(), index)


def _chunks(runs: list[Run], index: int) -> list[Chunk]:
    return [
        ReasoningChunk(run.data, None, index) if run.matched else TextChunk(run.data, index) for run in runs if run.data
    ]
