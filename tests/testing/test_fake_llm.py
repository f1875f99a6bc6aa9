"""FakeLLM serves real sockets: whole and streamed replies of both first APIs, listings, errors, statistics."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest

from streamarena.errors import ConfigurationError
from streamarena.testing import FakeLLM, reply_settings
from tests.testing.helpers import CHAT, MESSAGES, chat, data_of, post, quick, raw, text_of, until


async def test_a_chat_stream_has_start_text_finish_usage_and_end():
    async with quick() as llm:
        answer = await post(llm, CHAT, chat(stream_options={"include_usage": True}))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = data_of(answer.content)
    assert events[0]["choices"][0]["delta"]["role"] == "assistant"
    assert len(text_of(answer.content).split()) == 8
    assert events[-2]["choices"][0]["finish_reason"] == "stop"
    assert events[-1]["choices"] == []
    assert events[-1]["usage"]["completion_tokens"] == 8
    assert answer.content.endswith(b"data: [DONE]\n\n")


async def test_chat_usage_is_told_only_where_asked_for():
    async with quick() as llm:
        answer = await post(llm, CHAT, chat())
    assert b"usage" not in answer.content


async def test_an_anthropic_stream_has_its_events_in_order():
    async with quick() as llm:
        answer = await post(llm, MESSAGES, chat(max_tokens=5))
    kinds = [event["type"] for event in data_of(answer.content)]
    assert kinds == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * 5,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    last = data_of(answer.content)[-2]
    assert last["delta"]["stop_reason"] == "max_tokens"
    assert last["usage"]["output_tokens"] == 5


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_a_whole_reply_is_one_json_object(path):
    async with quick() as llm:
        answer = (await post(llm, path, chat(stream=False))).json()
    if path == CHAT:
        assert len(answer["choices"][0]["message"]["content"].split()) == 8
        assert answer["usage"]["completion_tokens"] == 8
    else:
        assert len(answer["content"][0]["text"].split()) == 8
        assert answer["stop_reason"] == "end_turn"


async def test_text_varies_by_request_and_repeats_by_seed():
    async with quick(seed=7) as llm:
        first = [text_of((await post(llm, CHAT, chat())).content) for _ in range(3)]
    async with quick(seed=7) as llm:
        again = [text_of((await post(llm, CHAT, chat())).content) for _ in range(3)]
    async with quick(seed=8) as llm:
        other = text_of((await post(llm, CHAT, chat())).content)
    assert first == again
    assert len({*first, other}) == 4


async def test_given_text_comes_back_to_the_letter():
    text = "  Größe: 1\n\n東京 — done. "
    async with quick(text=text, tokens_per_chunk=2) as llm:
        assert text_of((await post(llm, CHAT, chat())).content) == text


async def test_several_tokens_a_chunk_are_counted_as_tokens():
    async with quick(tokens=10, tokens_per_chunk=4) as llm:
        answer = await post(llm, CHAT, chat(stream_options={"include_usage": True}))
        (record,) = llm.statistics.records
    assert record.tokens.tolist() == [4, 4, 2]
    assert data_of(answer.content)[-1]["usage"]["completion_tokens"] == 10


TOOL = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "unit": {"enum": ["C", "F"]}},
}


async def test_a_forced_tool_is_called_with_arguments_that_fit_its_schema():
    tool = {"type": "function", "function": {"name": "forecast", "parameters": TOOL}}
    async with quick() as llm:
        answer = (await post(llm, CHAT, chat(stream=False, tools=[tool], tool_choice="required"))).json()
    (call,) = answer["choices"][0]["message"]["tool_calls"]
    assert answer["choices"][0]["finish_reason"] == "tool_calls"
    assert call["function"]["name"] == "forecast"
    arguments = httpx.Response(200, content=call["function"]["arguments"]).json()
    assert isinstance(arguments["days"], int)
    assert arguments["unit"] in {"C", "F"}


async def test_tool_calls_and_reasoning_come_when_the_model_name_asks():
    async with quick() as llm:
        answer = await post(llm, MESSAGES, chat("fake-model,reasoning=3,tools=2"))
    blocks = [e["content_block"]["type"] for e in data_of(answer.content) if e["type"] == "content_block_start"]
    assert blocks == ["thinking", "text", "tool_use", "tool_use"]


async def test_the_header_wins_over_the_model_name():
    async with quick() as llm:
        answer = await post(llm, CHAT, chat("fake-model,tokens=3"), **{"x-fake-llm": "tokens=5"})
    assert len(text_of(answer.content).split()) == 5


@pytest.mark.parametrize(
    ("body", "headers", "says"),
    [
        (chat("fake-model,tokns=3"), {}, "tokns"),
        (chat("fake-model,tokens=many"), {}, "many"),
        (chat(), {"x-fake-llm": "fault=fire"}, "fire"),
        ([1], {}, "object"),
    ],
    ids=["unknown-name", "no-number", "unknown-fault", "no-object"],
)
async def test_what_cannot_be_read_is_status_400(body, headers, says):
    async with quick() as llm:
        answer = await post(llm, CHAT, body, **headers)
    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]


async def test_a_responder_chooses_each_reply():
    def respond(request):
        return reply_settings(text=f"You said {request.body['messages'][0]['content']}", ttft=0, inter_token_latency=0)

    async with FakeLLM(responder=respond) as llm:
        assert text_of((await post(llm, CHAT, chat())).content) == "You said Hello, model."


async def test_models_health_and_unknown_paths():
    async with quick(models=("a", "b")) as llm, httpx.AsyncClient(base_url=llm.url, trust_env=False) as client:
        assert [model["id"] for model in (await client.get("/v1/models")).json()["data"]] == ["a", "b"]
        listed = (await client.get("/v1/models", headers={"anthropic-version": "2023-06-01"})).json()
        assert listed["last_id"] == "b"
        assert (await client.get("/health")).status_code == 200
        assert (await client.get("/nothing")).status_code == 404
        assert (await client.get(CHAT)).status_code == 405


@pytest.mark.parametrize("headers", [{"authorization": "Bearer k"}, {"x-api-key": "k"}], ids=["bearer", "x-api-key"])
async def test_a_demanded_key_is_checked(headers):
    async with quick(api_key="k") as llm:
        assert (await post(llm, CHAT, chat())).status_code == 401
        assert (await post(llm, CHAT, chat(), **headers)).status_code == 200


async def test_statistics_are_served_with_the_stamps_of_the_last_requests():
    before = time.monotonic_ns()
    async with quick(tokens=4) as llm:
        await post(llm, CHAT, chat(), **{"x-request-id": "mine"})
        async with httpx.AsyncClient(base_url=llm.url, trust_env=False) as client:
            seen = (await client.get("/_fake/stats?records=5")).json()
    assert (seen["requests"], seen["active"], seen["outcomes"]) == (1, 0, {"finished": 1})
    (record,) = seen["records"]
    assert record["client_id"] == "mine"
    times = [before, record["received"], record["setup"], *record["stamps"], record["finished"], time.monotonic_ns()]
    assert times == sorted(times)
    assert len(record["stamps"]) == 4


async def test_the_history_of_records_is_bounded_and_says_what_it_dropped():
    async with quick(keep_records=2) as llm:
        for _ in range(5):
            await post(llm, CHAT, chat())
        assert [record.number for record in llm.statistics.records] == [4, 5]
        assert llm.statistics.dropped_records == 3


async def test_a_client_that_leaves_is_counted_and_leaves_nothing():
    async with quick(tokens=10_000, inter_token_latency=0.01) as llm:
        assert await raw(llm, CHAT, chat(), limit=2000)
        await until(lambda: llm.statistics.open_connections == 0)
        assert llm.statistics.cancelled == 1
        assert llm.statistics.active == 0
        assert llm.queue.in_service == 0


async def test_pipelined_requests_are_answered_in_order():
    async with quick(text="one") as llm:
        reader, writer = await asyncio.open_connection(*llm.address)
        body = b'{"model":"m"}'
        one = b"POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
        writer.write(one * 3 + b"GET /health HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n")
        received = await asyncio.wait_for(reader.read(-1), 5)
        writer.close()
        await writer.wait_closed()
    assert received.count(b"HTTP/1.1 200 OK") == 4
    assert received.endswith(b'{"status":"ok"}')


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"not http\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nx: " + b"a" * 70_000, b"431"),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"x%d: 1\r\n" % n for n in range(150)) + b"\r\n", b"431"),
        (b"POST /v1/messages HTTP/1.1\r\ncontent-length: 5000\r\n\r\n" + b"a" * 5000, b"413"),
    ],
    ids=["not-http", "long-header", "many-headers", "long-body"],
)
async def test_limits_on_requests(data, status):
    async with quick(max_body_bytes=1000) as llm:
        reader, writer = await asyncio.open_connection(*llm.address)
        writer.write(data)
        received = await asyncio.wait_for(reader.read(-1), 5)
        writer.transport.abort()
    assert received.startswith(b"HTTP/1.1 " + status)


async def test_connections_beyond_the_limit_are_dropped():
    async with quick(max_connections=1) as llm:
        _, first = await asyncio.open_connection(*llm.address)
        await until(lambda: llm.statistics.open_connections == 1)
        assert await raw(llm, CHAT, chat()) in {b"", b"<reset>"}
        first.transport.abort()


async def test_a_slow_reader_stops_its_own_stream_only():
    # Twenty megabytes are more than the socket buffers of both sides hold.
    async with quick(text=(" " + "x" * 50_000) * 400) as llm:
        reader, writer = await asyncio.open_connection(*llm.address, limit=1024)
        payload = b'{"model":"m","stream":true}'
        writer.write(b"POST /v1/messages HTTP/1.1\r\nhost: t\r\ncontent-length: %d\r\n\r\n%b" % (len(payload), payload))
        await until(lambda: any(not connection.writable for connection in llm._connections))
        stopped = llm.statistics.frames
        assert stopped < 400
        assert text_of((await post(llm, CHAT, chat("m,text=short"))).content) == "short"
        assert llm.statistics.frames == stopped + 1
        received, tail = 0, b""
        while b"message_stop" not in tail:
            piece = await asyncio.wait_for(reader.read(65536), 5)
            received, tail = received + len(piece), tail[-20:] + piece
        writer.transport.abort()
    assert received > 400 * 50_000


async def test_options_are_checked_at_once():
    with pytest.raises(ConfigurationError, match="tokenz"):
        FakeLLM(tokenz=3)
    with pytest.raises(ConfigurationError, match="more than 1"):
        FakeLLM(faults={"cut": 0.7, "stall": 0.7})
    with pytest.raises(ConfigurationError, match="not running"):
        _ = FakeLLM().url


async def test_closing_leaves_nothing_even_when_cancelled_twice(no_leaks):
    async def serve():
        async with quick(inter_token_latency=10) as llm:
            streams = [asyncio.ensure_future(raw(llm, CHAT, chat())) for _ in range(3)]
            await until(lambda: llm.statistics.frames == 3)
            started.set()
            try:
                await asyncio.sleep(60)
            finally:
                closing.extend(streams)

    started, closing = asyncio.Event(), []
    task = asyncio.ensure_future(serve())
    await started.wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not any(received.endswith(b"<open>") for received in await asyncio.gather(*closing))


async def test_a_thousand_cancelled_streams_leave_nothing(no_leaks):
    async with quick(inter_token_latency=10) as llm:
        for _ in range(10):
            streams = [asyncio.ensure_future(raw(llm, CHAT, chat())) for _ in range(100)]
            frames = llm.statistics.frames
            await until(lambda frames=frames: llm.statistics.frames > frames + 50)
            for stream in streams:
                stream.cancel()
            await asyncio.gather(*streams, return_exceptions=True)
        await until(lambda: llm.statistics.open_connections == 0)
        assert llm.statistics.cancelled + llm.statistics.connections - llm.statistics.requests >= 1000
        assert (llm.statistics.active, llm.queue.in_service, len(llm._wheel), len(llm._streams)) == (0, 0, 0, 0)
