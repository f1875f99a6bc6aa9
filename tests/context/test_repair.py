"""Repairing makes every call and result pair, changes nothing that is in order, and is done after one go."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamarena.context.repair import repair_messages
from tests.context.histories import anthropic_history, calls_of, openai_history, pairs, results_of
from tests.context.test_trimming import assistant, calling, result, user

MISSING = "stopped"


def in_order(messages):
    """Whether each call is followed at once by exactly its results, in order; written without the code under test."""
    index = 0
    while index < len(messages):
        calls = calls_of(messages[index])
        if calls and messages[index].get("tool_calls"):
            following = [results_of(m) for m in messages[index + 1 : index + 1 + len(calls)]]
            if following != [[call] for call in calls]:
                return False
            index += len(calls)
        elif calls:
            following = results_of(messages[index + 1]) if index + 1 < len(messages) else []
            if following != calls:
                return False
            index += 1
        elif results_of(messages[index]):
            return False
        index += 1
    return True


@settings(max_examples=600, deadline=None)
@given(seed=st.integers(0, 10**9), style=st.sampled_from([openai_history, anthropic_history]), data=st.data())
def test_repairing_pairs_everything_and_is_idempotent(seed, style, data):
    messages = style(seed, turns=5)
    for _ in range(data.draw(st.integers(0, 3))):
        if messages:
            where = data.draw(st.integers(0, len(messages) - 1))
            messages.insert(data.draw(st.integers(0, len(messages))), messages.pop(where))
    done = repair_messages(messages, missing_text=MISSING)
    assert in_order(done.messages)
    assert len(pairs(done.messages)) == sum(len(calls_of(m)) for m in done.messages)
    again = repair_messages(done.messages, missing_text=MISSING)
    assert again.messages is done.messages
    assert again.repairs == ()
    if in_order(messages):
        assert done.messages is messages
    spoken = [m["content"] for m in messages if isinstance(m["content"], str) and m["role"] in {"user", "assistant"}]
    kept = str(done.messages)
    assert all(text in kept for text in spoken)


@pytest.mark.parametrize(
    ("messages", "kinds"),
    [
        ([user(), result("x")], ["orphan-result"]),
        ([user(), calling("a"), result("a"), result("a")], ["duplicate-result"]),
        ([user(), calling("a"), user()], ["missing-result"]),
        ([user(), calling("a"), user(), result("a")], ["moved-result"]),
        ([user(), calling("a", "b"), result("b"), result("a")], ["moved-result", "moved-result"]),
        ([user(), calling("a"), result("a"), assistant()], []),
    ],
)
def test_each_damage_is_named(messages, kinds):
    done = repair_messages(messages)
    assert [repair.kind for repair in done.repairs] == kinds
    assert in_order(done.messages)


def test_an_anthropic_answer_that_was_text_becomes_blocks_after_the_result():
    call = {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]}
    done = repair_messages([user(), call, {"role": "user", "content": "never mind"}], missing_text=MISSING)
    assert done.messages[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "a", "content": MISSING},
        {"type": "text", "text": "never mind"},
    ]


def test_a_call_made_twice_in_one_message_is_made_once():
    done = repair_messages([user(), calling("a", "a"), result("a")])
    assert calls_of(done.messages[1]) == ["a"]
    assert in_order(done.messages)


def test_responses_items_are_mended():
    items = [
        {"role": "user", "content": "q"},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "gone", "output": "x"},
    ]
    done = repair_messages(items, missing_text=MISSING)
    assert done.messages == [*items[:2], {"type": "function_call_output", "call_id": "a", "output": MISSING}]
    assert repair_messages(done.messages).messages is done.messages
