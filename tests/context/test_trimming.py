"""Trimming is valid by the eight rules or says why not; brute force over every subset agrees."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamarena.context.tool_results import ClearToolResults
from streamarena.context.trimming import model_budget, trim_messages
from streamarena.errors import CannotFitError, ConfigurationError
from tests.context.histories import (
    anthropic_history,
    faults,
    legacy_history,
    lonely_reasoning,
    openai_history,
    responses_history,
    smallest_valid,
    weigh,
)

BUILDERS = {
    "openai": openai_history,
    "anthropic": anthropic_history,
    "responses": responses_history,
    "legacy": legacy_history,
}
STRATEGIES = ["suffix", "middle-out"]


def user(text="q", n=1):
    return {"role": "user", "content": text, "n": n}


def assistant(text="a", n=1):
    return {"role": "assistant", "content": text, "n": n}


def calling(*ids, n=1):
    calls = [{"id": call, "type": "function", "function": {"name": "f", "arguments": "{}"}} for call in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls, "n": n}


def result(call, n=1):
    return {"role": "tool", "tool_call_id": call, "content": "r" * n, "n": n}


def trimmed(messages, **options):
    """The result, or the error that says why there is none."""
    try:
        return trim_messages(messages, **options)
    except CannotFitError as error:
        return error


@settings(max_examples=1000, deadline=None)
@given(
    seed=st.integers(0, 10**9),
    builder=st.sampled_from(sorted(BUILDERS)),
    strategy=st.sampled_from(STRATEGIES),
    budget=st.integers(0, 160),
)
def test_every_result_is_valid_or_there_is_a_reason(seed, builder, strategy, budget):
    messages = BUILDERS[builder](seed, turns=8)
    before = [dict(message) for message in messages]
    done = trimmed(messages, max_tokens=budget, counter=weigh, strategy=strategy)
    if isinstance(done, CannotFitError):
        assert done.smallest is None or done.smallest > budget
        return
    assert faults(messages, done.messages, budget) == []
    assert done.tokens == sum(map(weigh, done.messages))
    assert [i for i in range(len(messages)) if i not in done.dropped] == [
        i for i, message in enumerate(messages) if any(message is kept for kept in done.messages)
    ]
    assert messages == before
    assert not lonely_reasoning(done.messages)


@settings(max_examples=1000, deadline=None)
@given(
    seed=st.integers(0, 10**9),
    builder=st.sampled_from(sorted(BUILDERS)),
    strategy=st.sampled_from(STRATEGIES),
    budget=st.integers(0, 60),
    pin=st.integers(0, 7) | st.none(),
)
def test_brute_force_agrees_about_what_cannot_fit(seed, builder, strategy, budget, pin):
    messages = BUILDERS[builder](seed, turns=2)[:9]
    pinned = [pin] if pin is not None and pin < len(messages) else []
    smallest = smallest_valid(messages, pinned)
    done = trimmed(messages, max_tokens=budget, counter=weigh, strategy=strategy, pinned=pinned)
    if isinstance(done, CannotFitError):
        assert done.smallest == smallest
        assert smallest is None or smallest > budget
    else:
        assert smallest is not None
        assert smallest <= budget
        assert faults(messages, done.messages, budget, pinned) == []


@pytest.mark.parametrize(
    ("messages", "budget", "kept"),
    [
        ([user(), assistant(), user(), assistant()], 2, [2, 3]),
        ([user(), assistant(), user(), assistant()], 3, [2, 3]),
        ([user(), assistant(), user(), assistant()], 4, [0, 1, 2, 3]),
        ([user(), calling("a"), result("a"), calling("b"), result("b")], 3, [0, 3, 4]),
        ([user(), calling("a", "b"), result("b"), result("a"), user()], 3, [4]),
        ([user(n=9), assistant(), user(), calling("a"), result("a")], 3, [2, 3, 4]),
        ([user(), assistant(), user(n=9)], 5, [0, 1]),
        ([user(n=2), calling("a"), result("a", n=9)], 5, [0]),
        ([user(), calling("a"), result("a"), calling("a"), result("a")], 3, [0, 3, 4]),
        ([user(), calling("a"), user(), result("a"), assistant()], 4, [2, 4]),
    ],
)
def test_suffix_keeps_the_newest_that_is_valid(messages, budget, kept):
    done = trim_messages(messages, max_tokens=budget, counter=weigh)
    assert [i for i, m in enumerate(messages) if any(m is k for k in done.messages)] == kept


def test_a_history_that_fits_comes_back_as_it_is():
    messages = [user(), calling("a"), result("a"), assistant()]
    done = trim_messages(messages, max_tokens=4, counter=weigh)
    assert done.messages is messages
    assert done.dropped == ()
    assert done.report.tokens_before == 4


def test_what_does_not_fit_is_not_counted():
    counted = []

    def count(message):
        counted.append(message)
        return 10

    messages = [user() if i % 2 == 0 else assistant() for i in range(1000)]
    done = trim_messages(messages, max_tokens=100, counter=count)
    assert len(done.messages) == 10
    assert len(counted) <= 12


def test_work_grows_linearly():
    def work(size):
        counted = 0

        def count(message):
            nonlocal counted
            counted += 1
            return 1

        messages = [user(), *(m for i in range(size) for m in (calling(f"c{i}"), result(f"c{i}")))]
        trim_messages(messages, max_tokens=size, counter=count)
        return counted

    assert work(4000) <= 4.2 * work(1000)


@pytest.mark.timeout(30)
def test_a_hundred_thousand_messages_are_no_trouble():
    messages = [user(n=10**6), *(m for i in range(50_000) for m in (calling(f"c{i}"), result(f"c{i}")))]
    with pytest.raises(CannotFitError) as caught:
        trim_messages(messages, max_tokens=100_000, counter=weigh)
    assert caught.value.smallest == 10**6


def test_pinned_messages_bring_their_group():
    messages = [user(), calling("a"), result("a"), assistant(), user(), assistant()]
    done = trim_messages(messages, max_tokens=5, counter=weigh, pinned=[2])
    assert [messages.index(m) for m in done.messages][:3] == [0, 1, 2]
    told = trim_messages(messages, max_tokens=5, counter=weigh, pinned=lambda message: message is messages[2])
    assert told.messages == done.messages


def test_pinning_what_does_not_exist_is_an_error():
    with pytest.raises(ConfigurationError, match=r"\[7\] of 1"):
        trim_messages([user()], max_tokens=5, counter=weigh, pinned=[7])


def test_middle_out_keeps_both_ends():
    messages = [user(str(i)) if i % 2 == 0 else assistant(str(i)) for i in range(20)]
    done = trim_messages(messages, max_tokens=6, counter=weigh, strategy="middle-out")
    assert [m["content"] for m in done.messages] == ["0", "1", "2", "17", "18", "19"]


def test_a_last_message_that_does_not_fit_is_told_or_refused():
    messages = [user(), assistant(), user(n=50)]
    done = trim_messages(messages, max_tokens=10, counter=weigh)
    assert any("last message" in note for note in done.report.notes)
    with pytest.raises(CannotFitError) as caught:
        trim_messages(messages, max_tokens=10, counter=weigh, require_last=True)
    assert caught.value.smallest == 50


@pytest.mark.parametrize("messages", [[], [{"role": "system", "content": "s", "n": 1}], [assistant()], [result("x")]])
def test_nothing_valid_at_any_size_is_said_so(messages):
    with pytest.raises(CannotFitError, match="no larger budget") as caught:
        trim_messages(messages, max_tokens=100, counter=weigh)
    assert caught.value.smallest is None


def test_clearing_tool_results_keeps_the_shape():
    messages = [user(), *(m for i in range(6) for m in (calling(f"c{i}"), result(f"c{i}", n=100))), assistant()]
    count = lambda m: len(str(m.get("content") or "")) + 1  # noqa: E731 - a counter
    rule = ClearToolResults(trigger=50, keep=2, placeholder="-")
    done = trim_messages(messages, max_tokens=300, counter=count, strategy="clear-tool-results", clear=rule)
    results = [m["content"] for m in done.messages if m["role"] == "tool"]
    assert results == ["-"] * 4 + ["r" * 100] * 2
    assert done.report.cleared == 4
    assert len(done.messages) == len(messages)
    assert messages[2]["content"] == "r" * 100


def test_clearing_spares_excluded_tools_and_small_histories():
    messages = [user(), calling("a"), result("a", n=50), calling("b"), result("b", n=50)]
    rule = ClearToolResults(trigger=10, keep=0, exclude_tools={"f"})
    count = lambda m: len(str(m.get("content") or "")) + 1  # noqa: E731 - a counter
    same = trim_messages(messages, max_tokens=500, counter=count, strategy="clear-tool-results", clear=rule)
    assert same.messages is messages
    assert trim_messages(messages, max_tokens=500, counter=count, strategy="clear-tool-results").messages is messages


def test_a_summary_stands_in_for_what_is_dropped():
    system = {"role": "system", "content": "s", "n": 1}
    messages = [system, *(user(n=10) if i % 2 == 0 else assistant(n=10) for i in range(10))]
    seen = []

    def summarize(dropped):
        seen.append(list(dropped))
        return "what happened"

    done = trim_messages(
        messages, max_tokens=60, counter=lambda m: m.get("n", 4), strategy="summarize", summarize=summarize
    )
    assert done.messages[0] is system
    assert "what happened" in done.messages[1]["content"]
    assert done.messages[2]["role"] == "user"
    assert done.tokens <= 60
    assert seen[-1] == [messages[i] for i in done.dropped]
    assert done.report.summarized


def test_a_summary_that_does_not_fit_is_left_out():
    messages = [user(n=10), assistant(n=10), user(n=10)]
    done = trim_messages(
        messages, max_tokens=20, counter=lambda m: m.get("n", 99), strategy="summarize", summarize=lambda _: "long"
    )
    assert [m["n"] for m in done.messages] == [10]
    assert not done.report.summarized
    assert any("no summary" in note for note in done.report.notes)


def test_a_budget_or_a_model_is_needed():
    with pytest.raises(ConfigurationError, match="max_tokens or model"):
        trim_messages([user()])
    with pytest.raises(ConfigurationError, match="summarize"):
        trim_messages([user()], max_tokens=5, strategy="summarize")


def test_a_model_gives_the_budget():
    assert model_budget("gpt-4o") == int(128_000 * 0.9 - 16_384)
    messages = [user(n=60_000), assistant(n=60_000), user(n=60_000), assistant(n=30_000)]
    done = trim_messages(messages, model="gpt-4o", counter=weigh)
    assert done.tokens == 90_000
    assert done.report.budget == model_budget("gpt-4o")


def test_responses_items_stay_together():
    items = [
        {"role": "user", "content": "q", "n": 5},
        {"type": "reasoning", "id": "r", "n": 5},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}", "n": 5},
        {"type": "function_call_output", "call_id": "a", "output": "x", "n": 5},
        {"role": "user", "content": "q2", "n": 5},
        {"type": "reasoning", "id": "r2", "n": 5},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}], "n": 5},
    ]
    done = trim_messages(items, max_tokens=25, counter=weigh)
    assert done.dropped == (0, 1, 2, 3)
    assert trim_messages(items[:4], max_tokens=15, counter=weigh).dropped == (1, 2, 3)


def test_clearing_knows_every_kind_of_call():
    items = [
        {"role": "user", "content": "q"},
        {"type": "custom_tool_call", "call_id": "a", "name": "patch", "input": "i" * 50},
        {"type": "custom_tool_call_output", "call_id": "a", "output": "o" * 50},
        {"type": "local_shell_call", "id": "b", "action": {"command": ["ls"]}},
        {"type": "local_shell_call_output", "id": "b", "output": "o" * 50},
        {"type": "computer_call", "call_id": "c", "action": {}},
        {"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot"}},
        {"type": "function_call", "call_id": "d", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "d", "output": "o" * 50},
    ]
    rule = ClearToolResults(trigger=0, keep=1, clear_inputs=True, placeholder="-", exclude_tools={"local_shell_call"})
    done = trim_messages(
        items, max_tokens=9000, counter=lambda m: len(str(m)), strategy="clear-tool-results", clear=rule
    )
    assert done.report.cleared == 1
    assert done.messages[1] == {**items[1], "input": ""}
    assert done.messages[2] == {**items[2], "output": "-"}
    assert all(kept is given for kept, given in zip(done.messages[3:], items[3:], strict=True))
