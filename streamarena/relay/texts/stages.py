"""What may be done to the text of an answer while it passes: `redact`, `stop_on`, and any function of a text delta.

A stage is a recipe; each run of text (a choice, a content block) gets an editor of its own from it, so that runs that
interleave on the wire never meet.

Invariants: how the text is cut into deltas never matters to what `redact` and `stop_on` find; what an editor holds back
is only what could still become a match, and at most `max_held` characters; `flush` gives all of it.
Cost: a search or two over each delta. A function costs itself, and sees one delta at a time.
Not here: where text stands in an event (`places.py`), and writing it back (`rewriting.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeAlias, cast

from streamarena.errors import ConfigurationError
from streamarena.relay.texts.partial_patterns import PartialPattern

__all__ = ["AnyStage", "EditorChain", "TextEditor", "TextStage", "check_stages", "may_stop", "redact", "stop_on"]

_MAX_HELD: Final = 4096


class TextEditor(Protocol):
    """Edits one run of text.

    Attributes:
        held: how many characters are held back.
        stopped: what ended the answer here, or None; nothing of the run counts after that.
    """

    @property
    def held(self) -> int:
        """See above."""
        ...

    @property
    def stopped(self) -> str | None:
        """See above."""
        ...

    def feed(self, text: str, /) -> str:
        """Return what becomes of this text and of what was held back, as far as that is decided."""
        ...

    def flush(self) -> str:
        """Return what was held back: the run has ended."""
        ...


class TextStage(Protocol):
    """A recipe for editors.

    Attributes:
        may_stop: whether one of its editors may end the answer.
    """

    @property
    def may_stop(self) -> bool:
        """See above."""
        ...

    def begin(self) -> TextEditor:
        """Return an editor for one run of text."""
        ...


AnyStage: TypeAlias = TextStage | Callable[[str], str]
"""A stage, or a function that is called with each text delta and returns what becomes of it."""


def redact(
    *patterns: str | re.Pattern[str],
    replacement: str | Callable[[str], str] = "[redacted]",
    max_held: int = _MAX_HELD,
) -> TextStage:
    r"""Replace every match of the patterns, also one that is spread over many deltas.

    Args:
        patterns: regular expressions, as `r"sk-[A-Za-z0-9_-]{16,}"`.
        replacement: what stands in a match's place, or a function of the match.
        max_held: characters that wait for their match to end. A longer match is replaced as far as it has come.

    Raises:
        ConfigurationError: no pattern, one that cannot be searched for in pieces (see `partial_patterns.py`), or a
            limit below 1.
    """
    if not patterns:
        raise ConfigurationError("redact needs a pattern")
    _check_held(max_held)
    ready = tuple(PartialPattern(pattern) for pattern in patterns)

    def write(match: str) -> str:
        return replacement(match) if callable(replacement) else replacement

    return _Recipe(lambda: _Redactor(ready, write, max_held), may_stop=False)


def stop_on(*sequences: str) -> TextStage:
    """End the answer before the first of these texts, as if the model had stopped there: the rest is not asked for.

    Raises:
        ConfigurationError: none, or an empty one.
    """
    if not sequences or not all(sequences):
        raise ConfigurationError("stop_on needs texts that are not empty")
    pattern = PartialPattern("|".join(re.escape(each) for each in sorted(sequences, key=len, reverse=True)))
    return _Recipe(lambda: _Stopper(pattern), may_stop=True)


def check_stages(stages: Sequence[AnyStage]) -> None:
    """Refuse what is neither a stage nor a function.

    Raises:
        ConfigurationError: there is one.
    """
    for stage in stages:
        if not callable(getattr(stage, "begin", None)) and not callable(stage):
            raise ConfigurationError(
                f"a text stage is redact(...), stop_on(...) or a function of a text, not {stage!r}"
            )


class EditorChain:
    """The editors of all stages over one run of text, in their order; an editor itself."""

    __slots__ = ("_editors",)

    def __init__(self, stages: Sequence[AnyStage]) -> None:
        self._editors = [_editor_of(stage) for stage in stages]

    @property
    def held(self) -> int:
        """Characters held back by all of them."""
        return sum(editor.held for editor in self._editors)

    @property
    def stopped(self) -> str | None:
        """What ended the answer, or None."""
        return next((editor.stopped for editor in self._editors if editor.stopped is not None), None)

    def feed(self, text: str) -> str:
        """Return what becomes of this text."""
        for editor in self._editors:
            text = editor.feed(text)
        return text

    def flush(self) -> str:
        """Return what was held back by all of them."""
        text = ""
        for editor in self._editors:
            text = editor.feed(text) + editor.flush() if text else editor.flush()
        return text


def may_stop(stage: AnyStage) -> bool:
    """Tell whether a stage may end an answer; a function cannot."""
    return getattr(stage, "may_stop", False) is True


def _editor_of(stage: AnyStage) -> TextEditor:
    begin: Callable[[], TextEditor] | None = getattr(stage, "begin", None)
    if begin is not None:
        return begin()
    return _Function(cast("Callable[[str], str]", stage))


class _Recipe:
    """A stage made of a function that makes editors."""

    __slots__ = ("_make", "may_stop")

    def __init__(self, make: Callable[[], TextEditor], *, may_stop: bool) -> None:
        self._make = make
        self.may_stop = may_stop

    def begin(self) -> TextEditor:
        return self._make()


class _Function:
    """A user's function, delta by delta."""

    __slots__ = ("_function", "held", "stopped")

    def __init__(self, function: Callable[[str], str]) -> None:
        self._function = function
        self.held = 0
        self.stopped: str | None = None

    def feed(self, text: str) -> str:
        return self._function(text)

    def flush(self) -> str:
        return ""


class _Redactor:
    """Replaces matches; what may still become one waits."""

    __slots__ = ("_before", "_max_held", "_patterns", "_text", "_write", "stopped")

    def __init__(self, patterns: Sequence[PartialPattern], write: Callable[[str], str], max_held: int) -> None:
        self._patterns = patterns
        self._write = write
        self._max_held = max_held
        self._before = ""  # the last character that was let go: a word boundary looks at it
        self._text = ""
        self.stopped: str | None = None

    @property
    def held(self) -> int:
        return len(self._text)

    def feed(self, text: str) -> str:
        return self._edit(text, ended=False)

    def flush(self) -> str:
        return self._edit("", ended=True)

    def _edit(self, more: str, *, ended: bool) -> str:
        text = self._before + self._text + more
        start = len(self._before)
        out: list[str] = []
        while True:
            limit = len(text) if ended else min(each.open_from(text, start) for each in self._patterns)
            if len(text) - limit > self._max_held:
                limit = len(text)  # it has waited long enough: what is there is decided upon
            found = min((span for each in self._patterns if (span := each.find(text, start))), default=None)
            if found is None or (found[0] >= limit and limit < len(text)):
                break
            out.append(text[start : found[0]])
            out.append(self._write(text[found[0] : found[1]]))
            start = found[1]
        limit = max(limit, start)
        out.append(text[start:limit])
        self._text = text[limit:]
        self._before = text[max(limit - 1, 0) : limit]
        return "".join(out)


class _Stopper:
    """Lets text pass up to the first match, and nothing after it."""

    __slots__ = ("_pattern", "_text", "stopped")

    def __init__(self, pattern: PartialPattern) -> None:
        self._pattern = pattern
        self._text = ""
        self.stopped: str | None = None

    @property
    def held(self) -> int:
        return len(self._text)

    def feed(self, text: str) -> str:
        if self.stopped is not None:
            return ""
        text = self._text + text
        found = self._pattern.find(text, 0)
        if found is not None:
            self.stopped = text[found[0] : found[1]]
            self._text = ""
            return text[: found[0]]
        limit = self._pattern.open_from(text, 0)
        self._text = text[limit:]
        return text[:limit]

    def flush(self) -> str:
        text, self._text = self._text, ""
        return text


def _check_held(max_held: int) -> None:
    if max_held < 1:
        raise ConfigurationError(f"redact(max_held=...) must be at least 1, not {max_held}")
