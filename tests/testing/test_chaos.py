"""The chaos proxy does to bytes what its rules say, to the byte, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import ssl
import subprocess
import sys
import time

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamarena.errors import ConfigurationError
from streamarena.testing import ChaosProxy, ChaosRule, LocalCertificates, parse_rule
from streamarena.testing.chaos_direction import BUFFER, ChaosContext, Direction
from tests.testing.helpers import CHAT, chat, post, quick, text_of, until

DATA = bytes(range(256)) * 40


@contextlib.asynccontextmanager
async def sender(data=DATA, rest=None):
    """A server that sends `data` to whoever connects, collects what it gets in `rest`, and closes."""
    tasks = set()

    async def serve(reader, writer):
        tasks.add(asyncio.current_task())
        try:
            writer.write(data)
            await writer.drain()
            if rest is None:
                writer.write_eof()
            while piece := await reader.read(65536):
                if rest is not None:
                    rest.extend(piece)
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield ":".join(map(str, server.sockets[0].getsockname()[:2]))
    finally:
        server.close()
        await until(lambda: all(task.done() for task in tasks))


async def fetch(proxy, seconds=5.0):
    """Everything the proxy lets through, as (time since the start, piece), and how it ended."""
    reader, writer = await asyncio.open_connection(*proxy.address)
    pieces, start, end = [], time.monotonic(), "eof"
    try:
        async with asyncio.timeout(seconds):
            while piece := await reader.read(65536):
                pieces.append((time.monotonic() - start, piece))
    except TimeoutError:
        end = "open"
    except ConnectionResetError:
        end = "reset"
    writer.transport.abort()
    return pieces, end


def joined(pieces):
    return b"".join(piece for _, piece in pieces)


@pytest.mark.parametrize(
    ("rules", "received", "end"),
    [
        ((), DATA, "eof"),
        (("cut,after=1000",), DATA[:1000], "eof"),
        (("cut",), b"", "eof"),
        (("reset,after=1",), None, "reset"),
        (("split:7,after=10200",), DATA, "eof"),
        (("stall:0.05,after=500",), DATA, "eof"),
        (("stall,after=500",), DATA[:500], "open"),
        (("throttle:100000",), DATA, "eof"),
        (("delay:0.03", "cut,after=2000"), DATA[:2000], "eof"),
        (("refuse",), b"", None),
        (("cut,after=10,direction=up",), DATA, "eof"),
        (("cut,after=10,from=60",), DATA, "eof"),
        (("cut,after=10,until=0",), DATA, "eof"),
        (("cut,after=10,share=0",), DATA, "eof"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
async def test_what_a_rule_lets_through(rules, received, end):
    async with sender() as target, ChaosProxy(target, *rules) as proxy:
        pieces, ended = await fetch(proxy, 0.5)
        await until(lambda: proxy.open_connections == 0)
    if received is not None:
        assert joined(pieces) == received
    if end is not None:
        assert ended == end


async def test_delays_are_waited_and_stalls_come_where_they_should():
    async with sender() as target, ChaosProxy(target, "delay:0.1", "stall:0.2,after=5000") as proxy:
        pieces, _ = await fetch(proxy)
    assert pieces[0][0] >= 0.095
    late = next(when for index, (when, _) in enumerate(pieces) if len(joined(pieces[: index + 1])) > 5000)
    assert late >= 0.295
    assert joined(pieces) == DATA


async def test_a_throttle_holds_its_speed():
    async with sender() as target, ChaosProxy(target, "throttle:40000") as proxy:
        pieces, _ = await fetch(proxy)
    assert pieces[-1][0] >= len(DATA) / 40_000 * 0.95
    assert len(pieces) > 5


async def test_split_pieces_arrive_apart():
    async with sender(b"abcdefgh") as target, ChaosProxy(target, "split:1") as proxy:
        pieces, _ = await fetch(proxy)
    assert joined(pieces) == b"abcdefgh"
    assert len(pieces) >= 4


async def test_corruption_changes_bytes_by_seed_and_none_are_lost():
    async def run(seed):
        async with sender() as target, ChaosProxy(target, "corrupt:0.01", seed=seed) as proxy:
            return joined((await fetch(proxy))[0])

    first, again, other = await run(1), await run(1), await run(2)
    changed = sum(a != b for a, b in zip(first, DATA, strict=True))
    assert 50 <= changed <= 160
    assert first == again
    assert first != other


async def test_upward_rules_strike_requests_and_half_close_passes_through():
    got = bytearray()
    async with sender(b"", rest=got) as target, ChaosProxy(target, "split:3,direction=up") as proxy:
        reader, writer = await asyncio.open_connection(*proxy.address)
        writer.write(b"hello server")
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        await writer.wait_closed()
        await until(lambda: proxy.open_connections == 0)
    assert got == b"hello server"


async def test_a_share_strikes_some_connections_and_the_same_ones_each_time():
    async def run():
        async with sender() as target, ChaosProxy(target, "cut,after=10,share=0.5", seed=3) as proxy:
            return [len(joined((await fetch(proxy))[0])) == 10 for _ in range(20)]

    first = await run()
    assert 3 <= sum(first) <= 17
    assert await run() == first


async def test_rules_can_be_replaced_while_it_runs():
    async with quick() as llm, ChaosProxy(llm.url, "refuse") as proxy:
        with pytest.raises(httpx.TransportError):
            await post(proxy, CHAT, chat())
        proxy.use()
        assert text_of((await post(proxy, CHAT, chat())).content)
        assert proxy.context.applied["refuse"] == 1
        assert proxy.context.bytes["down"] > 500


async def test_a_server_that_is_not_there_closes_the_client():
    async with sender() as target:
        pass
    async with ChaosProxy(target) as proxy:
        assert joined((await fetch(proxy))[0]) == b""
        await until(lambda: proxy.open_connections == 0)


async def test_tls_passes_through_and_corruption_breaks_it():
    certificates = LocalCertificates()
    async with quick(ssl_context=certificates.server_context()) as llm, ChaosProxy(llm.url) as proxy:
        async with httpx.AsyncClient(verify=certificates.client_context(), trust_env=False) as client:
            assert text_of((await client.post(proxy.url + CHAT, json=chat())).content)
        proxy.use("corrupt:0.01,after=2000")
        async with httpx.AsyncClient(verify=certificates.client_context(), trust_env=False) as client:
            with pytest.raises((httpx.TransportError, ssl.SSLError)):
                await client.post(proxy.url + CHAT, json=chat("m,tokens=100"))


async def test_a_slow_reader_slows_the_server_instead_of_filling_memory():
    data = bytes(64 * 2**20)
    async with sender(data) as target, ChaosProxy(target) as proxy:
        reader, writer = await asyncio.open_connection(*proxy.address, limit=1024)
        await until(lambda: proxy.context.bytes["down"] > 0)
        await asyncio.sleep(0.2)
        assert proxy.context.bytes["down"] < len(data)
        received = 0
        while piece := await asyncio.wait_for(reader.read(2**20), 5):
            received += len(piece)
        writer.transport.abort()
    assert received == len(data)


async def test_leaving_the_proxy_drops_everything_even_while_connecting():
    before = asyncio.all_tasks()
    async with quick(inter_token_latency=10) as llm:
        async with ChaosProxy(llm.url) as proxy:
            requests = [asyncio.ensure_future(post(proxy, CHAT, chat())) for _ in range(5)]
            await until(lambda: llm.statistics.frames >= 3)
            _, late = await asyncio.open_connection(*proxy.address)
        assert proxy.open_connections == 0
        late.transport.abort()
        done = await asyncio.gather(*requests, return_exceptions=True)
        assert all(isinstance(error, httpx.TransportError) for error in done)
        await until(lambda: llm.statistics.open_connections == 0)
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize(
    "text",
    ["fire", "delay", "delay:soon", "split:0", "cut,after", "cut,after=x", "cut,side=left", "cut,direction=left"],
)
def test_rules_that_make_no_sense_are_refused(text):
    with pytest.raises(ConfigurationError):
        parse_rule(text)


def test_a_rule_in_full():
    rule = parse_rule("delay:normal:50ms:10ms, direction=both, share=0.5, after=10, from=1, until=2")
    assert isinstance(rule, ChaosRule)
    assert (rule.direction, rule.share, rule.after, rule.start, rule.stop) == ("both", 0.5, 10, 1.0, 2.0)
    assert str(rule.amount) == "normal:0.05:0.01"


def test_targets_that_name_no_server_are_refused():
    for target in ("nowhere", "http://", ":80"):
        with pytest.raises(ConfigurationError):
            ChaosProxy(target)


class Recorder:
    """An endpoint without a socket."""

    def __init__(self):
        self.data, self.events = bytearray(), []

    def write(self, data):
        self.data += data

    def __getattr__(self, name):
        return lambda: self.events.append(name)


class NoWheel:
    """A wheel whose items are fired by hand."""

    def schedule(self, due, item):
        pass

    discard = schedule


@settings(max_examples=60)
@given(
    st.lists(st.binary(min_size=1, max_size=2000), max_size=12),
    st.lists(st.sampled_from(["split:3", "corrupt:0", "delay:0", "throttle:1e9", "stall:0,after=100"]), max_size=3),
    st.integers(0, 5000),
)
def test_however_rules_are_combined_no_byte_is_lost_or_moved(pieces, rules, cut):
    context = ChaosContext([parse_rule(rule) for rule in (*rules, f"cut,after={cut}")], 0)
    context.start(NoWheel(), 0.0)
    source, target, ends = Recorder(), Recorder(), []
    direction = Direction(context, 1, "down", source=source, target=target, finish=ends.append)
    for piece in pieces:
        direction.take(piece)
    for _ in range(sum(map(len, pieces)) + 1):
        direction._pieces = type(direction._pieces)(piece._replace(due=0.0) for piece in direction._pieces)
        direction.fire()
    whole = b"".join(pieces)
    assert bytes(target.data) == whole[:cut]
    assert ends == (["cut"] if pieces and len(whole) >= cut else [])


def test_the_source_is_paused_at_the_limit_and_resumed_below_it():
    context = ChaosContext([parse_rule("delay:60")], 0)
    context.start(NoWheel(), 0.0)
    source, target = Recorder(), Recorder()
    direction = Direction(context, 1, "down", source=source, target=target, finish=lambda kind: None)
    source_bytes = random.Random(0).randbytes(BUFFER + 1)
    direction.take(source_bytes)
    assert source.events == ["pause"]
    direction._pieces = type(direction._pieces)(piece._replace(due=0.0) for piece in direction._pieces)
    direction.fire()
    assert source.events == ["pause", "resume"]
    assert bytes(target.data) == source_bytes


async def test_the_command_proxies_and_tells_what_it_did():
    async with quick() as llm:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-m", "streamarena", "chaos", llm.url, "--rule", "split:100"),
            stdout=subprocess.PIPE,
        )
        url = (await process.stdout.readline()).decode().strip()
        async with httpx.AsyncClient(base_url=url, trust_env=False, verify=False) as client:
            assert text_of((await client.post(CHAT, json=chat())).content)
        process.send_signal(signal.SIGINT)
        rest, _ = await process.communicate()
    assert process.returncode == 0
    assert b"1 connections" in rest
    assert b"split" in rest
