"""Limits on what tools print: progress bars flattened, repeated lines folded, and the middle cut out.

Rules of section 5.9 of the reference behaviour, classic pipeline and native preview, to the last UTF-16 code unit:
lengths and positions count code units, a cut may fall inside a surrogate pair and then leaves a lone surrogate, as in
the reference (encode such text with `surrogatepass`, or use `errors="replace"`).
Invariant: text within its limits comes back unchanged, the same object.

Cost: linear in the text; ASCII and basic-plane text is worked on in place, without a copy into code units.
Not here: the Codex CLI's limits (`codex_cli.py`), and writing what was cut to a file: `OutputPreview` hands it on.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Callable
from typing import Final

from streamarena.context._javascript import from_utf16, utf16
from streamarena.context.texts import line_repeated, marker

__all__ = [
    "CHARACTER_LIMIT",
    "compress_terminal_output",
    "fold_repeated_lines",
    "HEAD_SHARE",
    "LINE_LIMIT",
    "OutputPreview",
    "PREVIEW_BYTES",
    "process_backspaces",
    "process_carriage_returns",
    "truncate_output",
]

LINE_LIMIT: Final = 500
CHARACTER_LIMIT: Final = 50_000
HEAD_SHARE: Final = 0.2
_UTF16: Final = "utf-16-le" if sys.byteorder == "little" else "utf-16-be"
PREVIEW_BYTES: Final = {"small": 5120, "medium": 10_240, "large": 20_480}


def truncate_output(content: str, line_limit: float | None = None, character_limit: float | None = None) -> str:
    """Cut the middle out of a text: 20 % of the limit from its head, the rest from its tail, a marker between.

    Args:
        content: the text.
        line_limit: lines to keep; 0 and None: no limit.
        character_limit: UTF-16 code units to keep; it goes first.
    """
    if not line_limit and not character_limit:
        return content
    units = utf16(content)
    if character_limit and len(units) > character_limit:
        head = math.floor(character_limit * HEAD_SHARE)
        tail = character_limit - head
        note = marker("characters_omitted", count=_whole(len(units) - character_limit))
        return from_utf16(f"{_slice(units, 0, head)}\n{note}\n{units[-math.trunc(tail) :]}")
    if not line_limit:
        return content
    total = units.count("\n") + 1
    if total <= line_limit:
        return content
    head_lines = math.floor(line_limit * HEAD_SHARE)
    head_end = _after_lines(units, head_lines)
    tail_start = _before_lines(units, line_limit - head_lines)
    note = marker("lines_omitted", count=_whole(total - line_limit))
    return from_utf16(f"{units[:head_end]}\n{note}\n\n{units[tail_start:]}")


def _whole(count: float) -> int:
    return math.trunc(count)


def _slice(units: str, start: int, end: int) -> str:
    return units[start:end] if end >= 0 else units[start : max(0, len(units) + end)]


def _after_lines(units: str, count: int) -> int:
    """Return the position after `count` lines from the start."""
    end = 0
    for _ in range(count):
        found = units.find("\n", end)
        if found < 0:
            break
        end = found + 1
    return end


def _before_lines(units: str, count: float) -> int:
    """Return where the last `count` lines begin: after as many newlines from the end."""
    start = end = len(units)
    taken = 0
    while taken < count:
        # The search includes `end - 1`, and from position 0 it finds a newline at 0 again, as lastIndexOf(-1) does.
        found = units.rfind("\n", 0, max(end - 1, 0) + 1)
        if found < 0:
            break
        start, end = found + 1, found
        taken += 1
    return start


def fold_repeated_lines(content: str, notice: Callable[[int], str] = line_repeated) -> str:
    """Replace runs of the same line by one and a note, where that is shorter.

    A run at the end of the text is measured by its copies, one in the middle by all of it, so there the output can
    grow. A last line without a newline equals no line with one.

    Args:
        content: the text.
        notice: the note for a number of copies; its length without a newline counts in the comparison.
    """
    if not content:
        return content
    lines = content.splitlines(keepends=True) if _only_newlines(content) else _split_lines(content)
    parts: list[str] = []
    index, count = 0, len(lines)
    while index < count:
        line = lines[index]
        after = index + 1
        while after < count and lines[after] == line:
            after += 1
        copies = after - index - 1
        if copies:
            note = notice(copies) + "\n"
            weight = copies if after == count else copies + 1
            parts.append(line + note if len(utf16(note)) < len(utf16(line)) * weight else line * (copies + 1))
        else:
            parts.append(line)
        index = after
    return "".join(parts)


def _only_newlines(content: str) -> bool:
    return content.isascii() and not any(end in content for end in "\r\v\f\x1c\x1d\x1e")


def _split_lines(content: str) -> list[str]:
    lines = [f"{line}\n" for line in content.split("\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def process_carriage_returns(text: str) -> str:
    """Let text after a carriage return overwrite its line from the start, as a terminal shows it.

    A character of two code units that is overwritten by half, or that begins where the overwriting stops, leaves a
    space in place of its first remaining unit.
    """
    if "\r" not in text:
        return text
    return "\n".join(_overwritten(line) if "\r" in line else line for line in text.split("\n"))


def _overwritten(line: str) -> str:
    # Overwriting in place keeps this linear where a long line is followed by very many short overwrites.
    shown, *segments = map(_units, line.split("\r"))
    for segment in segments:
        size = len(segment)
        if not size:
            continue
        if size >= len(shown):
            shown = segment
            continue
        following = shown[size]
        shown[:size] = segment
        if (
            0xD800 <= segment[-1] <= 0xDBFF
            or 0xDC00 <= following <= 0xDFFF
            or (0xD800 <= following <= 0xDBFF and len(shown) > size + 1)
        ):
            shown[size] = 0x20
    return _text(shown)


def process_backspaces(text: str) -> str:
    """Let each backspace delete the code unit before it, a newline too."""
    if "\b" not in text:
        return text
    first, *parts = text.split("\b")
    output = _units(first)
    for part in parts:
        if output:
            output.pop()
        output.extend(_units(part))
    return _text(output)


def _units(text: str) -> array[int]:
    return array("H", text.encode(_UTF16, "surrogatepass"))


def _text(units: array[int]) -> str:
    return units.tobytes().decode(_UTF16, "surrogatepass")


def compress_terminal_output(
    text: str,
    *,
    line_limit: float | None = LINE_LIMIT,
    character_limit: float | None = CHARACTER_LIMIT,
    compress_progress_bar: bool = True,
) -> str:
    """Make terminal output fit a context: progress bars, then repeated lines, then the middle (classic).

    Args:
        text: what was printed.
        line_limit: lines, default 500.
        character_limit: UTF-16 code units, default 50,000. 0 and None: no limit.
        compress_progress_bar: process carriage returns and backspaces first.
    """
    if compress_progress_bar:
        text = process_backspaces(process_carriage_returns(text))
    return truncate_output(fold_repeated_lines(text), line_limit, character_limit)


class OutputPreview:
    """Collects a command's output and keeps a preview of it: a head and a rolling tail (native).

    Memory: at most `limit` bytes of head and tail; everything goes on to `spill` from the moment the total passes the
    limit, what came before included, in order.

    Args:
        limit: bytes of the preview, default 10,240; half of it, rounded down, is head.
        spill: takes the whole output piece by piece once it is larger than the preview; it may write a file.

    Attributes:
        total: bytes seen.
    """

    def __init__(self, limit: int = PREVIEW_BYTES["medium"], spill: Callable[[bytes], None] | None = None) -> None:
        self.limit = limit
        self.total = 0
        self._head_limit = limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._spill = spill

    @property
    def truncated(self) -> bool:
        """Whether something was left out of the preview."""
        return self.total > self.limit

    def feed(self, data: bytes) -> None:
        """Take the next piece of output."""
        was_whole = not self.truncated
        before = bytes(self._head + self._tail) if self._spill is not None and was_whole else b""
        self.total += len(data)
        if self.truncated and self._spill is not None:
            if was_whole and before:
                self._spill(before)
            self._spill(data)
        room = max(0, self._head_limit - len(self._head))
        self._head += data[:room]
        self._tail += data[room:]
        excess = len(self._tail) - (self.limit - self._head_limit)
        if excess > 0:
            del self._tail[:excess]

    def text(self) -> str:
        """Return the preview: the whole output, or head, marker with the omitted bytes, and tail."""
        if not self.truncated:
            return (self._head + self._tail).decode("utf-8", "replace")
        head = self._head.decode("utf-8", "ignore")
        tail = self._tail.decode("utf-8", "ignore")
        omitted = self.total - len(self._head) - len(self._tail)
        return f"{head}\n{marker('bytes_omitted', count=omitted)}\n{tail}"
