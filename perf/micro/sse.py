"""Events parsed from bytes: ours, compiled and pure, against every parser that LLM clients use.

    python -m perf sse [--rounds N] [--save-baseline] [--shape NAME] [--all-pieces]

Each contender reads the text of every event as a str (`compiled, bytes` reads the raw bytes) and must see the same
number of characters as ours. CPU per event; a peer that is not installed here runs in .venv-peers, one for Node in a
Node process; both measure their own CPU, and the reading of the stream is outside of what is measured.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
from collections.abc import Callable, Sequence
from typing import Any

from perf.measure import Contender, Sample, Table, interleave, report
from perf.micro.sse_streams import PIECES, SHAPES, pieces_of, stream_of
from perf.peers.setup import ROOT, PeersUnavailableError, node_packages, python_environment
from perf.peers.sse_parsers import PARSERS
from streamarena import _native
from streamarena.sse import _parser_py

MODULES = {"sseclient-py": "sseclient"}
STREAMS = ROOT / ".cache" / "perf"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--save-baseline", action="store_true")
    parser.add_argument("--shape", choices=list(SHAPES), action="append")
    chosen = parser.parse_args(arguments)
    workers = Workers()
    try:
        tables = [
            table
            for shape in chosen.shape or SHAPES
            for pieces in PIECES
            if (table := compare(shape, pieces, workers, chosen.rounds))
        ]
    finally:
        workers.close()
    for reason in workers.missing:
        print(f"not measured: {reason}")
    report("sse", tables, save_baseline=chosen.save_baseline)
    summarise(tables)


def compare(shape: str, pieces_name: str, workers: Workers, rounds: int) -> Table:
    """Measure everybody on one stream, cut in one way."""
    stream = stream_of(shape)
    pieces = pieces_of(stream, PIECES[pieces_name])
    events = SHAPES[shape][1]
    path = STREAMS / f"{shape.replace(' ', '-')}.bin"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(stream)
    stored = {"file": str(path), "size": PIECES[pieces_name]}
    expected = read_text(_parser_py.SSEParser, pieces)

    contenders = [Contender(name, work) for name, work in ours(pieces, events)]
    for name, parse in PARSERS.items():
        if importable(name):
            contenders.append(Contender(name, checked(parse, pieces, expected, events, name)))
        elif workers.python is not None:
            contenders.append(Contender(name, asked(workers.python, {"peer": name} | stored, expected, events)))
    if workers.node is not None:
        work = asked(workers.node, {"peer": "eventsource-parser"} | stored, None, events)
        contenders.append(Contender("eventsource-parser", work))
    table = interleave(
        f"{shape}, {pieces_name} a read ({len(stream) // events} B an event)",
        contenders,
        baseline=contenders[0].name,
        unit="event",
        rounds=rounds,
    )
    fastest = table.rows[1 if len(contenders) > 1 and contenders[1].name.endswith("bytes") else 0]
    table.notes.append(f"{fastest.name}: {len(stream) / events / fastest.per_unit / 1e9:.2f} GB/s")
    return table


def ours(pieces: Sequence[bytes], events: int) -> list[tuple[str, Callable[[], float]]]:
    """Our contenders: the compiled parser where there is one, with text and with bytes, and the pure one."""

    def text(parser_class: Any) -> Callable[[], float]:
        return lambda: read_text(parser_class, pieces) and events

    rows: list[tuple[str, Callable[[], float]]] = []
    compiled = next(one for one in _native.implementations() if one.module == "streamarena.sse.parser")
    if compiled.compiled:
        parser_class = importlib.import_module(_native.TWINS[compiled.module]).SSEParser
        rows = [("compiled", text(parser_class)), ("compiled, bytes", lambda: read_bytes(parser_class, pieces, events))]
    return [*rows, ("pure", text(_parser_py.SSEParser))]


def read_text(parser_class: Any, pieces: Sequence[bytes]) -> int:
    parser, characters = parser_class(), 0
    for piece in pieces:
        for event in parser.feed(piece):
            characters += len(event.data)
    return characters


def read_bytes(parser_class: Any, pieces: Sequence[bytes], events: int) -> int:
    parser, seen = parser_class(), 0
    for piece in pieces:
        for event in parser.feed(piece):
            if event.raw_data:
                seen += 1
    if seen != events:
        raise RuntimeError(f"{seen} events instead of {events}")
    return seen


def importable(name: str) -> bool:
    try:
        importlib.import_module(MODULES.get(name, name.replace("-", "_")))
    except ImportError:
        return False
    return True


def checked(
    parse: Callable[[Sequence[bytes]], int], pieces: Sequence[bytes], expected: int, events: int, name: str
) -> Callable[[], float]:
    def work() -> float:
        characters = parse(pieces)
        if characters != expected:
            raise RuntimeError(f"{name} saw {characters} characters, ours {expected}")
        return events

    return work


def asked(
    worker: subprocess.Popen[str], request: dict[str, Any], expected: int | None, events: int
) -> Callable[[], Sample]:
    line = json.dumps(request) + "\n"

    def work() -> Sample:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(line)
        worker.stdin.flush()
        answer = json.loads(worker.stdout.readline())
        if expected is not None and answer["characters"] != expected:
            raise RuntimeError(f"{request['peer']} saw {answer['characters']} characters, ours {expected}")
        return Sample(events, answer["cpu_seconds"])

    return work


class Workers:
    """The processes in which peers run that are not installed here."""

    def __init__(self) -> None:
        self.missing: list[str] = []
        self.python = self.node = None
        try:
            if not all(importable(name) for name in PARSERS):
                self.python = self._start([str(python_environment()), "perf/peers/sse_worker.py"])
        except PeersUnavailableError as error:
            self.missing.append(f"sseclient-py ({error})")
        try:
            folder = node_packages()
            if folder is None:
                self.missing.append("eventsource-parser (no node or npm)")
            else:
                worker = folder / "sse_worker.mjs"  # beside node_modules: that is where Node looks for imports
                worker.write_text((ROOT / "perf/peers/sse_worker.mjs").read_text("utf-8"), "utf-8")
                self.node = self._start(["node", str(worker)])
        except PeersUnavailableError as error:
            self.missing.append(f"eventsource-parser ({error})")

    def _start(self, command: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)

    def close(self) -> None:
        """Let the workers end."""
        for worker in (self.python, self.node):
            if worker is not None:
                worker.communicate(timeout=10)


def summarise(tables: Sequence[Table]) -> None:
    """Print what the project set out to reach beside what was measured."""
    table = next((one for one in tables if one.title.startswith("openai-chat, 4 KiB")), None)
    if table is None or not any(row.name == "compiled" for row in table.rows):
        return
    size = len(stream_of("openai-chat")) / SHAPES["openai-chat"][1]
    print("openai-chat, 4 KiB a read:")
    print(f"  compiled against httpx-sse   {table.ratio('httpx-sse', 'compiled'):6.1f} x  (aim 8)")
    print(f"  compiled against openai      {table.ratio('openai', 'compiled'):6.1f} x  (aim 20)")
    print(f"  pure against httpx-sse       {table.ratio('httpx-sse', 'pure'):6.1f} x  (aim 1.5)")
    print(f"  compiled, bytes              {size / table.row('compiled, bytes').per_unit / 1e9:6.2f} GB/s  (aim 1.5)")
