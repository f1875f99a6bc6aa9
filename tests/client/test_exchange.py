"""Raw exchanges over real sockets: what is sent, what comes back, what ends them, and what they leave."""

from __future__ import annotations

import asyncio

import pytest

from streamarena.client import Limits, RawClient, RawRequest, RawTimeouts
from streamarena.errors import (
    ConfigurationError,
    ConnectionFailedError,
    HeaderTooLargeError,
    PoolClosedError,
    PoolTimeoutError,
    ProtocolError,
    ReadTimeoutError,
    StreamClosedError,
    StreamTruncatedError,
    WriteTimeoutError,
)
from tests.support.counting import nothing_left
from tests.support.scripted_server import ScriptedServer, answers, http_chunk, read_request, sends

HOST = (b"Host", b"x")
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"


def ask(server, method=b"GET", *fields, body=b"", **timeouts):
    return RawRequest(method, "http", "127.0.0.1", server.port, b"/", [HOST, *fields], body, RawTimeouts(**timeouts))


async def body_of(response):
    pieces = []
    while batch := await response.next_batch():
        pieces += batch
    return b"".join(pieces)


async def test_fields_keep_order_case_and_repetitions_and_connections_are_reused():
    fields = b"Set-Cookie: a=1\r\nX-Two: 2\r\nset-cookie: b=2\r\nTransfer-Encoding: chunked\r\n\r\n"
    head = b"HTTP/1.1 201 Very Fine\r\n" + fields
    async with nothing_left(), ScriptedServer(answers(b"one", b"two", head=head)) as server:
        client = RawClient()
        for _ in range(3):
            response = await client.send(ask(server))
            assert (response.status, response.reason, response.version) == (201, b"Very Fine", b"HTTP/1.1")
            assert response.headers == [
                (b"Set-Cookie", b"a=1"), (b"X-Two", b"2"), (b"set-cookie", b"b=2"), (b"Transfer-Encoding", b"chunked")
            ]  # fmt: skip
            assert await body_of(response) == b"onetwo"
            assert await response.next_batch() == []
        assert server.connections == 1
        assert (client.pool_stats.opened, client.pool_stats.reused) == (1, 2)
        client.close()


async def test_informational_responses_and_trailers_are_not_the_response():
    wire = b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\n" + b"HTTP/1.1 200 OK\r\nA: 1\r\ntransfer-encoding: chunked\r\n\r\n"
    async with ScriptedServer(sends(wire + http_chunk(b"x") + b"0\r\ntrailer: t\r\n\r\n")) as server:
        client = RawClient()
        response = await client.send(ask(server))
        assert (response.reason, response.headers[0], len(response.headers)) == (b"OK", (b"A", b"1"), 2)
        assert await body_of(response) == b"x"
        assert len(response.headers) == 2
        client.close()


async def test_a_head_response_has_no_body_whatever_its_header_says():
    async with (
        nothing_left(),
        ScriptedServer(sends(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n", then="hang")) as server,
    ):
        client = RawClient()
        response = await client.send(ask(server, b"HEAD"))
        assert await response.next_batch() == []
        assert client.open_connections == 0
        client.close()


async def pieces(*parts):
    for part in parts:
        yield part
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("field", "body", "wire"),
    [
        pytest.param((b"Content-Length", b"5"), b"hello", b"hello", id="bytes"),
        pytest.param((b"Content-Length", b"5"), ("he", "llo"), b"hello", id="pieces of a declared length"),
        pytest.param((b"X", b"no framing"), (), b"", id="no pieces and no framing"),
        pytest.param((b"Transfer-Encoding", b"chunked"), b"hello", b"5\r\nhello\r\n0\r\n\r\n", id="bytes in chunks"),
        pytest.param(
            (b"Transfer-Encoding", b"chunked"), ("he", "", "llo"), b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", id="chunks"
        ),
    ],
)
async def test_a_body_is_sent_as_its_header_says(field, body, wire):
    got = []

    async def script(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        got.append(await reader.readexactly(len(wire)))
        writer.write(OK)

    async with ScriptedServer(script) as server:
        client = RawClient()
        body = body if isinstance(body, bytes) else pieces(*(part.encode() for part in body))
        assert await body_of(await client.send(ask(server, b"POST", field, body=body))) == b"hi"
        client.close()
    assert got == [wire]


@pytest.mark.parametrize(
    ("request_parts", "words"),
    [
        pytest.param({"method": b"CONNECT"}, "method", id="CONNECT"),
        pytest.param({"target": b"/ HTTP/1.1\r\nx: y"}, "target", id="target"),
        pytest.param({"headers": [HOST, (b"a", b"b\r\nc: d")]}, "control character", id="value"),
        pytest.param({"headers": [HOST, (b"a b", b"c")]}, "header name", id="name"),
        pytest.param({"headers": []}, "no Host", id="no host"),
        pytest.param({"headers": [HOST, HOST]}, "twice", id="two hosts"),
        pytest.param({"body": b"x"}, "content-length or", id="no framing"),
        pytest.param({"headers": [HOST, (b"content-length", b"-1")]}, "not a number", id="length"),
        pytest.param(
            {"headers": [HOST, (b"content-length", b"1"), (b"transfer-encoding", b"chunked")]},
            "alone",
            id="two framings",
        ),
        pytest.param({"headers": [HOST, (b"transfer-encoding", b"gzip")]}, "alone", id="another coding"),
        pytest.param({"headers": [HOST, (b"content-length", b"2")], "body": b"x"}, "shorter", id="too short"),
        pytest.param({"headers": [HOST, (b"content-length", b"1")], "body": b"xy"}, "longer", id="too long"),
    ],
)
async def test_a_request_that_cannot_be_written_is_refused_and_leaves_nothing(request_parts, words):
    async with nothing_left(), ScriptedServer(sends(OK)) as server:
        parts = {"method": b"POST", "target": b"/", "headers": [HOST], "body": b"", **request_parts}
        client = RawClient()
        with pytest.raises(ConfigurationError, match=words):
            await client.send(RawRequest(scheme="http", host="127.0.0.1", port=server.port, **parts))
        assert client.open_connections == 0
        client.close()


async def test_an_answer_that_refuses_ends_the_upload():
    async def script(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 No\r\ncontent-length: 0\r\n\r\n")
        await reader.read()

    closed = []

    async def endless():
        try:
            while True:
                yield b"x" * 1000
                await asyncio.sleep(0.001)
        finally:
            closed.append(True)

    async with nothing_left(), ScriptedServer(script) as server:
        client = RawClient()
        response = await client.send(ask(server, b"POST", (b"Transfer-Encoding", b"chunked"), body=endless()))
        assert (response.status, closed, client.open_connections) == (413, [True], 0)
        client.close()


async def test_what_the_body_raises_passes_unchanged():
    async def broken():
        yield b"x"
        raise KeyError("mine")

    async with nothing_left(), ScriptedServer(sends(OK, then="hang")) as server:
        client = RawClient()
        with pytest.raises(KeyError, match="mine"):
            await client.send(ask(server, b"POST", (b"Transfer-Encoding", b"chunked"), body=broken()))
        assert client.open_connections == 0
        client.close()


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("wire", "then", "error"),
    [
        pytest.param(b"", "close", StreamTruncatedError, id="no answer"),
        pytest.param(b"", "reset", StreamTruncatedError, id="reset"),
        pytest.param(b"nonsense\r\n\r\n", "close", ProtocolError, id="not HTTP"),
        pytest.param(CHUNKED + http_chunk(b"x"), "close", StreamTruncatedError, id="cut body"),
        pytest.param(CHUNKED + http_chunk(b"x") + b"zz\r\n", "hang", ProtocolError, id="bad chunk size"),
        pytest.param(b"HTTP/1.1 200 OK\r\na: " + b"x" * 70_000, "hang", HeaderTooLargeError, id="huge header"),
        pytest.param(CHUNKED + http_chunk(b"x"), "hang", ReadTimeoutError, id="stall"),
        pytest.param(b"", "hang", ReadTimeoutError, id="no header"),
    ],
)
async def test_each_fault_is_its_error_after_what_came_before_it(wire, then, error):
    async with nothing_left(), ScriptedServer(sends(wire, then=then)) as server:
        client = RawClient()
        got = b""
        with pytest.raises(error):
            response = await client.send(ask(server, read=0.1))
            while batch := await response.next_batch():
                got += b"".join(batch)
        assert got == (b"x" if b"\r\nx\r\n" in wire else b"")
        assert client.open_connections == 0
        client.close()


async def test_refused_connections_full_pools_and_closed_clients_have_names():
    async with ScriptedServer(sends(CHUNKED, then="hang")) as server:
        client = RawClient(limits=Limits(max_connections=1))
        response = await client.send(ask(server))
        with pytest.raises(PoolTimeoutError):
            await client.send(ask(server, pool=0.05))
        reading = asyncio.create_task(response.next_batch())
        await asyncio.sleep(0)
        client.close()
        with pytest.raises(PoolClosedError):
            await reading
        with pytest.raises(PoolClosedError):
            await client.send(ask(server))
        response.close()
        with pytest.raises(StreamClosedError):
            await response.next_batch()
    other = RawClient()
    with pytest.raises(ConnectionFailedError):
        await other.send(ask(server))
    other.close()


async def test_a_peer_that_takes_nothing_meets_the_write_limit():
    async def script(reader, writer):
        await asyncio.sleep(5)

    async with nothing_left(), ScriptedServer(script) as server:
        client = RawClient()
        big = b"x" * 30_000_000
        with pytest.raises(WriteTimeoutError):
            await client.send(ask(server, b"POST", (b"Content-Length", str(len(big)).encode()), body=big, write=0.1))
        assert client.open_connections == 0
        client.close()


async def test_a_consumer_that_does_not_read_stops_the_sender():
    sent = 0

    async def script(reader, writer):
        nonlocal sent
        await read_request(reader)
        writer.write(CHUNKED)
        for _ in range(1000):
            writer.write(http_chunk(b"x" * 65536))
            await writer.drain()
            sent += 1
        writer.write(b"0\r\n\r\n")

    async with nothing_left(), ScriptedServer(script) as server:
        client = RawClient()
        response = await client.send(ask(server))
        await asyncio.sleep(0.3)
        held = sent
        assert held < 900
        assert len(await body_of(response)) == 1000 * 65536
        assert sent == 1000
        client.close()


@pytest.mark.parametrize(
    ("at", "how"),
    [
        ("body", "close"),
        ("body", "cancel"),
        ("body", "double cancel"),
        ("header", "cancel"),
        ("header", "double cancel"),
    ],
)
async def test_leaving_early_leaves_nothing(at, how):
    async with nothing_left(), ScriptedServer(sends(*([CHUNKED] if at == "body" else []), then="hang")) as server:
        client = RawClient()

        async def read():
            response = await client.send(ask(server))
            if how == "close":
                response.close()
                return
            await response.next_batch()

        task = asyncio.create_task(read())
        await asyncio.sleep(0.05)
        if how != "close":
            task.cancel()
        if how == "double cancel":
            await asyncio.sleep(0)
            task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(outcome, asyncio.CancelledError) is (how != "close")
        assert client.open_connections == 0
        client.close()


# ---------------------------------------------------------------- for_each


async def test_a_sink_gets_everything_and_what_it_waits_for_stops_the_reading():
    async with nothing_left(), ScriptedServer(answers(*[b"x" * 1000] * 200)) as server:
        client = RawClient(limits=Limits(pending_bytes=4000))
        response = await client.send(ask(server))
        got, waits = [], []

        async def wait():
            waits.append(len(b"".join(got)))
            await asyncio.sleep(0.001)

        def sink(pieces):
            got.extend(pieces)
            return wait() if len(got) % 3 == 0 else None

        await response.for_each(sink)
        assert b"".join(got) == b"x" * 200_000
        assert waits
        assert client.open_connections == 1  # and it can be used again
        client.close()


async def test_what_a_sink_raises_is_raised_and_closes_the_response():
    async with nothing_left(), ScriptedServer(sends(CHUNKED + http_chunk(b"x"), then="hang")) as server:
        client = RawClient()
        response = await client.send(ask(server))

        def sink(pieces):
            raise KeyError(*pieces)

        with pytest.raises(KeyError, match="x"):
            await response.for_each(sink)
        assert (response.closed, client.open_connections) == (True, 0)
        client.close()


@pytest.mark.parametrize(
    ("then", "error"), [("close", StreamTruncatedError), ("reset", StreamTruncatedError), ("hang", ReadTimeoutError)]
)
async def test_a_sink_gets_what_came_before_an_error(then, error):
    async with nothing_left(), ScriptedServer(sends(CHUNKED + http_chunk(b"x"), then=then)) as server:
        client = RawClient()
        response = await client.send(ask(server, read=0.1))
        got = []
        with pytest.raises(error):
            await response.for_each(got.extend)
        assert got == [b"x"]
        client.close()


async def test_cancelling_a_sink_gives_the_connection_back():
    async with nothing_left(), ScriptedServer(sends(CHUNKED + http_chunk(b"x"), then="hang")) as server:
        client = RawClient()
        response = await client.send(ask(server))
        got = []
        reading = asyncio.create_task(response.for_each(got.extend))
        while not got:
            await asyncio.sleep(0.001)
        reading.cancel()
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
        assert (reading.cancelled(), client.open_connections) == (True, 0)
        client.close()
