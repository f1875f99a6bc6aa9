"""Reasoning between tags is found as the reference program finds it, whatever the cut, and nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamarena.providers import FinishChunk, ReasoningChunk, TextChunk, decoder_for
from streamarena.providers.tags import Run, TagMatcher
from tests.providers.wire import event

RECORDED = json.loads((Path(__file__).parents[1] / "vectors" / "context_vectors_sample.json").read_text("utf-8"))[
    "groups"
]["tag_matcher"]["vectors"]


def as_runs(recorded):
    return [Run(run["data"], run["matched"]) for run in recorded]


@pytest.mark.parametrize("vector", RECORDED, ids=range(len(RECORDED)))
def test_the_reference_programs_answers(vector):
    arguments, expected = vector["args"], vector["result"]
    matcher = TagMatcher(arguments["tag"], arguments["position"])
    assert [matcher.update(chunk) for chunk in arguments["chunks"]] == [as_runs(runs) for runs in expected["updates"]]
    assert matcher.final(arguments["final_chunk"] or "") == as_runs(expected["final"])


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        pytest.param("<think>a</think>b", "a", "b", id="plain"),
        pytest.param("< think >a< / think >b", "a", "b", id="spaces-in-the-tags"),
        pytest.param("a<think>b</think>", "", "a<think>b</think>", id="not-at-the-start"),
        pytest.param("<think>a<think>b</think>c</think>d", "a<think>b</think>c", "d", id="nested"),
        pytest.param("<think>a", "a", "", id="never-closed"),
        pytest.param("<think>a</thin", "a</thin", "", id="cut-in-the-closing-tag"),
        pytest.param("<thi", "", "<thi", id="cut-in-the-opening-tag"),
        pytest.param("<thinker>a", "", "<thinker>a", id="longer-name"),
        pytest.param("<think x=1>a", "", "<think x=1>a", id="attributes"),
        pytest.param("<think>a < b</think>c", "a < b", "c", id="less-than-inside"),
        pytest.param("<think></think>b", "", "b", id="empty"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_what_is_inside_is_reasoning(text, reasoning, answer, size):
    matcher = TagMatcher()
    runs = [run for start in range(0, len(text), size) for run in matcher.update(text[start : start + size])]
    runs += matcher.final()
    assert "".join(run.data for run in runs if run.matched) == reasoning
    assert "".join(run.data for run in runs if not run.matched) == answer


@pytest.mark.parametrize(
    ("text", "position", "inside"),
    [
        pytest.param("ab<t>x</t>", 2, "x", id="at-the-position"),
        pytest.param("abc<t>x</t>", 2, "", id="one-after-it"),
        pytest.param("\N{ROCKET}<t>x</t>", 2, "x", id="an-astral-character-is-two"),
        pytest.param("\N{ROCKET}<t>x</t>", 1, "", id="so-it-passes-a-position-of-one"),
        pytest.param("\u65e5<t>x</t>", 1, "x", id="any-other-is-one"),
        pytest.param("<t>\N{ROCKET}</t><t>x</t>", 9, "\N{ROCKET}x", id="a-second-tag-within-the-position"),
        pytest.param("<t>\N{ROCKET}</t><t>x</t>", 8, "\N{ROCKET}", id="pushed-out-by-what-the-first-one-held"),
        pytest.param("<\N{ROCKET}<t>x</t>", 3, "x", id="counted-in-a-broken-tag-too"),
        pytest.param("<\N{ROCKET}<t>x</t>", 2, "", id="and-pushed-out-by-it"),
        pytest.param("</t><t>x</t>y", 9, "x", id="closing-before-opening"),
    ],
)
@pytest.mark.parametrize("size", [1, 100])
def test_the_position_counts_utf16_code_units(text, position, inside, size):
    matcher = TagMatcher("t", position)
    runs = [run for start in range(0, len(text), size) for run in matcher.update(text[start : start + size])]
    runs += matcher.final()
    assert "".join(run.data for run in runs if run.matched) == inside


@settings(max_examples=200)
@given(
    pieces=st.lists(st.sampled_from(["<", "think", ">", "/", " ", "t", "x", "é"]), max_size=40), cut=st.integers(1, 7)
)
def test_the_cut_never_matters(pieces, cut):
    text = "".join(pieces)

    def both(sizes):
        matcher, runs, start = TagMatcher(), [], 0
        for size in sizes:
            runs += matcher.update(text[start : start + size])
            start += size
        runs += matcher.final()
        return ["".join(run.data for run in runs if run.matched is kind) for kind in (True, False)]

    assert both([cut] * (len(text) // cut + 1)) == both([len(text) or 1])


def test_a_tag_with_endless_spaces_is_held_only_so_long():
    matcher = TagMatcher(max_held=100)
    runs = matcher.update("<" + " " * 150)
    assert sum(len(run.data) for run in runs) >= 100
    flood = TagMatcher(max_held=100)
    assert len("".join(run.data for run in flood.update("<think>" * 200))) > 1000


def test_text_after_the_start_is_settled():
    matcher = TagMatcher()
    assert not matcher.settled
    matcher.update("<think>a")
    assert not matcher.settled
    matcher.update("</think>")
    assert matcher.settled


def chat(content, index=0, reason=None):
    return event({"id": "c", "choices": [{"index": index, "delta": {"content": content}, "finish_reason": reason}]})


@pytest.mark.parametrize(
    ("api", "options", "found"),
    [
        ("openai-chat", {}, False),
        ("openai-chat", {"think_tag": "think"}, True),
        ("qwen", {}, True),
        ("qwen", {"think_tag": None}, False),
        ("deepseek", {}, False),
    ],
)
def test_the_tag_is_looked_for_where_servers_leave_it(api, options, found):
    decoder = decoder_for(api, **options)
    chunks = [chunk for text in ("<thi", "nk>a</think>", "b") for chunk in decoder.decode(chat(text))]
    chunks += decoder.decode(chat("", reason="stop"))
    content = [chunk for chunk in chunks if chunk.kind in ("text", "reasoning")]
    if found:
        assert content == [ReasoningChunk("a"), TextChunk("b")]
    else:
        assert "".join(chunk.text for chunk in content) == "<think>a</think>b"
    assert decoder.complete
    assert decoder.framing == "sse"
    assert decoder.fallbacks == 0


def test_choices_have_matchers_of_their_own_and_what_is_held_comes_before_the_finish():
    decoder = decoder_for("vllm")
    chunks = [
        *decoder.decode(chat("<think>a")),
        *decoder.decode(chat("x", 1)),
        *decoder.decode(chat("</th", reason="length")),
    ]
    assert [chunk for chunk in chunks if chunk.kind != "start"] == [
        ReasoningChunk("a"),
        TextChunk("x", 1),
        ReasoningChunk("</th"),
        FinishChunk("length", "length"),
    ]
    decoder.reset()
    assert [chunk.kind for chunk in decoder.decode(chat("<thi"))] == ["start"]
    assert decoder.finish() == [TextChunk("<thi")]
