"""3,000 plain streams in one process on one core, a chunk every 50 ms each: its CPU, and how late chunks reach it.

python -m perf many [--streams 3000] [--save-baseline]

The server is a compiled one (`stream_source.c`, built here; without a C compiler nothing is measured), so that the
second core suffices for it. Every chunk carries the time at which it was sent; delivery lag is what passed until the
callback of `for_each` had it. The server's own lateness stands beside it: above 5 ms at its 99th percentile the run
was limited by the server, and says so.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perf.measure import PERF, machine
from streamarena.client import Limits, StreamClient
from streamarena.histogram import Histogram

INTERVAL_MS = 50
CHUNKS = 200
SERVER_IS_LATE_US = 5000
SOURCE = Path(__file__).with_name("stream_source.c")


def build(folder: Path) -> Path | None:
    """Compile the server; None without a compiler."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None or sys.platform != "linux":
        return None
    program = folder / "stream_source"
    subprocess.run([compiler, "-O2", "-D_GNU_SOURCE", "-o", program, SOURCE], check=True)
    return program


async def read_all(url: str, streams: int) -> dict[str, Any]:
    """Read all streams to their ends; return the figures of this process."""
    lags = array("q")
    clock = time.monotonic_ns

    def seen(chunk: Any) -> None:
        if chunk.kind == "text":
            lags.append(clock() - int(chunk.text))

    async with StreamClient(url, limits=Limits(max_connections=streams), keep_result=False) as client:

        async def read() -> None:
            async with client.stream(model="m", messages=[{"role": "user", "content": "Hi"}]) as stream:
                await stream.for_each(seen)

        tasks = [asyncio.create_task(read()) for _ in range(streams)]
        while not lags:  # noqa: ASYNC110 - the streams begin when all are open; an event would be measured as well
            await asyncio.sleep(0.01)
        cpu, wall = time.process_time(), time.perf_counter()
        await asyncio.gather(*tasks)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    lag = Histogram(lags)
    return {
        "streams": streams,
        "chunks": len(lags),
        "chunks_per_second": len(lags) / wall,
        "cpu_us_a_chunk": cpu / len(lags) * 1e6,
        "share_of_a_core": cpu / wall,
        **{f"lag_p{share}_ms": lag.percentile(share) / 1e6 for share in (50, 99)},
        "lag_max_ms": (lag.maximum or 0) / 1e6,
    }


def on_core(process: int, number: int) -> None:
    """Keep a process (0: this one) on one of the cores."""
    cores = sorted(os.sched_getaffinity(process))
    os.sched_setaffinity(process, {cores[number % len(cores)]})


def measure(program: Path, streams: int) -> dict[str, Any]:
    """One run: the server on the last core, the client on the first."""
    import uvloop

    command = [str(program), str(streams), str(CHUNKS), str(INTERVAL_MS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        on_core(server.pid, -1)
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        on_core(0, 0)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            figures = runner.run(read_all(url, streams))
        said = server.stdout.read()
    if figures["chunks"] != streams * CHUNKS or server.returncode:
        raise RuntimeError(
            f"{figures['chunks']} chunks of {streams * CHUNKS}; the server ended with {server.returncode}"
        )
    return figures | {f"server_{name}": value for name, value in json.loads(said).items()}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=3000, help="streams held open at once (default 3000)")
    parser.add_argument("--rounds", type=int, default=1, help="not used: one run says enough")
    parser.add_argument("--save-baseline", action="store_true", help="also write perf/baseline/")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        program = build(Path(folder))
        if program is None:
            print("no C compiler here: nothing was measured")
            return
        figures = measure(program, chosen.streams)
    figures["server_limited"] = figures["server_late_p99_us"] > SERVER_IS_LATE_US
    print(f"{chosen.streams} plain streams, {CHUNKS} chunks each, one every {INTERVAL_MS} ms")
    for name, value in figures.items():
        print(f"{name:24} {value:10.2f}" if isinstance(value, float) else f"{name:24} {value!s:>10}")
    text = json.dumps({"machine": machine(), "figures": figures}, indent=1) + "\n"
    for place in ["results", "baseline"] if chosen.save_baseline else ["results"]:
        (PERF / place).mkdir(exist_ok=True)
        (PERF / place / "many.json").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
