"""What a caller may try: refused before anything is sent on, in its own API's form, and nothing of a key comes back."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib

import httpx
import pytest

from streamarena.errors import ConfigurationError
from streamarena.relay import AccessSettings, Relay, RelayLimits, RelaySettings, RouteSettings, TargetSettings
from streamarena.relay.fields import query_without_key
from tests.relay.serving import serve_relay
from tests.support.scripted_server import DONE, SSE_HEAD, ScriptedServer, http_chunk, openai_event, read_request

KEY = "sk-relay-own-key-1234567890"
CALLER_KEY = "sk-callers-key-0987654321"
OK = SSE_HEAD + http_chunk(openai_event("a", "stop") + DONE) + b"0\r\n\r\n"
BODY = b'{"model":"m","messages":[{}]}'


class Recorder(ScriptedServer):
    """Answers every request alike and keeps what it was asked."""

    def __init__(self, wire=OK):
        super().__init__(self._record)
        self._wire = wire
        self.asked: list[bytes] = []

    async def _record(self, reader, writer):
        while request := await read_request(reader):
            self.asked.append(request)
            writer.write(self._wire)
            await writer.drain()


def to(url, **more):
    return RelaySettings(targets={"up": TargetSettings(base_url=url, **more)})


async def raw(url, data):
    """Send bytes; return all that comes back until the server closes or says nothing more."""
    reader, writer = await asyncio.open_connection(*url.removeprefix("http://").split(":"))
    writer.write(data)
    try:
        async with asyncio.timeout(2):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), None)
            return head + (await reader.readexactly(int(length.split(b":")[1])) if length else b"")
    except asyncio.IncompleteReadError as error:
        return error.partial
    finally:
        writer.transport.abort()


def post(path=b"/v1/chat/completions", fields=b"", body=BODY, length=None):
    size = len(body) if length is None else length
    return b"POST %b HTTP/1.1\r\nhost: x\r\n%bcontent-length: %d\r\n\r\n%b" % (path, fields, size, body)


CHUNKED = b"transfer-encoding: chunked\r\n"
WIRES = {
    "a length and a coding": (post(fields=CHUNKED), 400),
    "two lengths": (post(fields=b"content-length: 3\r\n"), 400),
    "a length with a sign": (post().replace(b"length: ", b"length: +"), 400),
    "a coding that is another": (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: xchunked\r\n\r\n", 400
    ),
    "a folded field": (post(fields=b"x-a: 1\r\n x-b: 2\r\n"), 400),
    "a bare line feed": (post(fields=b"x-a: 1\nx-b: 2\r\n"), 400),
    "NUL in a field": (post(fields=b"x-a: \x00\r\n"), 400),
    "a space in front of the colon": (post(fields=b"x-a : 1\r\n"), 400),
    "a header of 100 kB": (post(fields=b"x-a: " + b"a" * 100_000 + b"\r\n"), 431),
    "a header without end": (b"GET /v1/models HTTP/1.1\r\nx-a: " + b"a" * 100_000, 400),
    "two hundred fields": (post(fields=b"x-a: 1\r\n" * 200), 431),
    "absolute form": (post(b"http://elsewhere/v1/chat/completions"), 400),
    "authority form": (b"CONNECT elsewhere:443 HTTP/1.1\r\nhost: elsewhere:443\r\n\r\n", 400),
    "climbing": (post(b"/v1/../admin"), 400),
    "climbing in disguise": (post(b"/v1/%2e%2E/admin"), 400),
    "a hidden slash": (post(b"/v1%2fmodels"), 400),
    "a double slash": (post(b"//elsewhere/v1"), 400),
    "a back slash": (post(b"/v1\\models"), 400),
    "a hidden back slash": (post(b"/v1/%5c..%5cadmin"), 400),
    "doubly encoded": (post(b"/v1/%252e%252e/"), 400),
    "a line end in the path": (post(b"/v1/%0d%0ax-a:%201"), 400),
    "a dot segment at the end": (post(b"/v1/files/.."), 400),
    "another method": (b"TRACE /v1/models HTTP/1.1\r\nhost: x\r\n\r\n", 405),
    "no JSON": (post(body=b"{"), 400),
    "no object": (post(body=b"[1]"), 400),
    "no model": (post(body=b'{"messages":[]}'), 400),
    "a model that is no text": (post(body=b'{"model":7}'), 400),
    "a body that says it is too large": (post(length=10**7, body=b"{"), 413),
    "a body that is too large": (
        b"POST /v1/messages HTTP/1.1\r\nhost: x\r\n" + CHUNKED + b"\r\n" + http_chunk(b"x" * 5000) * 3, 413
    ),
    "a bomb": (post(fields=b"content-encoding: gzip\r\n", body=gzip.compress(b" " * 10**6)), 413),
    "a bomb without wrapper": (post(fields=b"content-encoding: deflate\r\n", body=zlib.compress(b" " * 10**6)), 413),
    "a compressed body without end": (post(fields=b"content-encoding: gzip\r\n", body=gzip.compress(BODY)[:-9]), 400),
    "no compressed body": (post(fields=b"content-encoding: gzip\r\n", body=b"plain"), 415),
    "an unknown coding": (post(fields=b"content-encoding: zstd\r\n"), 415),
    "two codings": (post(fields=b"content-encoding: gzip, gzip\r\n"), 415),
}  # fmt: skip


@pytest.mark.parametrize(("wire", "status"), WIRES.values(), ids=WIRES)
async def test_what_is_hostile_is_refused_and_nothing_goes_on(wire, status):
    async with Recorder() as server:
        settings = RelaySettings(
            targets={"up": TargetSettings(base_url=server.url)}, limits=RelayLimits(request_bytes=10_000)
        )
        async with serve_relay(settings) as (url, relay):
            answer = await raw(url, wire)
            assert int(answer.split()[1]) == status, answer
            for _ in range(100):
                if not relay.active:
                    break
                await asyncio.sleep(0.01)
            assert not relay.active
    assert not server.asked


async def test_a_body_nested_past_what_the_interpreter_bears_is_refused():
    nested = b'{"model":"m","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    async with Recorder() as server, serve_relay(to(server.url)) as (url, _):
        assert (await raw(url, post(body=nested))).startswith(b"HTTP/1.1 400 ")
    assert not server.asked


async def test_a_body_that_never_comes_gives_its_place_up():
    limits = RelayLimits(request_seconds=0.05)
    settings = RelaySettings(targets={"up": TargetSettings(base_url="http://127.0.0.1:1/v1")}, limits=limits)
    async with serve_relay(settings) as (url, relay):
        answer = await raw(url, post(length=1000))
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert not relay.holdings()


async def test_a_refusal_has_the_form_of_the_callers_api():
    async with serve_relay(to("http://127.0.0.1:1/v1")) as (url, _), httpx.AsyncClient() as client:
        chat = await client.post(f"{url}/v1/chat/completions", content=b"{")
        messages = await client.post(f"{url}/v1/messages", content=b"{")
    assert chat.json()["error"]["type"] == "invalid_request_error"
    assert messages.json()["type"] == "error"
    assert messages.json()["error"]["type"] == "invalid_request_error"


async def test_a_compressed_body_is_looked_into_and_sent_on_plain():
    async with Recorder() as server, serve_relay(to(server.url)) as (url, _), httpx.AsyncClient() as client:
        zipped = {"content": gzip.compress(BODY), "headers": {"content-encoding": "gzip"}}
        assert (await client.post(f"{url}/v1/chat/completions", **zipped)).status_code == 200
    assert server.asked[0].endswith(b"\r\n\r\n" + BODY)
    assert b"content-encoding" not in server.asked[0].lower()


# ---------------------------------------------------------------- keys


SECRETS = {
    "authorization": f"Bearer {CALLER_KEY}",
    "x-api-key": CALLER_KEY,
    "api-key": CALLER_KEY,
    "x-goog-api-key": CALLER_KEY,
    "cookie": f"session={CALLER_KEY}",
    "proxy-authorization": f"Basic {CALLER_KEY}",
}
ADDRESSES = {"x-forwarded-for": "10.1.2.3", "x-real-ip": "10.1.2.3", "forwarded": "for=10.1.2.3", "via": "1.1 10.1.2.3"}


async def test_a_callers_key_cookies_and_address_stay_here():
    async with Recorder() as server:
        settings = to(server.url, key_variable="K", headers={"x-team": "blue"})
        async with serve_relay(settings, environment={"K": KEY}) as (url, _), httpx.AsyncClient() as client:
            await client.post(
                f"{url}/v1/chat/completions?key={CALLER_KEY}&a=1", content=BODY,
                headers={**SECRETS, **ADDRESSES, "connection": "keep-alive, x-hop", "x-hop": "1", "te": "trailers",
                         "x-team": "red", "openai-organization": "org", "x-own": "kept"},
            )  # fmt: skip
    asked = server.asked[0].decode()
    assert CALLER_KEY not in asked
    assert "10.1.2.3" not in asked
    head = asked.lower().split("\r\n")
    assert head[0] == "post /v1/chat/completions?a=1 http/1.1"
    assert f"authorization: bearer {KEY}".lower() in head
    assert {"x-team: blue", "x-own: kept", "accept-encoding: identity"} <= set(head)
    assert not {"x-hop: 1", "te: trailers", "openai-organization: org", "x-team: red"} & set(head)


async def test_a_callers_key_goes_on_where_the_target_says_so():
    async with Recorder() as server, serve_relay(to(server.url, forward_key=True)) as (url, _):
        async with httpx.AsyncClient() as client:
            await client.post(f"{url}/v1/messages", content=BODY, headers={"x-api-key": CALLER_KEY, "cookie": "c=1"})
    assert f"x-api-key: {CALLER_KEY}".encode() in server.asked[0]
    assert b"cookie" not in server.asked[0].lower()


async def test_the_key_is_sent_in_the_way_of_the_api_that_is_asked():
    async with Recorder() as server:
        settings = to(server.url, key_variable="K")
        async with serve_relay(settings, environment={"K": KEY}) as (url, _), httpx.AsyncClient() as client:
            await client.post(f"{url}/v1/messages", content=BODY)
            await client.get(f"{url}/v1/models", headers={"anthropic-version": "2023-06-01"})
            await client.post(f"{url}/v1/responses", content=BODY)
    ways = [b"x-api-key: " in asked.lower() for asked in server.asked]
    assert ways == [True, True, False]
    assert all(KEY.encode() in asked for asked in server.asked)


def refusal(status, text):
    body = json.dumps({"error": {"message": text, "type": "some_error", "code": text}}).encode()
    return (
        b"HTTP/1.1 %d No\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (status, len(body)) + body
    )


LEAKS = {
    "the key refused": (refusal(401, f"Incorrect API key provided: {KEY}"), 502),
    "the key in an error": (refusal(400, f"bad request by {KEY}"), 400),
    "a huge error": (refusal(500, f"{KEY} " * 10_000), 500),
    "an error that is no JSON": (
        b"HTTP/1.1 500 Oh\r\ncontent-type: text/html\r\ncontent-length: %d\r\n\r\n" % len(KEY) + KEY.encode(), 500
    ),
    "another answer": (b"nonsense " + KEY.encode() + b"\r\n\r\n", 502),
}  # fmt: skip


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize(("wire", "status"), LEAKS.values(), ids=LEAKS)
async def test_no_error_tells_the_relays_key(wire, status, path, caplog):
    lines = []
    async with Recorder(wire) as server:
        settings = to(server.url, key_variable="K", api="openai-chat")
        async with (
            serve_relay(settings, [lambda moment: lines.append(repr(moment))], {"K": KEY}) as (url, relay),
            httpx.AsyncClient() as client,
        ):
            body = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}
            response = await client.post(url + path, json=body, headers={"x-api-key": CALLER_KEY})
            shown = f"{response.text} {response.headers} {relay!r} {relay.settings!r} {caplog.text}"
    assert response.status_code == status
    assert KEY not in shown
    assert CALLER_KEY not in shown
    assert CALLER_KEY not in " ".join(lines)


async def test_only_callers_with_a_token_are_served():
    settings = RelaySettings(
        targets={"up": TargetSettings(base_url="http://127.0.0.1:1/v1")},
        routes=(RouteSettings(models="m", targets="up"),),
        access=AccessSettings(tokens_variable="T"),
    )
    async with serve_relay(settings, environment={"T": "one, two"}) as (url, relay), httpx.AsyncClient() as client:
        statuses = [
            (await client.post(f"{url}/v1/messages", content=BODY, headers=headers)).status_code
            for headers in (
                {}, {"x-api-key": "three"}, {"x-api-key": ""}, {"x-api-key": "one"}, {"authorization": "Bearer two"},
            )
        ]  # fmt: skip
        assert (await client.get(f"{url}/healthz")).status_code == 200
        assert (await client.get(f"{url}/v1/models")).status_code == 401
        assert "one" not in repr(relay)
    assert statuses == [401, 401, 401, 502, 502]


@pytest.mark.parametrize("environment", [{}, {"K": " ", "T": "x"}, {"K": "a\nb", "T": "x"}, {"K": "k", "T": " , "}])
def test_a_key_or_token_that_is_not_there_is_told_at_the_start(environment):
    settings = RelaySettings(
        targets={"up": TargetSettings(base_url="http://h/v1", key_variable="K")},
        access=AccessSettings(tokens_variable="T"),
    )
    with pytest.raises(ConfigurationError, match=r"\b[KT]\b"):
        Relay(settings, environment=environment)


@pytest.mark.parametrize(
    ("query", "left"),
    [
        (b"", b""),
        (b"key=x", b""),
        (b"a=1&key=x&b=2", b"a=1&b=2"),
        (b"KEY=x&monkey=1", b"monkey=1"),
        (b"api-key=x&a", b"a"),
    ],
)
def test_a_key_in_the_query_stays_here(query, left):
    assert query_without_key(query) == left
