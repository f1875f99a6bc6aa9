"""FakeLLM speaks every API: what it sends is what that API's decoder, and our client, read back."""

from __future__ import annotations

import orjson
import pytest

from streamarena import StreamClient
from streamarena.client.endpoints import ENDPOINTS
from streamarena.errors import StreamArenaError
from streamarena.providers import Accumulator, decoder_for, framer_for
from tests.testing.helpers import post, quick, until

APIS = ["openai-chat", "openai-responses", "anthropic", "gemini", "ollama"]
TOOL = {"name": "turn", "parameters": {"type": "object", "properties": {"degrees": {"type": "integer"}}}}
TOOLS = {
    "openai-chat": [{"type": "function", "function": TOOL}],
    "ollama": [{"type": "function", "function": TOOL}],
    "openai-responses": [{"type": "function", **TOOL}],
    "anthropic": [{"name": "turn", "input_schema": TOOL["parameters"]}],
    "gemini": [{"functionDeclarations": [TOOL]}],
}
LIMITS = {
    "openai-chat": {"max_tokens": 3},
    "openai-responses": {"max_output_tokens": 3},
    "anthropic": {"max_tokens": 3},
    "gemini": {"generationConfig": {"maxOutputTokens": 3}},
    "ollama": {"options": {"num_predict": 3}},
}


def base(llm, api):
    """The base URL that this API's own SDK would be given."""
    return llm.url + {"gemini": "/v1beta", "ollama": ""}.get(api, "/v1")


def request(api, **fields):
    messages = [{"role": "user", "content": "Which way?"}]
    return {
        "openai-responses": {"input": "Which way?", "stream": True},
        "gemini": {"contents": [{"role": "user", "parts": [{"text": "Which way?"}]}]},
    }.get(api, {"messages": messages, "stream": True}) | {"model": "m", **fields}


async def ask(llm, api, settings="", stream=True, **fields):
    """Send a request as this API's clients do; return the response."""
    endpoint = ENDPOINTS[api]
    path = base(llm, api).removeprefix(llm.url) + endpoint.path.replace("{model}", "m")
    body = request(api, **fields)
    if not stream:
        path = path.replace(":streamGenerateContent?alt=sse", ":generateContent")
        body["stream"] = False
    return await post(llm, path, body, **{"x-fake-llm": settings})


def decoded(api, answer):
    """The reply that a streamed answer holds."""
    framer = framer_for(answer.headers["content-type"], answer.content, api)
    decoder, whole = decoder_for(api), Accumulator(api)
    for event in framer.feed(answer.content):
        whole.extend(decoder.decode(event))
    whole.extend(decoder.finish())
    assert decoder.complete
    return whole.reply()


@pytest.mark.parametrize("api", APIS)
async def test_text_reasoning_and_usage(api):
    async with quick() as llm:
        reply = decoded(api, await ask(llm, api, "tokens=9, reasoning=4"))
        (record,) = llm.statistics.records
    assert len(reply.text.split()) == 9
    assert len(reply.reasoning.split()) == 4
    assert reply.finish_reason == "stop"
    if api != "openai-chat":  # there it must be asked for
        assert reply.usage.output_tokens == 13
        assert reply.usage.input_tokens == record.input_tokens > 0
    assert sum(record.tokens) == 13
    assert record.api == api


@pytest.mark.parametrize("api", APIS)
async def test_tool_calls_fit_the_offered_schema(api):
    async with quick() as llm:
        reply = decoded(api, await ask(llm, api, "tools=2", tools=TOOLS[api]))
        (record,) = llm.statistics.records
    assert [call.name for call in reply.tool_calls] == ["turn", "turn"]
    assert all(isinstance(orjson.loads(call.arguments)["degrees"], int) for call in reply.tool_calls)
    assert sum(record.tokens) == record.output_tokens


@pytest.mark.parametrize("api", APIS)
async def test_the_requests_own_limit_cuts_the_answer(api):
    async with quick() as llm:
        reply = decoded(api, await ask(llm, api, **LIMITS[api]))
    assert len(reply.text.split()) == 3
    assert reply.finish_reason == "length"


@pytest.mark.parametrize("api", APIS)
async def test_a_whole_reply_says_what_a_stream_would(api):
    async with quick() as llm:
        streamed = decoded(api, await ask(llm, api, "seed=5, tools=1", tools=TOOLS[api]))
        whole = (await ask(llm, api, "seed=5, tools=1", stream=False, tools=TOOLS[api])).json()
    assert streamed.text in orjson.dumps(whole, option=orjson.OPT_INDENT_2).decode()
    assert "turn" in str(whole)


async def test_the_older_completions_endpoint_takes_a_prompt_and_gives_text():
    body = {"model": "m", "prompt": "Which way?", "stream": True, "stream_options": {"include_usage": True}}
    async with quick() as llm:
        answer = await post(llm, "/v1/completions", body, **{"x-fake-llm": "seed=5, tokens=7, reasoning=3"})
        whole = (
            await post(llm, "/v1/completions", {**body, "stream": False}, **{"x-fake-llm": "seed=5, tokens=7"})
        ).json()
        failed = await post(llm, "/v1/completions", body, **{"x-fake-llm": "fault=error@2"})
        wrong = await post(llm, "/v1/completions", body, **{"x-fake-llm": "nonsense=1"})
    reply = decoded("openai-chat", answer)
    assert len(reply.text.split()) == 7
    assert (reply.finish_reason, reply.usage.output_tokens) == ("stop", 10)
    assert b'"object":"text_completion"' in answer.content
    assert whole["object"] == "text_completion"
    assert len(whole["choices"][0]["text"].split()) == 7
    assert whole["choices"][0]["finish_reason"] == "stop"
    assert whole["usage"]["completion_tokens"] == 7
    assert b'"error"' in failed.content
    assert b"[DONE]" not in failed.content
    assert wrong.status_code == 400


@pytest.mark.parametrize("api", APIS)
async def test_our_client_streams_from_it(api):
    async with quick(tokens=6) as llm:
        async with StreamClient(base(llm, api), api=api, api_key="k") as client:
            body = request(api)
            body.pop("stream", None)
            async with client.stream(body) as stream:
                text = "".join([chunk.text async for chunk in stream if chunk.kind == "text"])
                result = await stream.result()
        await until(lambda: llm.statistics.open_connections == 0)
    assert len(text.split()) == 6
    assert result.text == text


@pytest.mark.parametrize("fault", ["error@2", "cut@2", "reset@2", "html", "status:503", "garbage@2", "no-end@2"])
@pytest.mark.parametrize("api", APIS)
async def test_faults_are_errors_to_our_client(api, fault):
    async with (
        quick() as llm,
        StreamClient(base(llm, api), api=api, headers={"x-fake-llm": f"fault={fault}"}) as client,
    ):
        body = request(api)
        body.pop("stream", None)
        with pytest.raises(StreamArenaError):
            async with client.stream(body) as stream:
                async for _ in stream:
                    pass


async def test_gemini_without_sse_is_one_json_array():
    async with quick() as llm:
        path = "/v1beta/models/m:streamGenerateContent"
        answer = await post(llm, path, request("gemini"))
        parts = [part["text"] for event in answer.json() for part in event["candidates"][0]["content"]["parts"]]
    assert answer.headers["content-type"] == "application/json"
    assert len("".join(parts).split()) == 8


async def test_ollama_lists_its_models():
    import httpx

    async with quick() as llm, httpx.AsyncClient(base_url=llm.url, trust_env=False, verify=False) as client:
        assert (await client.get("/api/tags")).json()["models"][0]["name"] == "fake-model"
        assert (await client.get("/v1beta/models")).json()["models"][0]["name"] == "models/fake-model"
