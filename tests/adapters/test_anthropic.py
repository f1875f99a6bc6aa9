"""The lean Anthropic client beside the stock SDK, reading the same bytes from the same server."""

from __future__ import annotations

import asyncio
import json
import ssl

import anthropic
import httpx2
import pydantic
import pytest
from anthropic import types

from streamarena.errors import ConfigurationError
from streamarena.testing import FakeLLM
from streamarena_adapters.anthropic import http_client, lean
from tests.adapters.sdk_wires import MESSAGES, START, STOP, arguments, block, sse, text
from tests.adapters.side_by_side import failure, paths_of, plain, read, walk
from tests.support.counting import nothing_left
from tests.support.scripted_server import SSE_HEAD, ScriptedServer, answers, http_chunk, read_request, sends

TRUST = ssl.create_default_context()  # making one costs 20 ms, and each client would
ASK = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
TRANSPORTS = {"their transport": lambda: httpx2.AsyncClient(verify=TRUST, timeout=10), "our transport": http_client}


def wire(events):
    return sse(events, done=b"")


def sdk(url, made="our transport", **options):
    options = {"api_key": "k", "max_retries": 0, **options}
    return anthropic.AsyncAnthropic(base_url=url.removesuffix("/v1"), http_client=TRANSPORTS[made](), **options)


async def side_by_side(events, call, made="our transport", **options):
    """Return what the stock client and the lean one make of a server's answer."""
    async with nothing_left(), ScriptedServer(answers(wire(events))) as server:
        async with sdk(server.url, made, **options) as client:
            got = await call(client), await call(lean(client))
            assert server.connections == 1  # the same one twice: each stream gave it back
            return got


async def ask(client):
    return await read(await client.messages.create(**ASK, stream=True))


@pytest.mark.parametrize("made", TRANSPORTS)
@pytest.mark.parametrize("name", MESSAGES)
async def test_each_event_becomes_the_sdks_own_object(name, made):
    stock, ours = await side_by_side(MESSAGES[name], ask, made)
    assert [item.to_sdk() for item in ours] == stock
    assert [type(item.to_sdk()) for item in ours] == [type(item) for item in stock]
    assert len(stock) == len([event for event in MESSAGES[name] if event["type"] != "ping"])


@pytest.mark.parametrize("name", MESSAGES)
async def test_every_attribute_of_the_sdks_object_is_there_and_no_other(name):
    stock, ours = await side_by_side(MESSAGES[name], ask)
    for theirs, mine in zip(stock, ours, strict=True):
        for path, value in paths_of(theirs):
            assert walk(mine, path) == value, path
        assert not hasattr(mine, "no_such_name")


@pytest.mark.parametrize(("name", "count"), [("text", 0), ("text that is a number", 1), ("a delta that is new", 0)])
async def test_a_mistyped_field_is_counted_and_ends_nothing(name, count):
    async with ScriptedServer(answers(wire(MESSAGES[name]))) as server, sdk(server.url) as client:
        stream = await lean(client).messages.create(**ASK, stream=True)
        assert await read(stream)
    assert stream.mistyped == count


# ---------------------------------------------------------------- the helper


async def help_events(client):
    """Every event of the helper, as the SDK's objects as they were when they came."""
    got = []
    async with client.messages.stream(**ASK) as stream:
        async for event in stream:
            got.append(plain(event).model_dump_json(warnings=False))  # noqa: PERF401 - snapshots go on growing
        return got, await stream.get_final_message()


HELPED = [name for name in MESSAGES if name != "text that is a number"]


@pytest.mark.parametrize("name", HELPED)
async def test_the_helper_tells_the_same_and_makes_the_same_message(name):
    (stock, their_final), (ours, our_final) = await side_by_side(MESSAGES[name], help_events)
    assert ours == stock
    assert our_final == their_final
    assert our_final.model_dump_json() == their_final.model_dump_json()


async def help_attributes(client):
    seen = []
    async with client.messages.stream(**ASK) as stream:
        async for event in stream:
            names = ("text", "thinking", "partial_json", "snapshot", "citation", "signature", "index")
            seen.append([event.type, *(repr(getattr(event, name, None)) for name in names)])
            if event.type == "text":
                seen.append(stream.current_message_snapshot.content[-1].text)
        return seen


@pytest.mark.parametrize("name", ["text", "a tool", "two tools at once", "thinking", "citations"])
async def test_the_helpers_events_have_the_sdks_attributes(name):
    stock, ours = await side_by_side(MESSAGES[name], help_attributes)
    assert ours == stock


async def help_texts(client):
    async with client.messages.stream(**ASK) as stream:
        texts = [piece async for piece in stream.text_stream]
        return texts, await stream.get_final_text(), stream.request_id, stream.response.status_code


@pytest.mark.parametrize("name", ["text", "a tool", "thinking"])
async def test_the_helpers_texts_are_the_same(name):
    stock, ours = await side_by_side(MESSAGES[name], help_texts)
    assert ours == stock


async def test_a_message_without_text_has_no_final_text():
    events = [START, *block(0, *arguments("{}")), *STOP]
    async with ScriptedServer(answers(wire(events))) as server, sdk(server.url) as client:
        async with lean(client).messages.stream(**ASK) as stream:
            with pytest.raises(RuntimeError, match="tool_use"):
                await stream.get_final_text()


class Direction(pydantic.BaseModel):
    degrees: int


async def help_parsed(client):
    async with client.messages.stream(**ASK, output_format=Direction) as stream:
        events = [plain(event).type async for event in stream]
        final = await stream.get_final_message()
    return events, final.parsed_output


async def test_an_output_format_is_parsed_by_the_sdk():
    events = [START, *block(0, *text('{"deg', 'rees": 7}')), *STOP]
    stock, ours = await side_by_side(events, help_parsed)
    assert ours == stock
    assert ours[1] == Direction(degrees=7)


@pytest.mark.parametrize("pieces", [["{]"], ['{"a": ', "]"]], ids=["at once", "after a while"])
async def test_a_tools_input_that_is_no_json_is_the_sdks_error(pieces):
    events = [START, *block(0, *arguments(*pieces)), *STOP]
    async with nothing_left(), ScriptedServer(answers(wire(events))) as server, sdk(server.url) as client:
        for each in (client, lean(client)):
            with pytest.raises(ValueError, match="Unable to parse tool parameter JSON"):
                async with each.messages.stream(**ASK) as stream:
                    await stream.until_done()


async def test_snapshots_that_were_kept_stay_what_they_were():
    async with ScriptedServer(answers(wire(MESSAGES["text"]))) as server, sdk(server.url) as client:
        async with lean(client).messages.stream(**ASK) as stream:
            kept = [event async for event in stream if event.type == "text"]
    assert [event.snapshot for event in reversed(kept)] == ["hello ü\u2028", "hello", "he"]
    assert [event.to_sdk().snapshot for event in kept] == ["he", "hello", "hello ü\u2028"]


async def test_long_tool_inputs_take_linear_time(monkeypatch):
    fed = []
    feed = anthropic.lib.streaming._messages.accumulate_event
    monkeypatch.setattr(
        "anthropic.lib.streaming._messages.accumulate_event", lambda **kinds: fed.append(1) or feed(**kinds)
    )
    pieces = ["[", *("1," for _ in range(3000)), "1]"]
    events = [START, *block(0, *arguments(*pieces)), *STOP]
    async with ScriptedServer(answers(wire(events))) as server, sdk(server.url) as client:
        async with lean(client).messages.stream(**ASK) as stream:
            final = await stream.get_final_message()
    assert len(final.content[0].input) == 3001
    assert len(fed) == 6  # not 3,007: the pieces are handed on as one


# ---------------------------------------------------------------- errors and retries


def error(kind):
    return {"type": "error", "error": {"type": kind, "message": "busy"}}


BEGUN = [START, *block(0, *text("x"))[:2]]
BROKEN = {
    "overloaded": answers(wire([*BEGUN, error("overloaded_error")])),
    "rate limited": answers(wire([*BEGUN, error("rate_limit_error")])),
    "an error that is no JSON": answers(wire(BEGUN) + b"event: error\ndata: oh no\n\n"),
    "no JSON": answers(wire(BEGUN) + b"event: message_stop\ndata: {nope\n\n"),
    "an event without a name": answers(wire(BEGUN) + b'data: {"type": "message_stop"}\n\n'),
    "a name without data": answers(wire(BEGUN) + b"event: message_stop\n\n"),
    "an end in the middle": answers(wire(BEGUN)),
    "a cut body": sends(SSE_HEAD + http_chunk(wire(BEGUN))),
    "a reset": sends(SSE_HEAD, http_chunk(wire(BEGUN)), then="reset", pause=0.02),
    "529": sends(b"HTTP/1.1 529 Busy\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}"),
    "an empty body": answers(),
}


@pytest.mark.parametrize("made", TRANSPORTS)
@pytest.mark.parametrize("broken", BROKEN)
async def test_streams_fail_as_the_sdks_do(broken, made):
    async with nothing_left(), ScriptedServer(BROKEN[broken]) as server, sdk(server.url, made) as client:
        stock, ours = [
            await failure(lambda each=each: each.messages.create(**ASK, stream=True)) for each in (client, lean(client))
        ]
    if stock.kind is not None and issubclass(stock.kind, httpx2.TransportError | json.JSONDecodeError):
        stock, ours = stock.without_text(), ours.without_text()  # the texts tell of their library and ours
    assert ours == stock


async def test_a_read_timeout_names_its_request_as_the_sdks_does():
    script = sends(SSE_HEAD + http_chunk(wire(BEGUN)), then="hang")
    for made in TRANSPORTS:
        async with nothing_left(), ScriptedServer(script) as server, sdk(server.url, made, timeout=0.05) as client:
            stream = await lean(client).messages.create(**ASK, stream=True)
            with pytest.raises(httpx2.ReadTimeout) as caught:
                await read(stream)
            assert caught.value.request is stream.response.request


async def test_the_sdks_own_retries_happen():
    asked = []

    async def script(reader, writer):
        while request := await read_request(reader):
            asked.append(request)
            if len(asked) == 3:
                writer.write(SSE_HEAD + http_chunk(wire(MESSAGES["text"])) + b"0\r\n\r\n")
            else:
                status = [b"429 Too Many", b"500 Oh"][len(asked) - 1]
                writer.write(b"HTTP/1.1 %b\r\nretry-after-ms: 1\r\ncontent-length: 0\r\n\r\n" % status)

    async with nothing_left(), ScriptedServer(script) as server, sdk(server.url, max_retries=3) as client:
        assert await ask(lean(client))
    assert [b"x-stainless-retry-count: %d" % n in asked[n].lower() for n in range(3)] == [True] * 3


# ---------------------------------------------------------------- everything else stays the SDK's


async def test_whatever_does_not_stream_is_the_sdks():
    async with nothing_left(), FakeLLM(ttft=0, inter_token_latency=0, tokens=4) as llm, sdk(llm.url) as client:
        ours = lean(client)
        assert isinstance(await ours.messages.create(**ASK), types.Message)
        assert [model.id async for model in ours.models.list()]
        raw = await ours.messages.with_raw_response.create(**ASK)
        assert raw.status_code == 200
        streaming = await ours.messages.with_raw_response.create(**ASK, stream=True)
        assert all(hasattr(item, "to_sdk") for item in await read(await streaming.parse()))
        for made in (ours.with_options(timeout=3), ours.copy(timeout=3)):
            assert (made.timeout, "AsyncAnthropic" in repr(made)) == (3, True)
            assert hasattr((await ask(made))[0], "to_sdk")
        async with ours as entered:
            assert entered is ours
        assert client.is_closed()


async def test_a_blocking_client_is_refused():
    with anthropic.Anthropic(api_key="k") as client, pytest.raises(ConfigurationError, match="asynchronous"):
        lean(client)


async def test_the_http_client_has_the_sdks_timeouts_and_limits():
    async with http_client() as client:
        assert client.timeout == httpx2.Timeout(600, connect=5.0)
        assert client.follow_redirects


# ---------------------------------------------------------------- giving back


async def leave_by_break(stream):
    async for _ in stream:
        break
    await stream.close()


async def leave_the_context(stream):
    async with stream:
        await anext(stream)


async def leave_by_dropping(stream):
    await anext(stream)


@pytest.mark.parametrize("leave", [leave_by_break, leave_the_context, leave_by_dropping])
async def test_leaving_early_gives_the_connection_back(leave):
    async with nothing_left(), FakeLLM(ttft=0, inter_token_latency=0.01, tokens=200) as llm:
        async with sdk(llm.url) as client:
            await leave(await lean(client).messages.create(**ASK, stream=True))
            await asyncio.sleep(0.02)  # a stream that was dropped gives back with one of the loop's next turns
            assert llm.statistics.active == 0


async def test_300_cancelled_streams_leave_nothing():
    async with nothing_left(), FakeLLM(ttft=0, inter_token_latency=0.01, tokens=200) as llm, sdk(llm.url) as client:
        ours = lean(client)

        async def one():
            async with ours.messages.stream(**{**ASK, "max_tokens": 500}) as stream:
                async for _ in stream.text_stream:
                    pass

        tasks = [asyncio.ensure_future(one()) for _ in range(300)]
        await asyncio.sleep(0.3)
        loop = asyncio.get_running_loop()
        for number, task in enumerate(tasks):
            loop.call_later(number % 50 / 1000, task.cancel)
            if number % 2:  # a second time, while the first is still on its way out
                loop.call_later(number % 50 / 1000 + 0.0001, task.cancel)
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(each) for each in done} == {asyncio.CancelledError}


# ---------------------------------------------------------------- the SDK's tracing


async def helper_to_its_end(client):
    async with client.messages.stream(**ASK) as stream:
        await stream.until_done()


async def stream_to_its_end(client):
    await ask(client)


async def stream_that_is_left(client):
    async with await client.messages.create(**ASK, stream=True) as stream:
        await anext(stream)


async def stream_that_fails(client):
    with pytest.raises(anthropic.APIStatusError):
        await ask(client)


TRACED = {
    "a helper": (helper_to_its_end, wire(MESSAGES["a tool"])),
    "a stream": (stream_to_its_end, wire(MESSAGES["a tool"])),
    "a stream that is left": (stream_that_is_left, wire(MESSAGES["text"])),
    "a stream that fails": (stream_that_fails, wire([*BEGUN, error("overloaded_error")])),
}


@pytest.mark.parametrize("call", TRACED)
async def test_the_sdks_own_spans_are_the_same(call):
    trace = pytest.importorskip("opentelemetry.sdk.trace")
    export = pytest.importorskip("opentelemetry.sdk.trace.export")
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    read_it, body = TRACED[call]
    got = []
    async with nothing_left(), ScriptedServer(answers(body)) as server:
        for made in (lambda client: client, lean):
            exporter, provider = memory.InMemorySpanExporter(), trace.TracerProvider()
            provider.add_span_processor(export.SimpleSpanProcessor(exporter))
            traced = {"tracer_provider": provider, "traces": {"content_mode": "content"}}
            async with sdk(server.url, open_telemetry=traced) as client:
                await read_it(made(client))
            for span in exporter.get_finished_spans():
                shown = {name: value for name, value in span.attributes.items() if "time_to_first" not in name}
                got.append((span.name, span.status.status_code, shown))
    assert got[0] == got[1]
    assert len(got) == 2
