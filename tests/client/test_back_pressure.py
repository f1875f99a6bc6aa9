"""A consumer that does not keep up stops the reading, by items and by bytes, and nothing is lost."""

from __future__ import annotations

import asyncio

import pytest

from streamarena.client import Limits, StreamClient
from tests.support.scripted_server import DONE, SSE_HEAD, ScriptedServer, http_chunk, openai_event, read_request

COUNT = 40_000
PIECE = http_chunk(openai_event("x" * 100))


class Flood:
    """Sends as fast as the client takes it."""

    sent = 0

    async def __call__(self, reader, writer):
        await read_request(reader)
        writer.write(SSE_HEAD)
        for _ in range(COUNT // 40):
            writer.write(PIECE * 40)
            await writer.drain()
            self.sent += 40
        writer.write(http_chunk(openai_event("", "stop") + DONE) + b"0\r\n\r\n")


@pytest.mark.parametrize(
    "limits", [Limits(pending_items=100), Limits(pending_bytes=20_000)], ids=["by-items", "by-bytes"]
)
async def test_reading_stops_and_goes_on(limits):
    flood = Flood()
    async with ScriptedServer(flood) as server, StreamClient(server.url, limits=limits, keep_result=False) as client:
        async with client.stream(model="m", messages=[]) as stream:
            first = await stream.next_batch()
            await asyncio.sleep(0.3)
            stopped_at = flood.sent
            await asyncio.sleep(0.2)
            assert flood.sent == stopped_at, "the server could send on while nobody took anything"
            waiting = len(stream._receiver._intake.batch)
            assert waiting <= 100 + 2 * 64 * 1024 // len(PIECE)
            texts = sum(chunk.kind == "text" for chunk in first)
            async for batch in stream.batches():
                texts += sum(chunk.kind == "text" for chunk in batch)
    assert texts == COUNT
