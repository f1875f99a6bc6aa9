"""Fragments become starts, deltas and ends, or whole calls; arguments are readable early and checked at the end."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamarena.errors import BodyTooLargeError, ToolCallError
from streamarena.providers import (
    FinishChunk,
    TextChunk,
    ToolCallChunk,
    ToolCallDeltaChunk,
    ToolCallEndChunk,
    ToolCallPartialChunk,
    ToolCallStartChunk,
    encoder_for,
)
from streamarena.providers.assembly import ToolCallAssembler
from streamarena.providers.tools import mcp_tool_name, parse_call, same_mcp_tool
from tests.providers.strategies import tool_calls

Part, Start, Delta, End = ToolCallPartialChunk, ToolCallStartChunk, ToolCallDeltaChunk, ToolCallEndChunk


def through(chunks, **options):
    assembler = ToolCallAssembler(**options)
    return assembler, [out for chunk in chunks for out in assembler.feed(chunk)] + list(assembler.flush())


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        pytest.param(
            [Part(0, "a", "f"), Part(0, arguments="{"), Part(0, arguments="}"), FinishChunk("tool_calls")],
            [Start("a", "f"), Delta("a", "{"), Delta("a", "}"), End("a"), FinishChunk("tool_calls")],
            id="one-call",
        ),
        pytest.param(
            [Part(0, "a", "f"), Part(1, "b", "g"), Part(0, arguments="{}"), Part(1, arguments="[]")],
            [Start("a", "f"), Start("b", "g"), Delta("a", "{}"), Delta("b", "[]"), End("a"), End("b")],
            id="interleaved-and-ended-by-the-flush",
        ),
        pytest.param(
            [Part(0, "a", None, "{"), Part(0, arguments="}"), Part(0, name="f")],
            [Start("a", "f"), Delta("a", "{}"), End("a")],
            id="name-after-arguments",
        ),
        pytest.param([Part(3, arguments="{}")], [], id="no-id"),
        pytest.param(
            [Part(0, "a", "f", "{}"), Part(0, "a", None, " ")],
            [Start("a", "f"), Delta("a", "{}"), Delta("a", " "), End("a")],
            id="id-repeated",
        ),
        pytest.param(
            [Part(0, "a", "f", "{}"), Part(0, "b", "g", "[]")],
            [Start("a", "f"), Delta("a", "{}"), End("a"), Start("b", "g"), Delta("b", "[]"), End("b")],
            id="every-call-numbered-0",
        ),
        pytest.param(
            [Part(0, "a", "f", "{"), FinishChunk("length")],
            [Start("a", "f"), Delta("a", "{"), FinishChunk("length"), End("a")],
            id="cut-by-length",
        ),
        pytest.param(
            [TextChunk("x"), Part(0, "a", "f"), TextChunk("y"), FinishChunk("stop")],
            [TextChunk("x"), Start("a", "f"), TextChunk("y"), End("a"), FinishChunk("stop")],
            id="other-chunks-pass",
        ),
        pytest.param([Part(0, "a"), FinishChunk("stop")], [FinishChunk("stop")], id="never-named"),
        pytest.param(
            [Part(0, "a", "f", "{}", 0), Part(0, "b", "g", "[]", 1), FinishChunk("tool_calls", index=1)],
            [
                Start("a", "f"),
                Delta("a", "{}"),
                Start("b", "g"),
                Delta("b", "[]"),
                End("b"),
                FinishChunk("tool_calls", index=1),
                End("a"),
            ],
            id="two-choices",
        ),
    ],
)
def test_the_order_of_events(chunks, expected):
    assert through(chunks)[1] == expected


def test_fragments_of_no_known_call_are_counted():
    assembler, _ = through([Part(0, arguments="{}"), Part(0, name="f")])
    assert assembler.dropped == 2


@settings(max_examples=60)
@given(data=st.data(), count=st.integers(1, 4))
def test_whole_calls_are_what_the_fragments_were(data, count):
    calls = [data.draw(tool_calls(index)) for index in range(count)]
    order = data.draw(st.permutations([number for number, call in enumerate(calls) for _ in call]))
    queues = [list(call) for call in calls]
    mixed = [queues[number].pop(0) for number in order]
    assembler, out = through([*mixed, FinishChunk("tool_calls")], give="calls")
    expected = {call[0].id: "".join(part.arguments or "" for part in call) for call in calls}
    assert {call.id: call.arguments for call in out[:-1]} == expected
    for call in assembler.calls:
        assert assembler.arguments(call.id) == json.loads(call.arguments)
        assert parse_call(call).arguments == json.loads(call.arguments)


def written(chunks):
    """The body of an API whose calls are objects and not text."""
    encoder = encoder_for("gemini")
    return encoder.encode([*chunks, FinishChunk("tool_calls")]) + encoder.finish()


@pytest.mark.parametrize("number", [-(2**63) - 1, 2**64, 10**40], ids=["below-64-bits", "above-64-bits", "long"])
def test_integers_of_any_size_stay_what_the_model_wrote(number):
    call = ToolCallChunk("a", "f", f'{{"n":{number}}}')
    assert parse_call(call).arguments == {"n": number}
    assert f'"n":{number}'.encode() in written([call])


@pytest.mark.parametrize(
    "arguments", ["[" * 100_000, '{"a":' * 100_000, '{"a":"\ud800"}'], ids=["lists", "objects", "half-a-pair"]
)
def test_what_cannot_be_read_is_an_error_of_the_call(arguments):
    with pytest.raises(ToolCallError, match="not JSON"):
        parse_call(ToolCallChunk("a", "f", arguments))
    assert b"_raw" in written([ToolCallChunk("a", "f", arguments)])


def test_arguments_are_readable_while_they_come():
    assembler = ToolCallAssembler()
    assembler.feed(Part(0, "a", "write_to_file"))
    assert assembler.arguments("a") is None
    assembler.feed(Part(0, arguments='{"path": "a.py", "content": "def'))
    assert assembler.arguments("a") == {"path": "a.py", "content": "def"}
    with pytest.raises(KeyError):
        assembler.arguments("other")


def test_arguments_of_mcp_tools_are_readable_only_at_the_end():
    assembler = ToolCallAssembler()
    assembler.feed(Part(0, "a", mcp_tool_name("my server", "tool"), '{"x": 1'))
    assert assembler.arguments("a") is None
    assembler.feed(Part(0, arguments="}"))
    assembler.feed(FinishChunk("tool_calls"))
    assert assembler.arguments("a") == {"x": 1}


@pytest.mark.parametrize(
    "flood", [lambda n: Part(0, "a", "f", "x" * 100), lambda n: Part(n, f"c{n}", "f")], ids=["arguments", "calls"]
)
def test_the_limit_names_itself(flood):
    assembler = ToolCallAssembler(max_bytes=1000)
    with pytest.raises(BodyTooLargeError, match="max_bytes"):
        [assembler.feed(flood(number)) for number in range(20)]


SCHEMA = {
    "type": "object",
    "properties": {
        "on": {"type": "boolean"},
        "count": {"type": "integer"},
        "ratio": {"type": ["number", "null"]},
        "name": {"type": "string"},
        "either": {"type": ["string", "integer"]},
    },
    "required": ["name"],
}


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        ({"on": "true"}, {"on": True}),
        ({"on": " False "}, {"on": False}),
        ({"on": "yes"}, {"on": "yes"}),
        ({"count": "12"}, {"count": 12}),
        ({"count": "-3"}, {"count": -3}),
        ({"count": "1.5"}, {"count": "1.5"}),
        ({"count": "٣"}, {"count": "٣"}),
        ({"ratio": "1.5"}, {"ratio": 1.5}),
        ({"ratio": "2e3"}, {"ratio": 2000.0}),
        ({"ratio": None}, {"ratio": None}),
        ({"name": "12"}, {"name": "12"}),
        ({"either": "12"}, {"either": "12"}),
        ({"unknown": "12"}, {"unknown": "12"}),
        ({"on": 1}, {"on": 1}),
    ],
)
def test_strings_become_what_the_schema_asks_for(given_value, expected):
    call = ToolCallChunk("a", "f", json.dumps({"name": "n", **given_value}))
    assert parse_call(call, SCHEMA).arguments == {"name": "n", **expected}


@pytest.mark.parametrize(
    ("arguments", "missing", "words"),
    [
        ('{"name": "cut', (), "not JSON"),
        ("[1]", (), "not an object"),
        ('"text"', (), "not an object"),
        ("{}", ("name",), "lacks name"),
        ("", ("name",), "lacks name"),
    ],
)
def test_a_call_that_cannot_be_run_raises(arguments, missing, words):
    with pytest.raises(ToolCallError, match=words) as caught:
        parse_call(ToolCallChunk("a", "f", arguments), SCHEMA)
    assert (caught.value.tool, caught.value.arguments, caught.value.missing) == ("f", arguments, missing)


def test_old_names_are_resolved():
    assert parse_call(ToolCallChunk("a", "write_file", "")).name == "write_to_file"
    assert parse_call(ToolCallChunk("a", "search_and_replace", "{}")).name == "edit"
    assert parse_call(ToolCallChunk("a", "old", "{}"), aliases={"old": "new"}).name == "new"


@pytest.mark.parametrize(
    ("server", "tool", "name"),
    [
        ("git", "status", "mcp--git--status"),
        ("my server", "do it!", "mcp--my_server--do_it"),
        ("s" * 40, "t" * 40, ("mcp--" + "s" * 40 + "--" + "t" * 40)[:64]),
        ("é", "ü-x", "mcp----" + "-x"),
    ],
)
def test_names_of_mcp_tools(server, tool, name):
    assert mcp_tool_name(server, tool) == name
    assert len(name) <= 64


def test_mcp_names_match_with_dash_and_underscore_confused():
    assert same_mcp_tool("mcp--a-b--c", "mcp__a_b__c")
    assert not same_mcp_tool("mcp--a--b", "mcp--a--c")
