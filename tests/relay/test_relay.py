"""The relay between real servers and clients: bytes pass as they came, SDKs do not notice, failures have names."""

from __future__ import annotations

import asyncio

import anthropic
import httpx
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamarena.client import Timeouts
from streamarena.relay import ChoiceSettings, RelayLimits, RelaySettings, RetrySettings, RouteSettings, TargetSettings
from streamarena.relay.limits import StreamLimits
from streamarena.relay.observing import ExchangeFinished, FirstContentSent, ResponseStarted
from streamarena.testing import FakeLLM
from tests.relay.serving import serve_relay
from tests.relay.streams import stream_of
from tests.support.counting import nothing_left
from tests.support.scripted_server import DONE, SSE_HEAD, ScriptedServer, answers, http_chunk, openai_event, sends

ASK = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
QUICK = {"tokens": 6, "ttft": 0.005, "inter_token_latency": 0.001}
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]


def to(url, **more):
    return RelaySettings(targets={"up": TargetSettings(base_url=url)}, **more)


async def post(url, body=ASK, path="/v1/chat/completions", **options):
    async with httpx.AsyncClient(timeout=20) as client:
        return await client.post(url + path, json=body, **options)


# ---------------------------------------------------------------- bytes


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=12), st.booleans(), st.data())
async def test_every_byte_of_a_stream_comes_out_as_it_went_in(pieces, direct, data):
    if data.draw(st.booleans()):  # a stream that means something, cut anywhere
        whole = b"".join([openai_event("a"), b": ping\n\n", openai_event("b", "stop"), DONE, *pieces])
        cuts = sorted(data.draw(st.lists(st.integers(1, len(whole) - 1), max_size=10)))
        pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True) if a < b]
    async with ScriptedServer(answers(*pieces)) as server, serve_relay(to(server.url), direct=direct) as (url, _):
        response = await post(url)
    assert response.content == b"".join(pieces)
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["x-accel-buffering"] == "no"


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "by send"])
async def test_what_is_no_stream_passes_with_its_length_and_its_own_header(direct):
    seen = []
    body = b'{"any": "thing"}'
    head = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nX-Own: 1\r\nSet-Cookie: c=1\r\nKeep-Alive: 5\r\n"
    wire = head + b"Connection: keep-alive, x-hop\r\nX-Hop: 1\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    async with ScriptedServer(sends(wire, then="hang")) as server:
        async with serve_relay(to(server.url), [seen.append], direct=direct) as (url, _):
            response = await post(url, {"input": "x", "model": "m"}, "/v1/embeddings?a=b")
    assert (seen[-1].outcome, seen[-1].error) == ("complete", None)
    assert (response.status_code, response.content) == (201, body)
    assert response.headers["content-length"] == str(len(body))
    assert response.headers["x-own"] == "1"
    assert not {"set-cookie", "keep-alive", "x-hop"} & set(response.headers)


async def test_a_compressed_response_passes_as_it_is():
    body = b"\x1f\x8b not really gzip"
    wire = SSE_HEAD.replace(b"\r\n\r\n", b"\r\ncontent-encoding: gzip\r\n\r\n") + http_chunk(body) + b"0\r\n\r\n"
    async with ScriptedServer(sends(wire)) as server, serve_relay(to(server.url)) as (url, _):
        async with httpx.AsyncClient() as client, client.stream("POST", f"{url}/v1/responses", json=ASK) as response:
            raw = b"".join([piece async for piece in response.aiter_raw()])
    assert raw == body


async def test_pieces_go_on_as_they_come():
    release = asyncio.Event()

    async def script(reader, writer):
        await reader.readuntil(b"}]}")
        writer.write(SSE_HEAD + http_chunk(openai_event("a")))
        await release.wait()
        writer.write(http_chunk(DONE) + b"0\r\n\r\n")

    async with ScriptedServer(script) as server, serve_relay(to(server.url)) as (url, _):
        async with (
            httpx.AsyncClient() as client,
            client.stream("POST", f"{url}/v1/chat/completions", json=ASK) as response,
        ):
            pieces = response.aiter_raw()
            assert await asyncio.wait_for(anext(pieces), 5) == openai_event("a")
            release.set()
            assert b"".join([piece async for piece in pieces]) == DONE


async def test_a_target_of_the_same_family_gets_and_gives_the_bytes_as_they_are():
    body = b'{"model":"m", "stream" : true,"messages":[{"a": 1.0}],"brand_new":{}}'
    asked = []

    async def script(reader, writer):
        asked.append(await reader.readuntil(b'new":{}}'))
        writer.write(b"HTTP/1.1 400 Bad\r\ncontent-length: 11\r\n\r\n" + b'{"own": 1} ')

    async with ScriptedServer(script) as server:
        told = RelaySettings(targets={"up": TargetSettings(base_url=server.url, api=("anthropic", "vllm"))})
        async with serve_relay(told) as (url, _), httpx.AsyncClient() as client:
            response = await client.post(f"{url}/v1/chat/completions", content=body)
    assert asked[0].endswith(b"\r\n\r\n" + body)
    assert response.content == b'{"own": 1} '


# ---------------------------------------------------------------- clients


async def test_the_openai_client_streams_and_calls_tools_through_the_relay():
    async with nothing_left(), FakeLLM(**QUICK, tool_calls=1) as llm:
        async with (
            serve_relay(to(f"{llm.url}/v1")) as (url, _),
            openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x") as client,
        ):
            stream = await client.chat.completions.create(**ASK, tools=TOOLS)
            calls = [
                call async for chunk in stream for choice in chunk.choices for call in choice.delta.tool_calls or ()
            ]
            assert calls[0].function.name == "look"
            whole = await client.chat.completions.create(**{**ASK, "stream": False})
            assert whole.usage.completion_tokens
            async with client.responses.stream(model="m", input="Hi") as events:
                async for _ in events:
                    pass
                assert (await events.get_final_response()).status == "completed"
            assert [model.id async for model in client.models.list()] == ["fake-model"]


async def test_the_anthropic_client_streams_through_the_relay():
    async with nothing_left(), FakeLLM(**QUICK) as llm:
        async with (
            serve_relay(to(f"{llm.url}/v1")) as (url, _),
            anthropic.AsyncAnthropic(base_url=url, api_key="x") as client,
        ):
            async with client.messages.stream(model="m", max_tokens=50, messages=ASK["messages"]) as events:
                text = "".join([piece async for piece in events.text_stream])
                assert (await events.get_final_message()).content[0].text == text


async def test_errors_reach_the_clients_as_their_own():
    async with FakeLLM(**QUICK, api_key="right") as llm, serve_relay(to(f"{llm.url}/v1")) as (url, _):
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client:
            with pytest.raises(openai.AuthenticationError, match="wrong or missing API key"):
                await client.chat.completions.create(**ASK)
        async with anthropic.AsyncAnthropic(base_url=url, api_key="x", max_retries=0) as other:
            with pytest.raises(anthropic.AuthenticationError):
                await other.messages.create(model="m", max_tokens=5, messages=ASK["messages"])


@pytest.mark.parametrize("api", ["openai-chat", "anthropic"])
async def test_an_upstream_that_breaks_off_is_an_error_to_the_clients(api):
    cut = SSE_HEAD + b"".join(map(http_chunk, stream_of(api)[:4]))
    async with nothing_left(), ScriptedServer(sends(cut)) as server, serve_relay(to(server.url)) as (url, _):
        if api == "anthropic":
            async with anthropic.AsyncAnthropic(base_url=url, api_key="x", max_retries=0) as other:
                with pytest.raises(anthropic.APIError, match="broke off"):
                    async with other.messages.stream(model="m", max_tokens=9, messages=ASK["messages"]) as events:
                        async for _ in events:
                            pass
            return
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client:
            stream = await client.chat.completions.create(**ASK)
            with pytest.raises(openai.APIError, match="broke off"):
                async for _ in stream:
                    pass


# ---------------------------------------------------------------- failures


UNREACHABLE = "http://127.0.0.1:1/v1"
CUT = SSE_HEAD + http_chunk(openai_event("a"))
FAILURES = {
    "refused connection": (None, 502, "upstream_unreachable"),
    "no HTTP": (sends(b"nonsense\r\n\r\n"), 502, "upstream_protocol"),
    "no answer": (sends(b""), 502, "stream_truncated"),
    "silence": (sends(b"", then="hang"), 504, "first_content_timeout"),
}


@pytest.mark.parametrize(("script", "status", "code"), FAILURES.values(), ids=FAILURES)
async def test_a_failure_before_the_answer_has_its_status_and_its_name(script, status, code):
    async with nothing_left(), ScriptedServer(script or sends(b"")) as server:
        told = to(server.url if script else UNREACHABLE, timeouts=Timeouts(first_content=0.1))
        async with serve_relay(told) as (url, _):
            response = await post(url)
    assert response.status_code == status
    assert response.json()["error"]["code"] == code


LONG = CUT + http_chunk(b": " + b"x" * 5000 + b"\n\n")
STREAM_FAILURES = {
    "cut short": (CUT, "close", {}, b"stream_truncated"),
    "reset": (CUT, "reset", {}, b"stream_truncated"),
    "idle": (CUT, "hang", {"timeouts": Timeouts(idle=0.1)}, b"idle_timeout"),
    "too long in time": (CUT, "hang", {"timeouts": Timeouts(total=0.1)}, b"total_timeout"),
    "too many bytes": (LONG, "hang", {"stream": StreamLimits(stream_bytes=1000)}, b"limit_exceeded"),
}


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "by send"])
@pytest.mark.parametrize(("wire", "then", "more", "code"), STREAM_FAILURES.values(), ids=STREAM_FAILURES)
async def test_a_failure_inside_a_stream_is_told_behind_what_came(wire, then, more, code, direct):
    async with nothing_left(), ScriptedServer(sends(wire, then=then)) as server:
        async with serve_relay(to(server.url, **more), direct=direct) as (url, _):
            response = await post(url)
    assert response.status_code == 200
    came, told = response.content[: len(openai_event("a"))], response.content[len(openai_event("a")) :]
    assert came == openai_event("a")
    assert code in told
    assert told.endswith(b"\n\n")


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "by send"])
@pytest.mark.parametrize(
    ("piece", "times_out"), [(b": ping\n\n", True), (openai_event("b"), False)], ids=["pings", "content"]
)
async def test_content_keeps_a_stream_going_and_pings_do_not(piece, times_out, direct):
    async def script(reader, writer):
        await reader.readuntil(b"}]}")
        writer.write(SSE_HEAD + http_chunk(openai_event("a")))
        for _ in range(20):
            await asyncio.sleep(0.02)
            writer.write(http_chunk(piece))
        writer.write(http_chunk(openai_event("", "stop") + DONE) + b"0\r\n\r\n")

    async with nothing_left(), ScriptedServer(script) as server:
        async with serve_relay(to(server.url, timeouts=Timeouts(idle=0.15)), direct=direct) as (url, _):
            response = await post(url)
    assert (b"idle_timeout" in response.content) is times_out
    assert response.content.endswith(DONE) is not times_out


async def test_a_stream_that_ends_inside_an_event_is_cut_and_not_finished():
    wire = SSE_HEAD + http_chunk(openai_event("a")) + http_chunk(b'data: {"half')
    async with ScriptedServer(sends(wire)) as server, serve_relay(to(server.url)) as (url, _):
        with pytest.raises(httpx.RemoteProtocolError):
            await post(url)


async def test_a_body_cut_short_is_cut_for_the_caller_too():
    wire = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"
    async with ScriptedServer(sends(wire)) as server, serve_relay(to(server.url)) as (url, _):
        with pytest.raises(httpx.RemoteProtocolError):
            await post(url)


async def test_the_wait_for_a_whole_reply_has_a_limit_of_its_own():
    async def script(reader, writer):
        await reader.readuntil(b"}]}")
        await asyncio.sleep(0.3)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")

    told = {"timeouts": Timeouts(first_content=0.05)}
    async with ScriptedServer(script) as server, serve_relay(to(server.url, **told)) as (url, _):
        assert (await post(url, {**ASK, "stream": False})).status_code == 200
    async with ScriptedServer(script) as server:
        async with serve_relay(to(server.url, **told, whole_reply_seconds=0.1)) as (url, _):
            assert (await post(url, {**ASK, "stream": False})).status_code == 504


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "by send"])
async def test_a_reader_that_takes_nothing_holds_the_upstream_back_and_not_the_relay(direct):
    async def script(reader, writer):
        await reader.readuntil(b"}]}")
        writer.write(SSE_HEAD)
        piece = http_chunk(b": " + b"x" * 65_000 + b"\n\n")
        while True:
            writer.write(piece)
            await writer.drain()
            script.written += len(piece)

    script.written = 0
    async with nothing_left(), ScriptedServer(script) as server, serve_relay(to(server.url), direct=direct) as (url, _):
        _, writer = await asyncio.open_connection(*url.removeprefix("http://").split(":"), limit=1024)
        body = b'{"model":"m","stream":true,"messages":[{}]}'
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        await asyncio.sleep(0.3)
        before = script.written
        await asyncio.sleep(0.3)
        assert script.written == before  # everybody waits for the reader
        assert before < 16 * 2**20  # the kernel's buffers are what is filled
        writer.close()


# ---------------------------------------------------------------- attempts


def routed(first, second, **retry):
    return RelaySettings(
        targets={"a": TargetSettings(base_url=first), "b": TargetSettings(base_url=second)},
        routes=(RouteSettings(models="*", targets="a", fallbacks=("b",), retry=RetrySettings(**retry)),),
        timeouts=Timeouts(first_content=0.2),
    )


GOOD = answers(openai_event("good"), openai_event("", "stop"), DONE)
FIRST_FAILS = {
    "refuses": sends(b"HTTP/1.1 503 Busy\r\ncontent-length: 2\r\n\r\n{}"),
    "is not there": None,
    "unknown model": sends(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}"),
    "breaks off before content": sends(SSE_HEAD + http_chunk(b": ping\n\n")),
    "ends before content": answers(b": ping\n\n"),
    "says an error before content": answers(b'data: {"error":{"message":"m","type":"server_error"}}\n\n'),
    "is silent": sends(SSE_HEAD, then="hang"),
}


@pytest.mark.parametrize("script", FIRST_FAILS.values(), ids=FIRST_FAILS)
async def test_the_next_target_is_asked_where_the_first_fails_before_content(script):
    seen = []
    async with nothing_left(), ScriptedServer(script or GOOD) as first, ScriptedServer(GOOD) as second:
        told = routed(first.url if script else UNREACHABLE, second.url)
        async with serve_relay(told, [seen.append]) as (url, _):
            response = await post(url)
    assert response.content == openai_event("good") + openai_event("", "stop") + DONE
    finished = seen[-1]
    assert (finished.target, finished.attempts, finished.outcome) == ("b", 2, "complete")


async def test_a_target_is_asked_again_as_often_as_its_route_says():
    counted = []

    async def script(reader, writer):
        await reader.readuntil(b"}]}")
        counted.append(1)
        writer.write(b"HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\n{}")

    async with ScriptedServer(script) as first, ScriptedServer(GOOD) as second:
        async with serve_relay(routed(first.url, second.url, attempts=3, first_wait=0.001)) as (url, _):
            assert (await post(url)).status_code == 200
    assert len(counted) == 3


async def test_nothing_is_asked_again_after_content_or_for_a_wrong_request():
    wrong = b"HTTP/1.1 400 Bad\r\ncontent-type: application/json\r\ncontent-length: 17\r\n\r\n" + b'{"error":"yours"}'
    for script, status in ((sends(wrong), 400), (sends(CUT), 200)):
        async with ScriptedServer(script) as first, ScriptedServer(GOOD) as second:
            async with serve_relay(routed(first.url, second.url, attempts=2, first_wait=0.0)) as (url, _):
                response = await post(url)
            assert response.status_code == status
            assert second.connections == 0
    assert b"stream_truncated" in response.content


async def test_the_last_refusal_is_what_the_caller_is_told():
    refuse = sends(b"HTTP/1.1 429 Slow\r\nretry-after: 7\r\nx-a: b\r\ncontent-length: 11\r\n\r\n" + b'{"own": 1} ')
    async with ScriptedServer(sends(b"")) as first, ScriptedServer(refuse) as second:
        async with serve_relay(routed(first.url, second.url)) as (url, _):
            response = await post(url)
    assert (response.status_code, response.content) == (429, b'{"own": 1} ')
    assert (response.headers["retry-after"], response.headers["x-a"]) == ("7", "b")


async def test_a_route_names_the_model_that_its_target_knows():
    asked = []

    async def script(reader, writer):
        asked.append(await reader.readuntil(b"}]}"))
        writer.write(SSE_HEAD + http_chunk(openai_event("a", "stop") + DONE) + b"0\r\n\r\n")

    async with ScriptedServer(script) as server:
        async with serve_relay(_aliased(server.url)) as (url, _):
            async with httpx.AsyncClient() as client:
                body = b'{ "temperature": 1.50, "model":"alias-1", "messages":[{"a":  1}]}'
                await client.post(f"{url}/v1/chat/completions", content=body)
                missing = await client.post(f"{url}/v1/chat/completions", content=b'{"model":"other"}')
                listed = await client.get(f"{url}/v1/models")
    assert asked[0].endswith(b'{"temperature":1.50,"model":"real","messages":[{"a":  1}]}')
    assert missing.status_code == 404
    assert missing.json()["error"]["message"] == "no route leads to the model 'other'"
    assert [model["id"] for model in listed.json()["data"]] == ["plain"]


def _aliased(url):
    return RelaySettings(
        targets={"a": TargetSettings(base_url=url)},
        routes=(RouteSettings(models=("alias-*", "plain"), targets=(ChoiceSettings(target="a", model="real"),)),),
    )


# ---------------------------------------------------------------- places


async def test_a_request_beyond_the_places_and_the_queue_is_told_to_come_back():
    async with ScriptedServer(sends(CUT, then="hang")) as server:
        limits = RelayLimits(requests=1, waiting=1, wait_seconds=0.2)
        async with serve_relay(to(server.url, limits=limits)) as (url, relay), httpx.AsyncClient() as client:
            async with client.stream("POST", f"{url}/v1/chat/completions", json=ASK):
                waiting = asyncio.create_task(post(url))
                await asyncio.sleep(0.05)
                at_once = await post(url)
                in_time = await waiting
            assert relay.active <= 1
    assert (at_once.status_code, at_once.headers["retry-after"]) == (503, "1")
    assert in_time.status_code == 503
    assert at_once.json()["error"]["code"] == "overloaded"


async def test_a_target_has_places_of_its_own():
    async with ScriptedServer(sends(CUT, then="hang")) as server:
        target = TargetSettings(base_url=server.url, requests=1, waiting=0)
        async with serve_relay(RelaySettings(targets={"up": target})) as (url, _), httpx.AsyncClient() as client:
            async with client.stream("POST", f"{url}/v1/chat/completions", json=ASK):
                assert (await post(url)).status_code == 429


# ---------------------------------------------------------------- what is told


async def test_observers_hear_what_passed():
    seen = []
    async with FakeLLM(**QUICK) as llm, serve_relay(to(f"{llm.url}/v1"), [seen.append]) as (url, _):
        await post(url, {**ASK, "stream_options": {"include_usage": True}})
    assert [type(moment) for moment in seen] == [ResponseStarted, FirstContentSent, ExchangeFinished]
    finished = seen[-1]
    assert (finished.outcome, finished.status, finished.api, finished.model) == ("complete", 200, "openai-chat", "m")
    assert finished.stream.usage.output_tokens == 6
    assert finished.stream.finish_reason == "stop"
    assert 0 < finished.stream.first_content_seconds < finished.seconds


async def test_health_says_when_the_end_was_asked_for_and_nothing_new_is_begun():
    async with FakeLLM(**QUICK) as llm, serve_relay(to(f"{llm.url}/v1")) as (url, relay), httpx.AsyncClient() as client:
        assert (await client.get(f"{url}/healthz")).json() == {"status": "ok", "active": 0}
        relay.drain()
        assert (await client.get(f"{url}/healthz")).status_code == 503
        refused = await client.post(f"{url}/v1/messages", json=ASK)
        assert (refused.status_code, refused.json()["type"]) == (503, "error")
