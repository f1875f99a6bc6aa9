"""The Ray engine on a real local Ray: the same result as one worker's, and a killed worker that is told of."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
import sys
from pathlib import Path

import pytest

from streamarena.load import ClosedLoop, LoadPlan, LoadTest, Synthetic
from streamarena.testing import FakeLLM

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra `ray` is not installed"),
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def local_ray():
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


def run(main):
    """One loop is enough here: Ray's own threads and processes dominate."""
    asyncio.run(main)


def test_actors_share_the_numbers_and_begin_together(local_ray):
    from streamarena_adapters.ray import RayEngine

    async def main():
        rows = []
        async with FakeLLM(ttft=0.002, inter_token_latency=0.001, tokens=8) as llm:
            plan = LoadPlan(
                url=f"{llm.url}/v1",
                model="m",
                requests=Synthetic(20, None),
                schedule=ClosedLoop(4),
                request_count=40,
                rows=True,
            )
            engine = RayEngine(2, cpus=0.5)
            test = LoadTest(plan, engine=engine, on_interval=lambda interval: rows.extend(interval.rows))
            result = await test.run()
            assert llm.statistics.requests == 40
        assert sorted(row["number"] for row in rows) == list(range(40))
        assert result.summary["completed"] == 40
        assert result.summary["client"]["workers"] == 2
        assert all(error >= 0 for error in engine.clock_errors)
        first = {worker: min(r["sent_ns"] for r in rows if r["number"] % 2 == worker) for worker in (0, 1)}
        assert abs(first[0] - first[1]) < 0.3e9, "the start is a barrier"

    run(main())


def actor_processes():
    """The processes of the actors on this machine: Ray names them after their class."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if (entry / "cmdline").read_bytes().startswith(b"ray::WorkerActor"):
                    found.append(int(entry.name))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="the actors' processes are found in /proc")
def test_an_actor_whose_process_dies_is_reported_and_its_intervals_stay(local_ray):
    from streamarena_adapters.ray import RayEngine

    async def main():
        async with FakeLLM(ttft=0.002, inter_token_latency=0.001, tokens=100) as llm:
            plan = LoadPlan(
                url=f"{llm.url}/v1",
                model="m",
                requests=Synthetic(20, None),
                schedule=ClosedLoop(4),
                duration=6,
                drain_seconds=1,
            )
            engine = RayEngine(2, cpus=0.5)
            test = LoadTest(plan, engine=engine)
            running = asyncio.ensure_future(test.run())
            while 0 not in test.totals.health or 1 not in test.totals.health:
                await asyncio.sleep(0.1)
                assert not running.done()
            kept = {worker: health.wall for worker, health in test.totals.health.items()}
            os.kill(actor_processes()[0], signal.SIGKILL)
            result = await running
        (name,) = result.summary["client"]["lost_workers"]
        lost, other = int(name), 1 - int(name)
        assert kept[lost] <= result.totals.health[lost].wall < 4e9
        assert result.totals.health[other].wall > 4e9, "the other one ran to its end"
        assert result.summary["completed"] > 0
        assert result.verdict.state == "client-limited"
        assert any("was lost" in reason for reason in result.verdict.reasons)

    run(main())
