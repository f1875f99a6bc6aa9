"""Delays are judged by the server's own send stamps and by its plans, never by how fast this machine is today."""

from __future__ import annotations

import asyncio
import random
import statistics
import time

import pytest

from streamarena.providers.paths import ROUTES
from streamarena.testing.answers import ModelAnswer
from streamarena.testing.connection import HTTPRequest
from streamarena.testing.model_requests import read_model_request
from streamarena.testing.queueing import ServiceQueue
from streamarena.testing.records import RequestRecord
from streamarena.testing.settings import reply_settings
from streamarena.testing.wheel import SLICE, TimerWheel
from tests.testing.helpers import CHAT, chat, post, quick, until


def frames_of(api="openai-chat", stream=True, prefill=0.0, slowdown=1.0, **settings):
    """The planned body frames of one reply."""
    path = CHAT if api == "openai-chat" else "/v1/messages"
    pattern, name = next(route for route in ROUTES if route[0].search(path))
    body = b'{"model":"m","stream":%b}' % (b"true" if stream else b"false")
    request = HTTPRequest("POST", path, {}, body, keep_alive=True)
    asked = read_model_request(name, pattern.search(path), request, reply_settings(**settings))
    answer = ModelAnswer(asked, random.Random(3), RequestRecord(1, name, "m"), 0)
    return list(answer.plan(prefill, lambda: slowdown).body)


def content_delays(**settings):
    return [frame.delay for frame in frames_of(**settings) if frame.tokens]


def test_first_content_waits_for_prefill_and_ttft_and_the_rest_for_their_tokens():
    delays = content_delays(ttft=0.5, inter_token_latency=0.1, tokens=7, tokens_per_chunk=3, prefill=2.0)
    assert delays == pytest.approx([2.5, 0.3, 0.1])


def test_the_role_only_frame_comes_at_once():
    first = frames_of(ttft=0.5)[0]
    assert (first.delay, first.tokens) == (0.0, 0)
    assert b'"role":"assistant"' in first.data


def test_a_full_batch_slows_the_tokens_not_the_first():
    delays = content_delays(ttft=0.5, inter_token_latency=0.1, tokens=3, slowdown=1.5)
    assert delays == pytest.approx([0.5, 0.15, 0.15])


def test_pings_fill_the_wait_without_lengthening_it():
    frames = frames_of(ttft=1.0, ping=0.3, tokens=1)
    waited = [frame.delay for frame in frames if frame.delay]
    assert waited == pytest.approx([0.3, 0.3, 0.3, 0.1])
    assert sum(b": ping" in frame.data for frame in frames) == 3


def test_a_whole_reply_takes_the_time_of_a_streamed_one():
    streamed = sum(frame.delay for frame in frames_of(ttft=0.5, inter_token_latency=0.1, tokens=6))
    (whole,) = frames_of(stream=False, ttft=0.5, inter_token_latency=0.1, tokens=6)
    assert whole.delay == pytest.approx(streamed)


@pytest.mark.parametrize(("text", "mean", "spread"), [("normal:0.1:0.02", 0.1, 0.02), ("exponential:0.05", 0.05, 0.05)])
def test_gaps_follow_their_distribution(text, mean, spread):
    gaps = content_delays(inter_token_latency=text, tokens=5000)[1:]
    assert statistics.fmean(gaps) == pytest.approx(mean, rel=0.05)
    assert statistics.stdev(gaps) == pytest.approx(spread, rel=0.05)


async def test_stamps_keep_the_grid_of_due_times():
    async with quick(ttft=0.05, inter_token_latency=0.005, tokens=40) as llm:
        await post(llm, CHAT, chat())
        (record,) = llm.statistics.records
    first = record.stamps[0] - record.received
    assert first >= 0.05e9
    # A send may be late, never early: each stamp is at or after its place on the grid.
    origin = record.admitted + 0.05e9
    assert all(stamp >= origin + 0.005e9 * n - 1e6 for n, stamp in enumerate(record.stamps))


# ------------------------------------------------------------ the queue


def test_requests_wait_in_order_for_a_slot():
    queue = ServiceQueue(slots=1, max_queue=2)
    served = []
    assert [queue.enter(name, lambda name=name: served.append(name)) for name in "abcd"] == [True, True, True, False]
    assert (served, queue.waiting, queue.refused) == (["a"], 2, 1)
    queue.leave("b")
    queue.leave("a")
    assert (served, queue.waiting, queue.in_service) == (["a", "c"], 0, 1)
    queue.leave("c")
    assert queue.in_service == 0


def test_prefills_share_one_resource():
    queue = ServiceQueue(prefill_tokens_per_second=1000)
    assert [queue.prefill(10.0, 500), queue.prefill(10.0, 500), queue.prefill(20.0, 1000)] == [10.5, 11.0, 21.0]


def test_each_other_request_slows_decoding():
    queue = ServiceQueue(batch_slowdown=0.1)
    assert queue.slowdown == 1.0
    for number in range(5):
        queue.enter(number, lambda: None)
    assert queue.slowdown == pytest.approx(1.4)


async def test_saturation_looks_like_saturation():
    # Two slots, replies of about 40 ms: of eight requests at once the last pair waits for three before it.
    async with quick(slots=2, ttft=0.02, inter_token_latency=0.01, tokens=3) as llm:
        await asyncio.gather(*(post(llm, CHAT, chat(stream=False)) for _ in range(8)))
        records = sorted(llm.statistics.records, key=lambda record: record.received)
        assert llm.queue.peak_waiting == 6
    waits = [(record.admitted - record.received) / 1e9 for record in records]
    assert max(waits[:2]) < 0.02
    assert min(waits[6:]) > 0.1


async def test_a_full_queue_answers_429_and_a_waiting_client_may_leave():
    async with quick(slots=1, max_queue=1, ttft=60) as llm:
        first = asyncio.ensure_future(post(llm, CHAT, chat()))
        second = asyncio.ensure_future(post(llm, CHAT, chat()))
        await until(lambda: llm.queue.waiting == 1)
        refused = await post(llm, CHAT, chat())
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "1"
        for task in (second, first):
            task.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        await until(lambda: not llm.statistics.open_connections)
        assert (llm.queue.waiting, llm.queue.in_service) == (0, 0)
        assert llm.statistics.outcomes == {"refused": 1, "cancelled": 2}


# ------------------------------------------------------------ the wheel


class Item:
    def __init__(self, log, name, again=()):
        self.wheel_tick = -1
        self.log, self.name, self.again = log, name, list(again)

    def fire(self):
        self.log.append(self.name)

    def prepare(self):
        return self.again.pop(0) if self.again else None


async def test_items_fire_in_the_order_of_their_times():
    loop, log = asyncio.get_running_loop(), []
    wheel = TimerWheel(loop)
    now = time.monotonic()
    for name, delay in (("c", 0.03), ("a", 0.01), ("b", 0.02), ("a2", 0.0101)):
        wheel.schedule(now + delay, Item(log, name))
    await until(lambda: not len(wheel))
    assert log[0] == "a"
    assert log[-1] == "c"
    assert sorted(log) == ["a", "a2", "b", "c"]


async def test_one_timer_serves_all_that_is_due_in_slices():
    loop, log = asyncio.get_running_loop(), []
    wheel = TimerWheel(loop)
    due = time.monotonic() + 0.02
    for number in range(1000):
        wheel.schedule(due, Item(log, number))
    await until(lambda: not len(wheel))
    assert log == list(range(1000))
    assert wheel.wake_ups <= 1000 / SLICE + 3


async def test_discarded_items_never_fire_and_are_not_kept():
    loop, log = asyncio.get_running_loop(), []
    wheel = TimerWheel(loop)
    kept, dropped = Item(log, "kept"), Item(log, "dropped")
    for item in (kept, dropped):
        wheel.schedule(time.monotonic() + 0.01, item)
    wheel.discard(dropped)
    wheel.discard(dropped)
    await asyncio.sleep(0.05)
    assert log == ["kept"]
    assert len(wheel) == 0


async def test_rescheduling_moves_an_item_and_closing_drops_all():
    loop, log = asyncio.get_running_loop(), []
    wheel = TimerWheel(loop)
    item = Item(log, "moved")
    wheel.schedule(time.monotonic() + 60, item)
    wheel.schedule(time.monotonic() + 0.005, item)
    assert len(wheel) == 1
    await asyncio.sleep(0.03)
    assert log == ["moved"]
    wheel.schedule(time.monotonic() + 0.005, item)
    wheel.close()
    await asyncio.sleep(0.03)
    assert log == ["moved"]


async def test_an_item_that_is_due_again_fires_again():
    loop, log = asyncio.get_running_loop(), []
    wheel = TimerWheel(loop)
    now = time.monotonic()
    wheel.schedule(now, Item(log, "x", again=[now + 0.005, now + 0.01]))
    await asyncio.sleep(0.05)
    assert log == ["x", "x", "x"]
