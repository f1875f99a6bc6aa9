"""A sound stream: what a consumer sees, in which form, and what is kept for the next request."""

from __future__ import annotations

import asyncio

import pytest

from streamarena.client import StreamClient
from streamarena.errors import ConfigurationError, StreamClosedError
from streamarena.pipeline import filter, map, map_async
from streamarena.providers import TextChunk
from tests.support.counting import nothing_left
from tests.support.scripted_server import DONE, SSE_HEAD, ScriptedServer, answers, http_chunk, openai_event, sends

WORDS = ["one ", "two ", "three "]
BODY = [*(openai_event(word) for word in WORDS), openai_event("", "stop"), DONE]


@pytest.fixture
async def server():
    async with ScriptedServer(answers(*BODY)) as server:
        yield server


def ask(client, **more):
    return client.stream(model="m", messages=[{"role": "user", "content": "hi"}], **more)


async def test_chunks_come_in_order(server):
    async with StreamClient(server.url) as client, ask(client) as stream:
        assert [chunk.text async for chunk in stream if chunk.kind == "text"] == WORDS


async def test_a_kept_connection_serves_the_next_request(server):
    async with StreamClient(server.url) as client:
        for _ in range(3):
            async with ask(client) as stream:
                await stream.result()
        assert (server.connections, client.pool_stats.opened, client.pool_stats.reused) == (1, 1, 2)


async def test_result_is_the_whole_message(server):
    async with StreamClient(server.url) as client, ask(client) as stream:
        result = await stream.result()
    assert result.text == "one two three "
    assert (result.finish_reason, result.raw_finish_reason) == ("stop", "stop")
    assert result.bytes_received == sum(map_len(BODY))
    assert result.timings.time_to_first_token is not None


def map_len(pieces):
    return [len(piece) for piece in pieces]


async def test_results_share_what_every_reply_repeats(server):
    results = []
    async with StreamClient(server.url) as client:
        for _ in range(3):
            async with ask(client) as stream:
                results.append(await stream.result())
    assert {result.raw_finish_reason for result in results} == {"stop"}
    assert len({id(result.raw_finish_reason) for result in results}) == 1


async def test_result_after_a_part_was_read_is_still_the_whole(server):
    async with StreamClient(server.url) as client, ask(client) as stream:
        async for chunk in stream:
            if chunk.kind == "text":
                break
        assert (await stream.result()).text == "one two three "
        assert await stream.result() is await stream.result()


async def test_result_needs_to_be_kept(server):
    async with StreamClient(server.url, keep_result=False) as client, ask(client) as stream:
        with pytest.raises(StreamClosedError, match="keep_result"):
            await stream.result()


async def test_one_read_is_one_batch():
    script = sends(SSE_HEAD, b"".join(http_chunk(piece) for piece in BODY) + b"0\r\n\r\n", pause=0.05)
    async with ScriptedServer(script) as server, StreamClient(server.url) as client, ask(client) as stream:
        batches = [batch async for batch in stream.batches()]
    assert len(batches) == 1
    assert [chunk.text for chunk in batches[0] if chunk.kind == "text"] == WORDS


async def test_events_are_raw_and_undecoded(server):
    async with StreamClient(server.url) as client, ask(client) as stream:
        events = [event.raw_data async for event in stream.events()]
    assert events[-1] == b"[DONE]"
    assert len(events) == len(BODY)


async def test_chunks_and_events_exclude_each_other(server):
    async with StreamClient(server.url) as client, ask(client) as stream:
        await anext(aiter(stream))
        with pytest.raises(StreamClosedError, match="not both"):
            stream.events()


async def test_text_deltas_are_the_text_alone(server):
    async with StreamClient(server.url) as client, ask(client) as stream:
        assert [text async for text in stream.text_deltas()] == WORDS


async def test_stages_follow_a_stream(server):
    async with StreamClient(server.url) as client, ask(client) as stream:
        shout = stream | filter(TextChunk) | map(lambda chunk: chunk.text.upper())
        assert [text async for text in shout] == ["ONE ", "TWO ", "THREE "]


async def test_an_asynchronous_stage_follows_a_stream(server):
    async def later(chunk):
        await asyncio.sleep(0.001)
        return chunk.kind

    async with nothing_left(), StreamClient(server.url) as client, ask(client) as stream:
        kinds = [kind async for kind in stream | map_async(later, concurrency=2)]
    assert kinds.count("text") == 3


async def test_for_each_runs_inside_the_read_callback(server):
    seen = []

    def callback(chunk):
        seen.append((chunk.kind, asyncio.current_task()))

    async with StreamClient(server.url) as client, ask(client) as stream:
        await stream.for_each(callback)
    assert [kind for kind, _ in seen].count("text") == 3
    # What had come before `for_each` was called is delivered from there; everything else outside of any task.
    assert all(task is None or task is asyncio.current_task() for _, task in seen)


async def test_breaking_out_and_iterating_again_loses_nothing(server):
    texts = []
    async with StreamClient(server.url) as client, ask(client) as stream:
        for _ in range(10):
            async for chunk in stream:
                if chunk.kind == "text":
                    texts.append(chunk.text)
                break
    assert texts == WORDS


@pytest.mark.parametrize(
    "head",
    [
        f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {sum(map_len(BODY))}\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n",
        "HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\n",
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
        ),
    ],
    ids=["content-length", "until-close", "http-1.0", "after-informational"],
)
async def test_every_kind_of_body_is_read_to_its_end(head):
    async with ScriptedServer(sends(head.encode(), *BODY)) as server, StreamClient(server.url) as client:
        async with ask(client) as stream:
            assert (await stream.result()).text == "one two three "


async def test_an_end_marker_ends_a_stream_whose_body_stays_open(monkeypatch):
    monkeypatch.setattr("streamarena.client.receiver._LINGER_SECONDS", 0.05)
    script = sends(SSE_HEAD, *(http_chunk(piece) for piece in BODY), then="hang")
    async with nothing_left(), ScriptedServer(script) as server, StreamClient(server.url) as client:
        async with asyncio.timeout(5), ask(client) as stream:
            assert (await stream.result()).text == "one two three "


async def test_a_request_serves_once(server):
    async with StreamClient(server.url) as client:
        request = ask(client)
        async with request:
            pass
        with pytest.raises(ConfigurationError, match="serves once"):
            await request.__aenter__()


async def test_the_arena_held_what_the_result_is_made_of(server):
    async with StreamClient(server.url) as client, ask(client, label="mine") as stream:
        await stream.result()
        stats = stream.arena.stats()
    assert stats.label == "mine"
    assert stats.total_bytes >= len("one two three ")
    assert stream.arena.closed


async def test_the_key_is_sent_and_never_shown():
    heads = []

    async def script(reader, writer):
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\nset-cookie: secret=1\r\n\r\nno")

    async with ScriptedServer(script) as server, StreamClient(server.url, api_key="sk-secret") as client:
        with pytest.raises(Exception, match="401") as caught:
            async with ask(client):
                pass
        assert b"authorization: Bearer sk-secret\r\n" in heads[0]
        assert "secret" not in f"{client!r} {caught.value!r} {caught.value.headers}"


async def test_a_request_body_asks_for_a_stream_and_the_user_wins(server):
    bodies = []

    async def script(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        bodies.append(await reader.readexactly(length))
        writer.write(b"HTTP/1.1 500 no\r\ncontent-length: 0\r\n\r\n")

    async with ScriptedServer(script) as other, StreamClient(other.url) as client:
        with pytest.raises(Exception, match="500"):
            async with client.stream({"model": "a"}, model="b", stream_options=None):
                pass
    assert bodies == [b'{"stream":true,"stream_options":null,"model":"b"}']
