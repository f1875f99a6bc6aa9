"""The content clocks of a loop share one timer, fire when they are due, and keep nothing of a stream that has ended."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref

import pytest

from streamarena.client import Timeouts
from streamarena.client.clock import ContentClock
from streamarena.errors import FirstContentTimeoutError, IdleTimeoutError, TotalTimeoutError


def clock_for(timeouts, heard, deadline=None):
    clock = ContentClock(asyncio.get_running_loop(), timeouts, deadline, heard.append)
    clock.start(time.perf_counter_ns())
    return clock


async def test_each_clock_fires_at_its_own_time_whatever_order_they_were_started_in():
    heard = []
    limits = [0.09, 0.03, 0.06]
    clocks = [clock_for(Timeouts(first_content=limit), heard) for limit in limits]
    await asyncio.sleep(0.2)
    assert [type(error) for error in heard] == [FirstContentTimeoutError] * 3
    assert [error.seconds for error in heard] == sorted(limits)
    assert all(clock.place is None for clock in clocks)


async def test_a_stopped_clock_never_fires():
    heard = []
    clocks = [clock_for(Timeouts(first_content=0.02), heard) for _ in range(500)]
    for clock in clocks[1:]:
        clock.stop()
    await asyncio.sleep(0.1)
    assert len(heard) == 1


async def test_content_starts_the_idle_limit_and_a_deadline_beats_it():
    heard = []
    clock_for(Timeouts(first_content=5, idle=0.03), heard).content(time.perf_counter_ns())
    clock_for(Timeouts(first_content=5, idle=5, total=0.06), heard, time.perf_counter_ns() + 60_000_000)
    await asyncio.sleep(0.15)
    assert [type(error) for error in heard] == [IdleTimeoutError, TotalTimeoutError]


async def test_a_held_clock_waits_for_its_release():
    heard = []
    clock = clock_for(Timeouts(first_content=0.02), heard)
    clock.hold()
    await asyncio.sleep(0.08)
    assert heard == []
    clock.release()
    await asyncio.sleep(0.08)
    assert [type(error) for error in heard] == [FirstContentTimeoutError]


async def test_one_clock_that_fails_does_not_silence_the_others():
    heard, troubles = [], []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context["exception"]))

    def fail(error):
        raise LookupError(str(error))

    failing = ContentClock(asyncio.get_running_loop(), Timeouts(first_content=0.02), None, fail)
    failing.start(time.perf_counter_ns())
    clock_for(Timeouts(first_content=0.03), heard)
    await asyncio.sleep(0.1)
    assert len(heard) == 1
    assert [type(trouble) for trouble in troubles] == [LookupError]


async def test_a_place_that_was_dropped_serves_the_next_clock_and_fires_for_it_in_time():
    heard = []
    for limit in (0.05, 5, 0.09, 0.05):
        clock_for(Timeouts(first_content=limit), heard).stop()
    last = clock_for(Timeouts(first_content=0.12), heard)
    assert len(last._alarms._entries) == 1  # of the first clock; each after it could use it
    await asyncio.sleep(0.08)
    assert heard == []
    assert len(last._alarms._entries) == 1
    await asyncio.sleep(0.08)
    assert [error.seconds for error in heard] == [0.12]
    assert last._alarms._entries == []


async def test_a_place_that_would_come_too_late_is_not_taken():
    heard = []
    clock_for(Timeouts(first_content=60), heard).stop()
    clock_for(Timeouts(first_content=0.02), heard)
    await asyncio.sleep(0.08)
    assert len(heard) == 1


async def test_places_that_came_up_unused_are_forgotten():
    heard = []
    clocks = [clock_for(Timeouts(first_content=0.02), heard) for _ in range(300)]
    for clock in clocks:
        clock.stop()
    await asyncio.sleep(0.08)
    assert heard == []
    last = clock_for(Timeouts(first_content=60), heard)
    assert len(last._alarms._entries) == 1
    assert last._alarms._spare is None


class Stream:
    """Stands for what a clock ends."""

    def time_out(self, error):
        del error


@pytest.mark.parametrize("count", [1, 300], ids=["one", "more-than-are-kept-dropped"])
async def test_a_stopped_clock_keeps_nothing_of_its_stream(count):
    loop = asyncio.get_running_loop()
    gc.disable()
    try:
        streams = [Stream() for _ in range(count)]
        clocks = [ContentClock(loop, Timeouts(first_content=60), None, stream.time_out) for stream in streams]
        for clock in clocks:
            clock.start(time.perf_counter_ns())
        alive = [weakref.ref(stream) for stream in streams]
        for clock in clocks:
            clock.stop()
        streams.clear()
        assert [ref() for ref in alive if ref() is not None] == []
    finally:
        gc.enable()


async def test_ten_thousand_stopped_clocks_take_no_room():
    heard = []
    for _ in range(10_000):
        clock_for(Timeouts(first_content=60), heard).stop()
    last = clock_for(Timeouts(first_content=60), heard)
    assert len(last._alarms._entries) == 1
    assert len(last._alarms._timers) < 5
