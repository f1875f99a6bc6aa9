"""How much FakeLLM sends from one process: chunks a second, CPU a chunk, how late against its own plan, memory.

The reader is a bare protocol on uvloop in this process, so on a small machine both compete for the cores. Lateness is
the server's own: the stamp of each send against the grid that its first send began.

python -m perf fake-llm [--streams 1000] [--gap 0.03] [--chunks 100] [--api /v1/chat/completions]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from pathlib import Path

import orjson
import uvloop

from streamarena.testing import FakeLLM, FakeLLMProcess

_TICKS = os.sysconf("SC_CLK_TCK")
_READY = 1.0


class _Reader(asyncio.Protocol):
    """Sends one request and drops what comes until the body's end."""

    def __init__(self, request: bytes, done: list[int]) -> None:
        self.request = request
        self.done = done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"0\r\n\r\n"):
            self.done.append(1)
            self.transport.close()


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def _run(llm: FakeLLMProcess, streams: int, chunks: int, gap: float, api: str) -> None:
    body = orjson.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hello"}]})
    request = b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (api.encode(), len(body), body)
    host, port = llm.url.removeprefix("http://").split(":")
    loop = asyncio.get_running_loop()
    done: list[int] = []
    before = _resident(llm.pid)
    start = time.monotonic()
    for _ in range(streams):
        await loop.create_connection(lambda: _Reader(request, done), host, int(port))
    await asyncio.sleep(max(0.0, start + _READY - time.monotonic()))
    resident = _resident(llm.pid) - before
    cpu, wall, sent = _cpu(llm.pid), time.monotonic(), llm.statistics()["frames"]
    limit = wall + 60
    while len(done) < streams and time.monotonic() < limit:  # noqa: ASYNC110 - polling keeps the readers free of locks
        await asyncio.sleep(0.01)
    wall, cpu = time.monotonic() - wall, _cpu(llm.pid) - cpu
    counters = llm.statistics(records=1000)
    sent = counters["frames"] - sent
    late = sorted(
        (stamp - record["stamps"][0]) / 1e6 - gap * 1e3 * number
        for record in counters["records"]
        for number, stamp in enumerate(record["stamps"])
    )
    print(f"streams {streams}, {chunks} chunks each, {gap * 1e3:g} ms apart; finished {len(done)}")
    print(f"chunks/s {sent / wall:,.0f}; server CPU us/chunk {cpu / sent * 1e6:.1f} ({cpu / wall:.0%} of a core)")
    print(f"late by ms: p50 {statistics.median(late):.2f}, p99 {late[int(len(late) * 0.99)]:.2f}, max {late[-1]:.2f}")
    print(f"server memory a stream: {resident / streams / 1024:.1f} KiB")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m perf fake-llm")
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--gap", type=float, default=0.03)
    parser.add_argument("--chunks", type=int, default=100)
    parser.add_argument("--api", default="/v1/chat/completions")
    options, _ = parser.parse_known_args(arguments)
    gap = options.gap
    with FakeLLM.spawn(ttft=_READY, inter_token_latency=gap, tokens=options.chunks) as llm:
        uvloop.run(_run(llm, options.streams, options.chunks, gap, options.api))


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
