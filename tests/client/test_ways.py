"""The ways to a server: through a proxy, over a unix socket, with a client certificate."""

from __future__ import annotations

import asyncio
import ssl

import pytest
import trustme

from streamarena.client import ClientCertificate, StreamClient, Target, Timeouts
from streamarena.client.proxy import EnvironmentProxies, Proxy, parse_proxy
from streamarena.errors import ConfigurationError, ConnectionFailedError, ConnectTimeoutError, StreamTruncatedError
from streamarena.testing import LocalCertificates
from tests.support.connect_proxy import ConnectProxy
from tests.support.counting import nothing_left
from tests.support.scripted_server import DONE, ScriptedServer, answers, openai_event, read_request

BODY = [openai_event("hello"), openai_event("", "stop"), DONE]


@pytest.fixture(scope="module")
def certificates():
    return LocalCertificates("localhost", "api.test")


@pytest.fixture(params=["own", "loop"])
def tls(request):
    return request.param


async def text_of(client):
    async with client.stream(model="m", messages=[]) as stream:
        return (await stream.result()).text


# ---------------------------------------------------------------- proxies


async def test_tls_through_a_tunnel(certificates, tls):
    context = certificates.client_context()
    async with nothing_left(), ScriptedServer(answers(*BODY), certificates.server_context()) as server:
        async with ConnectProxy(reach=server.port) as proxy:
            url = "https://api.test/v1"  # a name that only the proxy knows
            async with StreamClient(url, ssl_context=context, tls=tls, proxy=proxy.url, api_key="secret") as client:
                assert [await text_of(client) for _ in range(2)] == ["hello"] * 2
            assert len(proxy.asked) == 1
            assert proxy.asked[0].startswith(b"CONNECT api.test:443 HTTP/1.1\r\n")
            assert b"secret" not in proxy.asked[0]


async def test_plain_http_goes_through_a_tunnel_too():
    async with nothing_left(), ScriptedServer(answers(*BODY)) as server, ConnectProxy() as proxy:
        async with StreamClient(server.url, proxy=proxy.url) as client:
            assert await text_of(client) == "hello"
        assert len(proxy.asked) == 1


async def test_the_certificate_behind_a_tunnel_is_checked(certificates, tls):
    async with nothing_left(), ScriptedServer(answers(*BODY), certificates.server_context()) as server:
        async with ConnectProxy(reach=server.port) as proxy:
            context = certificates.client_context()
            async with StreamClient("https://other.test", ssl_context=context, tls=tls, proxy=proxy.url) as client:
                with pytest.raises(ConnectionFailedError, match="Hostname mismatch"):
                    await text_of(client)


async def test_a_proxy_that_wants_a_password_gets_it_and_nobody_else():
    seen = []

    async def script(reader, writer):
        seen.append(await read_request(reader))

    async with nothing_left(), ScriptedServer(script) as server, ConnectProxy() as proxy:
        given = proxy.url.replace("http://", "http://us%40er:pa%3Ass@")
        async with StreamClient(server.url, proxy=given) as client:
            with pytest.raises(StreamTruncatedError):
                await text_of(client)
            shown = repr(client) + repr(client._connector._settings)
    assert b"proxy-authorization: Basic dXNAZXI6cGE6c3M=\r\n" in proxy.asked[0]
    assert b"authorization" not in seen[0].lower()
    assert "pa:ss" not in shown
    assert "dXNAZXI6" not in shown


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "refused the tunnel: 407 Proxy Authentication"),
        (b"HTTP/1.1 403\r\n\r\n", "refused the tunnel: 403"),
        (b"SSH-2.0\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 204 ok\r\n\r\nmore", "more behind"),
        (b"HTTP/1.1 204 ok\r\nx: " + b"y" * 20_000, "not HTTP"),
        (b"", "closed"),
    ],
    ids=["407", "403", "not-http", "more-behind", "huge", "closed"],
)
async def test_a_proxy_that_does_not_help(answer, reason):
    async with nothing_left(), ConnectProxy(answer) as proxy:
        async with StreamClient("http://api.test", proxy=proxy.url) as client:
            with pytest.raises(ConnectionFailedError, match=reason):
                await text_of(client)


async def test_a_proxy_that_says_nothing():
    async def script(reader, writer):
        await asyncio.sleep(3600)

    async with nothing_left(), ScriptedServer(script) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        async with StreamClient("http://api.test", proxy=url, timeouts=Timeouts(connect=0.1)) as client:
            with pytest.raises(ConnectTimeoutError):
                await text_of(client)
            task = asyncio.create_task(text_of(client))
            await asyncio.sleep(0.03)
            task.cancel()
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


async def test_the_environment_names_the_proxy(monkeypatch):
    async with ScriptedServer(answers(*BODY)) as server, ConnectProxy(reach=server.port) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "exempt.test")
        async with StreamClient("http://api.test/v1") as client:
            assert await text_of(client) == "hello"
        async with StreamClient(server.url) as client:  # loopback
            assert await text_of(client) == "hello"
        for options in (
            {"base_url": "http://api.test", "environment_proxies": False},
            {"base_url": "http://exempt.test"},
        ):
            async with StreamClient(**options, timeouts=Timeouts(connect=2)) as client:
                with pytest.raises((ConnectionFailedError, ConnectTimeoutError)):
                    await text_of(client)
    assert len(proxy.asked) == 1


@pytest.mark.parametrize(
    ("environment", "scheme", "host", "found"),
    [
        ({}, "https", "a.test", None),
        ({"https_proxy": "http://p:1"}, "https", "a.test", ("p", 1)),
        ({"https_proxy": "http://p:1"}, "http", "a.test", None),
        ({"HTTPS_PROXY": "p:1"}, "https", "a.test", ("p", 1)),
        ({"HTTPS_PROXY": "q:2", "https_proxy": "p:1"}, "https", "a.test", ("p", 1)),
        ({"all_proxy": "http://p"}, "http", "a.test", ("p", 80)),
        ({"HTTP_PROXY": "p:1", "REQUEST_METHOD": "GET"}, "http", "a.test", None),
        ({"https_proxy": "p:1"}, "https", "localhost", None),
        ({"https_proxy": "p:1"}, "https", "127.1.2.3", None),
        ({"https_proxy": "p:1"}, "https", "::1", None),
        ({"https_proxy": "p:1", "no_proxy": "*"}, "https", "a.test", None),
        ({"https_proxy": "p:1", "no_proxy": "b.test, .a.test"}, "https", "x.a.test", None),
        ({"https_proxy": "p:1", "no_proxy": "a.test"}, "https", "ba.test", ("p", 1)),
        ({"https_proxy": "p:1", "no_proxy": "a.test:8443"}, "https", "a.test", ("p", 1)),
        ({"https_proxy": "p:1", "no_proxy": "a.test:443"}, "https", "a.test", None),
        ({"https_proxy": "p:1", "no_proxy": "10.0.0.0/8"}, "https", "10.2.3.4", None),
        ({"https_proxy": "p:1", "no_proxy": "10.0.0.0/8"}, "https", "11.2.3.4", ("p", 1)),
    ],
)
def test_what_the_environment_says(environment, scheme, host, found):
    proxy = EnvironmentProxies(environment)(scheme, host, 443)
    assert (proxy and (proxy.host, proxy.port)) == found


@pytest.mark.parametrize("url", ["socks5://p:1", "https://p:1", "http://", "http://p:x", "ftp://u:hush@p"])
def test_a_proxy_of_another_kind_is_refused_without_its_password(url):
    with pytest.raises(ConfigurationError) as caught:
        parse_proxy(url)
    assert "hush" not in str(caught.value)
    assert parse_proxy("p:3128") == Proxy("p", 3128)


# ---------------------------------------------------------------- unix sockets


async def answer_and_close(reader, writer):
    await answers(*BODY)(reader, writer)
    writer.close()


async def test_a_unix_socket(tmp_path):
    path = str(tmp_path / "s")
    async with nothing_left():
        server = await asyncio.start_unix_server(answer_and_close, path)
        async with StreamClient("http://model/v1", unix_socket=path) as client:
            assert [await text_of(client) for _ in range(2)] == ["hello"] * 2
            assert client.pool_stats.opened == 1
        server.close()


async def test_a_unix_socket_as_a_fallback_with_tls(tmp_path, certificates, tls):
    path = str(tmp_path / "s")
    async with nothing_left():
        server = await asyncio.start_unix_server(answer_and_close, path, ssl=certificates.server_context())
        fallback = Target("https://localhost/v1", unix_socket=path)
        context = certificates.client_context()
        async with StreamClient("http://127.0.0.1:1", fallbacks=[fallback], ssl_context=context, tls=tls) as client:
            assert await text_of(client) == "hello"
        server.close()


async def test_a_unix_socket_that_is_not_there(tmp_path):
    async with StreamClient("http://model", unix_socket=str(tmp_path / "none")) as client:
        with pytest.raises(ConnectionFailedError):
            await text_of(client)


# ---------------------------------------------------------------- client certificates


@pytest.fixture
def mutual(tmp_path, monkeypatch):
    """A server context that demands certificates, and the client's files; the default context trusts the server."""
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(server)
    authority.configure_trust(server)
    server.verify_mode = ssl.CERT_REQUIRED
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    leaf = authority.issue_cert("client@example.com")
    leaf.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    leaf.cert_chain_pems[0].write_to_path(str(tmp_path / "certificate.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))  # OpenSSL's own way to name what is trusted
    return server, ClientCertificate(str(tmp_path / "certificate.pem"), str(tmp_path / "key.pem"))


async def test_a_client_certificate_is_shown(mutual, tls):
    server_context, certificate = mutual
    async with nothing_left(), ScriptedServer(answers(*BODY), server_context) as server:
        async with StreamClient(server.url, client_certificate=certificate, tls=tls) as client:
            assert await text_of(client) == "hello"


def test_certificates_that_cannot_be_used(mutual, tmp_path):
    _, certificate = mutual
    with pytest.raises(ConfigurationError, match="own ssl_context"):
        StreamClient("https://a", client_certificate=certificate, ssl_context=ssl.create_default_context())
    with pytest.raises(ConfigurationError, match="cannot be loaded"):
        StreamClient("https://a", client_certificate=ClientCertificate(str(tmp_path / "none.pem")))
    assert "hush" not in repr(ClientCertificate("a", "b", "hush"))
