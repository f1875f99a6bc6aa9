"""Every text that reaches a model counts, wherever a message carries it; a guess of a model is no knowledge."""

from __future__ import annotations

import pytest

from streamarena.context import TokenCounter, model_info, prepare_request, trim_messages
from streamarena.errors import CannotFitError, ConfigurationError

LONG = "one two three " * 2000
COUNT = TokenCounter()
LEAST = 4000

MESSAGES = {
    "responses-call": {"type": "function_call", "call_id": "1", "name": "f", "arguments": LONG},
    "responses-output": {"type": "function_call_output", "call_id": "1", "output": LONG},
    "custom-call": {"type": "custom_tool_call", "call_id": "1", "input": LONG},
    "legacy-call": {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": LONG}},
    "reasoning-content": {"role": "assistant", "content": "x", "reasoning_content": LONG},
    "refusal": {"role": "assistant", "content": None, "refusal": LONG},
    "thinking": {"role": "assistant", "content": [{"type": "thinking", "thinking": LONG, "signature": "s"}]},
    "document": {"role": "user", "content": [{"type": "document", "source": {"type": "text", "data": LONG}}]},
    "server-tool": {"role": "assistant", "content": [{"type": "server_tool_use", "id": "1", "input": {"q": LONG}}]},
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_long_text_counts(name):
    assert COUNT(MESSAGES[name]) > LEAST


def test_an_image_in_a_tool_result_counts():
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "x" * 1_000_000}}
    result = {"type": "tool_result", "tool_use_id": "1", "content": [image]}
    assert COUNT({"role": "user", "content": [result]}) >= 1000


def test_a_request_with_an_output_too_large_is_not_waved_through():
    call = MESSAGES["responses-call"] | {"arguments": "{}"}
    output = MESSAGES["responses-output"] | {"output": LONG * 30}
    with pytest.raises(CannotFitError):  # the last output is what the model is to go on with: it may not be dropped
        prepare_request({"model": "gpt-4o", "input": [{"role": "user", "content": "go"}, call, output]})


def test_a_schema_of_the_answer_counts():
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "x"}], "response_format": {"schema": LONG}}
    assert prepare_request(body).report.fixed_tokens > LEAST


@pytest.mark.parametrize("name", ["gpt-4", "gpt", "claude", "llama"])
def test_a_family_is_not_one_of_its_models(name):
    assert not model_info(name).known


@pytest.mark.parametrize(("name", "window"), [("claude-sonnet-4", 200_000), ("gpt-5", 400_000)])
def test_a_model_is_known_without_its_date(name, window):
    assert (model_info(name).known, model_info(name).context_window) == (True, window)


def test_an_unknown_strategy_is_refused():
    with pytest.raises(ConfigurationError, match="suffix"):
        trim_messages([{"role": "user", "content": "x"}], max_tokens=10, strategy="foo")
