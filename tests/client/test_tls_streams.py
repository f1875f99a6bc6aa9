"""Streams over TLS on real sockets: our own layer and the event loop's, good certificates and bad ones."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl

import pytest
import trustme

from streamarena.client import Limits, StreamClient, Timeouts
from streamarena.client.connector import default_ssl_context
from streamarena.errors import ConnectionFailedError, ConnectTimeoutError, StreamTruncatedError
from streamarena.testing import FakeLLM, LocalCertificates
from tests.support.counting import nothing_left
from tests.support.openssl_peer import MemoryPeer
from tests.support.scripted_server import (
    DONE,
    SSE_HEAD,
    ScriptedServer,
    answers,
    http_chunk,
    openai_event,
    read_request,
    sends,
)

BODY = [openai_event("hello"), openai_event("", "stop"), DONE]
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


@pytest.fixture(scope="module")
def certificates():
    return LocalCertificates("localhost", "127.0.0.1")


@pytest.fixture(params=["own", "loop"])
def tls(request):
    return request.param


async def text_of(client):
    async with client.stream(model="m", messages=[]) as stream:
        return (await stream.result()).text


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["tls1.2", "tls1.3"])
async def test_streams_and_kept_connections(certificates, tls, version):
    context = certificates.server_context()
    context.maximum_version = version
    async with nothing_left(), ScriptedServer(answers(*BODY), context) as server:
        async with StreamClient(server.url, ssl_context=certificates.client_context(), tls=tls) as client:
            assert [await text_of(client) for _ in range(3)] == ["hello"] * 3
            assert (server.connections, client.pool_stats.reused) == (1, 2)


async def test_many_streams_at_once_and_large_ones(certificates, tls):
    context = certificates.client_context()
    async with (
        nothing_left(),
        FakeLLM(ssl_context=certificates.server_context(), tokens=2000, ttft=0, inter_token_latency=0) as llm,
    ):
        async with StreamClient(f"{llm.url}/v1", ssl_context=context, tls=tls) as client:
            bodies = await asyncio.gather(*(text_of(client) for _ in range(20)))
            assert all(len(body) > 5000 for body in bodies)


def expired_context():
    authority = trustme.CA()
    past = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    leaf = authority.issue_cert("localhost", not_after=past)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    leaf.configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


def wrong_host():
    certificates = LocalCertificates("elsewhere.test")
    return certificates.server_context(), certificates.client_context()


def unknown_authority():
    return LocalCertificates("localhost").server_context(), LocalCertificates("localhost").client_context()


def default_trust():
    return LocalCertificates("localhost").server_context(), None


REFUSED = [
    (wrong_host, "Hostname mismatch"),
    (expired_context, "certificate has expired"),
    (unknown_authority, "unable to get local issuer"),
    (default_trust, "unable to get local issuer"),
]


@pytest.mark.parametrize(("make", "reason"), REFUSED, ids=[case[0].__name__ for case in REFUSED])
async def test_a_certificate_that_does_not_fit_is_refused_and_nothing_is_sent(tls, make, reason):
    server_context, client_context = make()
    seen = []

    async def script(reader, writer):
        seen.append(await read_request(reader))

    async with nothing_left(), ScriptedServer(script, server_context) as server:
        async with StreamClient(server.url, ssl_context=client_context, tls=tls, api_key="secret") as client:
            with pytest.raises(ConnectionFailedError, match=f"certificate refused.*{reason}") as caught:
                await text_of(client)
            assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
            assert client.connections_in_use == 0
    assert not any(seen)


def test_the_default_context():
    context = default_ssl_context()
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert default_ssl_context() is context


async def test_http_1_1_is_chosen_by_alpn(certificates, tls):
    server_context, client_context = certificates.server_context(), certificates.client_context()
    server_context.set_alpn_protocols(["h2", "http/1.1"])
    client_context.set_alpn_protocols(["http/1.1"])
    async with ScriptedServer(answers(*BODY), server_context) as server:
        async with StreamClient(server.url, ssl_context=client_context, tls=tls) as client:
            assert await text_of(client) == "hello"


async def test_another_protocol_by_alpn_is_refused(certificates, tls):
    server_context, client_context = certificates.server_context(), certificates.client_context()
    server_context.set_alpn_protocols(["h2"])
    client_context.set_alpn_protocols(["h2"])
    async with nothing_left(), ScriptedServer(answers(*BODY), server_context) as server:
        async with StreamClient(server.url, ssl_context=client_context, tls=tls) as client:
            with pytest.raises(ConnectionFailedError, match="h2"):
                await text_of(client)


async def test_sessions_are_not_resumed(certificates, tls):
    script = answers(*BODY, pause=0.02)
    async with ScriptedServer(script, certificates.server_context()) as server:
        async with StreamClient(
            server.url, ssl_context=certificates.client_context(), tls=tls, limits=Limits(max_idle_connections=0)
        ) as client:
            for _ in range(3):
                async with client.stream(model="m", messages=[]) as stream:
                    connection = stream._receiver._connection
                    assert not connection._transport.get_extra_info("ssl_object").session_reused
                    await stream.result()
        assert server.connections == 3


@pytest.mark.parametrize("then", ["hang", "close"])
async def test_a_port_that_speaks_no_tls(certificates, tls, then):
    async def script(reader, writer):
        await reader.read(10)
        writer.write(b"SSH-2.0-OpenSSH_9\r\n")
        if then == "hang":
            await asyncio.sleep(3600)

    async with nothing_left(), ScriptedServer(script) as server:
        url = server.url.replace("http://127.0.0.1", "https://localhost")
        async with StreamClient(url, ssl_context=certificates.client_context(), tls=tls) as client:
            with pytest.raises(ConnectionFailedError):
                await text_of(client)


async def test_a_handshake_that_never_ends(certificates, tls):
    async def script(reader, writer):
        await asyncio.sleep(3600)

    async with nothing_left(), ScriptedServer(script) as server:
        url = server.url.replace("http://127.0.0.1", "https://localhost")
        async with StreamClient(url, tls=tls, timeouts=Timeouts(connect=0.1)) as client:
            with pytest.raises(ConnectTimeoutError):
                await text_of(client)
            task = asyncio.create_task(text_of(client))
            await asyncio.sleep(0.03)
            task.cancel()
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


def over_tls(context, *pieces, end="hang", corrupt=None):
    """A script for a plain server that does TLS itself: every record is one piece, and the end is as told."""

    async def script(reader, writer):
        peer = MemoryPeer(context)
        while not peer.shake_hands():
            writer.write(peer.give())
            peer.take(await reader.read(65536))
        writer.write(peer.give())
        while b"\r\n\r\n" not in peer.read():
            peer.take(await reader.read(65536))
        for number, piece in enumerate(pieces):
            record = bytearray(peer.write(piece))
            if number == corrupt:
                record[-1] ^= 0x40
            writer.write(bytes(record))
            await writer.drain()
            await asyncio.sleep(0.005)
        if end == "close_notify":
            writer.write(peer.close_notify())
        if end == "hang":
            await reader.read()

    return script


async def read_through(script, certificates, **options):
    texts, error = [], None
    async with nothing_left(), ScriptedServer(script) as server:
        url = server.url.replace("http://127.0.0.1", "https://localhost")
        async with StreamClient(url, ssl_context=certificates.client_context(), tls="own", **options) as client:
            try:
                async with client.stream(model="m", messages=[]) as stream:
                    async for text in stream.text_deltas():
                        texts.append(text)  # noqa: PERF401 - what came before the error must be kept
            except StreamTruncatedError as caught:
                error = caught
    return texts, error


async def test_a_body_until_close_ends_with_close_notify(certificates):
    script = over_tls(certificates.server_context(), UNTIL_CLOSE, *BODY, end="close_notify")
    assert await read_through(script, certificates) == (["hello"], None)


async def test_a_body_until_close_without_close_notify_is_cut(certificates):
    script = over_tls(certificates.server_context(), UNTIL_CLOSE, BODY[0], end="fin")
    texts, error = await read_through(script, certificates)
    assert texts == ["hello"]
    assert "close_notify" in str(error)


async def test_a_corrupted_record_ends_its_own_stream_only(certificates):
    pieces = [SSE_HEAD, *(http_chunk(openai_event("hello")) for _ in range(20))]
    good = over_tls(certificates.server_context(), *pieces, http_chunk(openai_event("", "stop") + DONE) + b"0\r\n\r\n")
    bad = over_tls(certificates.server_context(), *pieces, corrupt=10)
    count = 0

    async def script(reader, writer):
        nonlocal count
        count += 1
        await (bad if count % 2 else good)(reader, writer)

    async with nothing_left(), ScriptedServer(script) as server:
        url = server.url.replace("http://127.0.0.1", "https://localhost")
        async with StreamClient(url, ssl_context=certificates.client_context(), tls="own") as client:
            results = await asyncio.gather(*(text_of(client) for _ in range(12)), return_exceptions=True)
    assert sum(isinstance(one, StreamTruncatedError) for one in results) == 6
    assert results.count("hello" * 20) == 6


async def test_cancelled_streams_leave_nothing(certificates, tls):
    script = sends(SSE_HEAD, http_chunk(openai_event("hello")), then="hang")
    async with nothing_left(), ScriptedServer(script, certificates.server_context()) as server:
        async with StreamClient(server.url, ssl_context=certificates.client_context(), tls=tls) as client:
            for pauses in range(12):
                task = asyncio.create_task(text_of(client))
                for _ in range(pauses * 5):
                    await asyncio.sleep(0.0005)
                task.cancel()
                await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            async with asyncio.timeout(5):
                while server.open:
                    await asyncio.sleep(0.005)
