"""One row of the table, and how it is judged and printed."""

from __future__ import annotations

import itertools
import statistics
import textwrap
from collections import Counter
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
        """Return plain values, for JSON."""
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


WIDTHS = (34, 26, 44, 52)


def print_table(rows: Sequence[Criterion]) -> None:
    rule = "  ".join("-" * width for width in (*WIDTHS, 8))
    print(_line(("criterion", "target", "measured", "how"), "verdict"), rule, sep="\n")
    for row in rows:
        cells = [textwrap.wrap(text, width) for text, width in zip(_texts(row), WIDTHS, strict=True)]
        for number, line in enumerate(itertools.zip_longest(*cells, fillvalue="")):
            print(_line(line, row.verdict if number == 0 else ""))
    print(rule)
    counts = Counter(row.verdict for row in rows)
    print(", ".join(f"{counts[name]} {name}" for name in ("met", "MISSED", "not run", "failed")))


def _texts(row: Criterion) -> tuple[str, str, str, str]:
    return row.name, row.target, row.measured, row.how


def _line(cells: Sequence[str], last: str) -> str:
    return "  ".join([*(f"{cell:{width}}" for cell, width in zip(cells, WIDTHS, strict=True)), last]).rstrip()
