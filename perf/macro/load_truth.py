"""How true a load test's figures are: held against the send stamps of the server, which runs on the same machine.

python -m perf load-truth [--rounds 5] [--streams 64] [--requests 256]

FakeLLM in a process of its own, time to first token 20 ms, a chunk each 10 ms. Truth is the server's stamp of a chunk
(taken beside the call that hands it to the kernel) less the client's of its send; both processes read one clock. Aims:
time to first token p50 within 2 ms and p99 within 10 ms, gaps p50 within 0.5 ms, and error bars that hold the truth
for 99 % of all chunks.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import uvloop

from streamarena.load import ClosedLoop, Histogram, LoadPlan, LoadResult, LoadTest, Synthetic
from streamarena.load.calibration import compare_with_server
from streamarena.testing import FakeLLM

TTFT, GAP, CHUNKS = 0.02, 0.01, 64


async def measure(streams: int, requests: int) -> tuple[LoadResult, list[dict[str, Any]], list[dict[str, Any]]]:
    """Run one load test; return its result, its rows with every stamp, and the server's records."""
    rows: list[dict[str, Any]] = []
    async with FakeLLM.spawn(ttft=TTFT, inter_token_latency=GAP, tokens=CHUNKS, keep_records=requests) as server:
        plan = LoadPlan(
            url=f"{server.url}/v1",
            model="fake-model",
            requests=Synthetic(50, None),
            schedule=ClosedLoop(streams),
            request_count=requests,
            stamps=True,
        )
        result = await LoadTest(plan, on_interval=lambda interval: rows.extend(interval.rows)).run()
        records = server.statistics(requests)["records"]
    return result, rows, records


def describe(result: LoadResult, rows: list[dict[str, Any]], records: list[dict[str, Any]]) -> str:
    """Return what was reported less what was true, in milliseconds, and how well the bars held."""
    by_id = {record["client_id"]: record for record in records}
    ttft, gaps = Histogram(), Histogram()
    for row in rows:
        stamps = by_id[f"load-{row['number']}"]["stamps"]
        ttft.add(stamps[0] - row["sent_ns"])
        gaps.add_all([later - earlier for earlier, later in itertools.pairwise(stamps)])
    compared = compare_with_server(rows, records)
    summary, client = result.summary, result.summary["client"]
    off = [
        f"{name} {summary[f'{p}_{key}_ms'] - (true.percentile(float(p[1:])) or 0) / 1e6:+.2f}"
        for name, p, key, true in (
            ("TTFT p50", "p50", "ttft", ttft),
            ("p99", "p99", "ttft", ttft),
            ("gap p50", "p50", "icl", gaps),
        )
    ]
    late = [f"{(compared[0].percentile(p) or 0) / 1e6:.2f}" for p in (50, 99)]
    bar = [f"{(compared[1].percentile(p) or 0) / 1e6:.2f}" for p in (50, 99)]
    return (
        f"off: {', '.join(off)} ms; bars hold {compared[2]:.2%} of {compared[0].count}; seen late p50 {late[0]}"
        f" p99 {late[1]}, bars p50 {bar[0]} p99 {bar[1]} ms; {client['verdict']},"
        f" waited for a core {client['run_queue_share'] or 0:.1%}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure several times and print each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--requests", type=int, default=256)
    chosen = parser.parse_args(arguments)
    for turn in range(chosen.rounds):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            print(f"round {turn + 1}: {describe(*runner.run(measure(chosen.streams, chosen.requests)))}", flush=True)


if __name__ == "__main__":
    main()
