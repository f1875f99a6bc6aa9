"""The official openai and anthropic SDKs stream from FakeLLM: its wires are what their authors' clients expect."""

from __future__ import annotations

import anthropic
import httpx2
import openai
import pytest

from streamarena.testing import FakeLLM, LocalCertificates
from tests.testing.helpers import quick

QUESTION = [{"role": "user", "content": "Which way is north?"}]
TOOLS_OPENAI = [
    {"type": "function", "function": {"name": "turn", "parameters": {"properties": {"degrees": {"type": "integer"}}}}}
]
TOOLS_ANTHROPIC = [{"name": "turn", "input_schema": {"type": "object", "properties": {"degrees": {"type": "integer"}}}}]


def openai_client(llm, **options):
    return openai.AsyncOpenAI(base_url=llm.url + "/v1", api_key="k", max_retries=0, **options)


def anthropic_client(llm, **options):
    return anthropic.AsyncAnthropic(base_url=llm.url, api_key="k", max_retries=0, **options)


async def test_openai_reads_a_chat_stream():
    async with quick(tokens=12) as llm, openai_client(llm) as client:
        stream = await client.chat.completions.create(
            model="m", messages=QUESTION, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert len(text.split()) == 12
    assert chunks[-1].usage.completion_tokens == 12


async def test_openai_reads_whole_replies_models_and_tool_calls():
    async with quick() as llm, openai_client(llm) as client:
        assert [model.id async for model in client.models.list()] == ["fake-model"]
        done = await client.chat.completions.create(
            model="m", messages=QUESTION, tools=TOOLS_OPENAI, tool_choice="required"
        )
        async with client.chat.completions.stream(
            model="m", messages=QUESTION, tools=TOOLS_OPENAI, tool_choice="required"
        ) as stream:
            final = await stream.get_final_completion()
    for completion in (done, final):
        (call,) = completion.choices[0].message.tool_calls
        assert call.function.name == "turn"
        assert "degrees" in call.function.arguments


async def test_anthropic_reads_a_stream_with_thinking_and_tools():
    async with (
        quick(tokens=12) as llm,
        anthropic_client(llm) as client,
        client.messages.stream(
            model="m,tools=1",
            max_tokens=1000,
            messages=QUESTION,
            tools=TOOLS_ANTHROPIC,
            thinking={"type": "enabled", "budget_tokens": 1024},
        ) as stream,
    ):
        text = "".join([piece async for piece in stream.text_stream])
        message = await stream.get_final_message()
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
    assert message.content[1].text == text
    assert isinstance(message.content[2].input["degrees"], int)
    assert message.stop_reason == "tool_use"
    assert message.usage.output_tokens > 12


async def test_anthropic_reads_a_whole_reply_and_the_models():
    async with quick() as llm, anthropic_client(llm) as client:
        message = await client.messages.create(model="m", max_tokens=5, messages=QUESTION)
        assert [model.id async for model in client.models.list()] == ["fake-model"]
    assert message.stop_reason == "max_tokens"
    assert message.usage.output_tokens == 5


@pytest.mark.parametrize(
    ("fault", "openai_error", "anthropic_error"),
    [
        ("status:429", openai.RateLimitError, anthropic.RateLimitError),
        ("status:401", openai.AuthenticationError, anthropic.AuthenticationError),
        ("status:500", openai.InternalServerError, anthropic.InternalServerError),
        ("error@2", openai.APIError, anthropic.APIStatusError),
    ],
    ids=["429", "401", "500", "mid-stream"],
)
async def test_injected_errors_become_the_errors_of_each_sdk(fault, openai_error, anthropic_error):
    async with quick(fault=fault) as llm:
        async with openai_client(llm) as client:
            with pytest.raises(openai_error, match="injected"):
                async for _ in await client.chat.completions.create(model="m", messages=QUESTION, stream=True):
                    pass
        async with anthropic_client(llm) as client:
            with pytest.raises(anthropic_error, match="injected"):
                async for _ in await client.messages.create(model="m", max_tokens=9, messages=QUESTION, stream=True):
                    pass


async def test_openai_streams_over_tls():
    certificates = LocalCertificates()
    async with (
        FakeLLM(ssl_context=certificates.server_context(), ttft=0, inter_token_latency=0, tokens=3) as llm,
        openai_client(llm, http_client=httpx2.AsyncClient(verify=certificates.client_context())) as client,
    ):
        stream = await client.chat.completions.create(model="m", messages=QUESTION, stream=True)
        assert len([chunk async for chunk in stream]) == 5


async def test_openai_reads_a_responses_stream_and_a_whole_response():
    async with quick(tokens=12) as llm, openai_client(llm) as client:
        async with client.responses.stream(model="m,reasoning=3,tools=1", input="Which way?") as stream:
            text = "".join([event.delta async for event in stream if event.type == "response.output_text.delta"])
            final = await stream.get_final_response()
        whole = await client.responses.create(model="m", input="Which way?")
    assert len(text.split()) == 12
    assert final.output_text == text
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call"]
    assert final.usage.output_tokens > 15
    assert len(whole.output_text.split()) == 12
