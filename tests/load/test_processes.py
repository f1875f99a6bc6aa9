"""Several workers in processes of their own do together what one would, and their loss is told."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from streamarena.errors import ConfigurationError, WorkerLostError
from streamarena.load import ClosedLoop, LoadPlan, LoadTest, OpenLoop, Processes, Synthetic
from streamarena.testing import FakeLLM

FAST = {"ttft": 0.002, "inter_token_latency": 0.001, "tokens": 8}


def plan(llm, **changes):
    given = {"url": f"{llm.url}/v1", "model": "m", "requests": Synthetic(20, None), "request_count": 21}
    return LoadPlan(**(given | changes))


@pytest.mark.parametrize("schedule", [ClosedLoop(5), OpenLoop(100, "constant")], ids=["closed", "open"])
async def test_workers_share_the_numbers_and_merge_to_one_result(schedule):
    rows = []
    async with FakeLLM(**FAST) as llm:
        changes = {"schedule": schedule, "rows": True, "warmup_requests": 2}
        test = LoadTest(plan(llm, **changes), engine=Processes(2), on_interval=lambda i: rows.extend(i.rows))
        result = await test.run()
        assert llm.statistics.requests == 23
    assert sorted(row["number"] for row in rows) == list(range(2, 23))
    assert (result.summary["completed"], result.summary["left_out"]) == (21, 2)
    assert result.histogram("ttft").count == 21
    assert result.summary["client"]["workers"] == 2
    assert 1 <= result.summary["peak_concurrency"] <= 23


async def test_a_worker_that_is_killed_is_reported_and_its_intervals_stay():
    killed = []
    async with FakeLLM(**FAST | {"tokens": 200}) as llm:
        engine = Processes(2)

        def kill_first(totals):
            if not killed and all(worker in totals.health for worker in (0, 1)):
                killed.append(engine.pids[0])
                os.kill(engine.pids[0], signal.SIGKILL)

        changes = {"request_count": None, "duration": 3.0, "schedule": ClosedLoop(4)}
        result = await LoadTest(plan(llm, **changes), engine=engine, progress=kill_first).run()
    assert killed
    assert list(result.summary["client"]["lost_workers"]) == ["0"]
    assert "-9" in result.summary["client"]["lost_workers"]["0"]
    assert result.totals.health[0].wall > 0, "its finished intervals are kept"
    assert result.totals.health[1].wall > 2e9, "the other one goes on"


async def test_stop_reaches_every_process():
    async with FakeLLM(**FAST) as llm:
        test = LoadTest(plan(llm, request_count=1_000_000, schedule=ClosedLoop(2)), engine=Processes(2))
        running = asyncio.ensure_future(test.run())
        while llm.statistics.requests < 4:
            await asyncio.sleep(0.02)
        test.stop()
        result = await running
    assert result.summary["completed"] > 0
    assert not result.summary["client"]["lost_workers"]


async def test_cancelling_leaves_no_process_behind():
    async with FakeLLM(**FAST | {"tokens": 100_000}) as llm:
        engine = Processes(2)
        running = asyncio.ensure_future(LoadTest(plan(llm, schedule=ClosedLoop(4)), engine=engine).run())
        while llm.statistics.requests < 4:
            await asyncio.sleep(0.02)
        pids = engine.pids
        running.cancel()
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        for _ in range(100):
            if not any(_alive(pid) for pid in pids):
                break
            await asyncio.sleep(0.05)
        assert not any(_alive(pid) for pid in pids)


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class FailingSource:
    """A source whose third request cannot be made; at module level, so that it travels."""

    def __call__(self, number):
        if number == 2:
            raise ValueError("no more")
        return {"messages": [{"role": "user", "content": "hi"}]}


async def test_what_a_source_raises_in_a_worker_is_told_here():
    async with FakeLLM(**FAST) as llm:
        with pytest.raises((WorkerLostError, ConfigurationError)):
            await LoadTest(plan(llm, requests=FailingSource()), engine=Processes(1)).run()


async def test_a_plan_that_cannot_travel_is_refused_before_anything_starts():
    async with FakeLLM(**FAST) as llm:
        with pytest.raises(ConfigurationError, match="travel"):
            await LoadTest(plan(llm, requests=lambda number: {}), engine=Processes(2)).run()
        assert llm.statistics.requests == 0
