"""While allocations are counted, what a request's read callbacks ask malloc for is found in its scope."""

from __future__ import annotations

import pytest

from streamarena.client import StreamClient
from streamarena.memory import AllocationTracker
from tests.support.scripted_server import SSE_HEAD, ScriptedServer, http_chunk, openai_event, sends

LONG = http_chunk(openai_event("x" * 20_000))
END = http_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


@pytest.fixture
def tracker():
    tracker = AllocationTracker()
    if tracker.source != "hook":
        pytest.skip(str(tracker.refusal))
    yield tracker
    tracker.stop()


async def read(client):
    """Read one stream; returns its arena, and the bytes that the consumer itself has allocated meanwhile."""
    async with client.stream(model="m", messages=[]) as stream:
        async for _ in stream.batches():
            held = bytearray(1_000_000)
    return stream.arena.stats(), len(held)


async def test_read_callbacks_are_attributed_to_their_request(tracker):
    async with ScriptedServer(sends(SSE_HEAD, LONG, END)) as server, StreamClient(server.url) as client:
        tracker.start()
        stats, consumer = await read(client)
        tracker.stop()
    assert stats.section_mallocs >= 1
    assert 20_000 < stats.section_bytes < consumer


async def test_without_counting_there_is_no_section(tracker):
    async with ScriptedServer(sends(SSE_HEAD, LONG, END)) as server, StreamClient(server.url) as client:
        stats, _ = await read(client)
        assert (stats.section_bytes, stats.section_mallocs) == (0, 0)
        tracker.start()
        counted, _ = await read(client)  # over the kept connection
        tracker.stop()
        again, _ = await read(client)
    assert counted.section_mallocs >= 1
    assert again.section_mallocs == 0


async def test_a_callback_inside_the_read_may_open_the_same_section(tracker):
    async with ScriptedServer(sends(SSE_HEAD, LONG, END)) as server, StreamClient(server.url) as client:
        tracker.start()
        async with client.stream(model="m", messages=[]) as stream:

            def take(_: object) -> None:
                with stream.arena.section():
                    bytearray(3_000_000)

            await stream.for_each(take)
        tracker.stop()
    assert stream.arena.stats().section_bytes > 3_000_000
