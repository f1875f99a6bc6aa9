"""The middleware under uvicorn, hypercorn and granian, each in a process of its own, with real clients in front."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import openai
import pytest
from anthropic import AsyncAnthropic

from streamarena.sse import SSEParser
from tests.relay.streams import stream_of

# The loop of the server is what matters; that of the clients here does not.
pytestmark = pytest.mark.asyncio(loop_factories=["asyncio"])

ROOT = Path(__file__).parents[2]
APP = "tests.relay.served_app"
SERVERS = {
    "uvicorn": ["uvicorn", f"{APP}:fastapi_app", "--port", "{port}", "--log-level", "critical", "--loop", "uvloop"],
    "hypercorn": ["hypercorn", f"{APP}:starlette_app", "--bind", "127.0.0.1:{port}", "--log-level", "critical"],
    "granian": ["granian", "--interface", "asgi", f"{APP}:starlette_app", "--port", "{port}", "--no-log"],
}
CHAT = stream_of("openai-chat", ("Hello", " there", ", you"))


@pytest.fixture(scope="module", params=SERVERS)
def name(request):
    """A server's name."""
    return request.param


@pytest.fixture(scope="module")
def server(name):
    """Its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    module, *arguments = [word.format(port=port) for word in SERVERS[name]]
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=ROOT, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            assert process.poll() is None, "the server did not start"
            try:
                httpx.get(f"{url}/state")
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
async def client(server):
    """A client of the server; the state is empty when a test begins."""
    async with httpx.AsyncClient(base_url=server, timeout=10) as made:
        await made.get("/state")
        yield made


async def finished(client, count=1, seconds=2.0):
    """What became of the requests, once that many are over; and what is left of them a moment later.

    A framework's generator that was left in `send` is closed by the loop, a turn or two after its request.
    """
    seen = []
    async with asyncio.timeout(seconds):
        while len(seen) < count:
            await asyncio.sleep(0.01)
            seen += (await client.get("/state")).json()["finished"]
    await asyncio.sleep(0.02)
    return seen, (await client.get("/state")).json()["left"]


NOTHING = {"running": 0, "outstanding": 0, "open": 0, "tasks": 0}


async def test_a_stream_passes_byte_for_byte(client):
    response = await client.post("/v1/chat/completions", json={})
    assert response.content == b"".join(CHAT)
    assert response.headers["x-accel-buffering"] == "no"
    assert "no-transform" in response.headers["cache-control"]
    assert await finished(client) == ([["/v1/chat/completions", "complete", "NoneType", 3, False]], NOTHING)


LEAVING = {
    "before the header": ({"hang": "before header", "stream": True}, 0),
    "before content": ({"hang": "before content"}, 0),
    "while the upstream stalls": ({"hang": "inside"}, 1),
    "mid-stream": ({"delay": 0.02, "text": ["x"] * 500}, 3),
}


@pytest.mark.parametrize("moment", LEAVING)
async def test_a_client_that_leaves_ends_the_endpoints_work_within_half_a_second(server, client, moment):
    body, pieces = LEAVING[moment]
    raw = httpx.Request("POST", f"{server}/v1/chat/completions", json=body)
    reader, writer = await asyncio.open_connection(raw.url.host, raw.url.port)
    head = f"POST {raw.url.path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    writer.write(f"{head}content-length: {len(raw.content)}\r\n\r\n".encode() + raw.content)
    got = b""
    while got.count(b"data: ") < pieces:
        got += await reader.read(4096)
    await asyncio.sleep(0.1)
    writer.transport.abort()
    left_at = time.monotonic()
    seen, left = await finished(client)
    assert seen[0][1] == "left", seen
    assert time.monotonic() - left_at < 0.5
    assert left == NOTHING


async def test_draining_learns_the_usage_of_an_answer_nobody_hears(client):
    async with client.stream("POST", "/drain/chat/completions", json={"delay": 0.05}) as response:
        async for _ in response.aiter_raw():
            break
    seen, left = await finished(client)
    assert seen == [["/drain/chat/completions", "left", "NoneType", 3, True]]
    assert left == NOTHING


async def test_silence_ends_a_stream_with_an_error_of_its_own_form(client):
    response = await client.post("/timeouts/chat/completions", json={"hang": "inside"})
    assert SSEParser().feed(response.content)[-1].json()["error"]["code"] == "idle_timeout"
    response = await client.post("/timeouts/messages", json={"hang": "before header", "stream": True})
    assert response.status_code == 504
    assert response.json()["error"]["type"] == "timeout_error"
    seen, left = await finished(client, 2)
    assert [entry[2] for entry in seen] == ["IdleTimeoutError", "FirstContentTimeoutError"]
    assert left == NOTHING


async def test_comments_keep_a_silent_stream_alive(client):
    async with client.stream("POST", "/alive/chat/completions", json={"hang": "before content"}) as response:
        async for piece in response.aiter_raw():
            assert piece == b": keep-alive\n\n"
            break
    assert (await finished(client))[0][0][1] == "left"


async def test_an_error_between_events_is_told_and_one_inside_an_event_cuts_the_connection(client):
    response = await client.post("/v1/chat/completions", json={"fail": 2})
    assert b"secret" not in response.content
    assert SSEParser().feed(response.content)[-1].json()["error"]["code"] == "internal_error"
    with pytest.raises(httpx.TransportError):
        await client.post("/v1/chat/completions", json={"cut": 2})
    seen, left = await finished(client, 2)
    assert [entry[1:3] for entry in seen] == [["failed", "RuntimeError"]] * 2
    assert left == NOTHING


async def test_nothing_piles_up_behind_a_reader_that_does_not_read(client, name):
    if name == "granian":
        pytest.skip("granian's own send never waits for the client: it takes all there is")
    async with client.stream("POST", "/v1/chat/completions", json={"filler": 500}) as response:
        await asyncio.sleep(0.5)
        first = (await client.get("/state")).json()["produced"]
        await asyncio.sleep(0.2)
        assert (await client.get("/state")).json()["produced"] == 0
        assert first < 16 * 2**20  # what the kernel's socket buffers take, and the server's own
        got = await response.aread()
    assert got.endswith(b"".join(CHAT))
    assert got.count(b"x" * 65_000) == 500
    assert (await finished(client))[0][0][1] == "complete"


async def test_two_hundred_clients_that_leave_leave_nothing(client):
    limits = httpx.Limits(max_connections=100)

    async def leave(many, number):
        async with many.stream("POST", "/v1/chat/completions", json={"delay": 0.05, "text": ["x"] * 100}) as response:
            async for _ in response.aiter_raw():
                break

    async with httpx.AsyncClient(base_url=client.base_url, timeout=20, limits=limits) as many:
        await asyncio.gather(*(leave(many, number) for number in range(200)))
    seen, _ = await finished(client, 200, 10)
    assert {entry[1] for entry in seen} == {"left"}
    assert (await client.get("/state")).json()["left"] == NOTHING


# ---------------------------------------------------------------- SDKs


@pytest.fixture
async def gpt(server):
    """OpenAI's SDK."""
    async with openai.AsyncOpenAI(base_url=f"{server}/redact", api_key="k", max_retries=0) as made:
        yield made


ASK = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
KEY = {"text": ["key s", "k-ab", "cd", " end"]}


async def test_openais_sdk_reads_a_redacted_chat_stream(gpt):
    stream = await gpt.chat.completions.create(**ASK, extra_body=KEY)
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
    assert text == "key [redacted] end"


async def test_openais_sdk_reads_a_redacted_responses_stream(gpt):
    async with gpt.responses.stream(model="m", input="Hi", extra_body=KEY) as stream:
        deltas = [event.delta async for event in stream if event.type == "response.output_text.delta"]
        final = await stream.get_final_response()
    assert "".join(deltas) == final.output_text == "key [redacted] end"


async def test_anthropics_sdk_reads_a_redacted_stream(server):
    async with AsyncAnthropic(base_url=server, api_key="k", max_retries=0) as claude:
        ask = {"model": "m", "max_tokens": 9, "messages": ASK["messages"]}
        async with claude.messages.stream(**ask, extra_body=KEY) as stream:
            assert "".join([text async for text in stream.text_stream]) == "key [redacted] end"


async def test_sdks_raise_what_went_wrong_after_the_header(server):
    async with openai.AsyncOpenAI(base_url=f"{server}/v1", api_key="k", max_retries=0) as gpt:
        stream = await gpt.chat.completions.create(**ASK, extra_body={"fail": 2})
        with pytest.raises(openai.APIError, match="failed at this request"):
            async for _ in stream:
                pass


async def test_leaving_an_sdks_stream_ends_the_endpoints_work(server, client):
    async with openai.AsyncOpenAI(base_url=f"{server}/v1", api_key="k", max_retries=0) as gpt:
        extra = {"delay": 0.02, "text": ["x"] * 500}
        async with await gpt.chat.completions.create(**ASK, extra_body=extra) as stream:
            async for _ in stream:
                break
        seen, left = await finished(client)
    assert (seen[0][1], left) == ("left", NOTHING)
