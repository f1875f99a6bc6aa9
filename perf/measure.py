"""Interleaved measurement: every contender once in every round, CPU time, medians, and ratios within a round.

Rules that hold for every figure printed here:
* CPU time (user and system) and never wall time: the machine has other work.
* Rounds are interleaved and begin with another contender each time, so that a slow spell meets all of them.
* A ratio is the median of the ratios within each round; `spread` is half the range between the quartiles, in percent.
* Only ratios within one run mean anything on another machine.

A contender returns the units of work it did; one that runs in another process returns a `Sample` with the CPU seconds
that it measured there. Results go to perf/results/ (ignored) and, with `--save-baseline`, to perf/baseline/ (kept).
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

PERF = Path(__file__).parent
SHORTEST_TURN = 0.02  # seconds of CPU: below that, other work on the machine shows in the figures


class Sample(NamedTuple):
    """What one turn of a contender took: units of work, and the CPU seconds for all of them."""

    units: float
    cpu_seconds: float


@dataclass(frozen=True)
class Contender:
    """Somebody to be measured. `work` does one turn and returns its units, or a Sample of its own."""

    name: str
    work: Callable[[], float | Sample]


@dataclass(frozen=True)
class Row:
    """One contender's figures: CPU per unit, its spread, and how many times the baseline's."""

    name: str
    per_unit: float
    spread_percent: float
    ratio: float
    rounds: int


@dataclass
class Table:
    """One comparison: rows, the name of the baseline, and the unit of `per_unit` (in seconds of CPU)."""

    title: str
    unit: str
    baseline: str
    rows: list[Row]
    notes: list[str] = field(default_factory=list)

    def row(self, name: str) -> Row:
        """Return the row of a contender."""
        return next(row for row in self.rows if row.name == name)

    def ratio(self, slower: str, faster: str) -> float:
        """Return how many times the CPU of `faster` `slower` took."""
        return self.row(slower).per_unit / self.row(faster).per_unit

    def __str__(self) -> str:
        width = max(len(row.name) for row in self.rows)
        lines = [self.title, f"{'':{width}}  {'CPU/' + self.unit:>14} {'spread':>8} {'x ' + self.baseline:>18}"]
        lines += [
            f"{row.name:{width}}  {duration(row.per_unit):>14} {row.spread_percent:7.1f}% {row.ratio:18.2f}"
            for row in self.rows
        ]
        return "\n".join(lines + self.notes)


def interleave(
    title: str, contenders: Sequence[Contender], *, baseline: str, unit: str = "unit", rounds: int = 7
) -> Table:
    """Measure the contenders against one another.

    Args:
        title: printed over the table.
        contenders: at least one; names are unique. One of them is the `baseline`.
        baseline: the name that ratios refer to.
        unit: what `work` counts.
        rounds: how often each is measured; one further round before the first is thrown away.
    """
    samples: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    order = list(contenders)
    gc.collect()
    gc.freeze()  # so that the collection before each turn does not walk through every imported module
    try:
        for turn in range(rounds + 1):
            for contender in order:
                seconds = _measure(contender)
                if turn:
                    samples[contender.name].append(seconds)
            order.append(order.pop(0))
    finally:
        gc.unfreeze()
    rows = [_row(contender.name, samples[contender.name], samples[baseline]) for contender in contenders]
    return Table(title, unit, baseline, rows)


def duration(seconds: float) -> str:
    """Write a CPU time with a unit that suits it."""
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "us"), (1e9, "ns")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}" if seconds * factor < 100 else f"{seconds * factor:.0f} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def machine() -> dict[str, Any]:
    """Describe the machine in general terms: no host name, no path."""
    from streamarena import _native

    return {
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "implementations": {one.module: "compiled" if one.compiled else "python" for one in _native.implementations()},
    }


def options(description: str, arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the options that every bench has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds (default 7)")
    parser.add_argument("--save-baseline", action="store_true", help="also write perf/baseline/")
    return parser.parse_args(arguments)


def report(name: str, tables: Sequence[Table], *, save_baseline: bool = False) -> Path:
    """Print the tables and write them to perf/results/NAME.json; return that path."""
    for table in tables:
        print(table, end="\n\n")
    text = json.dumps({"machine": machine(), "tables": [asdict(table) for table in tables]}, indent=1) + "\n"
    folders = ["results", "baseline"] if save_baseline else ["results"]
    for folder in folders:
        (PERF / folder).mkdir(exist_ok=True)
        (PERF / folder / f"{name}.json").write_text(text, "utf-8")
    return PERF / "results" / f"{name}.json"


def _measure(contender: Contender) -> float:
    """Return the CPU seconds per unit of one turn, which repeats the work until it took SHORTEST_TURN of CPU."""
    gc.collect()
    units = seconds = 0.0
    while seconds < SHORTEST_TURN:
        start = time.process_time()
        done = contender.work()
        here = time.process_time() - start
        sample = done if isinstance(done, Sample) else Sample(done, here)
        if sample.units <= 0:
            raise RuntimeError(f"{contender.name} did no work")
        units += sample.units
        seconds += sample.cpu_seconds
    return seconds / units


def _row(name: str, samples: list[float], baseline: list[float]) -> Row:
    middle = statistics.median(samples)
    quartiles = statistics.quantiles(samples, n=4) if len(samples) > 1 else [middle] * 3
    ratio = statistics.median(one / other for one, other in zip(samples, baseline, strict=True))
    return Row(name, middle, 50 * (quartiles[2] - quartiles[0]) / middle, ratio, len(samples))
