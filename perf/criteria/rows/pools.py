"""Reuse of pooled objects and buffers: 10,000 mixed requests of StreamClient, one in a hundred oversize."""

from __future__ import annotations

import asyncio

from perf.criteria.criterion import Criterion, Options, verdict
from perf.criteria.workload import MESSAGES, client_of, run
from streamarena.memory import ManagerStats, default_manager

KINDS = ("m", "m,tokens=1", "m,tokens=60,tokens_per_chunk=5", "m,tokens=20,tool_calls=2", "m,tokens=10,reasoning=10")


async def _mixed(count: int) -> ManagerStats:
    manager = default_manager()
    async with client_of(20, keep_result=True) as client:
        left = iter(range(count))

        async def worker() -> None:
            for number in left:
                oversize = number % 100 == 0
                model = "m,tokens=6000,tokens_per_chunk=6000" if oversize else KINDS[number % len(KINDS)]
                async with client.stream(model=model, messages=MESSAGES) as stream:
                    await stream.result()

        async with asyncio.TaskGroup() as group:
            for _ in range(16):
                group.create_task(worker())
    return manager.stats()


def measure(options: Options) -> list[Criterion]:
    count = options.count(10_000, 1_000)
    stats = run(lambda: _mixed(count))
    target, rows = 0.95, []
    tiers = [tier for tier in stats.buffers.tiers if tier.hits + tier.misses]
    buffers = ", ".join(f"{tier.size or 'unpooled'}: {tier.hits}/{tier.hits + tier.misses}" for tier in tiers)
    used = [pool for pool in stats.pools if pool.hits + pool.misses]
    rows += [
        Criterion(
            f"reuse, pool {pool.name}",
            "> 95 %",
            f"{pool.reuse:.2%} ({pool.hits} hits, {pool.misses} misses, {pool.outstanding} out)",
            f"{count} mixed requests of StreamClient with result(), 1 % oversize, 16 at a time",
            verdict(pool.reuse > target and pool.outstanding == 0),
            {"hits": pool.hits, "misses": pool.misses},
        )
        for pool in used
    ]
    if not used:
        rows.append(
            Criterion(
                "reuse, object pools", "> 95 %", "no pool was used", "the client takes nothing from them", "MISSED"
            )
        )
    chunks = stats.arenas.chunks
    rows.append(
        Criterion(
            "reuse, arena chunks",
            "> 95 %",
            f"{chunks.reuse:.2%} ({chunks.reused} reused, {chunks.created} made)",
            "the same load; chunks of request arenas",
            verdict(chunks.reuse > target),
            {"reused": chunks.reused, "created": chunks.created},
        )
    )
    rows.append(
        Criterion(
            "reuse, buffers by tier",
            "-",
            f"{buffers or 'none'}; outstanding {stats.buffers.outstanding}",
            "the same load; the client leases one 64 KiB buffer for each loop, and no more",
            "shown",
        )
    )
    return rows
