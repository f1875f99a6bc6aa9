"""The clients that read the same streams: each opens `streams` at once and returns the chunks it saw.

What each does with a chunk is the least that its users do: parse the JSON and look at the text.
The floor reads bytes with `recv_into` and counts nothing: chunks are known from the server's settings.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

BODY = {"model": "fake-model", "stream": True, "messages": [{"role": "user", "content": "Tell me a story."}]}


async def floor(url: str, streams: int) -> int:
    """Nothing but the reads: one buffer, no parsing."""
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    payload = json.dumps(BODY).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(payload)}\r\n\r\n".encode()
    shared = memoryview(bytearray(65536))

    class Reader(asyncio.BufferedProtocol):
        def __init__(self) -> None:
            self.end = loop.create_future()
            self.seen = b""

        def connection_made(self, transport: asyncio.Transport) -> None:
            self.transport = transport
            transport.write(head + payload)

        def get_buffer(self, sizehint: int) -> memoryview:
            del sizehint
            return shared

        def buffer_updated(self, nbytes: int) -> None:
            if shared[nbytes - 5 : nbytes] == b"0\r\n\r\n":
                self.transport.abort()
                self.end.set_result(None)

    async def one() -> None:
        _, reader = await loop.create_connection(Reader, parts.hostname, parts.port)
        await reader.end

    await asyncio.gather(*(one() for _ in range(streams)))
    return 0


async def streamarena_batches(url: str, streams: int) -> int:
    """This project: lists of decoded chunks, one wake-up a read."""
    from streamarena.client import Limits, StreamClient

    seen = 0
    async with StreamClient(f"{url}/v1", limits=Limits(max_connections=streams), keep_result=False) as client:

        async def one() -> None:
            nonlocal seen
            async with client.stream(BODY) as stream:
                async for batch in stream.batches():
                    for chunk in batch:
                        seen += chunk.kind == "text"

        await asyncio.gather(*(one() for _ in range(streams)))
    return seen


async def streamarena_for_each(url: str, streams: int) -> int:
    """This project: decoded chunks inside the read callback."""
    from streamarena.client import Limits, StreamClient

    seen = 0

    def count(chunk: object) -> None:
        nonlocal seen
        seen += chunk.kind == "text"

    async with StreamClient(f"{url}/v1", limits=Limits(max_connections=streams), keep_result=False) as client:

        async def one() -> None:
            async with client.stream(BODY) as stream:
                await stream.for_each(count)

        await asyncio.gather(*(one() for _ in range(streams)))
    return seen


async def aiohttp_orjson(url: str, streams: int) -> int:
    """Aiohttp line by line, orjson."""
    import aiohttp
    import orjson

    seen = 0
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def one() -> None:
            nonlocal seen
            async with session.post(f"{url}/v1/chat/completions", json=BODY) as response:
                async for line in response.content:
                    if line.startswith(b"data: ") and not line.startswith(b"data: [DONE]"):
                        choices = orjson.loads(line[6:])["choices"]
                        seen += bool(choices and choices[0]["delta"].get("content"))

        await asyncio.gather(*(one() for _ in range(streams)))
    return seen


async def httpx_sse_orjson(url: str, streams: int) -> int:
    """Httpx with httpx-sse, orjson."""
    import httpx
    import orjson
    from httpx_sse import aconnect_sse

    seen = 0
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:

        async def one() -> None:
            nonlocal seen
            async with aconnect_sse(client, "POST", f"{url}/v1/chat/completions", json=BODY) as source:
                async for event in source.aiter_sse():
                    if event.data != "[DONE]":
                        choices = orjson.loads(event.data)["choices"]
                        seen += bool(choices and choices[0]["delta"].get("content"))

        await asyncio.gather(*(one() for _ in range(streams)))
    return seen


async def openai_sdk(url: str, streams: int) -> int:
    """The official SDK."""
    from openai import AsyncOpenAI

    seen = 0
    async with AsyncOpenAI(base_url=f"{url}/v1", api_key="x", timeout=60) as client:

        async def one() -> None:
            nonlocal seen
            async with await client.chat.completions.create(**BODY) as stream:
                async for chunk in stream:
                    seen += bool(chunk.choices and chunk.choices[0].delta.content)

        await asyncio.gather(*(one() for _ in range(streams)))
    return seen


CLIENTS: dict[str, Callable[[str, int], Awaitable[int]]] = {
    "recv_into alone": floor,
    "streamarena, for_each": streamarena_for_each,
    "streamarena, batches": streamarena_batches,
    "aiohttp + orjson": aiohttp_orjson,
    "httpx + httpx-sse + orjson": httpx_sse_orjson,
    "AsyncOpenAI": openai_sdk,
}


def run(name: str, url: str, streams: int) -> int:
    """Run one client on uvloop."""
    import uvloop

    factory = asyncio.new_event_loop if sys.platform == "win32" else uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(CLIENTS[name](url, streams))
