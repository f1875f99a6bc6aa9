"""Messages without a shape to work with are refused by an error that says which one and what is wrong with it."""

from __future__ import annotations

import asyncio

import pytest

from streamarena.context import TokenCounter, WindowContext, break_down, manage_context, prepare_request, trim_messages
from streamarena.context._checks import MAX_DEPTH, check_messages
from streamarena.context.repair import repair_messages
from streamarena.errors import MalformedMessageError

FINE = {"role": "user", "content": "q"}


def nested(levels):
    value = {}
    for _ in range(levels):
        value = {"a": [value]}
    return value


MALFORMED = {
    "a-text": ("hello", "a message is an object, not a text"),
    "null": (None, "a message is an object, not null"),
    "a-role-that-is-a-list": ({"role": ["user"], "content": "q"}, "role is a text, not a list"),
    "a-block-that-is-a-text": ({"role": "user", "content": [FINE, "q"]}, r"content\[1\] is an object, not a text"),
    "a-text-that-is-a-number": (
        {"role": "user", "content": [{"type": "text", "text": 5}]},
        r"content\[0\].text is a text, not a number",
    ),
    "calls-that-are-an-object": ({"role": "assistant", "tool_calls": {"id": "a"}}, "tool_calls are a list"),
    "a-call-that-is-a-text": ({"role": "assistant", "tool_calls": ["a"]}, r"tool_calls\[0\] is an object"),
    "a-call-id-that-is-a-list": (
        {"role": "assistant", "tool_calls": [{"id": []}]},
        r"tool_calls\[0\].id is a text, not a list",
    ),
    "a-function-that-is-a-text": (
        {"role": "assistant", "tool_calls": [{"id": "a", "function": "f"}]},
        r"tool_calls\[0\].function is an object",
    ),
    "an-older-call-that-is-a-text": ({"role": "assistant", "function_call": "f"}, "function_call is an object"),
    "a-result-id-that-is-an-object": ({"role": "tool", "tool_call_id": {}}, "tool_call_id is a text, not an object"),
    "too-deep": (
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "input": nested(600)}]},
        f"deeper than {MAX_DEPTH} levels",
    ),
}
SYNCHRONOUS = {
    "trim": lambda messages: trim_messages(messages, max_tokens=1000, counter=TokenCounter(tokenize=len)),
    "repair": repair_messages,
    "break-down": lambda messages: break_down(messages, TokenCounter(tokenize=len)),
    "prepare": lambda messages: prepare_request({"messages": messages}, counter=TokenCounter(tokenize=len)),
}


@pytest.mark.parametrize(("message", "problem"), MALFORMED.values(), ids=MALFORMED)
def test_the_problem_and_its_place_are_named(message, problem):
    with pytest.raises(MalformedMessageError, match=f"^message 1: .*{problem}") as caught:
        check_messages([FINE, message])
    assert caught.value.index == 1


@pytest.mark.parametrize("call", SYNCHRONOUS.values(), ids=SYNCHRONOUS)
@pytest.mark.parametrize("message", [message for message, _ in MALFORMED.values()], ids=MALFORMED)
def test_no_bare_error_of_python_comes_out(call, message):
    try:
        call([FINE, message])
    except MalformedMessageError as error:
        assert error.index == 1  # noqa: PT017 - which of the calls meets the problem is its own business


def test_policies_name_the_message_too():
    context = WindowContext([FINE, "hello"], total_tokens=5, context_window=100, count=len)
    with pytest.raises(MalformedMessageError, match="message 1"):
        asyncio.run(manage_context(context, policy="classic"))


def test_a_history_that_is_no_list_is_named():
    with pytest.raises(MalformedMessageError, match="messages are a list, not an object"):
        check_messages({"role": "user"})


def test_an_error_of_the_callers_counter_passes():
    def count(message):
        raise TypeError("mine")

    with pytest.raises(TypeError, match="mine"):
        trim_messages([FINE], max_tokens=5, counter=count)


def test_what_apis_do_allow_is_no_problem():
    check_messages(
        [
            {"role": "assistant", "content": None, "tool_calls": None},
            {"type": "reasoning", "summary": []},
            {"role": "user", "content": ()},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "input": nested(40)}]},
        ]
    )
