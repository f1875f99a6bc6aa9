"""The official SDKs over our transports, beside the same SDKs over their own: streams, errors and retries."""

from __future__ import annotations

import ssl

import anthropic
import httpx
import httpx2
import openai
import pytest

from streamarena.testing import FakeLLM
from streamarena_adapters import httpx as ours_for_httpx
from streamarena_adapters import httpx2 as ours_for_httpx2
from tests.support.counting import nothing_left
from tests.support.scripted_server import ScriptedServer, read_request

TRUST = ssl.create_default_context()  # making one costs 20 ms, and each client would
QUESTION = [{"role": "user", "content": "Which way is north?"}]
TOOLS = [
    {"type": "function", "function": {"name": "turn", "parameters": {"properties": {"degrees": {"type": "integer"}}}}}
]
TOOLS_ANTHROPIC = [{"name": "turn", "input_schema": {"type": "object", "properties": {"degrees": {"type": "integer"}}}}]


def fake(**settings):
    return FakeLLM(ttft=0, inter_token_latency=0, seed=5, **settings)


def their_own():
    return httpx2.AsyncClient(verify=TRUST, timeout=10)


def over_httpx():
    return httpx.AsyncClient(transport=ours_for_httpx.AsyncHTTPTransport(), timeout=10)


def over_httpx2():
    return httpx2.AsyncClient(transport=ours_for_httpx2.AsyncHTTPTransport(), timeout=10)


OPENAI_CLIENTS = [pytest.param(over_httpx, id="httpx"), pytest.param(over_httpx2, id="httpx2")]


async def outcome(call):
    try:
        return await call
    except (openai.OpenAIError, anthropic.AnthropicError, httpx2.TransportError) as error:
        return (
            type(error).__name__,
            getattr(error, "status_code", None),
            getattr(error, "message", ""),
        )


async def chat(client, **asked):
    stream = await client.chat.completions.create(model="m,seed=1", messages=QUESTION, stream=True, **asked)
    return [chunk.model_dump(exclude={"id", "created"}) async for chunk in stream]


async def responses(client):
    stream = await client.responses.create(model="m,seed=1", input="hello", stream=True)
    return [(event.type, getattr(event, "delta", None)) async for event in stream]


async def chat_tools(client):
    return await chat(client, tools=TOOLS, tool_choice="required")


async def helper(client):
    async with client.chat.completions.stream(model="m,seed=1", messages=QUESTION) as stream:
        final = await stream.get_final_completion()
    return final.choices[0].message.content


async def raw_response(client):
    answer = await client.with_raw_response.models.list()
    return answer.status_code, answer.headers["content-type"]


OPENAI_CALLS = {each.__name__: each for each in (chat, chat_tools, responses, helper, raw_response)}


@pytest.mark.parametrize("call", OPENAI_CALLS)
@pytest.mark.parametrize("make", OPENAI_CLIENTS)
async def test_openai_reads_the_same_over_our_transport(make, call):
    got = []
    async with nothing_left():
        for http_client in (their_own(), make()):
            async with (
                fake(tokens=12) as llm,
                openai.AsyncOpenAI(base_url=f"{llm.url}/v1", api_key="k", http_client=http_client) as client,
            ):
                got.append(await OPENAI_CALLS[call](client))
    assert got[0] == got[1]
    assert got[0]


FAULTS = ["status:401", "status:429", "status:500", "error@2", "cut@2"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("make", OPENAI_CLIENTS)
async def test_openai_raises_the_same_over_our_transport(make, fault):
    got = []
    async with nothing_left():
        for http_client in (their_own(), make()):
            async with (
                fake(tokens=12, fault=fault) as llm,
                openai.AsyncOpenAI(
                    base_url=f"{llm.url}/v1", api_key="k", max_retries=0, http_client=http_client
                ) as client,
            ):
                got.append(await outcome(chat(client)))
    assert got[0] == got[1]
    assert isinstance(got[0], tuple)


async def stream_messages(client):
    async with client.messages.stream(
        model="m,seed=1,tools=1", max_tokens=100, messages=QUESTION, tools=TOOLS_ANTHROPIC
    ) as stream:
        text = [piece async for piece in stream.text_stream]
        final = await stream.get_final_message()
    return text, [block.type for block in final.content], final.usage.output_tokens


async def test_anthropic_reads_the_same_over_our_transport():
    got = []
    async with nothing_left():
        for http_client in (their_own(), over_httpx2()):
            async with (
                fake(tokens=12) as llm,
                anthropic.AsyncAnthropic(base_url=llm.url, api_key="k", http_client=http_client) as client,
            ):
                got.append(await stream_messages(client))
    assert got[0] == got[1]
    assert got[0][1] == ["text", "tool_use"]


@pytest.mark.parametrize("fault", FAULTS)
async def test_anthropic_raises_the_same_over_our_transport(fault):
    got = []
    async with nothing_left():
        for http_client in (their_own(), over_httpx2()):
            async with (
                fake(tokens=12, fault=fault) as llm,
                anthropic.AsyncAnthropic(
                    base_url=llm.url, api_key="k", max_retries=0, http_client=http_client
                ) as client,
            ):
                got.append(await outcome(stream_messages(client)))
    assert got[0] == got[1]
    assert isinstance(got[0][0], str)


@pytest.mark.parametrize("make", OPENAI_CLIENTS)
async def test_the_sdks_own_retries_happen(make):
    asked = 0

    async def script(reader, writer):
        nonlocal asked
        while await read_request(reader):
            asked += 1
            status = b"200 OK" if asked == 3 else b"429 Too Many"
            body = b'{"object":"list","data":[]}'
            retry = b"retry-after-ms: 1\r\ncontent-type: application/json\r\n"
            writer.write(b"HTTP/1.1 %b\r\n%bcontent-length: %d\r\n\r\n%b" % (status, retry, len(body), body))

    async with nothing_left(), ScriptedServer(script) as server:
        async with openai.AsyncOpenAI(base_url=server.url, api_key="k", max_retries=3, http_client=make()) as client:
            assert [model async for model in client.models.list()] == []
        assert (asked, server.connections) == (3, 1)
