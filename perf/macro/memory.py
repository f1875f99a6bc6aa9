"""Memory of an open plain stream: 1,000 streams held open at 100 ms a chunk, against other clients.

python -m perf memory [--rounds 3]

Each measurement is a process of its own, medians of the rounds. Linux only: it reads private dirty pages.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from perf.measure import PERF, machine, options
from perf.peers import setup
from perf.peers.stream_clients import CLIENTS
from streamarena.testing import FakeLLM

STREAMS = 1000
WORKER = Path(__file__).parents[1] / "peers" / "memory_worker.py"


def measure(name: str, url: str) -> float:
    """Return the bytes that one stream of this client costs."""
    python = sys.executable if "streamarena" in name or name == "recv_into alone" else str(setup.python_environment())
    command = [python, str(WORKER), name, url, str(STREAMS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr.strip()[-300:]}")
    return float(json.loads(done.stdout.splitlines()[-1])["bytes_a_stream"])


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = options(__doc__ or "", arguments)
    samples: dict[str, list[float]] = {name: [] for name in CLIENTS}
    with FakeLLM.spawn(ttft=0.2, inter_token_latency=0.1, tokens=150) as server:
        for _ in range(max(3, min(chosen.rounds, 5))):
            for name, values in samples.items():
                values.append(measure(name, server.url))
    print(f"memory of an open plain stream, {STREAMS} streams")
    for name, values in samples.items():
        middle, low, high = (each / 1000 for each in (statistics.median(values), min(values), max(values)))
        print(f"{name:32} {middle:7.1f} kB  ({low:.1f}..{high:.1f})")
    text = json.dumps({"machine": machine(), "bytes_a_stream": samples}, indent=1) + "\n"
    for folder in ["results", "baseline"] if chosen.save_baseline else ["results"]:
        (PERF / folder).mkdir(exist_ok=True)
        (PERF / folder / "memory.json").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
