"""Text stages find the same however the text is cut, and hold back only what could still match."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamarena.errors import ConfigurationError
from streamarena.relay.texts.partial_patterns import PartialPattern
from streamarena.relay.texts.stages import EditorChain, redact, stop_on

PATTERNS = [
    r"sk-[a-d]{3,}",
    r"a+b",
    r"\bcab\b",
    r"(?:ab|abcd)d",
    r"ab(?:cd)?",
    r"(?i:SK)-\d",
    r"[^a]c{2}",
    r"a.c",
    r"\x61b|b\u0063",
    r"(?P<name>a)(b|c)*d",
    r"a{2,3}?b",
    r"[]a]b",
    r"a\++b|c+?d",
    r"(?:a|b){2}c|a.*?d",
]
TEXT = st.text("abcdsk-3+ ]", max_size=24)


def run(stage, deltas):
    chain = EditorChain([stage])
    return "".join(chain.feed(delta) for delta in deltas) + chain.flush()


def split(text, places):
    bounds = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[a:b] for a, b in pairwise(bounds)]


@pytest.mark.parametrize("pattern", PATTERNS)
@given(text=TEXT, places=st.lists(st.integers(0, 30), max_size=12))
def test_a_match_is_replaced_wherever_it_is_cut(pattern, text, places):
    assert run(redact(pattern), split(text, places)) == re.sub(pattern, "[redacted]", text)


@pytest.mark.parametrize(
    "deltas", [["x", "cab"], ["x c", "ab"], ["cab", "x"], ["c", "ab "], ["cab", " ", "cab"]], ids=str
)
def test_a_boundary_looks_at_what_was_let_go_before(deltas):
    assert run(redact(r"\bcab\b"), deltas) == re.sub(r"\bcab\b", "[redacted]", "".join(deltas))


@given(text=TEXT, places=st.lists(st.integers(0, 30), max_size=12))
def test_several_patterns_agree_with_one_pass_from_the_left(text, places):
    assert run(redact("ab", "bcd", "sk"), split(text, places)) == re.sub("ab|bcd|sk", "[redacted]", text)


@given(text=TEXT, places=st.lists(st.integers(0, 30), max_size=12))
def test_the_answer_ends_before_the_first_stop(text, places):
    assert run(stop_on("ab", "abc", "d-"), split(text, places)) == re.split("ab|d-", text, maxsplit=1)[0]


@pytest.mark.parametrize(
    ("text", "held"),
    [("hello", 0), ("hello s", 1), ("hello sk", 2), ("sk-abc", 6), ("sk-ab x", 0), ("sks", 1)],
)
def test_only_what_could_still_match_is_held(text, held):
    chain = EditorChain([redact(r"sk-[a-z]{3,}")])
    chain.feed(text)
    assert chain.held == held


def test_a_match_that_never_ends_is_replaced_as_far_as_it_has_come():
    chain = EditorChain([redact(r"sk-[a-z]{3,}", max_held=50)])
    shown = chain.feed("sk-" + "a" * 40) + chain.feed("a" * 40)
    assert (shown, chain.held) == ("[redacted]", 0)


def test_a_replacement_may_be_a_function_of_the_match():
    assert run(redact(r"\d+", replacement=lambda found: "#" * len(found)), ["1", "23 4"]) == "### #"


def test_what_stopped_the_answer_is_known():
    chain = EditorChain([stop_on("END")])
    assert (chain.feed("so E"), chain.stopped) == ("so ", None)
    assert (chain.feed("ND more"), chain.stopped, chain.feed("x"), chain.flush()) == ("", "END", "", "")


def test_stages_work_on_one_anothers_results():
    chain = EditorChain([redact("secret", replacement="STOP"), str.lower, stop_on("stop")])
    assert "".join(map(chain.feed, ["A sec", "ret thing"])) + chain.flush() == "a "
    assert chain.stopped == "stop"


def test_what_one_stage_flushes_meets_the_next():
    chain = EditorChain([redact("abc"), redact("ab", replacement="!")])
    assert chain.feed("xab") + chain.flush() == "x!"


@pytest.mark.parametrize(
    "pattern",
    [
        *("^a", "a$", r"a\Z", "(?=a)b", "(?<!a)b", r"(a)\1", "(?P<x>a)(?P=x)", "(a)?(?(1)a|b)", "a*", "", "(", b"a", 7),
        *("(?x) a", "a++", "a?+b", "a{2}+", re.compile("a b", re.VERBOSE), re.compile("a", re.MULTILINE)),
    ],
    ids=str,
)
def test_what_cannot_be_searched_for_in_pieces_is_refused(pattern):
    with pytest.raises(ConfigurationError):
        PartialPattern(pattern)


@pytest.mark.parametrize("make", [redact, stop_on, lambda: stop_on(""), lambda: redact("a", max_held=0)])
def test_stages_without_sense_are_refused(make):
    with pytest.raises(ConfigurationError):
        make()
