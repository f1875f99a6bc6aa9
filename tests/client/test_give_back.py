"""However a stream is left, everything it took is back: sockets, tasks, leases, arenas, places in the pool."""

from __future__ import annotations

import asyncio
import gc

import pytest

from streamarena.client import Limits, StreamClient
from streamarena.errors import PoolClosedError, StreamClosedError, StreamInUseError
from streamarena.pipeline import map_async
from streamarena.testing import LocalCertificates
from tests.support.counting import nothing_left
from tests.support.scripted_server import SSE_HEAD, ScriptedServer, http_chunk, openai_event, read_request, sends

HELLO = http_chunk(openai_event("hello"))


async def endless(reader, writer):
    """A stream that never ends."""
    await read_request(reader)
    writer.write(SSE_HEAD)
    while True:
        writer.write(HELLO)
        await writer.drain()
        await asyncio.sleep(0.002)


SCRIPTS = {
    "before-the-header": sends(then="hang"),
    "before-the-first-content": sends(SSE_HEAD, then="hang"),
    "in-the-middle": endless,
}


@pytest.fixture(params=SCRIPTS, ids=list(SCRIPTS))
async def server(request):
    async with ScriptedServer(SCRIPTS[request.param]) as server:
        yield server


async def read_for_ever(client):
    async with client.stream(model="m", messages=[]) as stream:
        async for _ in stream:
            pass


async def left_alone(server, client):
    async with asyncio.timeout(5):
        while server.open:
            await asyncio.sleep(0.005)
    assert client.connections_in_use == 0


@pytest.mark.parametrize("times", [1, 2], ids=["cancel", "double-cancel"])
async def test_cancelled(server, times):
    async with nothing_left(), StreamClient(server.url) as client:
        task = asyncio.create_task(read_for_ever(client))
        await asyncio.sleep(0.05)
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await task
        await left_alone(server, client)


async def test_cancelled_at_once(server):
    async with nothing_left(), StreamClient(server.url) as client:
        for pauses in range(8):
            task = asyncio.create_task(read_for_ever(client))
            for _ in range(pauses):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await left_alone(server, client)


async def test_timed_out_from_outside(server):
    async with nothing_left(), StreamClient(server.url) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await read_for_ever(client)
        await left_alone(server, client)


@pytest.fixture
async def endless_server():
    async with ScriptedServer(endless) as server:
        yield server


async def test_break(endless_server):
    async with nothing_left(), StreamClient(endless_server.url) as client:
        async with client.stream(model="m", messages=[]) as stream:
            async for _ in stream:
                break
        await left_alone(endless_server, client)
        with pytest.raises(StreamClosedError):
            await stream.next_batch()


async def test_an_exception_of_the_body_is_unchanged(endless_server):
    mine = ValueError("mine")
    async with nothing_left(), StreamClient(endless_server.url) as client:
        with pytest.raises(ValueError, match="mine") as caught:
            async with client.stream(model="m", messages=[]) as stream:
                async for _ in stream:
                    raise mine
        assert caught.value is mine
        await left_alone(endless_server, client)


async def test_an_exception_inside_the_read_callback_closes_and_propagates(endless_server):
    mine = ValueError("mine")

    def callback(chunk):
        raise mine

    async with nothing_left(), StreamClient(endless_server.url) as client:
        async with client.stream(model="m", messages=[]) as stream:
            with pytest.raises(ValueError, match="mine") as caught:
                await stream.for_each(callback)
            assert caught.value is mine
            await left_alone(endless_server, client)


async def test_cancelling_for_each(endless_server):
    async with nothing_left(), StreamClient(endless_server.url) as client:
        async with client.stream(model="m", messages=[]) as stream:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.03):
                    await stream.for_each(lambda chunk: None)
        await left_alone(endless_server, client)


async def test_leaving_with_an_asynchronous_stage_at_work(endless_server):
    async def slow(chunk):
        await asyncio.sleep(3600)

    async with nothing_left(), StreamClient(endless_server.url) as client:
        async with client.stream(model="m", messages=[]) as stream:
            async with stream | map_async(slow, concurrency=4) as flow:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await anext(aiter(flow))
        await left_alone(endless_server, client)


async def test_closing_the_client_ends_its_streams(endless_server):
    async with nothing_left():
        client = StreamClient(endless_server.url, limits=Limits(max_connections=1))
        reading = asyncio.create_task(read_for_ever(client))
        await asyncio.sleep(0.05)
        waiting = asyncio.create_task(read_for_ever(client))
        await asyncio.sleep(0.01)
        await client.aclose()
        with pytest.raises(Exception, match="clos"):
            await reading
        with pytest.raises(PoolClosedError):
            await waiting
        with pytest.raises(PoolClosedError):
            await read_for_ever(client)
        await client.aclose()


async def test_two_tasks_cannot_read_one_stream():
    async with ScriptedServer(sends(SSE_HEAD, then="hang")) as server, StreamClient(server.url) as client:
        async with client.stream(model="m", messages=[]) as stream:
            reading = asyncio.create_task(stream.next_batch())
            await asyncio.sleep(0.02)
            with pytest.raises(StreamInUseError, match="one consumer at a time"):
                await stream.next_batch()
            with pytest.raises(StreamInUseError):  # below the stream's own guard
                await stream._receiver.next_batch()
            reading.cancel()
            await asyncio.wait([reading])


@pytest.mark.slow
@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
async def test_ten_thousand_cancelled_streams_leave_nothing(encrypted):
    certificates = LocalCertificates("localhost") if encrypted else None
    context = certificates.server_context() if certificates else None
    trust = certificates.client_context() if certificates else None
    total, at_once = 10_000 if not encrypted else 2_000, 100
    async with nothing_left(seconds=10), ScriptedServer(endless, context) as server:
        async with StreamClient(server.url, limits=Limits(max_connections=64), ssl_context=trust) as client:
            for number in range(total // at_once):
                tasks = [asyncio.create_task(read_for_ever(client)) for _ in range(at_once)]
                await asyncio.sleep(0.03 * (number % 10) / 9)
                for task in tasks:
                    task.cancel()
                await asyncio.sleep(0)
                for task in tasks[::2]:
                    task.cancel()
                await asyncio.wait(tasks)
                assert all(task.cancelled() for task in tasks)
            await left_alone(server, client)


async def keeps_answering(reader, writer):
    """A server that serves one request after the other on a connection."""
    while True:
        await read_request(reader)
        writer.write(SSE_HEAD + HELLO + http_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
        await writer.drain()


@pytest.mark.parametrize("way", ["for-each", "iterated", "left-early"])
async def test_a_request_leaves_nothing_for_the_collector(way):
    async def request(client):
        async with client.stream(model="m", messages=[]) as stream:
            if way == "for-each":
                await stream.for_each(lambda _: None)
            async for _ in stream:
                if way == "left-early":
                    break

    async with ScriptedServer(keeps_answering) as server, StreamClient(server.url) as client:
        await request(client)
        gc.collect()
        gc.disable()
        try:
            for _ in range(20):
                await request(client)
            gc.set_debug(gc.DEBUG_SAVEALL)
            gc.collect()
            kinds = {type(thing).__name__ for thing in gc.garbage}
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
        assert kinds.isdisjoint({"Session", "Receiver", "Arena", "Intake", "ChunkStream", "Connection"})
