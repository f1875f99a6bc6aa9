"""Runs one load test of this project, or the floor, in its own process; prints what it took as one JSON line.

Usage: load_worker.py NAME URL STREAMS ROUNDS. `{"chunks", "cpu_seconds", "start_seconds", "resident_bytes"}`: CPU from
the first request to the last byte, CPU of everything before it (interpreter, imports, making the plan), peak memory.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))


async def floor(url: str, streams: int, rounds: int) -> int:
    """The same streams, each on a connection of its own, read with `recv_into` and nothing else."""
    from perf.peers.stream_clients import floor as read

    for _ in range(rounds):
        await read(url, streams)
    return 0


async def load_test(url: str, streams: int, rounds: int) -> int:
    """`LoadTest` with its defaults: stamps, error bars, histograms, once a second an interval."""
    from streamarena.load import ClosedLoop, LoadPlan, LoadTest, Synthetic

    plan = LoadPlan(
        url=f"{url}/v1",
        model="fake-model",
        requests=Synthetic(20, None),
        schedule=ClosedLoop(streams),
        request_count=streams * rounds,
    )
    result = await LoadTest(plan).run()
    if result.summary["failed"]:
        raise RuntimeError(f"failed: {result.summary['errors']}")
    return result.summary["total_chunks"]


def main() -> None:
    import uvloop

    name, url, streams, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    importlib.import_module("streamarena.load")  # start-up is told apart from the run
    start = time.process_time()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        chunks = runner.run({"floor": floor, "streamarena": load_test}[name](url, streams, rounds))
    answer = {
        "chunks": chunks,
        "cpu_seconds": time.process_time() - start,
        "start_seconds": start,
        "resident_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
