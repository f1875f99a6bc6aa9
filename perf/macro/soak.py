"""A soak with chaos: streams that are cut, stalled, corrupted, cancelled and repeated for minutes, and what they leave.

python -m perf.macro.soak [--seconds 300]

The model server runs in another process with TLS; a chaos proxy stands between. After each window everything is let go
and counted: tasks, descriptors, leases, open arenas and connections must be where they were, and allocated blocks and
resident memory must not grow from the middle of the run to its end. Exits with 1 where something grew.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import ssl
import sys
import time
from pathlib import Path
from typing import NamedTuple

from streamarena.client import Limits, RetryPolicy, StreamClient, Timeouts
from streamarena.errors import StreamArenaError
from streamarena.memory import default_resources
from streamarena.testing import ChaosProxy, FakeLLM

RULES = ("cut,after=3000,share=0.1", "reset,after=2000,share=0.1", "stall,after=1500,share=0.05",
         "corrupt:0.0002,share=0.1", "split:7,share=0.1", "delay:0.01,share=0.2")  # fmt: skip
AT_ONCE = 50
GROWTH_BLOCKS, GROWTH_BYTES = 2000, 4 * 2**20


class Held(NamedTuple):
    """What the process holds between two windows."""

    tasks: int
    descriptors: int
    leases: int
    arenas: int
    blocks: int
    resident: int


def held() -> Held:
    gc.collect()
    resources = default_resources()
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return Held(
        tasks=len(asyncio.all_tasks()),
        descriptors=len(list(Path("/proc/self/fd").iterdir())),
        leases=resources.buffers.stats().outstanding,
        arenas=resources.totals().open,
        blocks=sys.getallocatedblocks(),
        resident=pages * 4096,
    )


async def one(client: StreamClient, chance: random.Random, counts: dict[str, int]) -> None:
    """One stream: read to its end, left by break, or failed."""
    leave_at = chance.choice([None, None, 1, 10])
    try:
        async with client.stream(model="m", messages=[{"role": "user", "content": "x"}]) as stream:
            seen = 0
            async for _ in stream:
                seen += 1
                if seen == leave_at:
                    break
        counts["left" if leave_at else "complete"] += 1
    except StreamArenaError as error:
        name = type(error).__name__
        counts[name] = counts.get(name, 0) + 1


async def window(client: StreamClient, seconds: float, chance: random.Random, counts: dict[str, int]) -> None:
    """Run streams for a while; cancel some of them, some twice."""

    async def worker(until: float) -> None:
        while time.monotonic() < until:
            task = asyncio.create_task(one(client, chance, counts))
            if chance.random() < 0.3:
                await asyncio.sleep(chance.random() * 0.1)
                task.cancel()
                await asyncio.sleep(0)
                if chance.random() < 0.5:
                    task.cancel()
            await asyncio.wait([task])
            if task.cancelled():
                counts["cancelled"] += 1
            else:
                task.result()

    await asyncio.gather(*(worker(time.monotonic() + seconds) for _ in range(AT_ONCE)))


async def soak(seconds: float) -> bool:
    chance = random.Random(7)
    counts = {"complete": 0, "left": 0, "cancelled": 0}
    rows: list[Held] = []
    length = max(3.0, seconds / 10)
    async with FakeLLM.spawn(tls=True, ttft=0.01, inter_token_latency=0.002, tokens=40) as llm:
        trust = llm.client_context()
        assert isinstance(trust, ssl.SSLContext)
        async with ChaosProxy(llm.url, *RULES, seed=7) as proxy:
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                options = {
                    "ssl_context": trust,
                    "limits": Limits(max_connections=AT_ONCE // 2),
                    "timeouts": Timeouts(first_content=1, idle=1, pool=5),
                    "retry": RetryPolicy(attempts=2, first_wait=0.01),
                }
                async with StreamClient(f"{proxy.url}/v1", **options) as client:
                    await window(client, length, chance, counts)
                    in_use = client.connections_in_use
                await asyncio.sleep(1.5)  # the proxy and the server close their ends
                rows.append(held())
                print(f"{counts}\n  {rows[-1]}, in use: {in_use}", flush=True)
                if in_use:
                    return False
    return settled(rows)


def settled(rows: list[Held]) -> bool:
    """Tell whether the last window left what the one in the middle did; the first ones fill pools and caches."""
    middle, last = rows[len(rows) // 2], rows[-1]
    same = middle[:4] == last[:4]
    blocks, resident = last.blocks - middle.blocks, last.resident - middle.resident
    print(f"counts equal: {same}; blocks {blocks:+d}, resident {resident:+d} bytes, over {len(rows)} windows")
    return same and blocks < GROWTH_BLOCKS and resident < GROWTH_BYTES


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return 0 if runner.run(soak(parser.parse_args().seconds)) else 1


if __name__ == "__main__":
    sys.exit(main())
