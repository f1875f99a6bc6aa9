"""Files come into a context numbered, limited, and never past a budget."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamarena.context.file_reads import (
    BATCH_LINES,
    limit_lines,
    number_lines,
    read_budget,
    read_is_too_large,
    read_slice,
    read_with_budget,
)
from streamarena.context.texts import marker


@pytest.mark.parametrize(
    ("content", "start", "numbered"),
    [
        ("a\nb\n", 1, "1 | a\n2 | b\n"),
        ("a\nb", 1, "1 | a\n2 | b\n"),
        ("a\n\n", 1, "1 | a\n2 | \n"),
        ("", 1, ""),
        ("", 7, "7 | \n"),
        ("x\n" * 3, 9, " 9 | x\n10 | x\n11 | x\n"),
    ],
)
def test_lines_are_numbered(content, start, numbered):
    assert number_lines(content, start) == numbered


@pytest.mark.parametrize(
    ("limit", "shown"),
    [
        (-1, "1 | a\n2 | b\n3 | c\n"),
        (3, "1 | a\n2 | b\n3 | c\n"),
        (2, "1 | a\n2 | b\n\n" + marker("file_truncated", shown=2, total=3)),
        (0, marker("file_truncated", shown=0, total=3)),
    ],
)
def test_the_classic_limit(limit, shown):
    assert limit_lines("a\nb\nc\n", limit) == shown
    assert limit_lines("a\nb\nc", limit) == shown
    assert limit_lines("", limit) == ""


def test_the_native_window_cuts_lines_and_says_what_follows():
    lines = ["short", "x" * 20, "last"]
    assert read_slice(lines, line_characters=20) == f"1 | short\n2 | {'x' * 20}\n3 | last\n"
    cut = read_slice(lines, offset=2, limit=1, line_characters=5)
    assert cut == f"2 | xxxxx{marker('line_cut')}\n\n{marker('file_truncated', shown=2, total=3)}"
    assert read_slice(lines, offset=9) == ""


@pytest.mark.parametrize(
    ("estimate", "allow", "blocked"), [(79_999, False, False), (80_000, False, True), (80_000, True, False)]
)
def test_reads_that_would_fill_the_window_are_blocked(estimate, allow, blocked):
    assert read_is_too_large(estimate, 100_000, allow_very_large=allow) is blocked


@pytest.mark.parametrize(
    ("window", "output", "used", "budget"), [(200_000, 8192, 50_000, 85_084), (1000, 0, 999, 0), (1000, 900, 900, 0)]
)
def test_the_budget_is_sixty_percent_of_what_remains(window, output, used, budget):
    assert read_budget(window, output, used) == budget


@given(st.lists(st.integers(0, 30), max_size=700), st.integers(0, 4000))
def test_a_read_stops_at_its_budget_and_not_before(sizes, budget):
    lines = ["x" * size + "\n" for size in sizes]
    done = read_with_budget(iter(lines), budget, len)
    whole = "".join(lines)
    assert done.content == "".join(lines[: done.lines])
    assert done.tokens == len(done.content) <= budget
    assert done.complete == (len(whole) <= budget)
    if not done.complete:
        assert len("".join(lines[: done.lines + 1])) > budget


def test_a_long_file_is_read_no_further_than_needed():
    taken = itertools.count()
    lines = (f"{next(taken)}\n" for _ in range(10**9))
    read_with_budget(lines, 100, len)
    assert next(taken) <= BATCH_LINES + 1
