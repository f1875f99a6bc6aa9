"""Reading the block of code around a line: by indentation, without a parser (native).

Rule of section 5.8 of the reference behaviour, mode "indentation": from an anchor line the shown range grows upwards
and downwards, line by line in turn, as long as lines are indented deeply enough. How deep is enough follows from how
many levels are wanted; at that depth one line on either side is taken (a block's own first and last line), further ones
belong to its neighbours.
Invariants: what is shown is one range of lines that holds the anchor and has at most `max_lines`; a blank line counts
as indented like the line before it.

Cost: one pass over the file for the indentation, then one step for each line shown.
Not here: opening files; the mode with offset and limit (`file_reads.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from streamarena.context.file_reads import LINE_CHARACTERS, READ_LINES, show_lines
from streamarena.errors import ContextError

__all__ = ["INDENT_COLUMNS", "block_range", "read_block"]

INDENT_COLUMNS: Final = 4
"""Columns of one level of indentation, and of a tab."""

_COMMENTS: Final = ("#", "//", "--", "/*", "*", "'''", '"""')


def read_block(
    lines: Sequence[str],
    anchor_line: int,
    *,
    max_levels: int = 0,
    include_siblings: bool = False,
    include_header: bool = True,
    max_lines: int = READ_LINES,
    line_characters: int = LINE_CHARACTERS,
) -> str:
    """Show the block around a line, numbered, long lines cut, with a notice where the file has more.

    Args:
        lines: the file's lines without newlines.
        anchor_line: the line that the block is around, from 1.
        max_levels: how many levels of enclosing blocks to take in; 0: all of them.
        include_siblings: also show the neighbours of the outermost block shown.
        include_header: also show the comments right above the outermost block's first line.
        max_lines: how many lines at most.
        line_characters: characters of each.

    Raises:
        ContextError: the file has no such line, or no line may be shown.
    """
    first, end = block_range(
        lines,
        anchor_line,
        max_levels=max_levels,
        include_siblings=include_siblings,
        include_header=include_header,
        max_lines=max_lines,
    )
    return show_lines(lines, first, end, line_characters)


def block_range(
    lines: Sequence[str],
    anchor_line: int,
    *,
    max_levels: int = 0,
    include_siblings: bool = False,
    include_header: bool = True,
    max_lines: int = READ_LINES,
) -> tuple[int, int]:
    """Return the block around a line as a range of indices, its end excluded; arguments as `read_block`."""
    if not 1 <= anchor_line <= len(lines):
        raise ContextError(f"there is no line {anchor_line} in a file of {len(lines)} lines")
    if max_lines < 1:
        raise ContextError(f"max_lines is at least 1, not {max_lines}")
    depths = _depths(lines)
    anchor = anchor_line - 1
    least = max(0, depths[anchor] - max_levels * INDENT_COLUMNS) if max_levels > 0 else 0
    up = _Edge(lines, depths, least, header=include_header, siblings=include_siblings)
    down = _Edge(lines, depths, least, header=False, siblings=include_siblings)
    first, end = anchor, anchor + 1
    while end - first < max_lines and (up.open or down.open):
        if up.takes(first - 1):
            first -= 1
        if end - first < max_lines and down.takes(end):
            end += 1
    while first < anchor and not lines[first].strip():
        first += 1
    while end - 1 > anchor and not lines[end - 1].strip():
        end -= 1
    return first, end


class _Edge:
    """One end of a block that grows, and whether it may grow further."""

    def __init__(
        self, lines: Sequence[str], depths: Sequence[int], least: int, *, header: bool, siblings: bool
    ) -> None:
        self._lines = lines
        self._depths = depths
        self._least = least
        self._header = header
        self._siblings = siblings
        self._outermost = 0  # lines taken at the least depth
        self.open = True

    def takes(self, index: int) -> bool:
        """Tell whether the line belongs to the block; the first that does not ends the growing."""
        self.open = self.open and 0 <= index < len(self._lines) and self._depths[index] >= self._least
        if self.open and not self._siblings and self._depths[index] == self._least:
            comment = self._header and self._lines[index].lstrip().startswith(_COMMENTS)
            self.open = comment or self._outermost == 0
            self._outermost += 1
        return self.open


def _depths(lines: Sequence[str]) -> list[int]:
    """Return the indentation of each line in columns; a blank line has that of the line before it."""
    depths: list[int] = []
    for line in lines:
        bare = line.lstrip(" \t")
        if bare.strip():
            margin = line[: len(line) - len(bare)]
            depths.append(sum(INDENT_COLUMNS if char == "\t" else 1 for char in margin))
        else:
            depths.append(depths[-1] if depths else 0)
    return depths
