"""Request bodies that are made while they are sent."""

from __future__ import annotations

import asyncio

import pytest

from streamarena.client import RetryPolicy, StreamClient, Timeouts
from streamarena.errors import ConfigurationError, ProviderError, StreamTruncatedError
from tests.support.counting import nothing_left
from tests.support.scripted_server import DONE, SSE_HEAD, ScriptedServer, http_chunk, openai_event

GOOD = (
    SSE_HEAD
    + b"".join(http_chunk(one) for one in (openai_event("hello"), openai_event("", "stop"), DONE))
    + b"0\r\n\r\n"
)


async def chunked_body(reader):
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


class Receiving:
    """Answers when the whole body is there."""

    def __init__(self):
        self.bodies = []

    async def __call__(self, reader, writer):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"transfer-encoding: chunked" in head
            assert b"content-length" not in head
            self.bodies.append(await chunked_body(reader))
            writer.write(GOOD)


async def pieces(*given, pause=0.0):
    for piece in given:
        await asyncio.sleep(pause)
        yield piece


async def test_a_body_in_pieces_and_the_connection_is_kept():
    receiving = Receiving()
    async with nothing_left(), ScriptedServer(receiving) as server, StreamClient(server.url) as client:
        for _ in range(2):
            async with client.stream(pieces(b"one ", b"", b"two")) as stream:
                assert (await stream.result()).text == "hello"
        assert server.connections == 1
    assert receiving.bodies == [b"one two"] * 2


async def test_the_maker_waits_while_the_server_does_not_read():
    made = 0

    async def endless():
        nonlocal made
        while True:
            made += 1
            yield bytes(65536)

    async def script(reader, writer):
        await asyncio.sleep(3600)

    async with nothing_left(), ScriptedServer(script) as server, StreamClient(server.url) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                async with client.stream(endless()):
                    pass
        assert 0 < made < 400  # 26 MB: what kernels hold, not what half a second could make


async def test_what_the_maker_raises_is_unchanged():
    mine = ValueError("mine")

    async def broken():
        yield b"one"
        raise mine

    async with nothing_left(), ScriptedServer(Receiving()) as server, StreamClient(server.url) as client:
        with pytest.raises(ValueError, match="mine") as caught:
            async with client.stream(broken()):
                pass
        assert caught.value is mine
        assert client.connections_in_use == 0


async def test_an_early_answer_is_read_and_the_connection_not_used_again():
    async def script(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 x\r\ncontent-length: 3\r\n\r\nbig")
        await reader.read()

    async with nothing_left(), ScriptedServer(script) as server, StreamClient(server.url) as client:
        with pytest.raises(ProviderError, match="big"):
            async with client.stream(pieces(*[b"x" * 1000] * 1000, pause=0.001)):
                pass
        assert client._pool.idle == 0


async def test_it_is_never_sent_twice():
    count = 0

    async def script(reader, writer):
        nonlocal count
        count += 1
        await reader.readuntil(b"\r\n\r\n")

    async with nothing_left(), ScriptedServer(script) as server:
        async with StreamClient(server.url, retry=RetryPolicy(first_wait=0)) as client:
            with pytest.raises(StreamTruncatedError):
                async with client.stream(pieces(b"x")):
                    pass
    assert count == 1


async def test_the_wait_for_content_begins_when_the_body_is_out():
    async with ScriptedServer(Receiving()) as server:
        async with StreamClient(server.url, timeouts=Timeouts(first_content=0.15)) as client:
            async with client.stream(pieces(*[b"x"] * 10, pause=0.04)) as stream:
                result = await stream.result()
    assert result.timings.time_to_first_token < 0.15


async def test_members_cannot_be_laid_over_it():
    async with StreamClient("http://a") as client:
        with pytest.raises(ConfigurationError):
            client.stream(pieces(b"x"), model="m")
