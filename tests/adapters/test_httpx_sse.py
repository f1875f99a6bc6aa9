"""The drop-in beside httpx-sse itself: the same bodies from a real server, through both client families."""

from __future__ import annotations

import asyncio
import inspect
import json
import ssl
from dataclasses import dataclass

import httpx
import httpx2
import httpx_sse
import pytest

from streamarena.errors import ConfigurationError, EventTooLargeError, StreamArenaError
from streamarena_adapters import httpx_sse as ours
from tests.support.counting import nothing_left
from tests.support.scripted_server import ScriptedServer, answers, openai_event, read_request, sends

TRUST = ssl.create_default_context()  # making one costs 20 ms, and each client would

FAMILIES = [pytest.param(httpx, id="httpx"), pytest.param(httpx2, id="httpx2")]


def fields(event):
    return (event.event, event.data, event.id, event.retry)


@dataclass(frozen=True)
class Case:
    """A body, and what the standard makes of it where httpx-sse does something else."""

    body: bytes
    instead: tuple | None = None
    head: bytes = b"text/event-stream"


CASES = {
    "empty": Case(b""),
    "one event": Case(b"data: hello\n\n"),
    "several lines of data": Case(b"data: a\ndata\ndata:  b\n\n"),
    "type, id and retry": Case(b"event: delta\nid: 7\nretry: 250\ndata: x\n\ndata: y\n\n"),
    "comments": Case(b": ping\n\ndata: x\n: in between\n\n: ping\n\n"),
    "carriage returns": Case(b"data: a\r\rdata: b\r\n\r\ndata: c\n\n"),
    "only three line ends": Case("data: a\u2028b\x85c\x0bd\n\n".encode()),
    "cut inside an event": Case(b"data: whole\n\ndata: cut\n"),
    "id with NUL": Case(b"id: 1\x002\ndata: x\n\n"),
    "empty data lines": Case(b"data\n\ndata:\ndata:\n\n"),
    "unknown fields": Case(b"colour: red\ndata: x\nnothing\n\n"),
    "text beyond ASCII": Case("data: grüße 你好 🎉\n\n".encode()),
    "a utf-8 charset": Case("data: é\n\n".encode(), head=b"text/event-stream; charset=utf-8"),
    # Here httpx-sse leaves the standard (WHATWG HTML, 9.2.6), and we do not.
    "a block without data": Case(b"event: only\n\n", instead=()),
    "keep-alive after an id": Case(b"id: 1\ndata: x\n\n: ping\n\n", instead=(("message", "x", "1", None),)),
    "byte order mark": Case(b"\xef\xbb\xbfdata: x\n\n", instead=(("message", "x", "", None),)),
    "signed retry": Case(b"retry: +5\ndata: x\n\n", instead=(("message", "x", "", None),)),
    "retry with blanks": Case(b"retry: 5 \ndata: x\n\n", instead=(("message", "x", "", None),)),
    "another charset": Case(
        "data: é\n\n".encode(), instead=(("message", "é", "", None),), head=b"text/event-stream; charset=latin-1"
    ),
}


def response(case: Case, cut: int) -> tuple[bytes, ...]:
    """The whole response in pieces of `cut` bytes, as a server that closes writes it."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: " + case.head + b"\r\nconnection: close\r\n\r\n"
    return (head, *(case.body[at : at + cut] for at in range(0, len(case.body), cut)))


async def read_async(library, api, url, **options):
    async with library.AsyncClient(verify=TRUST) as client, api.aconnect_sse(client, "GET", url, **options) as source:
        return [fields(event) async for event in source.aiter_sse()]


def read_sync(library, api, url, **options):
    with library.Client(verify=TRUST) as client, api.connect_sse(client, "GET", url, **options) as source:
        return [fields(event) for event in source.iter_sse()]


@pytest.mark.parametrize("cut", [pytest.param(1, id="bytewise"), pytest.param(10_000, id="whole")])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("library", FAMILIES)
async def test_events_are_those_of_httpx_sse_or_of_the_standard(library, name, cut):
    case = CASES[name]
    async with ScriptedServer(sends(*response(case, cut))) as server:
        got = await read_async(library, ours, server.url)
        got_in_a_thread = await asyncio.to_thread(read_sync, library, ours, server.url)
        theirs = await read_async(httpx, httpx_sse, server.url)
    assert got == got_in_a_thread
    if case.instead is None:
        assert got == theirs
    else:
        assert got == list(case.instead)
        assert theirs != got, "httpx-sse follows the standard here now: the case belongs to the others"


def test_every_name_of_httpx_sse_is_here_with_its_parameters():
    assert set(httpx_sse.__all__) - {"__version__"} == set(ours.__all__)
    for name in ("aconnect_sse", "connect_sse"):
        theirs = list(inspect.signature(getattr(httpx_sse, name)).parameters)
        assert [each for each in inspect.signature(getattr(ours, name)).parameters if each != "headers"] == theirs
    constructor = inspect.signature(httpx_sse.ServerSentEvent).parameters
    assert list(inspect.signature(ours.ServerSentEvent).parameters) == list(constructor)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"event": ""}, {"event": "a", "data": "b", "id": "c", "retry": 0}, {"data": "x"}, {"id": "i"}],
    ids=str,
)
def test_an_event_looks_as_theirs(arguments):
    mine, theirs = ours.ServerSentEvent(**arguments), httpx_sse.ServerSentEvent(**arguments)
    assert fields(mine) == fields(theirs)
    assert repr(mine) == repr(theirs)


@pytest.mark.parametrize(
    "text", ['{"a": [1, 2.5, null, true]}', "123456789012345678901234567890", '"\\ud800"', "[1e400]", '{"a":1,"a":2}']
)
def test_json_is_that_of_the_standard_library(text):
    assert repr(ours.ServerSentEvent(data=text).json()) == repr(httpx_sse.ServerSentEvent(data=text).json())


@pytest.mark.parametrize("text", ["", "{", "[DONE]", "{'a': 1}"])
def test_bad_json_raises_the_error_of_the_standard_library(text):
    with pytest.raises(json.JSONDecodeError) as theirs:
        httpx_sse.ServerSentEvent(data=text).json()
    with pytest.raises(json.JSONDecodeError) as mine:
        ours.ServerSentEvent(data=text).json()
    assert str(mine.value) == str(theirs.value)


@pytest.mark.parametrize(
    ("library", "caught"),
    [
        pytest.param(httpx, (ours.SSEError, httpx_sse.SSEError, httpx.TransportError), id="httpx"),
        pytest.param(httpx2, (ours.SSEError, httpx2.SSEError, httpx2.TransportError), id="httpx2"),
    ],
)
async def test_another_content_type_is_the_error_that_users_of_the_library_catch(library, caught):
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    async with ScriptedServer(sends(head)) as server:
        for error in (*caught, StreamArenaError):
            with pytest.raises(error, match="application/json"):
                await read_async(library, ours, server.url)
        with pytest.raises(caught[0], match="application/json"):
            await asyncio.to_thread(read_sync, library, ours, server.url)


@pytest.mark.parametrize("library", FAMILIES)
async def test_events_before_one_that_is_too_large_are_delivered_first(library):
    seen = []
    async with ScriptedServer(answers(b"data: a\n\ndata: b\n\ndata: " + b"x" * 200 + b"\n\n")) as server:
        async with library.AsyncClient(verify=TRUST) as client, client.stream("GET", server.url) as response:
            source = ours.EventSource(response, max_event_bytes=100)
            assert source.response is response
            with pytest.raises(ours.SSEError, match="max_event_bytes") as caught:
                seen.extend([event.data async for event in _collecting(source, seen)])
    assert seen == ["a", "b"]
    assert isinstance(caught.value.__cause__, EventTooLargeError)
    assert caught.value.__cause__.limit == 100


async def _collecting(source, seen):
    async for event in source.aiter_sse():
        seen.append(event.data)
        if False:
            yield


def test_a_limit_that_is_no_limit_is_refused():
    with pytest.raises(ConfigurationError, match="max_event_bytes"):
        ours.EventSource(httpx.Response(200), max_event_bytes=0)


async def sent_headers(library, api, headers):
    requests = []

    async def script(reader, writer):
        requests.append(await read_request(reader))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")

    async with ScriptedServer(script) as server:
        await read_async(library, api, server.url, headers=headers)
    lines = requests[0].decode().split("\r\n")[1:]
    return sorted(line.lower() for line in lines if line and not line.lower().startswith(("host:", "user-agent:")))


@pytest.mark.parametrize("library", FAMILIES)
async def test_the_request_asks_for_events_as_theirs_does(library):
    mine = {"X-Own": "1"}
    expected = await sent_headers(httpx, httpx_sse, dict(mine))
    assert await sent_headers(library, ours, mine) == [
        line if not line.startswith("accept-encoding") else await _accept_encoding(library) for line in expected
    ]
    assert mine == {"X-Own": "1"}, "the caller's headers were changed"


async def _accept_encoding(library):
    async with library.AsyncClient(verify=TRUST) as client:
        return f"accept-encoding: {client.headers['accept-encoding']}"


async def test_headers_may_be_pairs_or_the_clients_own_object_and_repeat():
    pairs = [("accept", "text/plain"), ("x-own", "1"), ("x-own", "2")]
    for headers in (pairs, httpx.Headers(pairs)):
        sent = await sent_headers(httpx, ours, headers)
        assert [line for line in sent if line.startswith(("accept:", "x-own"))] == [
            "accept: text/event-stream",
            "x-own: 1",
            "x-own: 2",
        ]


async def endless(reader, writer):
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
    while True:
        writer.write(openai_event())
        await writer.drain()
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("library", FAMILIES)
@pytest.mark.parametrize("how", ["break", "cancel", "double cancel"])
async def test_leaving_early_leaves_nothing(library, how):
    reading = asyncio.Event()

    async def consume(url):
        async with library.AsyncClient(verify=TRUST) as client, ours.aconnect_sse(client, "GET", url) as source:
            events = source.aiter_sse()
            async for _ in events:
                reading.set()
                if how == "break":
                    break
            await events.aclose()

    async with nothing_left(), ScriptedServer(endless) as server:
        task = asyncio.create_task(consume(server.url))
        await reading.wait()
        if how != "break":
            task.cancel()
        if how == "double cancel":
            await asyncio.sleep(0)
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_cut_connection_is_the_clients_own_error():
    cut = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n9\r\ndata: a\n\n\r\n"
    )
    async with ScriptedServer(sends(cut)) as server:
        with pytest.raises(httpx.RemoteProtocolError):
            await read_async(httpx, ours, server.url)


def test_a_response_of_another_library_gives_this_modules_error():
    class Answer:
        headers = {"content-type": "text/html"}  # noqa: RUF012 - a response that is never written to

    with pytest.raises(ours.SSEError) as caught:
        list(ours.EventSource(Answer()).iter_sse())
    assert type(caught.value) is ours.SSEError
