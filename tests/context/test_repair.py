"""Repairing makes every call and result pair, changes nothing that is in order, and is done after one go."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamarena.context.repair import repair_messages
from tests.context.histories import (
    anthropic_history,
    calls_of,
    legacy_history,
    lonely_reasoning,
    openai_history,
    pairs,
    responses_history,
    results_of,
)
from tests.context.test_trimming import assistant, calling, result, user

MISSING = "stopped"


def in_order(messages):
    """Whether each call is followed at once by exactly its results, in order; written without the code under test."""
    index = 0
    while index < len(messages):
        calls = calls_of(messages[index])
        if calls and (messages[index].get("tool_calls") or messages[index].get("function_call")):
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
@given(
    seed=st.integers(0, 10**9),
    style=st.sampled_from([openai_history, anthropic_history, legacy_history]),
    data=st.data(),
)
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


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 10**9), data=st.data())
def test_repairing_items_pairs_every_kind_of_call_and_is_idempotent(seed, data):
    items = responses_history(seed, turns=5)
    for _ in range(data.draw(st.integers(0, 3))):
        if items:
            items.insert(data.draw(st.integers(0, len(items))), items.pop(data.draw(st.integers(0, len(items) - 1))))
    done = repair_messages(items, missing_text=MISSING)
    links = pairs(done.messages)
    calls = [call for m in done.messages for call in calls_of(m)]
    assert len(links) == len(calls) == sum(len(results_of(m)) for m in done.messages)
    assert repair_messages(done.messages, missing_text=MISSING).messages is done.messages
    assert not lonely_reasoning(done.messages)
    for (caller, _), answer in links.items():
        kind = done.messages[caller]["type"]
        assert done.messages[answer]["type"].startswith(kind.removesuffix("_call"))


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ({"type": "custom_tool_call", "call_id": "a"}, {"type": "custom_tool_call_output", "output": MISSING}),
        ({"type": "local_shell_call", "call_id": "a"}, {"type": "local_shell_call_output", "output": MISSING}),
        ({"type": "apply_patch_call", "call_id": "a"}, {"status": "failed", "output": MISSING}),
        ({"type": "shell_call", "call_id": "a"}, {"type": "shell_call_output"}),
    ],
    ids=lambda value: value.get("type"),
)
def test_a_missing_result_has_the_form_of_its_call(call, answer):
    done = repair_messages([user(), call], missing_text=MISSING)
    assert done.messages[2].items() >= {**answer, "call_id": "a"}.items()
    assert MISSING in str(done.messages[2])


def test_a_shell_call_without_a_call_id_is_answered_by_its_id():
    call = {"type": "local_shell_call", "id": "sh_1"}
    done = repair_messages([user(), call], missing_text=MISSING)
    assert done.messages[2] == {"type": "local_shell_call_output", "id": "sh_1", "output": MISSING}
    assert repair_messages(done.messages).messages is done.messages


def test_the_older_function_calls_are_answered_by_name():
    call = {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": "{}"}}
    done = repair_messages([user(), call, user()], missing_text=MISSING)
    assert done.messages[2] == {"role": "function", "name": "look", "content": MISSING}
    assert [(repair.kind, repair.call_id) for repair in done.repairs] == [("missing-result", "look")]


@pytest.mark.parametrize(
    ("after", "kept"),
    [
        ([], 0),
        ([{"type": "function_call", "call_id": "f"}, {"type": "function_call_output", "call_id": "f"}], 1),
        ([{"role": "user", "content": "go on"}], 0),
    ],
    ids=["at-the-end", "another-call-follows", "the-user-follows"],
)
def test_a_call_that_nobody_can_answer_goes_with_its_reasoning(after, kept):
    items = [user(), {"type": "reasoning", "id": "r"}, {"type": "computer_call", "call_id": "a"}, *after]
    done = repair_messages(items)
    assert [repair.kind for repair in done.repairs] == [*["orphan-reasoning"] * (1 - kept), "dropped-call"]
    assert done.messages == [items[0], *items[1 : 1 + kept], *after]


@pytest.mark.parametrize(
    ("call", "result"),
    [
        ({"type": "mcp_approval_request", "id": "m"}, {"type": "mcp_approval_response", "approval_request_id": "m"}),
        ({"type": "tool_search_call", "execution": "server"}, {"type": "tool_search_output", "execution": "server"}),
        ({"type": "web_search_call", "id": "w"}, {"role": "assistant", "content": "found"}),
    ],
    ids=["approval", "run-by-the-provider", "carries-its-own-result"],
)
def test_items_in_order_stay_as_they_are(call, result):
    items = [user(), call, result]
    assert repair_messages(items).messages is items


def test_a_result_of_another_form_answers_nothing():
    block = {"type": "tool_result", "tool_use_id": "a", "content": "r"}
    done = repair_messages([user(), calling("a"), {"role": "user", "content": [block]}], missing_text=MISSING)
    assert done.messages[2] == {"role": "tool", "tool_call_id": "a", "content": MISSING}
    assert len(done.messages) == 3
