"""Do requests leave blocks of the interpreter behind? The slope over runs of very different length says so."""

from __future__ import annotations

import gc
import statistics
import sys

from perf.criteria.criterion import Criterion, Options, verdict
from perf.criteria.workload import client_of, many_requests, run

LIMIT = 0.02


async def _slope(counts: tuple[int, ...]) -> tuple[float, list[int]]:
    async with client_of(20) as client:
        await many_requests(client, 500)
        grown = []
        for count in counts:
            gc.collect()
            before = sys.getallocatedblocks()
            await many_requests(client, count)
            gc.collect()
            grown.append(sys.getallocatedblocks() - before)
    mean_count, mean_grown = statistics.mean(counts), statistics.mean(grown)
    common = sum((c - mean_count) * (g - mean_grown) for c, g in zip(counts, grown, strict=True))
    return common / sum((c - mean_count) ** 2 for c in counts), grown


def measure(options: Options) -> list[Criterion]:
    counts = (200, 2_000, 10_000) if not options.quick else (200, 500, 1_000)
    slope, grown = run(lambda: _slope(counts))
    return [
        Criterion(
            "blocks left behind a request",
            f"slope < {LIMIT}",
            f"{slope:+.5f} ({', '.join(f'{g:+d} after {c}' for c, g in zip(counts, grown, strict=True))})",
            "sys.getallocatedblocks() after gc, runs of 200, 2,000 and 10,000 requests of 20 tokens",
            verdict(abs(slope) < LIMIT),
            {"counts": counts, "grown": grown, "slope": slope},
        )
    ]
