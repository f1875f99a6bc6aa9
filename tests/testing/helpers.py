"""What the tests of the fake server share."""

from __future__ import annotations

import asyncio

import httpx
import orjson

from streamarena.testing import FakeLLM

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"


def chat(model="fake-model", **fields):
    return {"model": model, "stream": True, "messages": [{"role": "user", "content": "Hello, model."}], **fields}


def quick(**options):
    """A server that takes no time."""
    return FakeLLM(**{"ttft": 0, "inter_token_latency": 0, "tokens": 8, **options})


def data_of(body):
    """The JSON payloads of a recorded stream of server-sent events."""
    lines = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: ")]
    return [orjson.loads(line) for line in lines if line != b"[DONE]"]


def text_of(body):
    """The answer's text in a recorded chat completions stream."""
    choices = [choice for event in data_of(body) for choice in event["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


async def post(llm, path, body, **headers):
    async with httpx.AsyncClient(base_url=llm.url, trust_env=False, verify=False) as client:
        return await client.post(path, json=body, headers=headers)


async def raw(llm, path, body, *, limit=2**20, seconds=10.0, headers=""):
    """Send one request and return every byte until the server closes, `limit` or the time is over."""
    reader, writer = await asyncio.open_connection(*llm.address)
    try:
        payload = orjson.dumps(body)
        head = f"POST {path} HTTP/1.1\r\nhost: test\r\n{headers}content-length: {len(payload)}\r\n\r\n"
        writer.write(head.encode() + payload)
        received = bytearray()
        try:
            async with asyncio.timeout(seconds):
                while len(received) < limit and (piece := await reader.read(65536)):
                    received += piece
        except TimeoutError:
            received += b"<open>"
        except ConnectionResetError:
            received += b"<reset>"
        return bytes(received)
    finally:
        writer.transport.abort()


async def until(condition, seconds=5.0):
    """Wait for a condition that the loop will bring about."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)
