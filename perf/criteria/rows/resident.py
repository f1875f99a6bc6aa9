"""Resident memory of a whole client process with 500 open streams, plain and TLS."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys

from perf.criteria.criterion import Criterion, Options, median_and_spread, verdict
from perf.criteria.workload import MESSAGES, client_of, run, status_bytes

LIMIT = 50e6


async def _open(count: int, tls: bool) -> dict[str, float]:
    arrived = 0
    everywhere = asyncio.Event()

    async with client_of(2000, tls=tls, connections=count + 10, inter_token_latency=0.5, ttft=0.1) as client:

        async def one() -> None:
            nonlocal arrived
            async with client.stream(model="m", messages=MESSAGES) as stream:
                async for _ in stream.batches():
                    arrived += 1
                    if arrived >= 4 * count:
                        everywhere.set()

        empty = status_bytes("Rss")["Rss"]
        first = asyncio.create_task(one())  # what the first request makes is not a stream's
        await asyncio.sleep(2)
        before = status_bytes("Rss")["Rss"]
        tasks = [first, *(asyncio.create_task(one()) for _ in range(count - 1))]
        async with asyncio.timeout(120):
            await everywhere.wait()
        after = status_bytes("Rss")["Rss"]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return {"total": after, "empty": empty, "stream": (after - before) / (count - 1)}


def opened(count: int, tls: bool) -> dict[str, float]:
    return run(lambda: _open(count, tls))


def _process(count: int, tls: bool) -> dict[str, float]:
    code = f"import json; from perf.criteria.rows import resident as r; print(json.dumps(r.opened({count}, {tls})))"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True, timeout=200)
    return json.loads(done.stdout.splitlines()[-1])


def measure(options: Options) -> list[Criterion]:
    count = options.count(500, 100)
    rows = []
    for tls, name in ((False, "plain"), (True, "TLS")):
        rounds = [_process(count, tls) for _ in range(options.count(3, 1))]
        total, empty = [one["total"] for one in rounds], statistics.median(one["empty"] for one in rounds)
        streams = median_and_spread([one["stream"] / 1e3 for one in rounds], "kB a stream", 1)
        rows.append(
            Criterion(
                f"total resident, {count} open {name} streams",
                "-" if tls else "< 50 MB",
                f"{median_and_spread([value / 1e6 for value in total], 'MB', 1)}; {streams}",
                f"Rss of the whole client process, all streams receiving; {empty / 1e6:.1f} MB of it before the first "
                "request (interpreter, uvloop, OpenSSL, our rooms)",
                "shown" if tls else verdict(statistics.median(total) < LIMIT),
                {"rounds": rounds},
            )
        )
    return rows
