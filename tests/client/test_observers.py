"""Observers hear every moment of a request, in order, and the end exactly once, however it came."""

from __future__ import annotations

import asyncio
import logging

import pytest

from streamarena.client import (
    AttemptFailed,
    AttemptStarted,
    FirstContent,
    HeadersReceived,
    RetryPolicy,
    StreamClient,
    StreamFinished,
)
from streamarena.errors import ProviderError, StreamTruncatedError
from tests.client.test_retry import CUT_LATE, GOOD, Turns, refusal
from tests.support.scripted_server import DONE, SSE_HEAD, ScriptedServer, http_chunk, openai_event, sends

USAGE = http_chunk(
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],'
    b'"usage":{"prompt_tokens":3,"completion_tokens":5,"total_tokens":8}}\n\n'
)


async def moments_of(script, *, leave=None, retry=None, keep_result=True):
    seen = []
    async with ScriptedServer(script) as server:
        async with StreamClient(server.url, observers=[seen.append], retry=retry, keep_result=keep_result) as client:
            try:
                async with client.stream(model="m", messages=[], label="mine") as stream:
                    async for chunk in stream:
                        if chunk.kind == "text" and leave is not None:
                            leave()
                            break
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - the moments are what counts
                del error
    return seen


async def test_a_complete_stream():
    body = [*GOOD[:3], http_chunk(openai_event("", "stop")), USAGE, http_chunk(DONE), b"0\r\n\r\n"]
    seen = await moments_of(Turns(body), keep_result=False)
    assert [type(moment) for moment in seen] == [AttemptStarted, HeadersReceived, FirstContent, StreamFinished]
    started, headers, first, finished = seen
    assert (started.number, started.model, started.api, started.label) == (1, "m", "openai-chat", "mine")
    assert headers.status == 200
    assert 0 < headers.seconds <= first.seconds
    assert (finished.outcome, finished.error, finished.status) == ("complete", None, 200)
    assert (finished.model, finished.api, finished.server) == ("m", "openai-chat", started.server)
    assert (finished.usage.input_tokens, finished.usage.output_tokens) == (3, 5)
    assert finished.bytes_received > 0
    assert first.seconds == finished.timings.time_to_first_token


async def test_a_refused_request():
    seen = await moments_of(Turns(refusal(400)))
    assert [type(moment) for moment in seen] == [AttemptStarted, HeadersReceived, StreamFinished]
    assert (seen[-1].outcome, seen[-1].status, type(seen[-1].error)) == ("failed", 400, ProviderError)


async def test_several_attempts():
    seen = await moments_of(Turns(refusal(503), GOOD), retry=RetryPolicy(first_wait=0))
    assert [type(moment) for moment in seen] == [
        AttemptStarted,
        HeadersReceived,
        AttemptFailed,
        AttemptStarted,
        HeadersReceived,
        FirstContent,
        StreamFinished,
    ]
    assert seen[2].attempt.status == 503
    assert [attempt.number for attempt in seen[-1].attempts] == [1, 2]


async def test_a_stream_that_is_cut():
    finished = (await moments_of(Turns(CUT_LATE)))[-1]
    assert (finished.outcome, type(finished.error)) == ("failed", StreamTruncatedError)


async def test_a_stream_that_is_left():
    script = sends(SSE_HEAD, http_chunk(openai_event("hello")), then="hang")
    finished = (await moments_of(script, leave=lambda: None))[-1]
    assert (finished.outcome, finished.error, finished.chunks) == ("left", None, 2)


async def test_a_stream_that_is_cancelled():
    def cancel():
        raise asyncio.CancelledError

    script = sends(SSE_HEAD, http_chunk(openai_event("hello")), then="hang")
    finished = (await moments_of(script, leave=cancel))[-1]
    assert (finished.outcome, type(finished.error)) == ("left", asyncio.CancelledError)


async def test_an_observer_that_fails_harms_nobody(caplog):
    def broken(moment):
        raise ValueError("mine")

    with caplog.at_level(logging.ERROR, "streamarena.client"):
        async with ScriptedServer(Turns(GOOD)) as server:
            async with StreamClient(server.url, observers=[broken]) as client:
                async with client.stream(model="m", messages=[]) as stream:
                    assert (await stream.result()).text == "hello"
    assert len(caplog.records) == 4
    assert "AttemptStarted" in caplog.text


@pytest.mark.parametrize("keep_result", [True, False])
async def test_what_is_known_after_leaving(keep_result):
    script = sends(SSE_HEAD, http_chunk(openai_event("hello")), USAGE, then="hang", pause=0.01)
    async with ScriptedServer(script) as server, StreamClient(server.url, keep_result=keep_result) as client:
        async with client.stream(model="m", messages=[]) as stream:
            async for chunk in stream:
                if chunk.kind == "usage":
                    break
        known = stream.partial()
    if keep_result:
        assert (known.text, known.complete, known.error) == ("hello", False, None)
        assert known.usage.output_tokens == 5
    else:
        assert known is None
