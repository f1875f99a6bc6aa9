"""What is sent again, when, how often, and what the consumer sees of it."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import time

import pytest

from streamarena.client import RetryBudget, RetryPolicy, StreamClient, Target, Timeouts
from streamarena.client.retry import wait_asked_for
from streamarena.errors import (
    ConfigurationError,
    ConnectionFailedError,
    DecodeError,
    FirstContentTimeoutError,
    IdleTimeoutError,
    PoolTimeoutError,
    ProviderError,
    StreamTruncatedError,
    TotalTimeoutError,
)
from tests.support.counting import nothing_left
from tests.support.scripted_server import DONE, SSE_HEAD, ScriptedServer, http_chunk, openai_event, read_request

ROLE = http_chunk(
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m",'
    b'"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
)
GOOD = [SSE_HEAD, ROLE, http_chunk(openai_event("hello")), http_chunk(openai_event("", "stop") + DONE), b"0\r\n\r\n"]
CUT_EARLY = [SSE_HEAD, ROLE]
CUT_LATE = [SSE_HEAD, ROLE, http_chunk(openai_event("hel"))]
ERROR_EVENT = [
    SSE_HEAD,
    ROLE,
    http_chunk(b'data: {"error":{"message":"busy","type":"overloaded_error"}}\n\n'),
]


def refusal(status, *fields, body=b'{"error":{"message":"no"}}'):
    head = f"HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    head += "connection: close\r\n"
    return [head.encode() + b"".join(field.encode() + b"\r\n" for field in fields) + b"\r\n" + body]


class Turns:
    """Answers each request, on a connection of its own, with the next pieces; the last stay."""

    def __init__(self, *answers):
        self._answers = itertools.chain(answers, itertools.repeat(answers[-1]))
        self.requests = []

    async def __call__(self, reader, writer):
        self.requests.append(await read_request(reader))
        for piece in next(self._answers):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.005)


def policy(**options):
    return RetryPolicy(**{"first_wait": 0.001, "jitter": lambda: 1.0, **options})


async def chunks_of(turns, retry, **options):
    """The chunks, the stream and the error that ended it, if any."""
    chunks, error, stream = [], None, None
    async with nothing_left(), ScriptedServer(turns) as server:
        async with StreamClient(server.url, retry=retry, api_key="secret", **options) as client:
            request = client.stream(model="m", messages=[])
            try:
                async with request as stream:
                    async for chunk in stream:
                        chunks.append(chunk)  # noqa: PERF401 - what came before the error must be kept
            except Exception as caught:  # noqa: BLE001 - the caller looks at what it is
                error = caught
            assert client.connections_in_use == 0
    return chunks, stream, error, request


def texts(chunks):
    return [chunk.text for chunk in chunks if chunk.kind == "text"]


@pytest.mark.parametrize(
    "failure",
    [refusal(429), refusal(503), refusal(529), [], [b"garbage\r\n\r\n"], CUT_EARLY, ERROR_EVENT],
    ids=["429", "503", "529", "closed", "not-http", "cut-before-content", "error-event"],
)
async def test_a_failure_before_the_first_content_is_repeated_unseen(failure):
    turns = Turns(failure, failure, GOOD)
    chunks, stream, error, _ = await chunks_of(turns, policy())
    assert error is None
    assert texts(chunks) == ["hello"]
    assert [chunk.kind for chunk in chunks].count("start") == 1
    assert [attempt.number for attempt in stream.attempts] == [1, 2, 3]
    assert [attempt.error is None for attempt in stream.attempts] == [False, False, True]
    assert len(set(turns.requests)) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
async def test_a_request_that_is_wrong_is_not_repeated(status):
    turns = Turns(refusal(status))
    _, _, error, request = await chunks_of(turns, policy())
    assert error.status == status
    assert len(turns.requests) == len(request.attempts) == 1


async def test_without_a_policy_nothing_is_repeated():
    turns = Turns(refusal(503), GOOD)
    _, _, error, _ = await chunks_of(turns, None)
    assert error.status == 503
    assert len(turns.requests) == 1


async def test_the_last_error_is_raised_and_all_are_kept():
    turns = Turns(refusal(503), refusal(429), refusal(500))
    _, _, error, request = await chunks_of(turns, policy())
    assert error.status == 500
    assert [attempt.status for attempt in request.attempts] == [503, 429, 500]
    assert [attempt.waited is None for attempt in request.attempts] == [False, False, True]
    assert all(attempt.seconds > 0 for attempt in request.attempts)


@pytest.mark.parametrize("told", ["true", "false"])
async def test_a_server_that_says_whether_to_repeat_is_obeyed(told):
    turns = Turns(refusal(400 if told == "true" else 503, f"x-should-retry: {told}"), GOOD)
    _, _, error, _ = await chunks_of(turns, policy())
    assert (error is None) == (told == "true")


async def test_a_server_that_asks_for_time_gets_it():
    turns = Turns(refusal(429, "retry-after-ms: 120"), GOOD)
    begun = time.monotonic()
    _, stream, error, _ = await chunks_of(turns, policy())
    assert error is None
    assert stream.attempts[0].waited == pytest.approx(0.12)
    assert time.monotonic() - begun >= 0.12


async def test_a_server_that_asks_for_too_much_time_is_not_waited_for():
    turns = Turns(refusal(429, "retry-after: 3600"), GOOD)
    _, _, error, _ = await chunks_of(turns, policy())
    assert error.status == 429
    assert len(turns.requests) == 1


async def test_no_wait_passes_the_total_limit():
    turns = Turns(refusal(429, "retry-after: 5"), GOOD)
    _, _, error, _ = await chunks_of(turns, policy(), timeouts=Timeouts(total=1))
    assert error.status == 429


@pytest.mark.parametrize("times", [1, 2], ids=["cancel", "double-cancel"])
async def test_cancelled_while_waiting(times):
    async with nothing_left(), ScriptedServer(Turns(refusal(429, "retry-after: 20"))) as server:
        async with StreamClient(server.url, retry=policy()) as client:

            async def ask():
                async with client.stream(model="m", messages=[]):
                    pass

            task = asyncio.create_task(ask())
            await asyncio.sleep(0.05)
            assert not task.done()
            for _ in range(times):
                task.cancel()
                await asyncio.sleep(0)
            with pytest.raises(asyncio.CancelledError):
                await task


async def test_the_first_content_timeout_is_repeated_and_the_idle_one_is_not():
    async def hangs(reader, writer):
        await read_request(reader)
        writer.write(SSE_HEAD + ROLE)
        await asyncio.sleep(3600)

    turns = Turns(GOOD)

    async def first_hangs(reader, writer, seen=[]):  # noqa: B006 - counts its calls
        seen.append(1)
        await (hangs if len(seen) == 1 else turns)(reader, writer)

    chunks, stream, error, _ = await chunks_of(first_hangs, policy(), timeouts=Timeouts(first_content=0.1))
    assert error is None
    assert texts(chunks) == ["hello"]
    assert isinstance(stream.attempts[0].error, FirstContentTimeoutError)
    assert not policy().repeats(IdleTimeoutError(1))


# ---------------------------------------------------------------- after content


async def test_after_content_the_default_is_the_error_with_what_was_received():
    turns = Turns(CUT_LATE, GOOD)
    chunks, stream, error, _ = await chunks_of(turns, policy())
    assert texts(chunks) == ["hel"]
    assert isinstance(error, StreamTruncatedError)
    assert len(turns.requests) == 1
    partial = stream.partial()
    assert (partial.text, partial.complete, partial.error) == ("hel", False, error)


async def test_restart_marks_the_new_beginning_and_the_result_is_of_the_last():
    turns = Turns(CUT_LATE, CUT_LATE, GOOD)
    chunks, stream, error, _ = await chunks_of(turns, policy(after_content="restart"))
    assert error is None
    assert texts(chunks) == ["hel", "hel", "hello"]
    marks = [chunk for chunk in chunks if chunk.kind == "start" and chunk.attempt > 1]
    assert [(mark.attempt, mark.continues) for mark in marks] == [(2, False), (3, False)]
    assert len(stream.attempts) == 3


async def test_the_result_of_a_restarted_stream():
    async with ScriptedServer(Turns(CUT_LATE, GOOD)) as server:
        async with StreamClient(server.url, retry=policy(after_content="restart")) as client:
            async with client.stream(model="m", messages=[]) as stream:
                result = await stream.result()
    assert (result.text, result.attempts, result.complete) == ("hello", 2, True)
    assert isinstance(result.attempt_log[0].error, StreamTruncatedError)


async def test_continue_asks_for_the_rest():
    def rest(members, partial):
        assert not partial.complete
        return {**members, "messages": [{"role": "assistant", "content": partial.text}]}

    tail = [SSE_HEAD, http_chunk(openai_event("lo")), http_chunk(openai_event("", "stop") + DONE), b"0\r\n\r\n"]
    turns = Turns(CUT_LATE, tail)
    async with nothing_left(), ScriptedServer(turns) as server:
        retry = policy(after_content="continue", continuation=rest)
        async with StreamClient(server.url, retry=retry) as client:
            async with client.stream(model="m", messages=[]) as stream:
                chunks = [chunk async for chunk in stream]
                result = await stream.result()
    assert texts(chunks) == ["hel", "lo"]
    assert result.text == "hello"
    assert b'"content":"hel"' in turns.requests[1]
    assert [chunk.continues for chunk in chunks if chunk.kind == "start" and chunk.attempt > 1] == [True]


async def test_for_each_over_several_attempts():
    seen = []
    async with nothing_left(), ScriptedServer(Turns(CUT_EARLY, refusal(503), GOOD)) as server:
        async with StreamClient(server.url, retry=policy()) as client, client.stream(model="m", messages=[]) as stream:
            await stream.for_each(seen.append)
    assert texts(seen) == ["hello"]


async def test_raw_events_over_several_attempts():
    async with nothing_left(), ScriptedServer(Turns([SSE_HEAD], GOOD)) as server:
        async with StreamClient(server.url, retry=policy()) as client, client.stream(model="m", messages=[]) as stream:
            events = [event.raw_data async for event in stream.events()]
    assert events[-1] == b"[DONE]"


# ---------------------------------------------------------------- fallbacks


async def test_targets_are_asked_in_order():
    broken, good = Turns(refusal(401)), Turns(GOOD)
    async with nothing_left(), ScriptedServer(broken) as first, ScriptedServer(good) as second:
        fallbacks = [
            Target("http://127.0.0.1:1/v1", api_key="second"),
            Target(second.url, api_key="third", model="other", headers={"x-mine": "1"}),
        ]
        async with StreamClient(first.url, api_key="first", fallbacks=fallbacks) as client:
            async with client.stream(model="m", messages=[]) as stream:
                assert (await stream.result()).text == "hello"
    errors = [type(attempt.error) for attempt in stream.attempts]
    assert errors == [ProviderError, ConnectionFailedError, type(None)]
    assert b"Bearer first" in broken.requests[0]
    assert b"Bearer third" in good.requests[0]
    assert b'"model":"other"' in good.requests[0]
    assert b"x-mine: 1" in good.requests[0]


async def test_a_fallback_that_speaks_another_api():
    anthropic = (
        b'event: message_start\ndata: {"type":"message_start","message":{"id":"i","type":"message","role":"assistant",'
        b'"model":"c","content":[],"usage":{"input_tokens":3,"output_tokens":1}}}\n\n'
        b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text",'
        b'"text":""}}\n\n'
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta",'
        b'"text":"hello"}}\n\n'
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    )
    turns = Turns([SSE_HEAD, http_chunk(anthropic), b"0\r\n\r\n"])
    async with nothing_left(), ScriptedServer(Turns(refusal(500))) as first, ScriptedServer(turns) as second:
        target = Target(second.url, api="anthropic", api_key="k", adapt=lambda members: {**members, "max_tokens": 9})
        async with StreamClient(first.url, fallbacks=[target]) as client:
            async with client.stream(model="m", messages=[]) as stream:
                assert (await stream.result()).text == "hello"
    assert b'"max_tokens":9' in turns.requests[0]
    assert b"x-api-key: k" in turns.requests[0]


async def test_what_the_request_is_to_blame_for_asks_no_fallback():
    other = Turns(GOOD)
    async with ScriptedServer(Turns(refusal(400))) as first, ScriptedServer(other) as second:
        async with StreamClient(first.url, fallbacks=[Target(second.url)]) as client:
            with pytest.raises(ProviderError):
                async with client.stream(model="m", messages=[]):
                    pass
    assert not other.requests


# ---------------------------------------------------------------- the policy alone


NOW = 1_700_000_000.0
DATE = dt.datetime.fromtimestamp(NOW + 30, dt.UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 0 "}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": DATE.strftime("%a, %d %b %Y %H:%M:%S GMT")}, 30.0),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "soon"}, None),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m2.5s"}, 62.5),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "120ms"}, 0.12),
        ({"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "9s"}, None),
        (
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "6s",
            },
            6.0,
        ),
        (
            {
                "anthropic-ratelimit-tokens-remaining": "0",
                "anthropic-ratelimit-tokens-reset": DATE.strftime("%Y-%m-%dT%H:%M:%SZ"),
            },
            30.0,
        ),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "later"}, None),
    ],
)
def test_what_a_response_asks_to_wait(headers, seconds):
    assert wait_asked_for(headers, NOW) == seconds


def test_full_jitter_grows_to_its_limit():
    highest = RetryPolicy(first_wait=1, longest_wait=5, jitter=lambda: 1.0)
    lowest = RetryPolicy(first_wait=1, longest_wait=5, jitter=lambda: 0.0)
    error = StreamTruncatedError("x")
    assert [highest.wait(repeat, error) for repeat in range(1, 6)] == [1, 2, 4, 5, 5]
    assert [lowest.wait(repeat, error) for repeat in range(1, 6)] == [0] * 5


@pytest.mark.parametrize(
    ("error", "repeats"),
    [
        (StreamTruncatedError("x"), True),
        (ConnectionFailedError("h", 1, "x"), True),
        (PoolTimeoutError(1), False),
        (TotalTimeoutError(1), False),
        (DecodeError("x"), False),
        (ProviderError("x", type="overloaded_error"), True),
        (ProviderError("x", code="rate_limit_exceeded"), True),
        (ProviderError("x", type="invalid_request_error"), False),
        (ValueError("x"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_worth_repeating(error, repeats):
    assert RetryPolicy().repeats(error) is repeats


async def test_a_budget_bounds_the_repeats_of_all_requests():
    budget = RetryBudget(share=0.1, reserve=3)
    turns = Turns(refusal(503))
    async with ScriptedServer(turns) as server:
        async with StreamClient(server.url, retry=policy(attempts=5, budget=budget)) as client:
            for _ in range(10):
                with pytest.raises(ProviderError):
                    async with client.stream(model="m", messages=[]):
                        pass
    assert len(turns.requests) - 10 == 3
    assert budget.refused > 0
    assert budget.left < 1.1


@pytest.mark.parametrize(
    "options",
    [
        {"attempts": 0},
        {"first_wait": -1},
        {"longest_wait": float("nan")},
        {"after_content": "again"},
        {"after_content": "continue"},
        {"continuation": lambda members, partial: members},
    ],
)
def test_a_senseless_policy_is_refused(options):
    with pytest.raises(ConfigurationError):
        RetryPolicy(**options)


async def test_no_secret_in_what_is_shown():
    _, stream, _, request = await chunks_of(Turns(refusal(503), GOOD), policy())
    target = Target("http://a", api_key="secret", headers={"x": "secret"})
    assert "secret" not in repr((stream.attempts, request.attempts, target, stream.partial()))
