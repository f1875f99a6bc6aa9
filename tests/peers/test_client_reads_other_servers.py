"""StreamClient streams from servers that nobody here wrote: llm-katan, and Starlette under uvicorn."""

from __future__ import annotations

import asyncio
import json

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

from streamarena.client import StreamClient
from streamarena.errors import ProviderError, StreamTruncatedError
from tests.support.counting import nothing_left

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


@pytest.mark.slow
@pytest.mark.parametrize(("api", "extra"), [("openai-chat", {}), ("anthropic", {"max_tokens": 256})])
async def test_katan(katan, api, extra):
    async with nothing_left(), StreamClient(f"{katan}/v1", api=api, api_key="test-key") as client:
        async with client.stream(model="echo-model", messages=QUESTION, **extra) as stream:
            texts = [text async for text in stream.text_deltas()]
            result = await stream.result()
    assert len(texts) > 1
    assert "capital of France" in "".join(texts)
    assert result.text == "".join(texts)
    assert result.finish_reason == "stop"


@pytest.mark.slow
async def test_katan_with_many_streams_at_once(katan):
    async with nothing_left(), StreamClient(f"{katan}/v1", api_key="test-key") as client:

        async def one():
            async with client.stream(model="echo-model", messages=QUESTION) as stream:
                return (await stream.result()).text

        assert all("capital" in text for text in await asyncio.gather(*(one() for _ in range(20))))


@pytest.mark.slow
async def test_katan_without_a_key_says_so(katan):
    async with StreamClient(f"{katan}/v1") as client:
        with pytest.raises(ProviderError) as caught:
            async with client.stream(model="echo-model", messages=QUESTION):
                pass
    assert caught.value.status in {401, 403}


def event(**choice):
    body = {
        "id": "1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, **choice}],
    }
    return f"data: {json.dumps(body)}\n\n"


async def story(request):
    asked = await request.json()

    async def body():
        for word in ("once ", "upon ", "a ", "time"):
            yield event(delta={"content": word}, finish_reason=None)
            await asyncio.sleep(0.001)
        if asked.get("break"):
            raise RuntimeError("the application broke in the middle")
        yield event(delta={}, finish_reason="stop")
        yield "data: [DONE]\n\n"

    return StreamingResponse(body(), media_type="text/event-stream")


@pytest.fixture
async def starlette():
    app = Starlette(routes=[Route("/v1/chat/completions", story, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/v1"
    server.should_exit = True
    await serving


async def test_starlette_under_uvicorn(starlette):
    async with nothing_left(), StreamClient(starlette) as client:
        for _ in range(3):
            async with client.stream(model="m", messages=QUESTION) as stream:
                assert (await stream.result()).text == "once upon a time"
        assert client.pool_stats.reused == 2


async def test_an_application_that_breaks_in_the_middle(starlette):
    async with nothing_left(), StreamClient(starlette) as client:
        async with client.stream({"break": True}, model="m", messages=QUESTION) as stream:
            texts = []
            with pytest.raises(StreamTruncatedError):
                async for text in stream.text_deltas():
                    texts.append(text)  # noqa: PERF401 - what came before the error must be kept
        assert "".join(texts) == "once upon a time"
