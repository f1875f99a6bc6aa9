"""The official openai and anthropic clients read what the encoders write, and see in it what was encoded."""

from __future__ import annotations

import json

import anthropic
import httpx2
import openai
import pytest
from hypothesis import given, settings
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

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
    ToolCallPartialChunk,
    UsageChunk,
    encoder_for,
)
from tests.providers.strategies import streams

REASONS = ("stop", "length", "tool_calls")
RICH = [
    StartChunk("id-1", "model-1", "assistant"),
    ReasoningChunk("Hm."),
    ThinkingCompleteChunk("sig"),
    TextChunk("Good "),
    TextChunk("day"),
    GroundingChunk((GroundingSource("T", "https://example.org/t", "words"),)),
    ToolCallPartialChunk(0, "call_a", "f", '{"a":'),
    ToolCallPartialChunk(1, "call_b", "g"),
    ToolCallPartialChunk(0, arguments="1}"),
    ToolCallPartialChunk(1, arguments='{"b":2}'),
    FinishChunk("tool_calls"),
    UsageChunk(30, 7, cache_read_tokens=10, reasoning_tokens=2),
]


def transport(api, chunks):
    """Answer every request with the chunks, encoded one at a time."""
    encoder = encoder_for(api, created=7)
    body = b"".join(encoder.encode([chunk]) for chunk in chunks) + encoder.finish()
    headers = {"content-type": encoder.content_type}
    return httpx2.Client(transport=httpx2.MockTransport(lambda _: httpx2.Response(200, headers=headers, content=body)))


def openai_client(api, chunks):
    return openai.OpenAI(api_key="k", base_url="http://test/v1", max_retries=0, http_client=transport(api, chunks))


def anthropic_client(chunks):
    http_client = transport("anthropic", chunks)
    return anthropic.Anthropic(api_key="k", base_url="http://test", max_retries=0, http_client=http_client)


def reply_of(chunks):
    accumulator = Accumulator()
    accumulator.extend(chunks)
    return accumulator.reply()


def calls_of(reply):
    return [(call.id, call.name, json.loads(call.arguments)) for call in reply.tool_calls]


def read_chat(chunks):
    """Read a chat stream and return what it came to: text, reasoning, calls, reason, usage."""
    text, reasoning, calls, reason, usage = "", "", {}, None, None
    with openai_client("openai-chat", chunks) as client:
        for event in client.chat.completions.create(model="m", messages=[], stream=True):
            assert (event.object, event.created) == ("chat.completion.chunk", 7)
            usage = event.usage or usage
            for choice in event.choices:
                text += choice.delta.content or ""
                reasoning += getattr(choice.delta, "reasoning_content", None) or ""
                reason = choice.finish_reason or reason
                for call in choice.delta.tool_calls or []:
                    known = calls.setdefault(call.index, [call.id, call.function.name, ""])
                    known[2] += call.function.arguments or ""
    return text, reasoning, [(i, n, json.loads(a)) for i, n, a in calls.values()], reason, usage


@pytest.mark.parametrize("chunks", [RICH], ids=["rich"])
def test_the_openai_client_reads_a_chat_stream(chunks):
    reply = reply_of(chunks)
    text, reasoning, calls, reason, usage = read_chat(chunks)
    assert (text, reasoning, calls, reason) == (reply.text, reply.reasoning, calls_of(reply), "tool_calls")
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (30, 7, 37)
    assert usage.prompt_tokens_details.cached_tokens == 10
    assert usage.completion_tokens_details.reasoning_tokens == 2


@settings(max_examples=15, deadline=None)
@given(chunks=streams(finish_reasons=REASONS))
def test_the_openai_client_reads_any_chat_stream(chunks):
    reply = reply_of(chunks)
    text, reasoning, calls, reason, _ = read_chat(chunks)
    assert (text, reasoning, calls, reason) == (reply.text, reply.reasoning, calls_of(reply), reply.finish_reason)


def test_the_openai_clients_own_assembly_of_a_chat_stream():
    with (
        openai_client("openai-chat", RICH) as client,
        client.chat.completions.stream(model="m", messages=[]) as stream,
    ):
        final = stream.get_final_completion()
    assert final.choices[0].message.content == "Good day"
    assert [call.function.arguments for call in final.choices[0].message.tool_calls] == ['{"a":1}', '{"b":2}']
    assert final.id == "id-1"


def read_responses(chunks):
    with openai_client("openai-responses", chunks) as client:
        return list(client.responses.create(model="m", input="x", stream=True))


@settings(max_examples=15, deadline=None)
@given(chunks=streams(finish_reasons=REASONS))
def test_the_openai_client_reads_any_responses_stream(chunks):
    reply = reply_of(chunks)
    events = read_responses(chunks)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    final = events[-1].response
    assert final.status == ("incomplete" if reply.finish_reason == "length" else "completed")
    assert final.output_text == reply.text
    calls = [item for item in final.output if item.type == "function_call"]
    assert [(call.call_id, call.name, json.loads(call.arguments)) for call in calls] == calls_of(reply)
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == reply.text
    if reply.usage is not None:
        assert (final.usage.input_tokens, final.usage.output_tokens) == (
            reply.usage.input_tokens,
            reply.usage.output_tokens,
        )


def test_the_openai_clients_own_assembly_of_a_responses_stream():
    """It raises where items change their identity, come twice, or end otherwise than they were built."""
    with openai_client("openai-responses", RICH) as client, client.responses.stream(model="m", input="x") as stream:
        final = stream.get_final_response()
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call", "function_call"]
    assert final.output[0].summary[0].text == "Hm."
    assert final.output[0].encrypted_content == "sig"
    assert final.output[1].content[0].annotations[0].url == "https://example.org/t"
    assert final.usage.output_tokens_details.reasoning_tokens == 2


@settings(max_examples=15, deadline=None)
@given(chunks=streams(finish_reasons=("stop", "length", "tool_calls", "refusal")))
def test_the_anthropic_client_reads_any_stream(chunks):
    reply = reply_of(chunks)
    with (
        anthropic_client(chunks) as client,
        client.messages.stream(model="m", max_tokens=9, messages=[]) as stream,
    ):
        final = stream.get_final_message()
    assert (final.id, final.model, final.role) == ("id-1", "model-1", "assistant")
    assert "".join(block.text for block in final.content if block.type == "text") == reply.text
    assert "".join(block.thinking for block in final.content if block.type == "thinking") == reply.reasoning
    calls = [(block.id, block.name, block.input) for block in final.content if block.type == "tool_use"]
    assert calls == calls_of(reply)
    words = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "refusal": "refusal"}
    assert final.stop_reason == words[reply.finish_reason]
    if reply.usage is not None:
        cached = reply.usage.cache_read_tokens or 0
        assert final.usage.input_tokens + cached == reply.usage.input_tokens
        assert final.usage.output_tokens == reply.usage.output_tokens


def test_the_anthropic_client_sees_signatures_and_citations():
    with anthropic_client(RICH) as client, client.messages.stream(model="m", max_tokens=9, messages=[]) as stream:
        final = stream.get_final_message()
    assert final.content[0].signature == "sig"
    assert final.content[1].citations[0].url == "https://example.org/t"
    assert [block.input for block in final.content if block.type == "tool_use"] == [{"a": 1}, {"b": 2}]


def test_an_error_in_mid_stream_is_the_clients_own_error():
    broken = [TextChunk("par"), ErrorChunk("broke", code="500", type="overloaded_error")]
    with openai_client("openai-chat", broken) as client, pytest.raises(openai.APIError, match="broke"):
        list(client.chat.completions.create(model="m", messages=[], stream=True))
    with anthropic_client(broken) as client, pytest.raises(anthropic.APIStatusError, match="broke"):
        with client.messages.stream(model="m", max_tokens=9, messages=[]) as stream:
            stream.get_final_message()


def test_whole_messages_are_the_clients_own_objects():
    accumulator = Accumulator()
    accumulator.extend(RICH)
    chat = ChatCompletion.model_validate(accumulator.message("openai-chat", created=7))
    assert chat.choices[0].message.tool_calls[1].function.name == "g"
    response = Response.model_validate(accumulator.message("openai-responses", created=7))
    assert response.output_text == "Good day"
    message = anthropic.types.Message.model_validate(accumulator.message("anthropic"))
    assert message.content[1].text == "Good day"
