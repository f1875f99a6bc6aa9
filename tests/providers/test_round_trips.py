"""What an encoder writes, the same wire's decoder reads back, and a stream survives the passage through another."""

from __future__ import annotations

import datetime as dt
import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamarena.errors import BodyTooLargeError, ConfigurationError
from streamarena.providers import (
    ErrorChunk,
    FinishChunk,
    ReasoningChunk,
    StartChunk,
    TextChunk,
    ThinkingCompleteChunk,
    ToolCallPartialChunk,
    UsageChunk,
    decoder_for,
    encoder_for,
    framer_for,
)
from tests.providers.strategies import streams

ENCODERS = ["openai-chat", "openai-responses", "anthropic", "gemini", "ollama"]


def read(api, wire, content_type):
    """Frame and decode a whole body."""
    framer, decoder = framer_for(content_type, wire, api), decoder_for(api)
    chunks = [chunk for event in framer.feed(wire) for chunk in decoder.decode(event)]
    assert framer.close() is False
    return decoder, [*chunks, *decoder.finish()]


def passage(api, batches, **options):
    """Encode batches of chunks, decode the bytes, return decoder and chunks."""
    encoder = encoder_for(api, **options)
    wire = b"".join(encoder.encode(batch) for batch in batches) + encoder.finish()
    return read(api, wire, encoder.content_type)


def essence(chunks):
    """Return what must survive: joined texts, calls by order, finish, all input and output tokens, sources."""
    calls, numbers = [], {}
    for chunk in chunks:
        if chunk.kind == "tool_call_partial":
            if chunk.index not in numbers:
                numbers[chunk.index] = len(calls)
                calls.append({"id": chunk.id, "name": chunk.name, "arguments": ""})
            calls[numbers[chunk.index]]["arguments"] += chunk.arguments or ""
    usage = next((chunk for chunk in reversed(chunks) if chunk.kind == "usage"), UsageChunk())
    prompt = usage.input_tokens + (0 if usage.cache_in_input else usage.cache_read_tokens or 0)
    return {
        "start": [(chunk.id, chunk.model) for chunk in chunks if chunk.kind == "start"],
        "text": "".join(chunk.text for chunk in chunks if chunk.kind == "text"),
        "reasoning": "".join(chunk.text for chunk in chunks if chunk.kind == "reasoning"),
        "calls": [{**call, "arguments": json.loads(call["arguments"])} for call in calls],
        "finish": [chunk.reason for chunk in chunks if chunk.kind == "finish"],
        "usage": (prompt, usage.output_tokens),
        "sources": [
            (s.url, s.title, s.snippet) for chunk in chunks if chunk.kind == "grounding" for s in chunk.sources
        ],
    }


def carried(seen, api):
    """Return the part of an essence that a wire has a place for."""
    seen = {**seen}
    if api in ("openai-responses", "gemini", "ollama"):  # calls are not a reason to finish on these wires
        calls = {"stop": "tool_calls", "tool_calls": "tool_calls"} if seen["calls"] else {"tool_calls": "stop"}
        seen["finish"] = [calls.get(reason, reason) for reason in seen["finish"]]
    if api == "openai-responses":
        seen["sources"] = [(url, title, None) for url, title, _ in seen["sources"]]
    if api == "ollama":
        seen["start"] = [(None, model) for _, model in seen["start"]]
        seen["sources"] = []
        seen["calls"] = [{**call, "id": f"{call['name']}-{n}"} for n, call in enumerate(seen["calls"])]
    return seen


def batches_of(chunks, cuts):
    edges = [0, *sorted(cut % (len(chunks) + 1) for cut in cuts), len(chunks)]
    return [chunks[a:b] for a, b in itertools.pairwise(edges)]


@pytest.mark.parametrize("api", ENCODERS)
@settings(max_examples=60)
@given(data=st.data(), cuts=st.lists(st.integers(0, 99), max_size=4))
def test_everything_survives_the_passage(api, data, cuts):
    reasons = ("stop", "length", "tool_calls", "refusal") if api == "anthropic" else ("stop", "length", "tool_calls")
    chunks = data.draw(streams(finish_reasons=reasons))
    decoder, seen = passage(api, batches_of(chunks, cuts))
    assert decoder.complete
    assert decoder.fallbacks == 0
    assert essence(seen) == carried(essence(chunks), api)


@pytest.mark.parametrize("first", ENCODERS)
@pytest.mark.parametrize("second", ENCODERS)
@settings(max_examples=12)
@given(chunks=streams(signed=False, finish_reasons=("stop", "length", "tool_calls")))
def test_decoder_and_encoder_together_translate(first, second, chunks):
    _, once = passage(first, [chunks])
    _, twice = passage(second, [once])
    seen, expected = essence(twice), carried(essence(once), second)
    if first == "ollama":  # it has no id, and the second wire needs one
        del seen["start"], expected["start"]
    assert seen == expected


@pytest.mark.parametrize("api", ENCODERS)
def test_an_error_is_the_last_word(api):
    batches = [[TextChunk("a"), ErrorChunk("broke", type="overloaded_error"), TextChunk("never")], [TextChunk("b")]]
    decoder, seen = passage(api, batches)
    assert [chunk.kind for chunk in seen if chunk.kind != "start"][-2:] == ["text", "error"]
    assert seen[-1].message == "broke"
    if api not in ("ollama", "openai-responses"):  # Ollama has no place for a type, Responses one for a code only
        assert seen[-1].type == "overloaded_error"
    assert decoder.complete


@pytest.mark.parametrize("api", ENCODERS)
def test_options_win_over_the_names_that_the_chunks_bring(api):
    _, seen = passage(api, [[StartChunk("theirs", "their-model"), TextChunk("x")]], id="mine", model="my-model")
    assert (seen[0].id, seen[0].model) == (None if api == "ollama" else "mine", "my-model")


@pytest.mark.parametrize("api", ENCODERS)
def test_lone_surrogates_become_replacement_characters(api):
    _, seen = passage(api, [[TextChunk("a\ud800b")]])
    assert "".join(chunk.text for chunk in seen if chunk.kind == "text") == "a\ufffdb"


@pytest.mark.parametrize("api", ENCODERS)
def test_usage_is_left_out_where_it_is_not_wanted(api):
    stream = [StartChunk("i", "m"), TextChunk("x"), FinishChunk("stop"), UsageChunk(7, 9)]
    assert essence(passage(api, [stream])[1])["usage"] == (7, 9)
    assert essence(passage(api, [stream], include_usage=False)[1])["usage"] == (0, 0)


@pytest.mark.parametrize("api", ENCODERS)
def test_interleaved_fragments_of_parallel_calls_stay_whole(api):
    stream = [
        StartChunk("i", "m"),
        ToolCallPartialChunk(0, "call_a", "f", '{"a":'),
        ToolCallPartialChunk(1, "call_b", "g", '{"b":'),
        ToolCallPartialChunk(0, arguments="1}"),
        TextChunk("between"),
        ToolCallPartialChunk(1, arguments="2}"),
        FinishChunk("tool_calls"),
    ]
    assert essence(passage(api, [stream])[1]) == carried(essence(stream), api)


@pytest.mark.parametrize(
    ("api", "stream"),
    [
        ("anthropic", [ReasoningChunk("hm"), ThinkingCompleteChunk("sig"), TextChunk("x")]),
        ("anthropic", [ThinkingCompleteChunk("secret", redacted=True), TextChunk("x")]),
        ("openai-responses", [ThinkingCompleteChunk("secret", redacted=True), TextChunk("x")]),
        ("gemini", [ReasoningChunk("hm"), ThinkingCompleteChunk("sig"), TextChunk("x")]),
        ("gemini", [ThinkingCompleteChunk("sig"), ToolCallPartialChunk(0, "c", "f"), FinishChunk("stop")]),
    ],
    ids=["anthropic", "anthropic-redacted", "responses-encrypted", "gemini-part", "gemini-call"],
)
def test_signatures_come_back_where_the_wire_has_a_place(api, stream):
    _, seen = passage(api, [[StartChunk("i", "m"), *stream]])
    assert [chunk for chunk in seen if chunk.kind in ("reasoning", "thinking_complete")] == [
        chunk for chunk in stream if chunk.kind in ("reasoning", "thinking_complete")
    ]


def test_a_refusal_keeps_its_mark_where_the_wire_has_one():
    for api in ("openai-chat", "openai-responses"):
        _, seen = passage(api, [[TextChunk("I cannot", refusal=True)]])
        assert [chunk for chunk in seen if chunk.kind == "text"] == [TextChunk("I cannot", refusal=True)]


@pytest.mark.parametrize("api", ["openai-chat", "gemini"])
def test_choices_are_carried_where_the_wire_has_them(api):
    stream = [TextChunk("a"), TextChunk("b", 1), FinishChunk("stop"), FinishChunk("length", index=1)]
    decoder, seen = passage(api, [stream])
    assert [(chunk.text, chunk.index) for chunk in seen if chunk.kind == "text"] == [("a", 0), ("b", 1)]
    assert [(chunk.reason, chunk.index) for chunk in seen if chunk.kind == "finish"] == [("stop", 0), ("length", 1)]
    assert decoder.complete


@pytest.mark.parametrize("api", ["openai-responses", "gemini", "ollama"])
def test_what_an_encoder_holds_back_is_bounded(api):
    encoder = encoder_for(api, max_bytes=100)
    with pytest.raises(BodyTooLargeError, match="max_bytes"):
        encoder.encode([ToolCallPartialChunk(0, "c", "f", "x" * 101)])


@pytest.mark.parametrize("api", ["cohere-v2", "tgi", "bedrock-converse"])
def test_an_api_that_nothing_here_writes_is_named(api):
    with pytest.raises(ConfigurationError, match="no encoder"):
        encoder_for(api)


@pytest.mark.parametrize(("api", "member"), [("deepseek", b"reasoning_content"), ("openrouter", b'"reasoning"')])
def test_a_dialect_names_its_own_member_for_reasoning(api, member):
    assert member in encoder_for(api).encode([ReasoningChunk("hm")])


@given(seconds=st.integers(0, 4_102_444_800))
def test_ollamas_time_is_that_of_the_standard_library(seconds):
    line = json.loads(encoder_for("ollama", created=seconds).encode([TextChunk("x")]))
    assert line["created_at"] == dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
