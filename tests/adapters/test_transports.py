"""Our transports beside the libraries' own: the same server, the same client code, the same outcome."""

from __future__ import annotations

import asyncio
import gzip
import importlib
import ssl
import sys

import httpx
import httpx2
import pytest

from streamarena.errors import ConfigurationError, MissingExtraError, StreamArenaError
from streamarena.testing import FakeLLM, LocalCertificates
from streamarena_adapters import httpx as ours_for_httpx
from streamarena_adapters import httpx2 as ours_for_httpx2
from tests.support.counting import nothing_left
from tests.support.scripted_server import ScriptedServer, http_chunk, openai_event, read_request, sends

LIBRARIES = [
    pytest.param(httpx, ours_for_httpx.AsyncHTTPTransport, id="httpx"),
    pytest.param(httpx2, ours_for_httpx2.AsyncHTTPTransport, id="httpx2"),
]
TRUST = ssl.create_default_context()
TIMES = {"connect": 2, "read": 0.15, "write": 0.3, "pool": 0.1}
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
PACKED = gzip.compress(b"packed text")


def plain(body=b"hi", *fields, status=b"200 OK"):
    lines = b"".join(field + b"\r\n" for field in (b"content-length: %d" % len(body), *fields))
    return b"HTTP/1.1 " + status + b"\r\n" + lines + b"\r\n" + body


async def get(client, url):
    response = await client.get(url)
    return seen(response)


def seen(response):
    return (
        response.status_code,
        response.reason_phrase,
        response.http_version,
        [(name.lower(), value) for name, value in response.headers.raw],
        response.content,
        sorted(response.cookies.items()),
        [str(each.status_code) for each in response.history],
    )


async def head(client, url):
    return seen(await client.head(url))


async def follow(client, url):
    return seen(await client.get(url, follow_redirects=True))


async def post(client, url):
    return seen(await client.post(url, json={"a": 1}))


async def raw(client, url):
    async with client.stream("GET", url) as response:
        return b"".join([piece async for piece in response.aiter_raw()])


async def read_on(client, url):
    """What was received before an error counts."""
    got = b""
    try:
        async with client.stream("GET", url) as response:
            async for piece in response.aiter_raw():
                got += piece
    except Exception as error:  # noqa: BLE001 - the error is the outcome
        return got, type(error).__name__
    return got


async def upload(client, url):
    return seen(await client.post(url, content=parts(b"one", b"", b"two")))


async def parts(*pieces):
    for piece in pieces:
        yield piece
        await asyncio.sleep(0)


async def failing_upload(client, url):
    async def broken():
        yield b"x"
        raise LookupError("the user's own")

    await client.post(url, content=broken())


async def wrong_length(client, url):
    await client.post(url, content=parts(b"one"), headers={"content-length": "9"})


async def bad_header(client, url):
    await client.get(url, headers={"x": "a\nb: c"})


async def other_scheme(client, url):
    await client.get(url.replace("http:", "ftp:"))


async def big_upload(client, url):
    await client.post(url, content=b"x" * 30_000_000)


async def crowd(client, url):
    answers = await asyncio.gather(get(client, url), get(client, url), return_exceptions=True)
    return sorted(type(answer).__name__ for answer in answers)


async def twice(client, url):
    return [await get(client, url), await get(client, url)]


async def read_after_close(client, url):
    async with client.stream("GET", url) as response:
        pass
    await response.aread()


async def echo(reader, writer):
    while request := await read_request(reader):
        if b"chunked" in request.lower():
            request += await reader.readuntil(b"0\r\n\r\n")
        first, _, rest = request.partition(b"\r\n")
        writer.write(plain(first + b"|" + rest.partition(b"\r\n\r\n")[2]))


async def redirecting(reader, writer):
    while request := await read_request(reader):
        if b"/there" in request.split(b"\r\n")[0]:
            writer.write(plain(b"cookie" if b"cookie: a=1" in request.lower() else b"none"))
        else:
            writer.write(plain(b"", b"location: /there", b"set-cookie: a=1; path=/", status=b"302 Found"))


CASES = {
    "a plain answer": (sends(plain()), get),
    "repeated fields": (sends(plain(b"hi", b"Set-Cookie: a=1", b"X: 1", b"set-cookie: b=2", b"x: 2")), get),
    "an error status": (sends(plain(b"no", status=b"529 Overloaded")), get),
    "an empty reason": (sends(b"HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n"), get),
    "HTTP/1.0": (sends(b"HTTP/1.0 200 OK\r\n\r\nold"), get),
    "a body until the end": (sends(b"HTTP/1.1 200 OK\r\n\r\n", b"a", b"b"), get),
    "chunks": (sends(CHUNKED, http_chunk(b"one"), http_chunk(b"two"), b"0\r\n\r\n"), get),
    "no content": (sends(b"HTTP/1.1 204 No Content\r\n\r\n"), get),
    "not modified": (sends(b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n"), get),
    "informational first": (sends(b"HTTP/1.1 103 Early\r\nlink: a\r\n\r\n" + plain()), get),
    "HEAD": (sends(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"), head),
    "gzip": (sends(plain(PACKED, b"content-encoding: gzip")), get),
    "gzip, raw": (sends(plain(PACKED, b"content-encoding: gzip")), raw),
    "bad gzip": (sends(plain(b"not packed", b"content-encoding: gzip")), get),
    "redirect with a cookie": (redirecting, follow),
    "redirect not followed": (redirecting, get),
    "a JSON body": (echo, post),
    "an upload": (echo, upload),
    "an upload that fails": (echo, failing_upload),
    "an upload of another length": (echo, wrong_length),
    "a kept connection": (echo, twice),
    "a header that breaks its line": (echo, bad_header),
    "another scheme": (echo, other_scheme),
    "refused": (None, get),
    "no answer": (sends(b""), get),
    "not HTTP": (sends(b"nonsense\r\n\r\n"), get),
    "bad chunk size": (sends(CHUNKED + http_chunk(b"x"), b"zz\r\n", then="hang", pause=0.02), read_on),
    "cut body": (sends(CHUNKED + http_chunk(b"x")), read_on),
    "short body": (sends(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"), read_on),
    "reset in the body": (sends(CHUNKED + http_chunk(b"x"), then="reset", pause=0.02), read_on),
    "no header in time": (sends(b"", then="hang"), get),
    "a stall in the body": (sends(CHUNKED + http_chunk(b"x"), then="hang"), read_on),
    "nobody takes the body": (sends(b"", then="hang"), None),  # filled in below: a server that does not read
    "no free connection": (sends(b"", then="hang"), crowd),
    "read after close": (sends(plain(b"x" * 100_000)), read_after_close),
}


async def deaf(reader, writer):
    await asyncio.sleep(2)


CASES["nobody takes the body"] = (deaf, big_upload)


async def outcome(library, transport, act, url):
    limits = library.Limits(max_connections=1)
    own = library.AsyncHTTPTransport(verify=TRUST, limits=limits) if transport is None else transport(limits=limits)
    async with library.AsyncClient(transport=own, timeout=library.Timeout(**TIMES)) as client:
        try:
            return await act(client, url)
        except Exception as error:  # noqa: BLE001 - the error is the outcome
            return type(error).__name__


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("library", "transport"), LIBRARIES)
async def test_the_outcome_is_that_of_the_librarys_own_transport(library, transport, name):
    script, act = CASES[name]
    async with nothing_left(), ScriptedServer(script or sends(b"")) as server:
        url = server.url
        if script is None:
            await server.__aexit__(None, None, None)
        theirs = await outcome(library, None, act, url)
        assert await outcome(library, transport, act, url) == theirs


@pytest.mark.parametrize(("library", "transport"), LIBRARIES)
async def test_errors_are_the_librarys_and_name_ours_as_the_cause(library, transport):
    async with ScriptedServer(sends(b"nonsense\r\n\r\n")) as server:
        async with library.AsyncClient(transport=transport()) as client:
            with pytest.raises(library.RemoteProtocolError) as caught:
                await client.get(server.url)
    assert isinstance(caught.value.__cause__, StreamArenaError)
    assert str(caught.value.request.url) == server.url


async def endless(reader, writer):
    await read_request(reader)
    writer.write(CHUNKED)
    while True:
        writer.write(http_chunk(openai_event()))
        await writer.drain()
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("at", ["header", "body"])
@pytest.mark.parametrize("how", ["break", "cancel", "double cancel"])
@pytest.mark.parametrize(("library", "transport"), LIBRARIES)
async def test_leaving_early_gives_every_connection_back(library, transport, how, at):
    script = endless if at == "body" else sends(b"", then="hang")
    own = transport()

    async def read(client, url):
        async with client.stream("GET", url) as response:
            async for _ in response.aiter_raw():
                if how == "break":
                    break

    async with nothing_left(), ScriptedServer(script) as server:
        async with library.AsyncClient(transport=own) as client:
            tasks = [asyncio.create_task(read(client, server.url)) for _ in range(10)]
            await asyncio.sleep(0.1)
            for task in tasks if how != "break" or at == "header" else ():
                task.cancel()
            if how == "double cancel":
                await asyncio.sleep(0)
                for task in tasks:
                    task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert own.open_connections == 0


@pytest.mark.parametrize(("library", "transport"), LIBRARIES)
async def test_tls_checks_names_and_trust_as_told(library, transport):
    authority = LocalCertificates()
    async with FakeLLM(ssl_context=authority.server_context(), tokens=3) as llm:
        url = f"{llm.url}/health"
        async with library.AsyncClient(transport=transport(verify=authority.client_context())) as client:
            assert (await client.get(url)).status_code == 200
        async with library.AsyncClient(transport=transport(verify=False)) as client:
            assert (await client.get(url)).status_code == 200
        async with library.AsyncClient(transport=transport()) as client:
            with pytest.raises(library.ConnectError, match="certificate"):
                await client.get(url)


@pytest.mark.parametrize("options", [{"proxy": "http://localhost:1"}, {"http2": True}], ids=str)
@pytest.mark.parametrize(("library", "transport"), LIBRARIES)
def test_what_is_not_supported_is_refused_by_name(library, transport, options):
    with pytest.raises(ConfigurationError, match="keep the library's own"):
        transport(**options)


@pytest.mark.parametrize(("library", "transport"), LIBRARIES)
async def test_an_extension_that_would_be_ignored_is_refused(library, transport):
    async with library.AsyncClient(transport=transport()) as client:
        with pytest.raises(library.UnsupportedProtocol, match="sni_hostname"):
            await client.get("https://localhost:1", extensions={"sni_hostname": "x"})


@pytest.mark.parametrize("library", ["httpx2", "openai", "anthropic"])
def test_a_library_that_is_not_installed_is_named_with_its_extra(monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)  # what the import system takes for "not there"
    monkeypatch.delitem(sys.modules, f"streamarena_adapters.{library}", raising=False)
    with pytest.raises(MissingExtraError, match=rf"pip install 'streamarena\[{library}\]'") as caught:
        importlib.import_module(f"streamarena_adapters.{library}")
    assert caught.value.extra == library
