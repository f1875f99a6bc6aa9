"""The relay under servers other than our own: uvicorn as it is, hypercorn and granian, each in a process of its own."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import openai
import pytest

from streamarena.testing import FakeLLM

# The loop of the server is what matters; that of the clients here does not.
pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_factories=["asyncio"])]

APP = "tests.relay.served_relay:app"
SERVERS = {
    "uvicorn": ["uvicorn", APP, "--port", "{port}", "--log-level", "critical"],
    "hypercorn": ["hypercorn", APP, "--bind", "127.0.0.1:{port}", "--log-level", "critical"],
    "granian": ["granian", "--interface", "asgi", APP, "--port", "{port}", "--no-log"],
}
ASK = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture(scope="module")
def llm():
    with FakeLLM.spawn(ttft=0.01, inter_token_latency=0.002, tokens=10) as server:
        yield server


@pytest.fixture(scope="module", params=SERVERS)
def url(request, llm):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", *(word.format(port=port) for word in SERVERS[request.param])]
    environment = {**os.environ, "RELAY_UPSTREAM": f"{llm.url}/v1"}
    root = Path(__file__).parents[2]
    process = subprocess.Popen(command, cwd=root, env=environment, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            assert process.poll() is None, "the server did not start"
            try:
                httpx.get(f"http://127.0.0.1:{port}/healthz")
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def until(condition, seconds=5.0):
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.01)


async def test_streams_and_whole_replies_pass(url):
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client:
        chunks = [chunk async for chunk in await client.chat.completions.create(**ASK)]
        assert sum(bool(choice.delta.content) for chunk in chunks for choice in chunk.choices) == 10
        whole = await client.chat.completions.create(**{**ASK, "stream": False})
        assert whole.usage.completion_tokens == 10
        with pytest.raises(openai.BadRequestError):
            await client.chat.completions.create(model="", messages=[])


async def test_a_caller_that_leaves_ends_its_request(url, llm):
    async with httpx.AsyncClient(timeout=10) as client:

        async def active():
            return (await client.get(f"{url}/healthz")).json()["active"]

        async with httpx.AsyncClient(timeout=10) as leaving:
            asked = {**ASK, "model": "m,tokens=5000"}
            async with leaving.stream("POST", f"{url}/v1/chat/completions", json=asked) as response:
                pieces = response.aiter_raw()
                await anext(pieces)
                assert await active() == 1
        left = time.monotonic()

        async def over():
            return await active() == 0

        await until(over)
        assert time.monotonic() - left < 2
