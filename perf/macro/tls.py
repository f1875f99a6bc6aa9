"""What TLS costs a client: memory a stream, CPU a chunk and CPU a request, ours beside the loops' own and others.

python -m perf tls [--rounds 3] [--save-baseline]

Every client runs in a process of its own and measures itself; the servers run in others. Memory is the growth of
Private_Dirty for 500 streams held open, and again after 512 kB were sent to each; a process serves one such figure.
Streams are opened 25 at a time, as a service's are: 500 handshakes at once leave 20 kB a stream of holes in the heap.
CPU of paced streams is measured against the same client on a plain connection.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from perf.macro.tls_worker import CLIENTS
from perf.measure import PERF, Contender, Sample, Table, interleave, machine, options, report
from perf.peers import setup
from streamarena.testing import FakeLLM, LocalCertificates

OURS = next(iter(CLIENTS))
MEMORY_STREAMS = 500
PACED_STREAMS, PACED_CHUNKS = 64, 100


class Worker:
    """One client in its process."""

    def __init__(self, client: str) -> None:
        python = str(setup.python_environment()) if client.startswith("aiohttp") else sys.executable
        command = [python, str(Path(__file__).with_name("tls_worker.py"))]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._client = client

    def ask(self, task: str, url: str, authority: str, count: int) -> dict[str, float]:
        """Let it do one task."""
        assert self._process.stdin
        assert self._process.stdout
        request = {"client": self._client, "url": url, "authority": authority, "task": task, "count": count}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def sample(self, task: str, url: str, authority: str, count: int) -> Sample:
        """Let it do one task; return the units done and the CPU."""
        answer = self.ask(task, url, authority, count)
        expected = PACED_STREAMS * PACED_CHUNKS if task == "paced" else count
        if answer["chunks"] != expected:
            raise RuntimeError(f"{self._client} saw {answer['chunks']} of {expected}")
        return Sample(expected, answer["cpu_seconds"])

    def close(self) -> None:
        """End the process and wait for it."""
        self._process.communicate(timeout=10)


@contextmanager
def worker(client: str) -> Iterator[Worker]:
    """Start a client; its process ends with the block."""
    made = Worker(client)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def serve(certificate: Path | None) -> Iterator[str]:
    """Start the server of held streams and tiny answers; give its URL."""
    command = [sys.executable, "-m", "perf.macro.tls_server", *([str(certificate)] if certificate else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        port = process.stdout.readline().strip()
        yield f"https://localhost:{port}" if certificate else f"http://127.0.0.1:{port}"
        process.communicate(timeout=20)


def memory_of(client: str, certificate: Path | None, authority: str, rounds: int) -> dict[str, float]:
    """Return the medians in kB a stream; every round has a server and a process of its own."""
    found: list[dict[str, float]] = []
    for _ in range(rounds):
        with serve(certificate) as url, worker(client) as one:
            found.append(one.ask("memory", url, authority, MEMORY_STREAMS))
    return {key: statistics.median(each[key] for each in found) / 1000 for key in found[0]}


def memory_table(certificate: Path, authority: str, rounds: int) -> dict[str, dict[str, float]]:
    """Measure and print the memory of every client."""
    rows = {"ours, plain TCP": memory_of(OURS, None, "", rounds)}
    rows |= {client: memory_of(client, certificate, authority, rounds) for client in CLIENTS}
    print(f"memory a stream, kB: {MEMORY_STREAMS} streams open, and after a burst of 512 kB each")
    for name, row in rows.items():
        print(f"{name:28} {row['open']:8.1f} {row['after_burst']:8.1f}")
    print()
    return rows


def paced_table(rounds: int) -> Table:
    """CPU a chunk of paced streams, against our own client without TLS."""
    plain = "ours, plain TCP"
    settings = {"ttft": 0.05, "inter_token_latency": 0.02, "tokens": PACED_CHUNKS}
    with ExitStack() as stack:
        open_server = stack.enter_context(FakeLLM.spawn(**settings))
        server = stack.enter_context(FakeLLM.spawn(tls=True, **settings))
        authority = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "authority.pem"
        assert server._certificates
        authority.write_bytes(server._certificates.authority_pem)
        contenders = [
            Contender(
                name,
                partial(
                    stack.enter_context(worker(OURS if name == plain else name)).sample,
                    "paced",
                    f"{(open_server if name == plain else server).url}/v1",
                    "" if name == plain else str(authority),
                    PACED_STREAMS,
                ),
            )
            for name in (plain, *CLIENTS)
        ]
        title = f"client CPU over TLS, {PACED_STREAMS} streams of {PACED_CHUNKS} chunks at 20 ms"
        return interleave(title, contenders, baseline=plain, unit="chunk", rounds=rounds)


def request_table(task: str, certificate: Path, authority: str, rounds: int) -> Table:
    """CPU of a request of three events, on a kept connection or on a new one each."""
    with ExitStack() as stack:
        url = stack.enter_context(serve(certificate))
        count = 400 if task == "kept" else 100
        contenders = [
            Contender(name, partial(stack.enter_context(worker(name)).sample, task, url, authority, count))
            for name in CLIENTS
        ]
        title = f"client CPU over TLS, requests of three events, {task} connection"
        return interleave(title, contenders, baseline=OURS, unit="request", rounds=rounds)


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = options(__doc__ or "", arguments)
    rounds = max(3, min(chosen.rounds, 5))
    with tempfile.TemporaryDirectory() as folder:
        certificate, authority = LocalCertificates().write(Path(folder))
        memory = memory_table(certificate, str(authority), min(rounds, 3))
        tables = [
            paced_table(rounds),
            *(request_table(t, certificate, str(authority), rounds) for t in ("kept", "new")),
        ]
    report("tls", tables, save_baseline=chosen.save_baseline)
    for place in ["results", "baseline"] if chosen.save_baseline else ["results"]:
        text = json.dumps({"machine": machine(), "kilobytes_a_stream": memory}, indent=1) + "\n"
        (PERF / place / "tls_memory.json").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
