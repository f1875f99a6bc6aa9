"""Error bars reach back to where bytes may have come, and no further: on a real loop, with real blocking."""

from __future__ import annotations

import asyncio
import gc
import sys
import time

import pytest

from streamarena.load.loop_watch import LoopWatch

MS = 1_000_000


def spin(milliseconds):
    end = time.perf_counter_ns() + int(milliseconds * MS)
    while time.perf_counter_ns() < end:
        pass


async def test_what_comes_after_a_long_poll_came_just_now():
    """A loop that slept has no past: what kept it from running afterwards is a small part of the sleep."""
    bars = []
    with LoopWatch(asyncio.get_running_loop()) as watch:
        for _ in range(10):
            await asyncio.sleep(0.02)
            watch.touch()
            await asyncio.sleep(0)
            await asyncio.sleep(0.015)  # a window's own turn may lie in between
            now = time.perf_counter_ns()
            if not watch.in_turn:
                watch.begin(now)
            bars.append(now - watch.since)
    assert sorted(bars)[len(bars) // 2] < 15 * MS


async def test_what_is_read_right_after_a_busy_turn_may_have_come_during_it():
    with LoopWatch(asyncio.get_running_loop()) as watch:
        start = time.perf_counter_ns()
        watch.touch()
        spin(3)
        await asyncio.sleep(0)  # the turn ends
        assert not watch.in_turn
        watch.touch()
        assert watch.since <= start + MS
        assert watch.busy >= 3 * MS


@pytest.mark.skipif(sys.platform != "linux", reason="schedstat is Linux's")
async def test_work_that_nobody_noted_is_in_the_bar():
    missed = []
    for _ in range(3):  # a virtual machine may be stopped as a whole, of which its kernel says nothing
        with LoopWatch(asyncio.get_running_loop()) as watch:
            watch.touch()
            await asyncio.sleep(0)
            start = time.perf_counter_ns()
            spin(8)  # a callback of somebody else: bytes may have come from its beginning on
            watch.touch()
            missed.append(watch.since - start)
    assert min(missed) <= MS


async def test_pauses_of_the_collector_and_late_timers_are_counted():
    with LoopWatch(asyncio.get_running_loop()) as watch:
        gc.collect()
        spin(40)
        await asyncio.sleep(0.03)
        lags, pauses, busy, run_wait = watch.take_health()
        assert pauses.count >= 1
        assert lags.maximum > 5 * MS
        assert busy > 0
        assert (run_wait is not None) == watch.sees_run_queue
        again = watch.take_health()
        assert (again[0].count, again[1].count, again[2]) == (0, 0, 0)


async def test_leaving_takes_back_what_was_put_in():
    before = list(gc.callbacks)
    with LoopWatch(asyncio.get_running_loop()):
        assert len(gc.callbacks) == len(before) + 1
    assert gc.callbacks == before
