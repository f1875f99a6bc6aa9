"""Where content is late a second request is sent; the first content wins, and the other request leaves nothing."""

from __future__ import annotations

import asyncio

import pytest

from streamarena.client import (
    AttemptStarted,
    BreakerPolicy,
    HedgePolicy,
    HedgeStats,
    RetryBudget,
    RetryPolicy,
    StreamClient,
    StreamFinished,
    Timeouts,
)
from streamarena.client.hedging import Hedging
from streamarena.errors import ConfigurationError, FirstContentTimeoutError, ProviderError, StreamTruncatedError
from tests.client.test_retry import CUT_EARLY, ERROR_EVENT, GOOD, ROLE, refusal
from tests.support.counting import nothing_left
from tests.support.scripted_server import DONE, SSE_HEAD, ScriptedServer, http_chunk, openai_event, read_request

STOP = http_chunk(openai_event("", "stop") + DONE)
EMPTY = [SSE_HEAD, ROLE, STOP, b"0\r\n\r\n"]
NOTHING = [0.1, SSE_HEAD, 0.02, b"0\r\n\r\n"]
HANG = None


def soon():
    """A policy with a budget of its own."""
    return HedgePolicy(after_seconds=0.05)


class Lanes:
    """Answers each request, by the order of their coming, with pieces: bytes, seconds to wait, or None to hang."""

    def __init__(self, *answers):
        self._answers = iter(answers)
        self.requests = []

    async def __call__(self, reader, writer):
        self.requests.append(await read_request(reader))
        for piece in next(self._answers):
            if piece is HANG:
                await reader.read()
            elif isinstance(piece, bytes):
                writer.write(piece)
                await writer.drain()
            else:
                await asyncio.sleep(piece)


async def read(lanes, hedge=None, *, how="chunks", **options):
    """Return the texts, the attempts, the counters and the error, having looked that nothing was left."""
    texts, error = [], None
    async with (
        nothing_left(),
        ScriptedServer(lanes) as server,
        StreamClient(server.url, hedge=hedge or soon(), **options) as client,
    ):
        request = client.stream(model="m", messages=[])
        try:
            async with request as stream:
                if how == "events":
                    texts += [event.raw_data async for event in stream.events()]
                elif how == "for_each":
                    await stream.text_deltas().for_each(texts.append)
                elif how == "result":
                    texts.append((await stream.result()).text)
                else:
                    texts += [chunk.text async for chunk in stream if chunk.kind == "text"]
        except Exception as caught:  # noqa: BLE001 - the caller looks at what it is
            error = caught
        assert client.connections_in_use == 0
        async with asyncio.timeout(2):
            while server.open:
                await asyncio.sleep(0.005)
        return texts, request.attempts, client.hedge_stats, error


def told(attempts):
    """What is said of each attempt, in a word or two."""
    words = []
    for attempt in attempts:
        end = "lost" if attempt.lost else "read" if attempt.error is None else type(attempt.error).__name__
        words.append(f"hedge {end}" if attempt.hedge else end)
    return words


@pytest.mark.parametrize(
    ("first", "second", "attempts"),
    [
        pytest.param(GOOD, GOOD, ["read"], id="in-time"),
        pytest.param([HANG], GOOD, ["lost", "hedge read"], id="no-header"),
        pytest.param([SSE_HEAD, HANG], GOOD, ["lost", "hedge read"], id="a-header"),
        pytest.param([SSE_HEAD, ROLE, HANG], GOOD, ["lost", "hedge read"], id="a-role"),
        pytest.param([SSE_HEAD, ROLE[:50], HANG], [SSE_HEAD, ROLE[:40], 0.02, ROLE[40:], *GOOD[2:]],
                     ["lost", "hedge read"], id="half-an-event-in-each"),
        pytest.param([0.15, *GOOD], [HANG], ["read", "hedge lost"], id="the-first-after-all"),
        pytest.param([0.15, *refusal(503)], [0.2, *GOOD], ["ProviderError", "hedge read"], id="the-first-fails"),
        pytest.param([0.15], [0.2, *GOOD], ["StreamTruncatedError", "hedge read"], id="the-first-is-closed"),
        pytest.param([0.2, *GOOD], refusal(503), ["read", "hedge ProviderError"], id="the-second-fails"),
        pytest.param([0.1, *CUT_EARLY], [0.2, *GOOD], ["lost", "hedge read"], id="the-first-breaks-off"),
        pytest.param([0.1, *ERROR_EVENT, HANG], [0.2, *GOOD], ["lost", "hedge read"], id="the-first-tells-an-error"),
    ],
)  # fmt: skip
async def test_the_first_content_wins(first, second, attempts):
    texts, log, stats, error = await read(Lanes(first, second))
    assert error is None
    assert texts == ["hello"]
    assert told(log) == attempts
    hedged = len(attempts) - 1
    assert stats == HedgeStats(sent=hedged, won=attempts[-1] == "hedge read")


@pytest.mark.parametrize("how", ["for_each", "result"])
async def test_every_way_to_read_reads_the_winner(how):
    texts, log, _, error = await read(Lanes([SSE_HEAD, ROLE, HANG], GOOD), how=how)
    assert (texts, told(log), error) == (["hello"], ["lost", "hedge read"], None)


async def test_raw_events_of_the_winner_are_whole():
    events, _, stats, error = await read(Lanes([SSE_HEAD, ROLE, HANG], GOOD), how="events")
    assert error is None
    assert stats.won == 1
    assert len(events) == 4
    assert events[-1] == b"[DONE]"


async def test_a_proper_end_without_content_is_an_answer():
    texts, log, _, error = await read(Lanes([0.1, *EMPTY], [HANG]))
    assert (texts, told(log), error) == ([], ["read", "hedge lost"], None)


@pytest.mark.parametrize("keep_result", [True, False])
async def test_figures_are_those_of_the_winner(keep_result):
    seen = []
    lanes = Lanes([SSE_HEAD, ROLE, HANG], GOOD)
    texts, *_ = await read(lanes, observers=[seen.append], keep_result=keep_result)
    assert texts == ["hello"]
    started = [moment.number for moment in seen if isinstance(moment, AttemptStarted)]
    finished = [moment for moment in seen if isinstance(moment, StreamFinished)]
    assert started == [1, 2]
    assert [told(moment.attempts) for moment in finished] == [["lost", "hedge read"]]
    assert finished[0].outcome == "complete"
    timings = finished[0].timings
    assert timings.started < timings.attempted <= timings.sent < timings.first_content <= timings.finished
    assert timings.sent - timings.started >= 0.045 * 1e9
    assert finished[0].attempts[0].seconds >= 0.045


@pytest.mark.parametrize(
    ("first", "second", "kind", "attempts"),
    [
        pytest.param(refusal(503), GOOD, ProviderError, ["ProviderError"], id="at-once"),
        pytest.param([0.1, *refusal(503)], [0.1, *refusal(429)], ProviderError,
                     ["ProviderError", "hedge ProviderError"], id="both"),
        pytest.param([0.1, *CUT_EARLY], refusal(429), StreamTruncatedError,
                     ["read", "hedge ProviderError"], id="the-one-that-has-a-header"),
        pytest.param(NOTHING, NOTHING, StreamTruncatedError, ["lost", "hedge read"], id="bodies-without-a-byte"),
    ],
)  # fmt: skip
async def test_a_failure_that_no_other_request_mends(first, second, kind, attempts):
    _, log, _, error = await read(Lanes(first, second))
    assert type(error) is kind
    assert told(log) == attempts


async def test_when_both_fail_the_policy_for_repeats_decides():
    retry = RetryPolicy(first_wait=0)
    lanes = Lanes([0.1, *refusal(503)], [0.1, *refusal(503)], GOOD)
    texts, log, _, error = await read(lanes, retry=retry)
    assert error is None
    assert texts == ["hello"]
    assert told(log) == ["ProviderError", "hedge ProviderError", "read"]


async def test_a_stream_that_breaks_off_after_the_race_is_repeated_as_ever():
    lanes = Lanes([HANG], [SSE_HEAD, ROLE, http_chunk(openai_event("hel"))], GOOD)
    retry = RetryPolicy(first_wait=0, after_content="restart")
    texts, log, _, error = await read(lanes, retry=retry)
    assert error is None
    assert texts == ["hel", "hello"]
    assert told(log) == ["lost", "hedge StreamTruncatedError", "read"]


async def test_pings_do_not_put_the_limit_for_content_off():
    ping = [http_chunk(b'event: ping\ndata: {"type": "ping"}\n\n'), 0.03] * 30
    lanes = Lanes([SSE_HEAD, *ping], [HANG])
    timeouts = Timeouts(first_content=0.2)
    *_, error = await read(lanes, HedgePolicy(after_seconds=5), timeouts=timeouts, api="anthropic")
    assert type(error) is FirstContentTimeoutError


async def test_the_budget_bounds_second_requests():
    policy = HedgePolicy(after_seconds=0.03, budget=RetryBudget(share=0, reserve=1))
    lanes = Lanes([HANG], GOOD, [0.1, *GOOD])
    async with nothing_left(), ScriptedServer(lanes) as server, StreamClient(server.url, hedge=policy) as client:
        for _ in range(2):
            async with client.stream(model="m", messages=[]) as stream:
                assert (await stream.result()).text == "hello"
        assert client.hedge_stats == HedgeStats(sent=1, won=1, refused=1)


async def test_a_body_that_is_made_once_is_sent_once():
    async def body():
        yield b"{}"

    async def script(reader, writer):
        await reader.readuntil(b"0\r\n\r\n")
        await asyncio.sleep(0.15)
        writer.writelines(GOOD)

    async with nothing_left(), ScriptedServer(script) as server, StreamClient(server.url, hedge=soon()) as client:
        async with client.stream(body()) as stream:
            assert (await stream.result()).text == "hello"
        assert server.connections == 1


@pytest.mark.parametrize(
    ("first", "state"),
    [
        pytest.param([HANG], "closed", id="given-up"),
        pytest.param([0.1, *CUT_EARLY], "open", id="broke-off"),
    ],
)
async def test_only_one_that_broke_off_is_held_against_its_target(first, state):
    breaker = BreakerPolicy(failures=0.1, least=1)
    async with nothing_left(), ScriptedServer(Lanes(first, [0.15, *GOOD])) as server:
        async with StreamClient(server.url, hedge=soon(), breaker=breaker) as client:
            async with client.stream(model="m", messages=[]) as stream:
                await stream.result()
            assert list(client.breaker_states.values()) == [state]


async def test_a_second_request_goes_over_a_connection_of_its_own():
    late = False

    async def script(reader, writer):
        while await read_request(reader):
            await asyncio.sleep(0.2 if late else 0.02)
            writer.writelines(GOOD)

    async def ask(client):
        async with client.stream(model="m", messages=[]) as stream:
            return (await stream.result()).text

    policy = HedgePolicy(after_seconds=0.1)
    async with nothing_left(), ScriptedServer(script) as server, StreamClient(server.url, hedge=policy) as client:
        await asyncio.gather(ask(client), ask(client))
        assert server.connections == 2
        late = True
        assert await ask(client) == "hello"
        assert (server.connections, client.hedge_stats.sent) == (3, 1)


async def test_the_limit_for_content_does_not_run_while_nobody_reads_the_winner():
    lanes = Lanes([*GOOD[:3], 0.4, *GOOD[3:]])
    timeouts = Timeouts(first_content=0.2, idle=0.2)
    async with nothing_left(), ScriptedServer(lanes) as server:
        async with StreamClient(server.url, hedge=HedgePolicy(after_seconds=5), timeouts=timeouts) as client:
            async with client.stream(model="m", messages=[]) as stream:
                await asyncio.sleep(0.5)
                assert (await stream.result()).text == "hello"


@pytest.mark.parametrize("times", [1, 2], ids=["cancel", "double-cancel"])
async def test_leaving_at_any_moment_leaves_nothing(times):
    async def script(reader, writer):
        await read_request(reader)
        await asyncio.sleep(0.01)
        writer.writelines([SSE_HEAD, ROLE, http_chunk(openai_event("hello"))])
        await reader.read()

    async def ask(client):
        async with client.stream(model="m", messages=[]) as stream:
            async for chunk in stream:
                if chunk.kind == "text" and chunk.text == "never":
                    break

    policy = HedgePolicy(after_seconds=0.002, budget=RetryBudget(share=1, reserve=1000))
    async with nothing_left(), ScriptedServer(script) as server, StreamClient(server.url, hedge=policy) as client:
        for turn in range(100):
            task = asyncio.create_task(ask(client))
            for _ in range(turn % 20):
                await asyncio.sleep(0 if turn % 2 else 0.001)
            for _ in range(times):
                task.cancel()
                await asyncio.sleep(0)
            await asyncio.wait([task])
            assert client.connections_in_use == 0 or task.cancelled()
        assert client.hedge_stats.sent > 10
        async with asyncio.timeout(2):
            while server.open or client.connections_in_use:
                await asyncio.sleep(0.005)


async def test_breaking_out_of_the_winner_leaves_nothing():
    lanes = Lanes([HANG], [*GOOD[:3], HANG])
    async with nothing_left(), ScriptedServer(lanes) as server, StreamClient(server.url, hedge=soon()) as client:
        async with client.stream(model="m", messages=[]) as stream:
            async for _ in stream:
                break
        assert client.connections_in_use == 0


# ---------------------------------------------------------------- when


def test_a_percentile_needs_enough_times_and_follows_the_latest():
    hedging = Hedging(HedgePolicy(percentile=99, least=10, shortest_seconds=0.01))
    assert hedging.delay("a:1") is None
    for number in range(9):
        hedging.observe("a:1", number / 10)
    assert hedging.delay("a:1") is None
    hedging.observe("a:1", 0.9)
    assert hedging.delay("a:1") == pytest.approx(0.9)
    assert hedging.delay("b:1") is None
    for _ in range(256):
        hedging.observe("a:1", 0.002)
    assert hedging.delay("a:1") == 0.01  # never below the shortest


async def test_a_client_learns_when_content_is_late():
    policy = HedgePolicy(percentile=50, least=2, shortest_seconds=0.05)
    lanes = Lanes(GOOD, GOOD, [HANG], GOOD)
    async with nothing_left(), ScriptedServer(lanes) as server, StreamClient(server.url, hedge=policy) as client:
        for sent in (0, 0, 1):
            async with client.stream(model="m", messages=[]) as stream:
                assert (await stream.result()).text == "hello"
            assert client.hedge_stats.sent == sent


@pytest.mark.parametrize(
    "values",
    [
        {"after_seconds": -1},
        {"percentile": 0},
        {"percentile": 100},
        {"least": 0},
        {"least": 257},
        {"shortest_seconds": -1},
    ],
    ids=str,
)
def test_wrong_values_are_refused(values):
    with pytest.raises(ConfigurationError):
        HedgePolicy(**values)
