"""The profiler in the background: first and last snapshot, no task left behind, exceptions unchanged."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from streamarena.errors import ConfigurationError
from streamarena.memory import MemoryManager, default_manager
from streamarena.pipeline.background import profile_in_background


async def test_snapshots_come_at_an_interval_and_at_both_ends():
    manager, seen = MemoryManager(), []
    async with profile_in_background(manager, interval=0.01, on_snapshot=seen.append) as profiler:
        assert profiler is manager.profiler
        assert len(seen) == 1
        async with asyncio.timeout(5):
            while len(seen) < 4:
                await asyncio.sleep(0.005)
        before = len(seen)
    assert len(seen) == before + 1
    await asyncio.sleep(0.03)
    assert len(seen) == before + 1
    assert profiler.report().taken == len(seen)


async def test_no_task_is_left_behind_whatever_ends_the_block():
    before = asyncio.all_tasks()
    with pytest.raises(RuntimeError, match="body"):
        async with profile_in_background(MemoryManager(), interval=0.01):
            raise RuntimeError("body")
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("times", [1, 2])
async def test_a_cancelled_block_leaves_no_task_behind(times):
    before, started = asyncio.all_tasks(), asyncio.Event()

    async def work():
        async with profile_in_background(MemoryManager(), interval=0.01):
            started.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await started.wait()
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.02)
    assert asyncio.all_tasks() == before


async def test_what_the_callback_raises_is_raised_at_the_end():
    calls = []

    def fail(snapshot):
        calls.append(snapshot)
        if len(calls) == 2:
            raise ValueError("callback")

    with pytest.raises(ValueError, match="callback"):
        async with profile_in_background(MemoryManager(), interval=0.01, on_snapshot=fail):
            await asyncio.sleep(0.05)
    assert len(calls) == 2


async def test_the_default_manager_is_watched_by_default():
    async with profile_in_background(interval=1) as profiler:
        assert profiler is default_manager().profiler


@pytest.mark.parametrize("interval", [0, -1, float("nan")])
async def test_an_interval_must_be_more_than_nothing(interval):
    with pytest.raises(ConfigurationError, match="interval"):
        async with profile_in_background(interval=interval):
            pass


async def test_what_nobody_needs_is_trimmed(monkeypatch):
    manager, times = MemoryManager(), iter(range(0, 10_000, 40))
    for buffer in [manager.buffers.acquire(1) for _ in range(5)]:
        buffer.release()
    clock = SimpleNamespace(monotonic=lambda: float(next(times)))
    monkeypatch.setattr("streamarena.pipeline.background.time", clock)
    async with profile_in_background(manager, interval=0.005):
        async with asyncio.timeout(5):
            while manager.buffers.stats().idle_bytes:
                await asyncio.sleep(0.005)
