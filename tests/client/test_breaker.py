"""A target that fails too often is left alone for a while, and one request finds out when it is well again."""

from __future__ import annotations

import asyncio

import pytest

from streamarena.client import BreakerPolicy, CircuitBreaker, RetryPolicy, StreamClient, Target
from streamarena.errors import CircuitOpenError, ConfigurationError, ProviderError, StreamTruncatedError
from tests.support.counting import nothing_left
from tests.support.scripted_server import DONE, SSE_HEAD, ScriptedServer, answers, http_chunk, openai_event, sends

WELL = answers(openai_event("hello"), openai_event("", "stop"), DONE)
ILL = sends(b"HTTP/1.1 503 No\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
WRONG = sends(b"HTTP/1.1 400 No\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
CUT = sends(SSE_HEAD, http_chunk(openai_event("hel")))
QUICK = BreakerPolicy(failures=0.5, least=4, open_seconds=0.15)


def after(steps, policy=None):
    """A breaker after asks at the times of `steps`, each with what became of it; and what was admitted."""
    breaker = CircuitBreaker(policy or BreakerPolicy(failures=0.5, least=4, window_seconds=10, open_seconds=5))
    admitted = []
    for now, outcome in steps:
        admitted.append(breaker.admit(now))
        if admitted[-1] and outcome == "well":
            breaker.answered(now)
        elif admitted[-1] and outcome == "ill":
            breaker.failed(now)
        elif admitted[-1] and outcome == "left":
            breaker.abandoned()
    return breaker, admitted


OPENED = [(now, "ill") for now in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("steps", "state", "last_admitted"),
    [
        pytest.param([(1, "ill"), (2, "ill"), (3, "ill")], "closed", True, id="too-few-to-tell"),
        pytest.param(OPENED, "open", True, id="as-many-failures-as-it-takes"),
        pytest.param([(now, "well") for now in range(5)] + OPENED, "closed", True, id="most-went-well"),
        pytest.param([(0, "ill"), (1, "ill"), (20, "ill"), (21, "ill")], "closed", True, id="long-ago-does-not-count"),
        pytest.param([*OPENED, (8, "well")], "open", False, id="left-alone"),
        pytest.param([*OPENED, (9.1, "well")], "closed", True, id="a-probe-that-went-well"),
        pytest.param([*OPENED, (9.1, "ill"), (9.2, "well")], "open", False, id="a-probe-that-failed"),
        pytest.param([*OPENED, (9.1, "under way"), (9.2, "well")], "half-open", False, id="one-probe-at-a-time"),
        pytest.param([*OPENED, (9.1, "left"), (9.2, "well")], "closed", True, id="a-probe-that-was-left"),
    ],
)
def test_transitions(steps, state, last_admitted):
    breaker, admitted = after(steps)
    assert breaker.state == state
    assert admitted[-1] is last_admitted


def test_it_says_how_long_a_target_is_left_alone():
    breaker, _ = after(OPENED)
    assert breaker.seconds_left(6) == pytest.approx(3)
    assert breaker.seconds_left(60) == 0


def test_a_day_of_traffic_takes_no_more_room_than_the_window():
    breaker, _ = after([(now, "well") for now in range(86_400)])
    assert len(breaker._seconds) <= 11


@pytest.mark.parametrize(
    "values",
    [
        {"failures": 0},
        {"failures": 1.1},
        {"least": 0},
        {"window_seconds": 0},
        {"window_seconds": 4000},
        {"open_seconds": 0},
    ],
    ids=str,
)
def test_wrong_values_are_refused(values):
    with pytest.raises(ConfigurationError):
        BreakerPolicy(**values)


async def ask(client):
    async with client.stream(model="m", messages=[]) as stream:
        return (await stream.result()).text


async def fails(client, times, error=ProviderError):
    for _ in range(times):
        with pytest.raises(error):
            await ask(client)


async def test_a_client_stops_asking_and_asks_again_when_the_time_has_come():
    well = False

    async def script(reader, writer):
        await (WELL if well else ILL)(reader, writer)

    async with nothing_left(), ScriptedServer(script) as server, StreamClient(server.url, breaker=QUICK) as client:
        await fails(client, 4)
        assert set(client.breaker_states.values()) == {"open"}
        with pytest.raises(CircuitOpenError, match="left alone") as caught:
            await ask(client)
        assert 0 < caught.value.seconds <= 0.15
        well = True
        await asyncio.sleep(0.2)
        assert await ask(client) == "hello"
        assert set(client.breaker_states.values()) == {"closed"}


async def test_an_open_target_is_passed_over_for_the_next_one_at_once():
    async with nothing_left(), ScriptedServer(ILL) as ill, ScriptedServer(WELL) as well:
        fallbacks = [Target(well.url)]
        async with StreamClient(ill.url, fallbacks=fallbacks, breaker=QUICK, retry=RetryPolicy(attempts=1)) as client:
            assert [await ask(client) for _ in range(8)] == ["hello"] * 8
            assert ill.connections == 4
            async with client.stream(model="m", messages=[]) as stream:
                await stream.result()
                assert [type(attempt.error).__name__ for attempt in stream.attempts] == ["CircuitOpenError", "NoneType"]


@pytest.mark.parametrize(("script", "error", "state"), [
    pytest.param(WRONG, ProviderError, "closed", id="a-request-that-is-wrong-itself"),
    pytest.param(CUT, StreamTruncatedError, "open", id="streams-that-break-off"),
])  # fmt: skip
async def test_whom_a_failure_is_held_against(script, error, state):
    policy = BreakerPolicy(failures=0.4, least=4)
    async with nothing_left(), ScriptedServer(script) as server, StreamClient(server.url, breaker=policy) as client:
        await fails(client, 6 if state == "closed" else 2, error)  # a stream that broke off was answered, too
        assert set(client.breaker_states.values()) == {state}


async def test_a_probe_that_is_cancelled_makes_room_for_the_next():
    hang = False

    async def script(reader, writer):
        await (sends(then="hang") if hang else ILL)(reader, writer)

    async with nothing_left(), ScriptedServer(script) as server, StreamClient(server.url, breaker=QUICK) as client:
        await fails(client, 4)
        hang = True
        await asyncio.sleep(0.2)
        for _ in range(2):
            probe = asyncio.create_task(ask(client))
            await asyncio.sleep(0.05)
            with pytest.raises(CircuitOpenError):
                await ask(client)
            probe.cancel()
            await asyncio.wait([probe])
            assert probe.cancelled()
