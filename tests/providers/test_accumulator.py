"""The accumulator puts a stream together, in order, in an arena, in linear time and within its limit."""

from __future__ import annotations

import collections

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamarena.errors import BodyTooLargeError, ConfigurationError, ScopeClosedError
from streamarena.memory import request_scope
from streamarena.providers import (
    Accumulator,
    ErrorChunk,
    FinishChunk,
    GroundingChunk,
    GroundingSource,
    ReasoningChunk,
    StartChunk,
    TextChunk,
    ThinkingCompleteChunk,
    ToolCallChunk,
    ToolCallDeltaChunk,
    ToolCallEndChunk,
    ToolCallPartialChunk,
    ToolCallStartChunk,
    UsageChunk,
    decoder_for,
)
from tests.providers.strategies import streams
from tests.providers.wire import event

STREAM = [
    StartChunk("id-1", "model-1", "assistant"),
    ReasoningChunk("Let me "),
    ReasoningChunk("see."),
    ThinkingCompleteChunk("sig"),
    TextChunk("Good "),
    TextChunk("day"),
    ToolCallPartialChunk(5, "call_a", "f"),
    ToolCallPartialChunk(5, arguments='{"a":'),
    ToolCallPartialChunk(6, "call_b", "g", "{}"),
    ToolCallPartialChunk(5, arguments="1}"),
    GroundingChunk((GroundingSource("T", "https://example.org"),)),
    FinishChunk("tool_calls", "tool_use"),
    UsageChunk(3, 1),
    UsageChunk(3, 7),
]


def test_what_every_reply_repeats_is_shared_and_nothing_else():
    asked = []

    def share(text):
        asked.append(text)
        return text.upper()

    accumulator = Accumulator(share=share)
    accumulator.extend(STREAM)
    reply = accumulator.reply()
    assert asked == ["model-1", "f", "g", "tool_use"]
    assert (reply.id, reply.model, reply.text) == ("id-1", "MODEL-1", "Good day")
    assert [(call.id, call.name) for call in reply.tool_calls] == [("call_a", "F"), ("call_b", "G")]
    finish = reply.choices[0].finish
    assert (finish.reason, finish.raw_reason, finish.index) == ("tool_calls", "TOOL_USE", 0)


def test_a_reply_has_everything_in_order():
    accumulator = Accumulator()
    accumulator.extend(STREAM)
    reply = accumulator.reply()
    assert (reply.id, reply.model, reply.text, reply.reasoning) == ("id-1", "model-1", "Good day", "Let me see.")
    assert [block.kind for block in reply.choices[0].blocks] == ["reasoning", "text", "tool_call", "tool_call"]
    assert reply.choices[0].blocks[0].signature == "sig"
    assert [(call.id, call.name, call.arguments, call.index) for call in reply.tool_calls] == [
        ("call_a", "f", '{"a":1}', 0),
        ("call_b", "g", "{}", 1),
    ]
    assert reply.finish_reason == "tool_calls"
    assert reply.usage == UsageChunk(3, 7)
    assert reply.sources[0].title == "T"
    assert reply.error is None


@settings(max_examples=60)
@given(chunks=streams(), cuts=st.lists(st.integers(0, 60), max_size=6), in_arena=st.booleans())
def test_batches_and_arena_never_matter(chunks, cuts, in_arena):
    whole = Accumulator()
    whole.extend(chunks)
    with request_scope() as arena:
        cut = Accumulator(arena=arena if in_arena else None)
        start = 0
        for stop in [*sorted(min(at, len(chunks)) for at in cuts), len(chunks)]:
            cut.extend(chunks[start:stop])
            start = stop
        assert cut.reply() == whole.reply()


def test_fragments_are_in_the_arena_and_go_with_its_scope():
    with request_scope() as arena:
        accumulator = Accumulator(arena=arena)
        accumulator.extend([TextChunk("é"), TextChunk("x" * 98)])
        accumulator.extend([TextChunk("y" * 100)])
        assert arena.stats().total_bytes == 200
        assert arena.stats().allocations == 2
        assert accumulator.reply().text == "é" + "x" * 98 + "y" * 100
    with pytest.raises(ScopeClosedError):
        accumulator.reply()


def test_reset_makes_it_ready_for_another_stream():
    accumulator = Accumulator()
    accumulator.extend(STREAM)
    accumulator.reset()
    assert accumulator.reply() == Accumulator().reply()
    with request_scope() as arena:
        accumulator.reset(arena)
        accumulator.add(TextChunk("again"))
        assert arena.stats().total_bytes == 5
        assert accumulator.reply().text == "again"


def test_a_cut_stream_and_an_error_are_told():
    accumulator = Accumulator()
    accumulator.extend([TextChunk("par"), ErrorChunk("broke", code="500")])
    reply = accumulator.reply()
    assert (reply.text, reply.finish_reason) == ("par", None)
    assert reply.error.message == "broke"


def test_all_forms_of_tool_calls_give_the_same():
    forms = [
        [ToolCallPartialChunk(0, "c", "f", '{"a":'), ToolCallPartialChunk(0, arguments="1}")],
        [
            ToolCallStartChunk("c", "f"),
            ToolCallDeltaChunk("c", '{"a":'),
            ToolCallDeltaChunk("c", "1}"),
            ToolCallEndChunk("c"),
        ],
        [ToolCallChunk("c", "f", '{"a":1}')],
    ]
    for chunks in forms:
        accumulator = Accumulator()
        accumulator.extend(chunks)
        assert accumulator.reply().tool_calls == (ToolCallChunk("c", "f", '{"a":1}'),)


def test_choices_are_kept_apart():
    accumulator = Accumulator()
    accumulator.extend([TextChunk("a"), TextChunk("b", 1), TextChunk("a"), FinishChunk("stop", index=1)])
    choices = accumulator.reply().choices
    assert [choice.joined("text") for choice in choices] == ["aa", "b"]
    assert [choice.finish is None for choice in choices] == [True, False]


@pytest.mark.parametrize(
    "flood",
    [
        pytest.param(lambda: [TextChunk("x" * 100)] * 100, id="text"),
        pytest.param(lambda: [ToolCallPartialChunk(number, f"c{number}") for number in range(100)], id="calls"),
        pytest.param(lambda: [TextChunk("x", number) for number in range(100)], id="choices"),
        pytest.param(lambda: [ThinkingCompleteChunk("s" * 100), TextChunk("x")] * 50, id="signatures"),
        pytest.param(
            lambda: [GroundingChunk((GroundingSource("t", "u", "s" * 100),)), TextChunk("x")] * 50, id="sources"
        ),
        pytest.param(lambda: [TextChunk("x"), ReasoningChunk("y")] * 50, id="blocks"),
    ],
)
def test_the_limit_names_itself(flood):
    accumulator = Accumulator(max_bytes=5000)
    with pytest.raises(BodyTooLargeError, match="max_bytes") as caught:
        collections.deque(map(accumulator.add, flood()), maxlen=0)
    assert caught.value.limit == 5000
    assert accumulator.reply().choices


def test_an_unknown_api_is_refused():
    with pytest.raises(ConfigurationError, match="no API is called"):
        Accumulator("telepathy")


@pytest.mark.parametrize("api", ["openai-chat", "openai-responses", "anthropic", "gemini", "ollama"])
@settings(max_examples=30)
@given(chunks=streams(finish_reasons=("stop", "length")))
def test_a_message_decodes_to_the_same_message(api, chunks):
    first = Accumulator(api)
    first.extend(chunks)
    decoder = decoder_for(api)
    second = Accumulator(api)
    second.extend(decoder.decode(event(first.message(created=7))))
    assert decoder.complete
    assert decoder.fallbacks == 0
    assert second.message(created=7) == first.message(created=7)


WHOLE = {
    "openai-chat": ("choices", 0, "message", "content"),
    "openai-responses": ("output", 1, "content", 0, "text"),
    "anthropic": ("content", 1, "text"),
    "gemini": ("candidates", 0, "content", "parts", 1, "text"),
    "cohere-v2": ("message", "content", 0, "text"),
    "ollama": ("message", "content"),
    "bedrock-converse": ("output", "message", "content", 1, "text"),
    "tgi": ("generated_text",),
}


@pytest.mark.parametrize("api", WHOLE)
def test_every_api_has_its_own_form_of_a_message(api):
    accumulator = Accumulator(api)
    accumulator.extend(STREAM)
    place = accumulator.message(created=1)
    for step in WHOLE[api]:
        place = place[step]
    assert place == "Good day"
    assert accumulator.message() == accumulator.message(api)


def test_bedrocks_message_has_calls_reasoning_and_counts():
    accumulator = Accumulator("bedrock-converse")
    accumulator.extend([*STREAM, ThinkingCompleteChunk("enc", redacted=True), UsageChunk(9, 2, 1, 3)])
    message = accumulator.message()
    assert message["output"]["message"]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "Let me see.", "signature": "sig"}}},
        {"text": "Good day"},
        {"toolUse": {"toolUseId": "call_a", "name": "f", "input": {"a": 1}}},
        {"toolUse": {"toolUseId": "call_b", "name": "g", "input": {}}},
        {"reasoningContent": {"redactedContent": "enc"}},
    ]
    assert message["stopReason"] == "tool_use"
    assert message["usage"] == {
        "inputTokens": 5,
        "outputTokens": 2,
        "totalTokens": 7,
        "cacheReadInputTokens": 3,
        "cacheWriteInputTokens": 1,
    }


def test_coheres_message_has_a_plan_only_with_calls():
    accumulator = Accumulator("cohere-v2")
    accumulator.extend([ReasoningChunk("hm"), TextChunk("x"), FinishChunk("length"), UsageChunk(1, 2)])
    assert accumulator.message()["message"]["content"][0] == {"type": "thinking", "thinking": "hm"}
    assert accumulator.message()["finish_reason"] == "MAX_TOKENS"
    accumulator.add(ToolCallChunk("c", "f", "{}"))
    assert accumulator.message()["message"]["tool_plan"] == "hm"
    assert accumulator.message()["usage"]["tokens"] == {"input_tokens": 1, "output_tokens": 2}


def test_arguments_that_are_no_object_are_not_lost():
    accumulator = Accumulator("anthropic")
    accumulator.add(ToolCallChunk("c", "f", '{"cut": "sho'))
    assert accumulator.message()["content"][0]["input"] == {"_raw": '{"cut": "sho'}
