"""Client CPU per chunk over real sockets: 64 streams, paced at 20 ms and in bursts, against other clients.

python -m perf client [--rounds 3] [--save-baseline]

Every client runs in a process of its own and measures its own CPU; FakeLLM runs in another. Each turn opens its
connections anew, as a load generator does. The floor is `recv_into` alone.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from perf.measure import Contender, Sample, Table, interleave, options, report
from perf.peers import setup
from perf.peers.stream_clients import CLIENTS
from streamarena.testing import FakeLLM

PEERS = Path(__file__).parents[1] / "peers"
GO = "Go net/http + encoding/json"
FLOOR = "recv_into alone"
STREAMS = 64
CHUNKS = {"paced": 100, "bursts": 1000}


class Worker:
    """One client in its process."""

    def __init__(self, command: Sequence[str], name: str, chunks: int) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._name = name
        self._chunks = chunks

    def turn(self, url: str) -> Sample:
        """Read all streams once; fail unless the client saw every chunk."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"client": self._name, "url": url, "streams": STREAMS}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        expected = 0 if self._name == FLOOR else STREAMS * self._chunks
        if answer["chunks"] != expected:
            raise RuntimeError(f"{self._name} saw {answer['chunks']} chunks of {expected}")
        return Sample(STREAMS * self._chunks, answer["cpu_seconds"])

    def close(self) -> None:
        """End the process and wait for it."""
        self._process.communicate(timeout=10)


@contextmanager
def workers(chunks: int) -> Iterator[dict[str, Worker]]:
    """Start every client that can be had here."""
    peers = str(setup.python_environment())
    with ExitStack() as stack:
        started: dict[str, Worker] = {}
        for name in CLIENTS:
            python = sys.executable if "streamarena" in name or name == FLOOR else peers
            started[name] = Worker([python, str(PEERS / "stream_worker.py")], name, chunks)
            stack.callback(started[name].close)
        folder = setup.node_packages()
        if folder is not None:
            script = folder / "stream_worker.mjs"
            script.write_text((PEERS / "stream_worker.mjs").read_text("utf-8"), "utf-8")
            name = "Node fetch + eventsource-parser"
            started[name] = Worker(["node", str(script)], name, chunks)
            stack.callback(started[name].close)
        program = go_program()
        if program is not None:
            started[GO] = Worker([str(program)], GO, chunks)
            stack.callback(started[GO].close)
        yield started


def go_program() -> Path | None:
    """Build the Go client into .cache; None where there is no go."""
    if shutil.which("go") is None:
        return None
    program = setup.ROOT / ".cache" / "stream_worker_go"
    program.parent.mkdir(exist_ok=True)
    subprocess.run(["go", "build", "-o", str(program), str(PEERS / "stream_worker.go")], check=True)
    return program


@contextmanager
def serve(shape: str, chunks: int) -> Iterator[str]:
    """Start the server of a shape: FakeLLM at 20 ms a chunk, or whole responses written at once."""
    if shape == "paced":
        with FakeLLM.spawn(ttft=0.05, inter_token_latency=0.02, tokens=chunks) as server:
            yield server.url
        return
    command = [sys.executable, str(PEERS / "burst_server.py"), str(chunks)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().strip()
        process.communicate(timeout=10)


def measure(shape: str, rounds: int) -> Table:
    """Measure every client on one shape of stream."""
    chunks = CHUNKS[shape]
    with serve(shape, chunks) as url, workers(chunks) as started:
        contenders = [Contender(name, partial(worker.turn, url)) for name, worker in started.items()]
        title = f"client CPU, {STREAMS} streams of {chunks} chunks, {shape}"
        return interleave(title, contenders, baseline=FLOOR, unit="chunk", rounds=rounds)


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = options(__doc__ or "", arguments)
    tables = [measure(shape, max(3, min(chosen.rounds, 5))) for shape in CHUNKS]
    report("client", tables, save_baseline=chosen.save_baseline)


if __name__ == "__main__":
    main()
