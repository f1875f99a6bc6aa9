"""The lean OpenAI client beside the stock SDK, reading the same bytes from the same server."""

from __future__ import annotations

import asyncio
import json
import ssl

import httpx2
import openai
import pydantic
import pytest

from streamarena.errors import ConfigurationError, EventTooLargeError, StreamInUseError
from streamarena.testing import FakeLLM
from streamarena_adapters._sdk import EventReader
from streamarena_adapters.httpx2 import AsyncHTTPTransport
from streamarena_adapters.openai import http_client, lean
from tests.adapters.sdk_wires import CHAT, RESPONSES, USAGE, call, chat, choice, serving, sse
from tests.adapters.side_by_side import failure, paths_of, plain, read, walk
from tests.support.counting import nothing_left
from tests.support.scripted_server import SSE_HEAD, ScriptedServer, answers, http_chunk, read_request, sends

TRUST = ssl.create_default_context()  # making one costs 20 ms, and each client would
ASK = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "stream": True}
TRANSPORTS = {"their transport": lambda: httpx2.AsyncClient(verify=TRUST, timeout=10), "our transport": http_client}


def sdk(url, made="our transport", **options):
    options = {"api_key": "k", "max_retries": 0, **options}
    return openai.AsyncOpenAI(base_url=url, http_client=TRANSPORTS[made](), **options)


async def side_by_side(script, call, made="our transport"):
    """Return what the stock client and the lean one make of a server's answer."""
    async with nothing_left(), ScriptedServer(script) as server, sdk(server.url, made) as client:
        return await call(client), await call(lean(client)), server


async def ask_chat(client):
    return await read(await client.chat.completions.create(**ASK))


async def ask_responses(client):
    return await read(await client.responses.create(model="m", input="hello", stream=True))


CALLS = {"chat": (ask_chat, CHAT), "responses": (ask_responses, RESPONSES)}
WIRES = [(api, name) for api, (_, wires) in CALLS.items() for name in wires]


@pytest.mark.parametrize("made", TRANSPORTS)
@pytest.mark.parametrize(("api", "wire"), WIRES)
async def test_each_event_becomes_the_sdks_own_object(api, wire, made):
    call, wires = CALLS[api]
    stock, lean_items, server = await side_by_side(serving(wires[wire]), call, made)
    assert [item.to_sdk() for item in lean_items] == stock
    assert [type(item.to_sdk()) for item in lean_items] == [type(item) for item in stock]
    assert len(stock) == len(wires[wire])
    assert server.connections == 1  # the same one twice: each stream gave it back


@pytest.mark.parametrize(("api", "wire"), WIRES)
async def test_every_attribute_of_the_sdks_object_is_there(api, wire):
    call, wires = CALLS[api]
    stock, lean_items, _ = await side_by_side(serving(wires[wire]), call)
    for theirs, ours in zip(stock, lean_items, strict=True):
        for path, value in paths_of(theirs):
            assert walk(ours, path) == value, path


@pytest.mark.parametrize(("api", "wire"), WIRES)
async def test_a_name_that_the_sdks_object_has_not_is_missing_here_too(api, wire):
    call, wires = CALLS[api]
    _, lean_items, _ = await side_by_side(serving(wires[wire]), call)
    for item in lean_items:
        assert not hasattr(item, "no_such_name")
        with pytest.raises(AttributeError, match="no_such_name"):
            item.no_such_name  # noqa: B018 - the access is the test


async def test_parts_answer_as_the_sdks_parts_do():
    stock, (first, *rest), _ = await side_by_side(serving(CHAT["tools"]), ask_chat)
    assert first.choices[0].to_sdk() == stock[0].choices[0]
    assert first.choices[0].delta.model_dump() == stock[0].choices[0].delta.model_dump()
    called = rest[3].choices[0].delta.tool_calls[0]
    assert called.to_sdk() == stock[4].choices[0].delta.tool_calls[0]
    assert called.function.to_sdk() == stock[4].choices[0].delta.tool_calls[0].function
    assert called.extra_content == {"google": 1}
    assert first.model_dump_json() == stock[0].model_dump_json()
    assert not hasattr(first.choices[0].delta, "reasoning_content")
    assert "content=None" in repr(first)


@pytest.mark.parametrize(
    ("wire", "count"), [("text", 0), ("text that is a number", 1), ("choices that are null", 1), ("no index", 1)]
)
async def test_a_mistyped_field_is_counted_and_ends_nothing(wire, count):
    async with ScriptedServer(serving(CHAT[wire])) as server, sdk(server.url) as client:
        stream = await lean(client).chat.completions.create(**ASK)
        items = await read(stream)
    assert (len(items), stream.mistyped) == (len(CHAT[wire]), count)


async def test_types_that_are_rare_or_new_are_not_counted_as_mistyped():
    async with ScriptedServer(serving(RESPONSES["text"] + RESPONSES["a type that is new"])) as server:
        async with sdk(server.url) as client:
            stream = await lean(client).responses.create(model="m", input="x", stream=True)
            await read(stream)
    assert stream.mistyped == 0


# ---------------------------------------------------------------- helpers


class Direction(pydantic.BaseModel):
    degrees: int


STRICT = [openai.pydantic_function_tool(Direction, name="turn")]
MANY = [f" {number}," for number in range(300)]
HELPED = {
    **{name: (wire, {}) for name, wire in CHAT.items()},
    "a response format": (
        [
            chat(choice(role="assistant", content="")),
            *(chat(choice(content=piece)) for piece in (" ", '{"deg', 'rees": 1', "7}")),
            chat(choice(finish="stop")),
        ],
        {"response_format": Direction},
    ),
    "a response format that is cut": (
        [chat(choice(content='{"deg')), chat(choice(content="r")), chat(choice(finish="length"))],
        {"response_format": Direction},
    ),
    "a strict tool": (
        [
            chat(choice(role="assistant", content=None)),
            chat(choice(tool_calls=[call(0, "turn", "", id="t0", type="function")])),
            *(chat(choice(tool_calls=[call(0, arguments=piece)])) for piece in ('{"degr', 'ees"', ": 4", "}")),
            chat(choice(tool_calls=[call(1, "turn", '{"de', id="t1", type="function")])),
            *(chat(choice(tool_calls=[call(1, arguments=piece, type="function")])) for piece in ("grees", '": 5}')),
            chat(choice(finish="tool_calls"), usage=USAGE),
        ],
        {"tools": STRICT},
    ),
    "roles and reasoning in each chunk": (
        [
            chat(choice(role="assistant", content="", reasoning_content="a")),
            chat(choice(role="assistant", content=None, reasoning_content="b")),
            chat(choice(role="assistant", content=None, reasoning_content="c")),
            chat(choice(role="assistant", content="d", reasoning_content=None)),
            chat(choice(role="assistant", content="e", reasoning_content=None, refusal=None)),
            chat(choice(content="f", parts=["x"])),
            chat(choice(content="g", parts=["y"], type="t")),
            chat(choice(content="h", finish="stop")),
        ],
        {},
    ),
    "a number among texts": ([chat(choice(content=piece)) for piece in ("a", "b", 5, "c", "d")], {}),
    "a number first": ([chat(choice(content=piece)) for piece in (5, "c", "d")], {}),
    "three choices": (
        [
            chat(*(choice(index, role="assistant", content="") for index in range(3))),
            *(
                chat(choice(index, content=piece))
                for index, piece in ((0, "a"), (1, "b"), (1, "c"), (2, "d"), (0, "e"))
            ),
            *(chat(choice(index, finish="stop")) for index in range(3)),
        ],
        {},
    ),
    "a long answer": ([chat(choice(role="assistant")), *(chat(choice(content=piece)) for piece in MANY)], {}),
}


async def help_chat(client, **asked):
    """Every event of the helper, as the SDK's objects as they were when they came, and what became of the stream."""
    got = []
    try:
        async with client.chat.completions.stream(model="m", messages=ASK["messages"], **asked) as stream:
            async for event in stream:
                if event.type == "chunk":
                    assert event.snapshot is not None
                    got.append(event.chunk.model_dump_json(warnings=False))
                else:
                    got.append(plain(event).model_dump_json(warnings=False))
            final = await stream.get_final_completion()
            got.append(stream.current_completion_snapshot.model_dump_json(warnings=False))
            got.append(final.model_dump_json(warnings=False))
            return got, [each.message.parsed for each in final.choices]
    except Exception as error:  # noqa: BLE001 - compared by the tests
        return got, type(error), str(error).partition(" at 0x")[0]


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # of the SDK's about mistyped fields
@pytest.mark.parametrize("wire", HELPED)
async def test_the_chat_helper_tells_the_same_and_makes_the_same_completion(wire):
    events, asked = HELPED[wire]
    stock, ours, _ = await side_by_side(serving(events), lambda client: help_chat(client, **asked))
    assert ours == stock


async def help_chat_without_looking(client):
    async with client.chat.completions.stream(model="m", messages=ASK["messages"]) as stream:
        kinds = [event.type async for event in stream]
        return kinds, (await stream.get_final_completion()).model_dump_json(warnings=False)


@pytest.mark.parametrize(
    "wire", ["text", "tools", "roles and reasoning in each chunk", "a strict tool", "a long answer"]
)
async def test_the_chat_helper_makes_the_same_completion_of_runs(wire):
    stock, ours, _ = await side_by_side(serving(HELPED[wire][0]), help_chat_without_looking)
    assert ours == stock


async def test_the_sdks_state_sees_runs_of_pieces_and_not_single_ones(monkeypatch):
    seen = []
    handle = openai.lib.streaming.chat.ChatCompletionStreamState.handle_chunk
    monkeypatch.setattr(
        openai.lib.streaming.chat.ChatCompletionStreamState,
        "handle_chunk",
        lambda self, chunk: seen.append(chunk) or handle(self, chunk),
    )
    async with ScriptedServer(serving(HELPED["a long answer"][0])) as server, sdk(server.url) as client:
        await help_chat_without_looking(lean(client))
    assert len(seen) == 2
    assert seen[1].choices[0].delta.content == "".join(MANY)


async def test_snapshots_that_were_kept_stay_what_they_were():
    async with ScriptedServer(serving(HELPED["a response format"][0])) as server, sdk(server.url) as client:
        async with lean(client).chat.completions.stream(
            model="m", messages=ASK["messages"], response_format=Direction
        ) as stream:
            kept = [event async for event in stream if event.type == "content.delta"]
    assert [event.snapshot for event in reversed(kept[1:])] == [' {"degrees": 17}', ' {"degrees": 1', ' {"deg', " "]
    assert [event.parsed for event in kept[1:]] == [None, {}, {"degrees": 1}, {"degrees": 17}]


async def help_responses(client, **asked):
    got = []
    try:
        async with client.responses.stream(**{"model": "m", "input": "x", **asked}) as stream:
            async for event in stream:
                got.append((event.type, getattr(event, "snapshot", None), getattr(event, "item_id", None)))
                got.append(plain(event).model_dump_json(warnings=False))
            final = await stream.get_final_response()
            return got, final.model_dump_json(warnings=False), final.output_parsed
    except Exception as error:  # noqa: BLE001 - compared by the tests
        return got, type(error)


RESPONSES_HELPED = {
    **{name: (wire, {}) for name, wire in RESPONSES.items()},
    "other deltas after the beginning": (RESPONSES["text"][:1] + RESPONSES["each of the other deltas"], {}),
    "a text format": (
        json.loads(json.dumps(RESPONSES["text"]).replace('"he"', '"{"').replace("hello", '{\\"degrees\\": 3}')),
        {"text_format": Direction},
    ),
    "a stream that was begun before": (RESPONSES["text"], {"response_id": "r1", "starting_after": 3}),
    "no end": (RESPONSES["text"][:-1], {}),
}


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # of the SDK's about mistyped fields
@pytest.mark.parametrize("wire", RESPONSES_HELPED)
async def test_the_responses_helper_tells_the_same_and_makes_the_same_response(wire):
    events, asked = RESPONSES_HELPED[wire]
    if "response_id" in asked:
        asked = {"model": openai.omit, "input": openai.omit, **asked}
    stock, ours, _ = await side_by_side(serving(events), lambda client: help_responses(client, **asked))
    assert ours == stock


# ---------------------------------------------------------------- errors


TEXT = chat(choice(content="x"))
BROKEN = {
    "an error object": answers(sse([TEXT, {"error": {"message": "no", "code": "c", "type": "t"}}])),
    "an error beside choices": answers(sse([TEXT, {**TEXT, "error": {"message": "no", "code": 502}}])),
    "an error without a message": answers(sse([TEXT, {"error": {"code": "c"}}])),
    "an error that is a text": answers(sse([TEXT, {"error": "no"}])),
    "no JSON": answers(sse([TEXT]) + b"data: {nope\n\n"),
    "401": sends(
        b"HTTP/1.1 401 No\r\nconnection: close\r\ncontent-length: 27\r\n\r\n" + b'{"error":{"message":"key"}}'
    ),
    "429": sends(
        b"HTTP/1.1 429 Slow\r\nconnection: close\r\ncontent-length: 28\r\n\r\n" + b'{"error":{"message":"slow"}}'
    ),
    "a cut body": sends(SSE_HEAD + http_chunk(sse([TEXT], done=b""))),
    "a reset": sends(SSE_HEAD, http_chunk(sse([TEXT], done=b"")), then="reset", pause=0.02),
    "an end without [DONE]": answers(sse([TEXT], done=b"")),
    "an event that never ends": answers(sse([TEXT], done=b'data: {"choices": []}\n')),
    "an empty body": answers(),
}


@pytest.mark.parametrize("made", TRANSPORTS)
@pytest.mark.parametrize("broken", BROKEN)
async def test_streams_fail_as_the_sdks_do(broken, made):
    async with nothing_left(), ScriptedServer(BROKEN[broken]) as server, sdk(server.url, made) as client:
        stock, ours = [
            await failure(lambda each=each: each.chat.completions.create(**ASK)) for each in (client, lean(client))
        ]
    if stock.kind is not None and issubclass(stock.kind, openai.APIConnectionError | json.JSONDecodeError):
        stock, ours = stock.without_text(), ours.without_text()  # the texts tell of their library and ours
    assert ours == stock


async def test_a_read_timeout_is_the_sdks_timeout_error():
    script = sends(SSE_HEAD + http_chunk(sse([TEXT], done=b"")), then="hang")
    for made in TRANSPORTS:
        async with nothing_left(), ScriptedServer(script) as server, sdk(server.url, made, timeout=0.05) as client:
            stream = await lean(client).chat.completions.create(**ASK)
            assert (await anext(stream)).choices[0].delta.content == "x"
            with pytest.raises(openai.APITimeoutError):
                await anext(stream)


async def test_an_event_beyond_the_limit_is_named_and_what_came_before_it_is_delivered(monkeypatch):
    monkeypatch.setitem(EventReader.__init__.__kwdefaults__, "max_event_bytes", 400)
    script = answers(sse([TEXT, chat(choice(content="y" * 1000))]))
    async with nothing_left(), ScriptedServer(script) as server, sdk(server.url) as client:
        stream = await lean(client).chat.completions.create(**ASK)
        assert (await anext(stream)).choices[0].delta.content == "x"
        with pytest.raises(EventTooLargeError):
            await anext(stream)


@pytest.mark.parametrize("fault", ["status 429 and Retry-After", "status 500", "a reset"])
async def test_the_sdks_own_retries_happen(fault):
    asked = []

    async def script(reader, writer):
        while request := await read_request(reader):
            asked.append(request)
            if len(asked) == 3:
                writer.write(SSE_HEAD + http_chunk(sse(CHAT["text"])) + b"0\r\n\r\n")
            elif fault == "a reset":
                writer.transport.abort()
                return
            else:
                status = b"429 Too Many" if "429" in fault else b"500 Oh"
                writer.write(b"HTTP/1.1 %b\r\nretry-after-ms: 1\r\ncontent-length: 0\r\n\r\n" % status)

    async with nothing_left(), ScriptedServer(script) as server, sdk(server.url, max_retries=3) as client:
        items = await ask_chat(lean(client))
    assert len(items) == len(CHAT["text"])
    assert [b"x-stainless-retry-count: %d" % n in asked[n].lower() for n in range(3)] == [True] * 3


# ---------------------------------------------------------------- everything else stays the SDK's


async def test_whatever_does_not_stream_is_the_sdks():
    async with nothing_left(), FakeLLM(ttft=0, inter_token_latency=0, tokens=4) as llm:
        async with sdk(f"{llm.url}/v1") as client:
            ours = lean(client)
            whole = await ours.chat.completions.create(model="m", messages=ASK["messages"])
            assert isinstance(whole, openai.types.chat.ChatCompletion)
            assert isinstance(await ours.responses.create(model="m", input="x"), openai.types.responses.Response)
            assert [model.id async for model in ours.models.list()]
            raw = await ours.chat.completions.with_raw_response.create(model="m", messages=ASK["messages"])
            assert raw.status_code == 200
            async with ours.chat.completions.with_streaming_response.create(**ASK) as streaming:
                assert [line async for line in streaming.iter_lines()][-2:] == ["data: [DONE]", ""]
            assert ours.api_key == "k"
            assert "AsyncOpenAI" in repr(ours)


async def test_options_are_kept_and_the_copies_are_lean():
    seen = []

    async def script(reader, writer):
        while request := await read_request(reader):
            seen.append(request.lower())
            writer.write(SSE_HEAD + http_chunk(sse(CHAT["text"])) + b"0\r\n\r\n")

    async with nothing_left(), ScriptedServer(script) as server, sdk(server.url) as client:
        for made in (lean(client).with_options(api_key="other"), lean(client).copy(api_key="other")):
            items = await read(await made.chat.completions.create(**ASK, extra_headers={"x-mine": "1"}))
            assert hasattr(items[0], "to_sdk")
    assert all(b"authorization: bearer other" in request and b"x-mine: 1" in request for request in seen)


async def test_azure_clients_are_lean_too():
    async with nothing_left(), ScriptedServer(serving(CHAT["azure"], named=False)) as server:
        client = openai.AsyncAzureOpenAI(
            azure_endpoint=server.url, api_version="v", api_key="k", http_client=http_client()
        )
        async with lean(client) as ours:
            stream = await ours.chat.completions.create(**ASK)
            items = await read(stream)
    assert items[0].prompt_filter_results == [{"prompt_index": 0}]
    assert stream.response.request.headers["api-key"] == "k"


async def test_a_blocking_client_is_refused():
    with openai.OpenAI(api_key="k") as client, pytest.raises(ConfigurationError, match="asynchronous"):
        lean(client)


async def test_the_http_client_has_the_sdks_timeouts_and_limits():
    async with http_client() as client:
        assert client.timeout == httpx2.Timeout(600, connect=5.0)
        assert client.follow_redirects
    async with http_client(timeout=3, headers={"x-a": "b"}) as client:
        assert (client.timeout, client.headers["x-a"]) == (httpx2.Timeout(3), "b")


# ---------------------------------------------------------------- giving back


async def slow(tokens=200):
    return FakeLLM(ttft=0, inter_token_latency=0.01, tokens=tokens)


async def leave_by_break(stream):
    async for _ in stream:
        break
    await stream.close()
    await stream.close()


async def leave_by_dropping(stream):
    await anext(stream)


async def leave_the_context(stream):
    async with stream:
        await anext(stream)


async def leave_by_error(stream):
    with pytest.raises(ValueError, match="mine"):
        async with stream:
            await anext(stream)
            raise ValueError("mine")


@pytest.mark.parametrize("leave", [leave_by_break, leave_by_dropping, leave_the_context, leave_by_error])
async def test_leaving_early_gives_the_connection_back(leave):
    ours = AsyncHTTPTransport()
    async with nothing_left(), await slow() as llm:
        async with openai.AsyncOpenAI(
            base_url=f"{llm.url}/v1", api_key="k", http_client=httpx2.AsyncClient(transport=ours)
        ) as client:
            await leave(await lean(client).chat.completions.create(**ASK))
            await asyncio.sleep(0)  # a stream that was dropped gives back with the loop's next turn
            assert (ours.open_connections, ours.pool_stats.opened) == (0, 1)


@pytest.mark.parametrize("made", TRANSPORTS)
async def test_a_stream_that_was_closed_is_at_its_end(made):
    async with nothing_left(), ScriptedServer(serving(CHAT["text"])) as server, sdk(server.url, made) as client:
        stream = await lean(client).chat.completions.create(**ASK)
        await anext(stream)
        await stream.close()
        assert [item async for item in stream] == []
        assert stream.response.is_closed


async def test_a_second_task_is_refused_and_the_first_goes_on():
    async with nothing_left(), await slow(3) as llm, sdk(f"{llm.url}/v1") as client:
        stream = await lean(client).chat.completions.create(**ASK)
        first = asyncio.ensure_future(read(stream))
        await asyncio.sleep(0.005)
        with pytest.raises(StreamInUseError):
            while True:
                await anext(stream)
        assert await first


async def test_300_cancelled_streams_leave_nothing():
    async with nothing_left(), await slow() as llm, sdk(f"{llm.url}/v1") as client:
        ours = lean(client)

        async def one(number):
            stream = await ours.chat.completions.create(**ASK)
            async with stream:
                async for _ in stream:
                    if number % 3 == 0:
                        await asyncio.sleep(0)

        tasks = [asyncio.ensure_future(one(number)) for number in range(300)]
        await asyncio.sleep(0.3)
        for number, task in enumerate(tasks):
            asyncio.get_running_loop().call_later(number % 50 / 1000, task.cancel)
            if number % 2:  # a second time, while the first is still on its way out
                asyncio.get_running_loop().call_later(number % 50 / 1000 + 0.0001, task.cancel)
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(each) for each in done} == {asyncio.CancelledError}
