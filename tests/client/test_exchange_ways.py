"""Raw exchanges by other ways: through a proxy, over a unix socket, and once more after a dead kept connection."""

from __future__ import annotations

import asyncio

import pytest

from streamarena.client import RawClient, RawRequest
from streamarena.errors import ConfigurationError, StreamTruncatedError
from tests.support.connect_proxy import ConnectProxy
from tests.support.counting import nothing_left
from tests.support.scripted_server import ScriptedServer, answers, read_request, sends

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"


def ask(port, **more):
    return RawRequest(b"GET", "http", "127.0.0.1", port, b"/", [(b"Host", b"x")], **more)


async def body_of(response):
    pieces = []
    while batch := await response.next_batch():
        pieces += batch
    return b"".join(pieces)


async def test_a_raw_request_goes_through_the_proxy_it_is_given():
    async with nothing_left(), ScriptedServer(sends(OK)) as server, ConnectProxy() as proxy:
        client = RawClient(proxy=proxy.url)
        assert await body_of(await client.send(ask(server.port))) == b"hi"
        assert proxy.asked[0].startswith(f"CONNECT 127.0.0.1:{server.port} ".encode())
        client.close()


def test_a_proxy_of_another_kind_is_refused_when_the_client_is_made():
    with pytest.raises(ConfigurationError, match="socks5"):
        RawClient(proxy="socks5://127.0.0.1:1")


async def test_a_raw_request_goes_over_a_unix_socket(tmp_path):
    async def serve(reader, writer):
        await sends(OK)(reader, writer)
        writer.close()

    path = str(tmp_path / "model.sock")
    server = await asyncio.start_unix_server(serve, path)
    async with server, nothing_left():
        client = RawClient()
        assert await body_of(await client.send(ask(1, socket_path=path))) == b"hi"
        client.close()


def dies_after_first():
    """Serve one request a connection, keep it open, and close it at the first byte of the next."""

    async def script(reader, writer):
        await read_request(reader)
        writer.write(OK)
        await writer.drain()
        await reader.read(1)

    return script


@pytest.mark.parametrize("resends", [True, False])
async def test_a_dead_kept_connection_is_replaced_once_where_that_was_asked_for(resends):
    async with nothing_left(), ScriptedServer(dies_after_first()) as server:
        client = RawClient(resend_stale=resends)
        assert await body_of(await client.send(ask(server.port))) == b"hi"
        if resends:
            assert await body_of(await client.send(ask(server.port))) == b"hi"
        else:
            with pytest.raises(StreamTruncatedError):
                await client.send(ask(server.port))
        assert server.connections == (2 if resends else 1)
        client.close()


async def test_a_new_connection_that_dies_is_not_replaced():
    async with nothing_left(), ScriptedServer(sends(b"", then="close")) as server:
        client = RawClient(resend_stale=True)
        with pytest.raises(StreamTruncatedError):
            await client.send(ask(server.port))
        assert server.connections == 1
        client.close()


async def test_connections_to_a_socket_and_to_a_port_are_not_mixed(tmp_path):
    async with nothing_left(), ScriptedServer(answers(b"port", b"")) as server:
        client = RawClient()
        await body_of(await client.send(ask(server.port)))
        with pytest.raises(Exception, match="cannot connect"):
            await client.send(ask(server.port, socket_path=str(tmp_path / "none.sock")))
        client.close()
