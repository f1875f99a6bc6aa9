"""Client CPU of load testers per chunk, paced: this project, the recv_into floor, AIPerf and GuideLLM.

python -m perf load-testers [--rounds 2] [--save-baseline]

64 streams, a chunk each 10 ms, 200 chunks a stream, from FakeLLM in a process of its own. Every tester is started as
its users start it and the CPU of all its processes is taken. It is run for few and for many requests; the difference is
the cost of the chunks, the rest is its start-up, which is told apart. Nothing is tokenised by this project; AIPerf is
told to use the server's token counts, GuideLLM has no such switch.

Peers live in environments of their own, made on first use; one that cannot be installed or run here is left out and
the note says so. `STREAMARENA_PEER_AIPERF` and `STREAMARENA_PEER_GUIDELLM` name commands to use instead. AIPerf's
built-in tokenizer wants its vocabulary in TIKTOKEN_CACHE_DIR where there is no network.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from perf.measure import Row, Table, options, report
from perf.peers import setup
from streamarena.testing import FakeLLM

STREAMS = 64
CHUNKS = 200
FEW, MANY = 2, 6  # rounds of 64 requests
FLOOR = "recv_into alone"
HERE = Path(__file__).parent

Run = Callable[[str, int, Path], float]


def children_cpu() -> float:
    """Return the CPU seconds of every process that this one has waited for, and of those that they waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run_command(command: Sequence[str]) -> float:
    """Run a command to its end and return its CPU seconds."""
    before = children_cpu()
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, env=environment)
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr[-400:]}")
    return children_cpu() - before


def ours(name: str) -> Run:
    """This project, or the floor, in its worker script."""

    def run(url: str, rounds: int, folder: Path) -> float:
        del folder
        return run_command([sys.executable, str(HERE / "load_worker.py"), name, url, str(STREAMS), str(rounds)])

    return run


def aiperf(command: str) -> Run:
    """AIPerf as its users run it."""

    def run(url: str, rounds: int, folder: Path) -> float:
        prompts = _prompts(folder / "aiperf.jsonl", "text")
        given = f"--url {url} --model fake-model --endpoint-type chat --streaming --concurrency {STREAMS} --ui none"
        more = f"--request-count {STREAMS * rounds} --custom-dataset-type single_turn --use-server-token-count"
        last = ["--tokenizer", "builtin", "--input-file", str(prompts), "--output-artifact-dir", str(folder / "aiperf")]
        usage = ["--extra-inputs", 'stream_options:{"include_usage":true}']
        return run_command([command, "profile", *given.split(), *more.split(), *last, *usage])

    return run


def guidellm(command: str) -> Run:
    """GuideLLM as its users run it."""

    def run(url: str, rounds: int, folder: Path) -> float:
        prompts = _prompts(folder / "guidellm.jsonl", "prompt")
        parts = {
            "--backend": f"kind=openai_http,target={url},model=fake-model",
            "--profile": f"kind=concurrent,streams={STREAMS}",
            "--constraint": f"kind=max_requests,count={STREAMS * rounds}",
            "--data": f"kind=json_file,path={prompts}",
            "--output": f"kind=json,path={folder / 'guidellm.json'}",
        }
        return run_command([command, "run", "--disable-console", *(word for pair in parts.items() for word in pair)])

    return run


def _prompts(path: Path, member: str) -> Path:
    lines = [json.dumps({member: f"Question {n}: why is the sky blue?"}) for n in range(STREAMS * MANY)]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


PEERS: dict[str, tuple[Callable[[str], Run], str]] = {
    "AIPerf": (aiperf, "aiperf"),
    "GuideLLM": (guidellm, "guidellm"),
}


def testers() -> tuple[dict[str, Run], list[str]]:
    """Return every tester that can be had here, and a note for each that cannot."""
    found: dict[str, Run] = {FLOOR: ours("floor"), "streamarena load": ours("streamarena")}
    notes: list[str] = []
    for name, (make, package) in PEERS.items():
        command = os.environ.get(f"STREAMARENA_PEER_{package.upper()}")
        if command is None:
            try:
                python = setup.python_environment(f"requirements-{package}.txt", f".venv-{package}")
            except setup.PeersUnavailableError as error:
                notes.append(f"{name} is left out: {error}")
                continue
            command = str(python.with_name(package))
        found[name] = make(command)
    return found, notes


def measure(rounds: int) -> Table:
    """Measure every tester in every round, with few requests and with many."""
    found, notes = testers()
    costs: dict[str, list[float]] = {name: [] for name in found}
    starts: dict[str, list[float]] = {name: [] for name in found}
    with (
        tempfile.TemporaryDirectory() as folder,
        FakeLLM.spawn(ttft=0.02, inter_token_latency=0.01, tokens=CHUNKS) as server,
    ):
        for turn in range(rounds):
            for name in list(found):
                try:
                    few, many = (found[name](server.url, count, Path(folder)) for count in (FEW, MANY))
                except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
                    notes.append(f"{name} is left out: {str(error)[:300]}")
                    del found[name]
                    continue
                each = (many - few) / (STREAMS * CHUNKS * (MANY - FEW))
                costs[name].append(each)
                starts[name].append(few - each * STREAMS * CHUNKS * FEW)
                print(f"round {turn + 1}: {name}: {each * 1e6:.1f} us a chunk, start-up {starts[name][-1]:.2f} s")
    rows = [_row(name, costs) for name in found]
    notes += [f"start-up of {name}: {statistics.median(starts[name]):.2f} s of CPU" for name in found]
    return Table(f"load testers, {STREAMS} streams, a chunk each 10 ms", "chunk", FLOOR, rows, notes)


def _row(name: str, costs: dict[str, list[float]]) -> Row:
    mine = costs[name]
    ratios = [cost / floor for cost, floor in zip(mine, costs[FLOOR], strict=False)]
    spread = 100 * (max(mine) - min(mine)) / 2 / statistics.median(mine)
    return Row(name, statistics.median(mine), spread, statistics.median(ratios), len(mine))


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = options(__doc__ or "", arguments)
    report("load-testers", [measure(min(chosen.rounds, 3))], save_baseline=chosen.save_baseline)


if __name__ == "__main__":
    main()
