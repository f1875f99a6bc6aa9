"""A body goes in, the body to send and a report come out; nothing to do is the same object."""

from __future__ import annotations

import json

import orjson
import pytest

from streamarena.context import TokenCounter
from streamarena.context.breakdown import break_down
from streamarena.context.request import prepare_request, prepare_request_bytes
from streamarena.errors import CannotFitError

COUNT = TokenCounter(tokenize=len, message_overhead=0)


def user(text="q"):
    return {"role": "user", "content": text}


def assistant(text="a"):
    return {"role": "assistant", "content": text}


@pytest.mark.parametrize(
    "body",
    [
        {"model": "gpt-4o", "messages": [user(), assistant(), user()]},
        {"model": "claude-sonnet-4-5", "system": "s", "messages": [user()], "max_tokens": 100},
        {"model": "gpt-5", "input": [user()]},
        {"model": "gpt-5", "input": "just text"},
        {"prompt": "x"},
        {"messages": "no list"},
        {"messages": [1]},
    ],
)
def test_what_fits_or_is_no_conversation_comes_back_as_it_is(body):
    prepared = prepare_request(body, counter=COUNT)
    assert prepared.body is body
    assert not prepared.report.changed


@pytest.mark.parametrize(
    ("body", "api", "reserved", "fixed"),
    [
        ({"model": "gpt-4o", "messages": [user()]}, "chat", 16_384, 0),
        ({"model": "gpt-4o", "messages": [user()], "max_completion_tokens": 50}, "chat", 50, 0),
        ({"model": "claude-sonnet-4-5", "messages": [user()], "system": "12345", "max_tokens": 9}, "anthropic", 9, 5),
        ({"model": "gpt-5", "input": [user()], "instructions": "123", "tools": [{"a": 1}]}, "responses", 128_000, 12),
    ],
)
def test_the_budget_is_the_window_less_answer_and_fixed_parts(body, api, reserved, fixed):
    report = prepare_request(body, counter=COUNT).report
    assert (report.api, report.reserved, report.fixed_tokens) == (api, reserved, fixed)
    assert report.budget == int(report.model.context_window * 0.9 - reserved) - fixed


def test_a_long_conversation_is_trimmed_and_the_rest_of_the_body_kept():
    messages = [user("x" * 10) if i % 2 == 0 else assistant("y" * 10) for i in range(9)]
    body = {"model": "gpt-4o", "messages": messages, "temperature": 0.5, "tools": [{"t": 1}]}
    prepared = prepare_request(body, max_input_tokens=49, counter=COUNT)
    assert prepared.body["messages"] == messages[6:]
    assert prepared.body["temperature"] == 0.5
    assert prepared.report.dropped == (0, 1, 2, 3, 4, 5)
    assert prepared.report.tokens == 30
    assert len(body["messages"]) == 9


def test_broken_pairs_are_mended_first():
    call = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": ""}}],
    }
    body = {"model": "gpt-4o", "messages": [user(), call, user("never mind")]}
    prepared = prepare_request(body, counter=COUNT)
    assert [m["role"] for m in prepared.body["messages"]] == ["user", "assistant", "tool", "user"]
    assert prepared.report.repairs[0].kind == "missing-result"
    assert prepared.report.changed
    left_out = prepare_request(body, counter=COUNT, repair=False)
    assert [m["role"] for m in left_out.body["messages"]] == ["user", "user"]


def test_a_last_message_that_does_not_fit_is_an_error_that_counts_everything():
    body = {"model": "gpt-4o", "messages": [user("x" * 50)], "tools": ["12345"]}
    with pytest.raises(CannotFitError) as caught:
        prepare_request(body, max_input_tokens=30, counter=COUNT)
    assert (caught.value.budget, caught.value.smallest) == (30, 59)


def test_an_unknown_model_and_an_estimate_are_said():
    counter = TokenCounter(encoding="cl100k_base", tokenize=None)
    counter._tokenize, counter._exact = len, False
    notes = prepare_request({"model": "mystery", "messages": [user()]}, counter=counter).report.notes
    assert any("not known" in note for note in notes)
    assert any("estimated" in note for note in notes)


def test_bytes_go_through_unchanged_where_nothing_is_to_do():
    data = json.dumps({"model": "gpt-4o", "messages": [user()]}).encode()
    same, report = prepare_request_bytes(data, counter=COUNT)
    assert same is data
    assert report.api == "chat"
    for other in (b"not json", b"[1]"):
        passed, report = prepare_request_bytes(other)
        assert passed is other
        assert report.api is None
    long = json.dumps({"messages": [user("x" * 9), assistant(), user("z")]}).encode()
    short, _ = prepare_request_bytes(long, counter=COUNT, max_input_tokens=5)
    assert orjson.loads(short)["messages"] == [user("z")]


def test_a_breakdown_adds_up():
    counter = TokenCounter(tokenize=len, message_overhead=4)
    messages = [
        {"role": "system", "content": "rules"},
        user("hello"),
        {
            "role": "assistant",
            "content": "calling",
            "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "a", "content": "found it"},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "x", "content": "r"}, {"type": "text", "text": "t"}],
        },
    ]
    done = break_down(messages, counter, tools=[{"name": "f"}])
    for share, message in zip(done.messages, messages, strict=True):
        assert share.tokens == counter(message) == sum(share.parts.values())
    assert done.by_kind["system"] == 5
    assert done.by_kind["tool calls"] == 4
    assert done.total == sum(map(counter, messages)) + done.by_kind["tool definitions"]
    assert done.exact


BIG = 123456789012345678901234567890


@pytest.mark.parametrize(
    "call",
    [{"input": {"n": BIG}}, {"input": {"s": "\ud83d"}}, {"input": {"n": -(2**63)}}, {"input": {"n": 2**64 - 1}}],
    ids=["huge", "lone-surrogate", "least", "largest-of-64-bits"],
)
def test_numbers_and_texts_of_a_changed_body_are_those_given(call):
    use = {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", **call}]}
    given = {"messages": [user("x" * 500), assistant(), user("z"), use], "seed": BIG}
    changed, report = prepare_request_bytes(json.dumps(given).encode(), counter=COUNT, max_input_tokens=300)
    assert report.dropped
    assert json.loads(changed)["messages"][1]["content"] == use["content"]
    assert json.loads(changed)["seed"] == BIG


@pytest.mark.parametrize(
    "data",
    [
        b'{"messages": [{"role": "user", "content": "q", "n": ' + b"9" * 5000 + b"}]}",
        b'{"messages": [], "n": 12345678901234567890, "m": NaN}',
        b'{"messages": [], "n": 12345678901234567890, "m": 1e999}',
        b'{"n": 12345678901234567890, "m": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"\xff\xfe",
        b"",
    ],
    ids=["thousands-of-digits", "nan", "infinity", "deep", "binary", "empty"],
)
def test_what_cannot_be_read_exactly_passes_untouched(data):
    passed, report = prepare_request_bytes(data, counter=COUNT)
    assert passed is data
    assert report.notes
