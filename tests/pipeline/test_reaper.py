"""Cancelled tasks are waited for, counted and named, and never for longer than the deadline."""

from __future__ import annotations

import asyncio
import logging

from streamarena.pipeline import Pipeline, map_async, reap, reaper_stats
from tests.pipeline.support import nothing_left


async def test_a_task_that_ends_in_time_is_counted():
    before = reaper_stats()
    task = asyncio.create_task(asyncio.sleep(10), name="prompt")
    task.cancel()
    reap(task, deadline=0.02)
    assert reaper_stats().waiting == before.waiting + 1
    await asyncio.wait({task})
    await asyncio.sleep(0.04)
    after = reaper_stats()
    assert (after.reaped - before.reaped, after.overdue - before.overdue, after.waiting) == (1, 0, before.waiting)


async def test_a_task_that_resists_is_named_and_logged_and_nobody_waits_for_it_past_the_deadline(caplog):
    release = asyncio.Event()

    async def stubborn():
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    before = reaper_stats()
    task = asyncio.create_task(stubborn(), name="stubborn task")
    await asyncio.sleep(0)
    task.cancel()
    with caplog.at_level(logging.WARNING):
        reap(task, deadline=0.01)
        await asyncio.sleep(0.05)
    after = reaper_stats()
    assert after.overdue == before.overdue + 1
    assert after.overdue_names[-1] == "stubborn task"
    assert "stubborn task" in caplog.text
    release.set()
    await task
    assert reaper_stats() == after


async def test_a_clean_up_that_fails_is_counted_and_logged(caplog):
    async def fails():
        try:
            await asyncio.sleep(10)
        finally:
            raise OSError("clean-up")

    before = reaper_stats()
    task = asyncio.create_task(fails(), name="failing task")
    await asyncio.sleep(0)
    task.cancel()
    with caplog.at_level(logging.WARNING):
        reap(task)
        await asyncio.wait({task})
    assert reaper_stats().failed == before.failed + 1
    assert "clean-up" in caplog.text


async def test_a_closed_boundary_hands_its_runner_to_the_reaper():
    before, tasks = reaper_stats(), asyncio.all_tasks()
    flow = Pipeline(map_async(asyncio.sleep, concurrency=2)).over([10, 10])
    pull = asyncio.create_task(anext(flow))
    await asyncio.sleep(0.01)
    pull.cancel()
    assert await nothing_left(tasks, turns=20)
    await asyncio.sleep(0)
    assert reaper_stats().reaped == before.reaped + 1


def test_a_task_whose_loop_was_closed_over_it_is_forgotten():
    waiting = reaper_stats().waiting
    loop = asyncio.new_event_loop()
    task = loop.create_task(asyncio.sleep(10))
    reap(task)
    assert reaper_stats().waiting == waiting + 1
    task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    other = loop.create_task(asyncio.sleep(10))
    reap(other)
    other._log_destroy_pending = False  # what asyncio says of it is not the matter here
    loop.close()
    assert reaper_stats().waiting == waiting
    other.get_coro().close()
