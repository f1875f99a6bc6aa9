"""Opens streams with one client, holds them all open, and prints the memory that each costs: `{"bytes_a_stream"}`.

Usage: memory_worker.py CLIENT URL STREAMS. Private dirty pages from /proc/self/smaps_rollup, after a warm-up of 20
streams, while every stream has had its first chunks and gets one every 100 ms.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from perf.peers.stream_clients import CLIENTS


def private_dirty() -> int:
    """Return the bytes that this process alone has written to."""
    gc.collect()
    for line in Path("/proc/self/smaps_rollup").read_text("ascii").splitlines():
        if line.startswith("Private_Dirty:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("the kernel does not report private dirty memory")


async def main(name: str, url: str, streams: int) -> None:
    client = CLIENTS[name]
    warm_up = asyncio.ensure_future(client(url, 20))
    await asyncio.sleep(1)
    warm_up.cancel()
    await asyncio.wait([warm_up])
    before = private_dirty()
    reading = asyncio.ensure_future(client(url, streams))
    await asyncio.sleep(6)
    held = private_dirty() - before
    print(json.dumps({"bytes_a_stream": held / streams}), flush=True)
    reading.cancel()
    await asyncio.wait([reading])


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
