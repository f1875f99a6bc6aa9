"""CPU per chunk of relays, what they add to the time to the first byte, and their memory: nginx is the yardstick.

python -m perf relay [--rounds 5] [--save-baseline]

32 streams at once, each relay in processes of its own, one worker, everything in one interleaved run: paced (a chunk
each 10 ms, 200 chunks a stream) and in bursts (1,000 chunks written at once). The reader is a bare protocol in another
process, the model server a third one. First bytes are compared with those without a relay, of streams that are asked
for all at once and of streams that are asked for over a second. Memory is the peak of a fresh process.
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

from perf.measure import Contender, Sample, Table, interleave, options, report
from perf.peers import setup
from perf.peers.relay_processes import KEY, NGINX, OURS, RELAYS, STARLETTE, Process
from streamarena.testing import FakeLLM

HERE = Path(__file__).parent
STREAMS = 32
CHUNKS = {"paced": 200, "bursts": 1000}
DIRECT = "no relay"


class Reader:
    """The process that reads through the relays."""

    def __init__(self) -> None:
        command = [sys.executable, str(HERE / "relay_client.py")]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.first: dict[str, list[float]] = {}

    def read(self, url: str, streams: int = STREAMS, name: str = "", spread: float = 0.0) -> int:
        """Read some streams; return the bytes of their bodies and keep when the first came."""
        assert self._process.stdin
        assert self._process.stdout
        asked = {"url": url, "streams": streams, "model": "fake-model", "key": KEY, "spread": spread}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{name or url}: the reader ended")
        answer = json.loads(line)
        self.first.setdefault(name, []).extend(answer["first_ms"])
        return answer["bytes"]

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=10)


@contextmanager
def serve(shape: str, **more: float) -> Iterator[str]:
    """Start the model server of a shape."""
    if shape == "paced":
        with FakeLLM.spawn(**{"ttft": 0.05, "inter_token_latency": 0.01, "tokens": CHUNKS["paced"], **more}) as server:
            yield server.url
        return
    command = [sys.executable, str(HERE / "burst_server.py"), str(CHUNKS["bursts"])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().strip()
        process.communicate(timeout=10)


def turn(reader: Reader, name: str, relay: Process, shape: str) -> Sample:
    """Read once through a relay."""
    before = relay.cpu_seconds()
    reader.read(relay.url, name=name)
    return Sample(STREAMS * CHUNKS[shape], relay.cpu_seconds() - before)


@contextmanager
def relays(upstream: str, names: Sequence[str], folder: Path) -> Iterator[tuple[dict[str, Process], list[str]]]:
    """Start every relay that can be had here; give them and a note for each that cannot."""
    started: dict[str, Process] = {}
    notes: list[str] = []
    with ExitStack() as stack:
        for number, name in enumerate(names):
            (own := folder / str(number)).mkdir()
            try:
                started[name] = stack.enter_context(RELAYS[name](upstream, own))
            except setup.PeersUnavailableError as error:
                notes.append(f"{name} is left out: {str(error)[:300]}")
        yield started, notes


def measure(shape: str, rounds: int, names: Sequence[str]) -> Table:
    """Measure every relay on one shape of stream."""
    reader = Reader()
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(shape) as upstream,
        relays(upstream, names, Path(folder)) as (started, notes),
    ):
        for relay in started.values():
            reader.read(relay.url, name="warm-up")
        contenders = [Contender(name, partial(turn, reader, name, relay, shape)) for name, relay in started.items()]
        title = f"relay CPU, {STREAMS} streams of {CHUNKS[shape]} chunks, {shape}"
        table = interleave(title, contenders, baseline=NGINX, unit="chunk", rounds=rounds)
        for _ in range(rounds):
            reader.read(upstream, name=DIRECT)
            if shape == "bursts":
                continue  # each is over before the next one begins
            for name, url in [(DIRECT, upstream), *((name, relay.url) for name, relay in started.items())]:
                reader.read(url, name=f"{name}, spread", spread=1.0)
    reader.close()
    for how, words in (("", "asked all at once"), (", spread", "asked over a second"))[: 1 + (shape == "paced")]:
        notes += first_bytes(reader.first, list(started), how, words)
    table.notes += notes
    return table


def first_bytes(first: dict[str, list[float]], names: Sequence[str], how: str, words: str) -> list[str]:
    """Return what each relay adds to the time to the first byte of the body."""
    direct = statistics.median(first[DIRECT + how])
    lines = [f"first byte of {STREAMS} streams {words}, without a relay: median {direct:.2f} ms"]
    for name in names:
        more = statistics.median(first[name + how]) - direct
        worst = statistics.quantiles(first[name + how], n=100)[98] - direct
        lines.append(f"  {name} adds {more:.2f} ms to the median, {worst:.2f} ms at p99")
    return lines


def memory() -> list[str]:
    """Return what the peaks are, of fresh processes."""
    lines = []
    for name, streams in ((OURS, 10), (OURS, 200), (STARLETTE, 10), (STARLETTE, 200)):
        reader = Reader()
        with (
            tempfile.TemporaryDirectory() as folder,
            serve("paced", tokens=50) as upstream,
            relays(upstream, [name], Path(folder)) as (started, notes),
        ):
            if notes:
                return notes
            reader.read(started[name].url, streams)
            lines.append(f"peak memory of {name} with {streams} streams: {started[name].peak_bytes() / 1e6:.1f} MB")
        reader.close()
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = options(__doc__ or "", arguments)
    tables = []
    for shape in CHUNKS:
        tables.append(measure(shape, chosen.rounds if shape == "paced" else min(chosen.rounds, 3), list(RELAYS)))
        print(f"measured: {shape}", flush=True)
    tables[0].notes += memory()
    report("relay", tables, save_baseline=chosen.save_baseline)


if __name__ == "__main__":
    main()
