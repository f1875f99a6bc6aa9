"""A block around a line: by indentation, as many levels as wanted, never more lines than allowed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamarena.context import read_block
from streamarena.context.file_blocks import block_range
from streamarena.context.texts import marker
from streamarena.errors import ContextError

CODE = """\
import os

# about the class
class First:
    # about a
    def a(self):
        if True:
            return 1
        return 2

    def b(self):
        return 3


class Second:
    pass
""".splitlines()


def lines_of(anchor, **options):
    first, end = block_range(CODE, anchor, **options)
    return first + 1, end


@pytest.mark.parametrize(
    ("anchor", "options", "expected"),
    [
        pytest.param(8, {"max_levels": 1}, (7, 9), id="one-level"),
        pytest.param(8, {"max_levels": 2}, (5, 12), id="two-levels-with-the-comment-above"),
        pytest.param(8, {"max_levels": 2, "include_header": False}, (6, 12), id="without-the-comment"),
        pytest.param(12, {"max_levels": 1}, (7, 12), id="up-to-the-neighbours-first-line"),
        pytest.param(12, {"max_levels": 1, "include_siblings": True}, (5, 12), id="with-the-neighbours"),
        pytest.param(8, {"max_levels": 3}, (3, 16), id="up-to-the-class"),
        pytest.param(8, {}, (3, 16), id="all-levels-are-the-outermost-block"),
        pytest.param(8, {"include_siblings": True}, (1, 16), id="everything"),
        pytest.param(8, {"max_lines": 3}, (7, 9), id="lines-are-taken-in-turn"),
        pytest.param(8, {"max_lines": 2}, (7, 8), id="upwards-first"),
        pytest.param(8, {"max_lines": 1}, (8, 8), id="the-anchor-alone"),
        pytest.param(1, {}, (1, 1), id="the-first-line"),
        pytest.param(2, {"max_lines": 1}, (2, 2), id="a-blank-anchor-stays"),
    ],
)
def test_which_lines_belong_to_a_block(anchor, options, expected):
    assert lines_of(anchor, **options) == expected


def test_a_tab_is_one_level():
    assert block_range(["a:", "\tb:", "\t\tc", "\td", "e"], 3, max_levels=1) == (1, 4)


def test_lines_are_numbered_and_what_follows_is_said():
    shown = read_block(CODE, 8, max_levels=1, line_characters=20)
    assert shown == (
        "7 |         if True:\n8 |             return 1\n9 |         return 2\n"
        f"\n{marker('file_truncated', shown=9, total=16)}"
    )


@pytest.mark.parametrize(("anchor", "limit"), [(0, 5), (17, 5), (-1, 5), (3, 0)])
def test_a_line_that_is_not_there_is_an_error(anchor, limit):
    with pytest.raises(ContextError, match=r"no line|at least 1"):
        read_block(CODE, anchor, max_lines=limit)
    with pytest.raises(ContextError, match="no line 1 in a file of 0"):
        read_block([], 1)


@given(
    st.lists(st.sampled_from(["", "a", "  b", "    c", "\td", "        # e", "# f"]), min_size=1, max_size=30),
    st.data(),
    st.integers(0, 3),
    st.integers(1, 12),
    st.booleans(),
)
def test_the_range_holds_the_anchor_and_keeps_its_limits(lines, data, levels, limit, siblings):
    anchor = data.draw(st.integers(1, len(lines)))
    first, end = block_range(lines, anchor, max_levels=levels, max_lines=limit, include_siblings=siblings)
    assert 0 <= first < anchor <= end <= len(lines)
    assert end - first <= limit
    wider = block_range(lines, anchor, max_levels=levels, max_lines=limit + 5, include_siblings=True)
    assert siblings is False or (wider[0] <= first and end <= wider[1])
