"""How much of a file may go into a context: line limits, token budgets, and the form in which lines are shown.

Rules of section 5.8 of the reference behaviour: the classic limit in lines (-1 unlimited, 0 nothing but definitions),
the guard against reads that would fill the window, the later budget of 60 % of what remains, and the native window of
2,000 lines of 2,000 characters.
Invariants: what is shown is a prefix or a slice of the file; a notice says what is missing and how to get it.

Cost: linear in what is shown; `read_with_budget` stops reading when the budget is met.
Not here: opening files, extracting text from documents, outlines of code; blocks by indentation (`file_blocks.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final

import msgspec

from streamarena.context.texts import marker

__all__ = [
    "BATCH_LINES",
    "BudgetedRead",
    "LINE_CHARACTERS",
    "READ_LINES",
    "READ_SHARE",
    "VERY_LARGE_SHARE",
    "limit_lines",
    "number_lines",
    "read_budget",
    "read_is_too_large",
    "read_slice",
    "read_with_budget",
    "show_lines",
]

VERY_LARGE_SHARE: Final = 0.8
READ_SHARE: Final = 0.6
BATCH_LINES: Final = 256
READ_LINES: Final = 2000
LINE_CHARACTERS: Final = 2000


def number_lines(content: str, start: int = 1) -> str:
    """Put a number before each line: right-aligned, as wide as the last one, then ` | `.

    Args:
        content: the text; its last line gets a newline.
        start: the number of its first line. No content is nothing at line 1, and one empty line further on.
    """
    if not content:
        return "" if start == 1 else f"{start} | \n"
    lines = content.removesuffix("\n").split("\n")
    width = len(str(start + len(lines) - 1))
    return "".join(f"{number:>{width}} | {line}\n" for number, line in enumerate(lines, start))


def limit_lines(content: str, max_lines: int = -1) -> str:
    """Show the first lines of a file, numbered, with a notice of how many there are.

    Args:
        content: the whole file.
        max_lines: -1: all of it; 0: only the notice (outlines are the caller's); n: the first n lines.
    """
    total = content.count("\n") + (not content.endswith("\n")) if content else 0
    if max_lines < 0 or total <= max_lines:
        return number_lines(content)
    shown = (
        number_lines("".join(f"{line}\n" for line in content.split("\n", max_lines)[:max_lines])) if max_lines else ""
    )
    notice = marker("file_truncated", shown=max_lines, total=total)
    return f"{shown}\n{notice}" if shown else notice


def read_slice(
    lines: Sequence[str], *, offset: int = 1, limit: int = READ_LINES, line_characters: int = LINE_CHARACTERS
) -> str:
    """Show a slice of a file, numbered, long lines cut (native).

    Args:
        lines: the file's lines without newlines.
        offset: the first line shown, from 1.
        limit: how many lines.
        line_characters: characters of each.
    """
    first = max(1, offset)
    return show_lines(lines, first - 1, first - 1 + max(0, limit), line_characters)


def show_lines(lines: Sequence[str], first: int, end: int, line_characters: int = LINE_CHARACTERS) -> str:
    """Show a range of a file's lines, numbered, long ones cut, with a notice where lines follow.

    Args:
        lines: the file's lines without newlines.
        first: index of the first line shown.
        end: index after the last one.
        line_characters: characters of each.
    """
    cut = marker("line_cut")
    shown = [line if len(line) <= line_characters else line[:line_characters] + cut for line in lines[first:end]]
    text = number_lines("\n".join(shown), first + 1) if shown else ""
    if end >= len(lines):
        return text
    return f"{text}\n{marker('file_truncated', shown=end, total=len(lines))}"


def read_is_too_large(estimate: int, context_window: int, *, allow_very_large: bool = False) -> bool:
    """Tell whether reading something would fill the window: from 80 % of it on, unless that was allowed.

    Args:
        estimate: tokens of the file, or of a tool's output.
        context_window: tokens.
        allow_very_large: the user's setting.
    """
    return not allow_very_large and estimate >= context_window * VERY_LARGE_SHARE


def read_budget(context_window: int, max_output_tokens: int, context_tokens: float) -> int:
    """Return the tokens that one read may take: 60 % of what the window still has, rounded down; never below 0."""
    return max(0, math.floor(READ_SHARE * (context_window - max_output_tokens - context_tokens)))


class BudgetedRead(msgspec.Struct, frozen=True):
    """The start of a file that fits a budget: its text, tokens and lines, and whether that is the whole file."""

    content: str
    tokens: int
    lines: int
    complete: bool


def read_with_budget(lines: Iterable[str], budget: int, count: Callable[[str], int]) -> BudgetedRead:
    """Read lines until a budget is met, counting 256 at a time; the batch that does not fit is cut by halves.

    Args:
        lines: with their newlines, such as an open text file; read no further than needed.
        budget: tokens.
        count: tokens of a text, such as `TokenCounter.count_text`.
    """
    source = iter(lines)
    parts: list[str] = []
    tokens = read = 0
    while batch := list(islice(source, BATCH_LINES)):
        text = "".join(batch)
        size = count(text)
        if tokens + size > budget:
            fits, size = _fitting(batch, budget - tokens, count)
            return BudgetedRead("".join([*parts, *batch[:fits]]), tokens + size, read + fits, complete=False)
        parts.append(text)
        tokens += size
        read += len(batch)
    return BudgetedRead("".join(parts), tokens, read, complete=True)


def _fitting(batch: Sequence[str], room: int, count: Callable[[str], int]) -> tuple[int, int]:
    """Return how many lines of a batch fit, and their tokens; halving, because counting is not additive over lines."""
    low, high, size = 0, len(batch), 0
    while low < high - 1:
        middle = (low + high) // 2
        counted = count("".join(batch[:middle]))
        if counted <= room:
            low, size = middle, counted
        else:
            high = middle
    return low, size
