"""Nothing of one stream, client or loop shows in another: pools are shared, what they hold is not."""

from __future__ import annotations

import asyncio
import time

import pytest

from streamarena.client import Limits, StreamClient, Timeouts
from streamarena.errors import BodyTooLargeError, ConfigurationError, EventTooLargeError, StreamClosedError
from tests.support.counting import nothing_left
from tests.support.scripted_server import DONE, SSE_HEAD, ScriptedServer, answers, http_chunk, openai_event, sends

STORY = [openai_event("once "), openai_event("more"), openai_event("", "stop"), DONE]


def ask(client, **more):
    return client.stream(model="m", messages=[], **more)


async def test_a_result_asked_for_too_late_is_refused_and_never_another_requests():
    async with ScriptedServer(answers(*STORY)) as server, StreamClient(server.url) as client:
        async with ask(client) as first:
            async for _ in first:
                pass
        async with ask(client) as second:
            await second.next_batch()
            with pytest.raises(StreamClosedError, match="inside the `async with`"):
                await first.result()
            assert (await second.result()).text == "once more"


async def test_a_result_that_was_asked_for_in_time_stays():
    async with ScriptedServer(answers(*STORY)) as server, StreamClient(server.url) as client:
        async with ask(client) as stream:
            result = await stream.result()
        async with ask(client) as other:
            await other.result()
        assert (await stream.result()) is result
        assert result.text == "once more"


async def test_a_closed_stream_decodes_nothing_that_it_still_held():
    async with ScriptedServer(answers(*STORY)) as server, StreamClient(server.url) as client:
        async with ask(client) as stream:
            await asyncio.sleep(0.05)
        with pytest.raises(StreamClosedError):
            await stream.next_batch()


@pytest.mark.parametrize("order", [(True, False), (False, True)], ids=["strict-first", "strict-last"])
async def test_the_limits_of_one_client_are_not_anothers(order):
    async with ScriptedServer(answers(*STORY)) as server:
        for strict in order:
            limits = Limits(event_bytes=50 if strict else 1_000_000)
            async with StreamClient(server.url, limits=limits) as client, ask(client) as stream:
                if strict:
                    with pytest.raises(EventTooLargeError, match=r"Limits\.event_bytes"):
                        await stream.result()
                else:
                    assert (await stream.result()).text == "once more"


async def test_the_result_limit_names_its_setting():
    async with ScriptedServer(answers(*[openai_event("x" * 1000)] * 20)) as server:
        async with StreamClient(server.url, limits=Limits(result_bytes=5000)) as client, ask(client) as stream:
            with pytest.raises(BodyTooLargeError, match=r"Limits\.result_bytes"):
                await stream.result()


def test_a_client_refuses_a_second_loop():
    async def use(client, url):
        async with ScriptedServer(answers(*STORY)) as server:
            client = client or StreamClient(server.url)
            async with ask(client) as stream:
                await stream.result()
            return client

    client = asyncio.run(use(None, ""))
    with pytest.raises(ConfigurationError, match="another event loop"):
        asyncio.run(use(client, ""))


async def test_a_request_is_sent_once_where_the_user_says_so():
    seen = []

    async def script(reader, writer):
        from tests.support.scripted_server import read_request

        while await read_request(reader):
            seen.append(1)
            if len(seen) > 1:
                writer.transport.abort()
                return
            writer.write(SSE_HEAD + b"".join(map(http_chunk, STORY)) + b"0\r\n\r\n")

    async with nothing_left(), ScriptedServer(script) as server:
        async with StreamClient(server.url, resend_stale=False) as client:
            async with ask(client) as stream:
                await stream.result()
            with pytest.raises(Exception, match="cut short"):
                async with ask(client):
                    pass
    assert len(seen) == 2


async def test_a_consumer_that_blocks_the_loop_does_not_time_out_its_own_stream():

    script = sends(SSE_HEAD, http_chunk(STORY[0]), http_chunk(b"".join(STORY[1:])) + b"0\r\n\r\n", pause=0.2)
    async with ScriptedServer(script) as server:
        async with StreamClient(server.url, timeouts=Timeouts(idle=0.3)) as client, ask(client) as stream:
            while await stream.next_batch():
                await asyncio.sleep(0.1)
                time.sleep(0.5)  # noqa: ASYNC251 - the subject: the loop is blocked, server and all


async def test_a_model_name_cannot_leave_its_place_in_the_path():
    heads = []

    async def script(reader, writer):
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 404 x\r\ncontent-length: 0\r\n\r\n")

    async with ScriptedServer(script) as server, StreamClient(server.url, api="gemini") as client:
        for model in ("../../files?x=", "m?x#y", "é"):
            with pytest.raises(Exception, match="404"):
                async with client.stream(model=model, contents=[]):
                    pass
    paths = [head.split(b" ")[1] for head in heads]
    assert all(path.startswith(b"/v1/models/") and path.count(b"/") == 3 for path in paths), paths
    assert all(path.endswith(b":streamGenerateContent?alt=sse") for path in paths)
