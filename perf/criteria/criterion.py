"""One row of the table, and how it is judged and printed."""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Verdict = Literal["met", "MISSED", "not run", "shown", "failed"]
"""`shown`: a figure that is published beside a criterion and has no target of its own."""


@dataclass(frozen=True)
class Options:
    """What the command line chose."""

    quick: bool = False
    hours: float = 0.0

    def count(self, full: int, quick: int) -> int:
        """Return the size of a measurement."""
        return quick if self.quick else full


@dataclass(frozen=True)
class Criterion:
    """A row: what must hold, what was measured and how, and whether it holds."""

    name: str
    target: str
    measured: str
    how: str
    verdict: Verdict
    figures: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def criteria_from_json(rows: Sequence[Mapping[str, Any]]) -> list[Criterion]:
    return [Criterion(**row) for row in rows]


def verdict(holds: bool) -> Verdict:
    return "met" if holds else "MISSED"


def spread(values: Sequence[float]) -> float:
    """Half the range between the quartiles."""
    if len(values) < 2:
        return 0.0
    low, _, high = statistics.quantiles(values, n=4)
    return (high - low) / 2


def median_and_spread(values: Sequence[float], unit: str, digits: int = 2) -> str:
    return f"{statistics.median(values):.{digits}f} {unit} (+- {spread(values):.{digits}f}, n={len(values)})"


def print_table(rows: Sequence[Criterion]) -> None:
    widths = (34, 26, 44, 52)
    line = "  ".join("-" * width for width in (*widths, 8))
    print("  ".join(f"{head:{width}}" for head, width in zip(("criterion", "target", "measured", "how"), widths, strict=True)), " verdict")
    print(line)
    for row in rows:
        cells = [textwrap.wrap(text, width) or [""] for text, width in zip((row.name, row.target, row.measured, row.how), widths, strict=True)]
        for number in range(max(map(len, cells))):
            parts = [f"{cell[number] if number < len(cell) else '':{width}}" for cell, width in zip(cells, widths, strict=True)]
            print("  ".join(parts), f" {row.verdict}" if number == 0 else "")
    print(line)
    missed = sum(row.verdict == "MISSED" for row in rows)
    print(f"{sum(row.verdict == 'met' for row in rows)} met, {missed} missed, "
          f"{sum(row.verdict == 'not run' for row in rows)} not run, {sum(row.verdict == 'failed' for row in rows)} failed")
