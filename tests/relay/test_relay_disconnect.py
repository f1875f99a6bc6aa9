"""A caller that leaves: the upstream is closed within half a second in every phase, or drained within its bounds."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time

import pytest

from streamarena.relay import RelayLimits, RelaySettings, RetrySettings, RouteSettings, TargetSettings
from streamarena.relay.disconnect import DisconnectPolicy
from tests.relay.serving import serve_relay
from tests.support.counting import nothing_left
from tests.support.scripted_server import DONE, SSE_HEAD, ScriptedServer, http_chunk, openai_event, read_request

BODY = b'{"model":"m","stream":true,"messages":[{}]}'
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(BODY)
WITHIN = 0.5


class Upstream(ScriptedServer):
    """Answers so far, then waits for the relay to leave.

    Attributes:
        reached: set when the phase is; left: set when the connection has ended.
    """

    def __init__(self, *pieces, every=None):
        super().__init__(self._run)
        self._pieces = pieces
        self._every = every
        self.reached = asyncio.Event()
        self.left = asyncio.Event()
        self.sent = 0

    async def _run(self, reader, writer):
        await read_request(reader)
        for piece in self._pieces:
            writer.write(piece)
            await writer.drain()
        self.reached.set()
        leaving = asyncio.create_task(reader.read())
        try:
            while not leaving.done():
                await asyncio.wait([leaving], timeout=0.01)
                if self._every and not leaving.done():
                    writer.write(self._every)
                    self.sent += len(self._every)
                    with contextlib.suppress(ConnectionError):
                        await writer.drain()
        finally:
            leaving.cancel()
            self.left.set()


async def call(url, data=HEAD + BODY):
    reader, writer = await asyncio.open_connection(*url.removeprefix("http://").split(":"))
    writer.write(data)
    await writer.drain()
    return reader, writer


async def leave(writer):
    """Leave as a process that was killed does."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()


async def until(condition, seconds=WITHIN):
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "too late"
        await asyncio.sleep(0.005)


def to(url, **more):
    return RelaySettings(targets={"up": TargetSettings(base_url=url)}, **more)


PHASES = {
    "before headers": ((), None),
    "before first content": ((SSE_HEAD, http_chunk(b": ping\n\n")), None),
    "mid-stream": ((SSE_HEAD, http_chunk(openai_event("a"))), http_chunk(openai_event("b"))),
    "while the upstream stalls": ((SSE_HEAD, http_chunk(openai_event("a"))), None),
}


@pytest.mark.parametrize("run", range(5))
@pytest.mark.parametrize(("pieces", "every"), PHASES.values(), ids=PHASES)
async def test_the_upstream_is_closed_when_the_caller_leaves(pieces, every, run):
    async with nothing_left(), Upstream(*pieces, every=every) as server:
        async with serve_relay(to(server.url), direct=run % 2 == 0) as (url, relay):
            _, writer = await call(url)
            await server.reached.wait()
            await asyncio.sleep(0.002 * run)
            await leave(writer)
            await asyncio.wait_for(server.left.wait(), WITHIN)
            await until(lambda: not relay.active)


@pytest.mark.parametrize("run", range(5))
async def test_a_connection_that_is_being_opened_is_given_up(run):
    with socket.socket() as full:  # nobody accepts, and the queue is full: a connection takes for ever
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = []
        with contextlib.suppress(TimeoutError):
            while len(waiting) < 9:
                waiting += [await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 0.05)]
        async with nothing_left(), serve_relay(to(f"http://127.0.0.1:{port}/v1")) as (url, relay):
            _, writer = await call(url)
            await until(lambda: relay.active == 1)
            await asyncio.sleep(0.01)
            await leave(writer)
            await until(lambda: not relay.active)
        for _, writer in waiting:
            writer.transport.abort()


async def test_a_caller_that_leaves_in_the_middle_of_its_request_asks_nobody():
    async with nothing_left(), Upstream() as server, serve_relay(to(server.url)) as (url, relay):
        _, writer = await call(url, HEAD + BODY[:10])
        await until(lambda: relay.active == 1)
        await leave(writer)
        await until(lambda: not relay.active)
        assert server.connections == 0


async def test_a_caller_that_leaves_the_queue_gives_its_place_up():
    limits = RelayLimits(requests=1, wait_seconds=5)
    async with nothing_left(), Upstream() as server, serve_relay(to(server.url, limits=limits)) as (url, relay):
        _, first = await call(url)
        await server.reached.wait()
        _, second = await call(url)
        await until(lambda: relay.active == 2)
        await leave(second)
        await until(lambda: relay.active == 1)
        await leave(first)
        await until(lambda: not relay.active)
        assert server.connections == 1


async def test_nobody_is_asked_again_for_a_caller_that_has_left():
    async with Upstream() as server:
        told = RelaySettings(
            targets={
                "gone": TargetSettings(base_url="http://127.0.0.1:1/v1"),
                "up": TargetSettings(base_url=server.url),
            },
            routes=(
                RouteSettings(
                    models="*", targets="gone", fallbacks=("up",), retry=RetrySettings(attempts=9, first_wait=30)
                ),
            ),
        )
        async with nothing_left(), serve_relay(told) as (url, relay):
            _, writer = await call(url)
            await until(lambda: relay.active == 1)
            await asyncio.sleep(0.05)  # it waits for its next attempt now
            await leave(writer)
            await until(lambda: not relay.active)
        assert server.connections == 0


async def test_a_cancelled_server_closes_the_upstream_too():
    async with nothing_left(), Upstream(SSE_HEAD, http_chunk(openai_event("a"))) as server:
        async with serve_relay(to(server.url)) as (url, _):
            _, writer = await call(url)
            await server.reached.wait()
        await asyncio.wait_for(server.left.wait(), WITHIN)  # the context cancelled every request
        writer.close()


# ---------------------------------------------------------------- draining


async def test_a_drained_stream_is_read_to_its_end_so_that_its_usage_is_known():
    seen = []
    usage = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n'
    release = asyncio.Event()

    async def script(reader, writer):
        await read_request(reader)
        writer.write(SSE_HEAD + http_chunk(openai_event("a")))
        await release.wait()
        writer.write(http_chunk(openai_event("b", "stop") + usage + DONE) + b"0\r\n\r\n")

    told = {"disconnect": DisconnectPolicy("drain")}
    async with nothing_left(), ScriptedServer(script) as server:
        async with serve_relay(to(server.url, **told), [seen.append]) as (url, relay):
            reader, writer = await call(url)
            await reader.readuntil(b"\n\n")
            await leave(writer)
            await asyncio.sleep(0.05)
            assert relay.active == 1
            release.set()
            await until(lambda: not relay.active)
    finished = seen[-1]
    assert (finished.outcome, finished.drained, finished.stream.usage.output_tokens) == ("left", True, 4)


BOUNDS = {
    "seconds, before the answer": (DisconnectPolicy("drain", seconds=0.1), ()),
    "seconds, mid-stream": (DisconnectPolicy("drain", seconds=0.1), (SSE_HEAD, http_chunk(openai_event("a")))),
    "bytes": (DisconnectPolicy("drain", bytes=2000), (SSE_HEAD, http_chunk(openai_event("a")))),
}


@pytest.mark.parametrize(("policy", "pieces"), BOUNDS.values(), ids=BOUNDS)
async def test_draining_has_its_bounds(policy, pieces):
    every = http_chunk(openai_event("b")) if pieces else None
    async with nothing_left(), Upstream(*pieces, every=every) as server:
        async with serve_relay(to(server.url, disconnect=policy)) as (url, relay):
            _, writer = await call(url)
            await server.reached.wait()
            await leave(writer)
            await asyncio.sleep(0.03)
            assert relay.active == 1
            await until(lambda: not relay.active, 1.0)
        assert server.sent < 20_000
