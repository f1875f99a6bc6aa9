"""Everything a server can do wrong: the right error, what came before it delivered, and everything given back."""

from __future__ import annotations

import socket

import pytest

from streamarena.client import Limits, StreamClient
from streamarena.errors import (
    BodyTooLargeError,
    ConnectionFailedError,
    DecodeError,
    EventTooLargeError,
    HeaderTooLargeError,
    ProtocolError,
    ProviderError,
    StreamTruncatedError,
    UnexpectedContentError,
)
from tests.support.counting import nothing_left
from tests.support.scripted_server import DONE, SSE_HEAD, ScriptedServer, http_chunk, openai_event, sends

HELLO = openai_event("hello")
CHUNK = http_chunk(HELLO)
END = http_chunk(openai_event("", "stop")) + http_chunk(DONE) + b"0\r\n\r\n"
JSON_HEAD = "HTTP/1.1 {} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n"


def json_answer(status, body):
    return JSON_HEAD.format(status, len(body)).encode() + body


async def collect(url, **options):
    """The text received before the error, and the error itself."""
    texts = []
    async with nothing_left(), StreamClient(url, **options) as client:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - the caller looks at what it is
            async with client.stream(model="m", messages=[]) as stream:
                async for text in stream.text_deltas():
                    texts.append(text)  # noqa: PERF401 - what came before the error must be kept
        assert client.connections_in_use == 0
    return texts, caught.value


# Each case: name, raw pieces, what follows them, the text that must be delivered, the error.
CASES = [
    ("reset-before-headers", [], "reset", [], StreamTruncatedError),
    ("close-before-headers", [], "close", [], StreamTruncatedError),
    ("cut-in-the-header", [b"HTTP/1.1 200 OK\r\ncontent-"], "close", [], StreamTruncatedError),
    ("cut-after-the-header", [SSE_HEAD], "close", [], StreamTruncatedError),
    ("cut-between-events", [SSE_HEAD, CHUNK], "close", ["hello"], StreamTruncatedError),
    ("cut-in-an-event", [SSE_HEAD, CHUNK, http_chunk(HELLO[:30])], "close", ["hello"], StreamTruncatedError),
    ("cut-in-a-chunk", [SSE_HEAD, CHUNK, CHUNK[:30]], "close", ["hello"], StreamTruncatedError),
    ("reset-in-a-chunk", [SSE_HEAD, CHUNK, CHUNK[:30]], "reset", ["hello"], StreamTruncatedError),
    ("body-ends-without-the-end", [SSE_HEAD, CHUNK, b"0\r\n\r\n"], "close", ["hello"], StreamTruncatedError),
    ("not-http", [b"SSH-2.0-OpenSSH_9\r\n"], "hang", [], ProtocolError),
    ("bad-chunk-size", [SSE_HEAD, CHUNK, b"xyz\r\n"], "hang", ["hello"], ProtocolError),
    ("upgrade", [b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"], "hang", [], ProtocolError),
    ("not-json", [SSE_HEAD, CHUNK, http_chunk(b"data: {nope\n\n")], "hang", ["hello"], DecodeError),
    (
        "error-event",
        [SSE_HEAD, CHUNK, http_chunk(b'data: {"error":{"message":"overloaded","code":"529"}}\n\n')],
        "hang",
        ["hello"],
        ProviderError,
    ),
    ("status-429", [json_answer(429, b'{"error":{"message":"slow down"}}')], "hang", [], ProviderError),
    ("status-500-cut", [b"HTTP/1.1 500 x\r\ncontent-length: 99\r\n\r\noops"], "close", [], ProviderError),
    ("success-with-json", [json_answer(200, b'{"choices":[]}')], "hang", [], UnexpectedContentError),
    ("success-with-an-error", [json_answer(200, b'{"error":{"message":"no"}}')], "hang", [], ProviderError),
    (
        "html",
        [b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 15\r\n\r\n<!doctype html>"],
        "hang",
        [],
        UnexpectedContentError,
    ),
    ("redirect", [b"HTTP/1.1 302 x\r\nlocation: /y\r\ncontent-length: 0\r\n\r\n"], "hang", [], ProviderError),
]


@pytest.mark.parametrize(("pieces", "then", "texts", "error"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
async def test_fault(pieces, then, texts, error):
    async with ScriptedServer(sends(*pieces, then=then, pause=0.01)) as server:
        received, caught = await collect(server.url)
    assert received == texts
    assert type(caught) is error, caught


async def test_an_error_status_tells_what_the_provider_said():
    body = b'{"error":{"message":"slow down","type":"rate_limit","code":"rl"}}'
    answer = JSON_HEAD.replace("content-length", "retry-after: 7\r\ncontent-length").format(429, len(body)).encode()
    async with ScriptedServer(sends(answer + body)) as server:
        _, error = await collect(server.url)
    assert (error.status, error.message, error.type, error.code) == (429, "slow down", "rate_limit", "rl")
    assert error.headers["retry-after"] == "7"
    assert error.body == body


async def test_a_huge_error_body_is_cut():
    answer = b"HTTP/1.1 500 x\r\ncontent-type: text/plain\r\n\r\n" + b"x" * 500_000
    async with ScriptedServer(sends(answer, then="hang")) as server:
        _, error = await collect(server.url, limits=Limits(error_bytes=1000))
    assert len(error.body) == 1000


async def test_connection_refused():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        _, error = await collect(f"http://127.0.0.1:{port}")
    assert isinstance(error, ConnectionFailedError)
    assert (error.host, error.port) == ("127.0.0.1", port)
    assert isinstance(error.__cause__, OSError)


async def test_unknown_host():
    _, error = await collect("http://name.invalid:80")
    assert isinstance(error, ConnectionFailedError)


@pytest.mark.parametrize(
    ("head", "limits"),
    [
        (b"x-%d: y\r\n", Limits(header_count=20)),
        (b"x-same: y%d\r\n", Limits(header_count=20)),
        (b"x-%d: " + b"y" * 500 + b"\r\n", Limits(header_bytes=4096)),
    ],
    ids=["count", "count-of-one-name", "bytes"],
)
async def test_a_header_past_its_limit(head, limits):
    fields = b"".join(head % number for number in range(50))
    async with ScriptedServer(sends(b"HTTP/1.1 200 OK\r\n" + fields, then="hang")) as server:
        _, error = await collect(server.url, limits=limits)
    assert isinstance(error, HeaderTooLargeError)
    assert "Limits.header_" in str(error)


async def test_one_endless_header_line():
    async with ScriptedServer(sends(b"HTTP/1.1 200 OK\r\nx: ", *[b"y" * 60_000] * 40, then="hang")) as server:
        _, error = await collect(server.url)
    assert isinstance(error, HeaderTooLargeError)


async def test_a_stream_past_its_byte_limit():
    async with ScriptedServer(sends(SSE_HEAD, *[CHUNK] * 100, then="hang")) as server:
        texts, error = await collect(server.url, limits=Limits(stream_bytes=10 * len(HELLO)))
    assert isinstance(error, BodyTooLargeError)
    assert texts == ["hello"] * 10


async def test_an_event_past_its_byte_limit():
    async with ScriptedServer(sends(SSE_HEAD, CHUNK, http_chunk(b"data: " + b"x" * 5000), then="hang")) as server:
        texts, error = await collect(server.url, limits=Limits(event_bytes=4096))
    assert isinstance(error, EventTooLargeError)
    assert texts == ["hello"]


@pytest.mark.parametrize(
    "extra", [b"HTTP/1.1 200 OK\r\n\r\n", b"garbage", b"\r\n\r\nx"], ids=["response", "text", "blank"]
)
async def test_bytes_after_the_end_close_the_connection_and_harm_nobody(extra):
    async with nothing_left(), ScriptedServer(sends(SSE_HEAD + CHUNK + END + extra, then="hang")) as server:
        async with StreamClient(server.url) as client:
            for _ in range(2):
                async with client.stream(model="m", messages=[]) as stream:
                    assert [chunk.text async for chunk in stream if chunk.kind == "text"] == ["hello"]
            assert server.connections == 2
            assert client.pool_stats.reused == 0


async def test_bytes_that_come_while_idle_close_the_connection():
    async with (
        nothing_left(),
        ScriptedServer(sends(SSE_HEAD + CHUNK + END, b"stray", then="hang", pause=0.05)) as server,
    ):
        async with StreamClient(server.url) as client:
            for _ in range(2):
                async with client.stream(model="m", messages=[]) as stream:
                    await stream.result()
                await _until(lambda: client._pool.idle == 0)
            assert server.connections == 2


async def test_a_kept_connection_that_the_server_closed_is_replaced_unseen():
    async with nothing_left(), ScriptedServer(sends(SSE_HEAD + CHUNK + END, then="close")) as server:
        async with StreamClient(server.url) as client:
            for _ in range(3):
                async with client.stream(model="m", messages=[]) as stream:
                    await stream.result()


async def _until(condition):
    import asyncio

    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)
