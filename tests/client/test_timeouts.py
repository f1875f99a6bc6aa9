"""Each limit of time has its own name, and only content counts as content."""

from __future__ import annotations

import asyncio
import socket

import pytest

from streamarena.client import Limits, StreamClient, Timeouts
from streamarena.errors import (
    ConfigurationError,
    ConnectTimeoutError,
    FirstContentTimeoutError,
    IdleTimeoutError,
    PoolTimeoutError,
    TotalTimeoutError,
)
from tests.support.counting import nothing_left
from tests.support.scripted_server import SSE_HEAD, ScriptedServer, http_chunk, openai_event, read_request, sends

HELLO = http_chunk(openai_event("hello"))
PING = http_chunk(b": ping\n\n")
ROLE = http_chunk(
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m",'
    b'"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
)


async def fails(url, error, timeouts, **options):
    async with nothing_left(), StreamClient(url, timeouts=timeouts, **options) as client:
        with pytest.raises(error) as caught:
            async with asyncio.timeout(10), client.stream(model="m", messages=[]) as stream:
                async for _ in stream:
                    pass
    return caught.value


def repeating(*first, every):
    async def script(reader, writer):
        await read_request(reader)
        for piece in first:
            writer.write(piece)
        while True:
            writer.write(every)
            await writer.drain()
            await asyncio.sleep(0.02)

    return script


@pytest.mark.parametrize(
    "script",
    [
        sends(then="hang"),
        sends(SSE_HEAD, then="hang"),
        sends(SSE_HEAD, ROLE, then="hang"),
        repeating(SSE_HEAD, every=PING),
        repeating(SSE_HEAD, every=ROLE),
    ],
    ids=["no-header", "header-only", "role-only", "pings", "role-chunks"],
)
async def test_first_content(script):
    async with ScriptedServer(script) as server:
        error = await fails(server.url, FirstContentTimeoutError, Timeouts(first_content=0.15))
    assert error.seconds == 0.15
    assert isinstance(error, TimeoutError)


@pytest.mark.parametrize(
    "script",
    [sends(SSE_HEAD, HELLO, then="hang"), repeating(SSE_HEAD, HELLO, every=PING)],
    ids=["silence", "pings"],
)
async def test_idle(script):
    async with ScriptedServer(script) as server:
        error = await fails(server.url, IdleTimeoutError, Timeouts(idle=0.15))
    assert error.seconds == 0.15


async def test_pings_count_when_the_user_says_so():
    async with ScriptedServer(repeating(SSE_HEAD, HELLO, every=PING)) as server:
        await fails(server.url, TotalTimeoutError, Timeouts(idle=0.15, total=0.6, pings_are_content=True))


async def test_idle_does_not_bound_the_whole():
    async def script(reader, writer):
        await read_request(reader)
        writer.write(SSE_HEAD)
        for _ in range(12):
            writer.write(HELLO)
            await asyncio.sleep(0.05)
        writer.write(http_chunk(openai_event("", "stop")) + b"0\r\n\r\n")

    async with ScriptedServer(script) as server, StreamClient(server.url, timeouts=Timeouts(idle=0.4)) as client:
        async with client.stream(model="m", messages=[]) as stream:
            assert (await stream.result()).text == "hello" * 12


async def test_a_slow_consumer_does_not_time_out_its_own_stream():
    async with ScriptedServer(sends(SSE_HEAD, HELLO, HELLO, then="hang", pause=0.01)) as server:
        async with StreamClient(server.url, timeouts=Timeouts(first_content=0.1, idle=0.1)) as client:
            async with client.stream(model="m", messages=[]) as stream:
                await asyncio.sleep(0.3)  # content lies ready all the while
                batch = await stream.next_batch()
                assert [chunk.text for chunk in batch if chunk.kind == "text"] == ["hello", "hello"]
                with pytest.raises(IdleTimeoutError):  # from now on the server is late
                    await stream.next_batch()


@pytest.mark.parametrize(
    "script", [sends(then="hang"), repeating(SSE_HEAD, every=HELLO)], ids=["before-the-header", "while-streaming"]
)
async def test_total(script):
    async with ScriptedServer(script) as server:
        error = await fails(server.url, TotalTimeoutError, Timeouts(total=0.2))
    assert error.seconds == 0.2


async def test_total_covers_waiting_for_a_connection():
    async with ScriptedServer(sends(SSE_HEAD, then="hang")) as server:
        async with StreamClient(server.url, limits=Limits(max_connections=1)) as client:
            async with client.stream(model="m", messages=[]):
                with pytest.raises(TotalTimeoutError):
                    async with client.stream(model="m", messages=[], timeouts=Timeouts(total=0.1)):
                        pass


async def test_pool():
    async with ScriptedServer(sends(SSE_HEAD, then="hang")) as server:
        async with StreamClient(server.url, limits=Limits(max_connections=1), timeouts=Timeouts(pool=0.1)) as client:
            async with client.stream(model="m", messages=[]):
                with pytest.raises(PoolTimeoutError, match=r"Timeouts\.pool"):
                    async with client.stream(model="m", messages=[]):
                        pass
            assert client.connections_in_use == 0


async def test_connect():
    # A full accept queue: further connections neither succeed nor fail.
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = []
        for _ in range(8):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(listening.getsockname())
            waiting.append(one)
        await asyncio.sleep(0.05)
        port = listening.getsockname()[1]
        await fails(f"http://127.0.0.1:{port}", ConnectTimeoutError, Timeouts(connect=0.2))
        for one in waiting:
            one.close()


@pytest.mark.parametrize("name", ["connect", "pool", "first_content", "idle", "total"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_senseless_limit_is_refused(name, value):
    with pytest.raises(ConfigurationError, match=name):
        Timeouts(**{name: value})
