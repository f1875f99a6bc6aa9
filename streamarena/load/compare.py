"""Two or more runs side by side, with intervals that say which differences could be chance.

Intervals are from a bootstrap over requests: each bucket's count is drawn anew from a Poisson distribution around what
was counted, which for many requests is resampling with replacement, and the statistic is taken from the redrawn
counts. Requests of one run that slow each other down are not independent, so the intervals are, if anything, too
narrow; two runs of the same thing tell more than any interval.

Invariants: the same results and seed give the same intervals; what a run did not measure is absent.
Source: B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), percentile intervals.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from streamarena.errors import ConfigurationError
from streamarena.load.metrics import METRICS

__all__ = [
    "Difference",
    "Pair",
    "compare",
    "compare_rates",
    "compare_table",
    "doubts",
    "load_documents",
    "pair_runs",
]

_DRAWS: Final = 400
_NORMAL_FROM: Final = 30
_STATISTICS: Final = ("mean", "p50", "p99")

_Buckets = list[tuple[int, int, int]]


class Difference(msgspec.Struct, frozen=True):
    """One statistic of one metric in two runs, milliseconds.

    Attributes:
        metric, statistic: which. base, other: the values; low, high: 95 % interval of `other - base`.
    """

    metric: str
    statistic: str
    base: float
    other: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out no difference."""
        return self.low > 0 or self.high < 0


class Pair(msgspec.Struct, frozen=True):
    """Two runs to compare, each as `as_document` gives it, and what they are called."""

    base_name: str
    base: Mapping[str, Any]
    other_name: str
    other: Mapping[str, Any]


def load_documents(path: str | Path) -> list[dict[str, Any]]:
    """Return the results of a file that `write_json` wrote, or of the folder of `--artifact-dir`.

    Raises:
        ConfigurationError: it is not one. OSError: it cannot be read.
    """
    file = Path(path)
    if file.is_dir():
        file = file / "results.json"
    try:
        content = file.read_bytes()
        if content.lstrip()[:1] == b"[":
            documents = msgspec.json.decode(content, type=list[dict[str, Any]])
        else:
            documents = [msgspec.json.decode(content, type=dict[str, Any])]
    except msgspec.MsgspecError as error:
        raise ConfigurationError(f"{path} is not a result: {error}") from error
    if not documents or any("histograms" not in document for document in documents):
        raise ConfigurationError(f"{path} holds no distributions; write results with --save-result or write_json")
    return documents


def compare(base: Mapping[str, Any], other: Mapping[str, Any], *, seed: int = 0) -> list[Difference]:
    """Return the differences of two results for every duration that both measured."""
    source = random.Random(seed)  # noqa: S311 - repeatable, not secret
    found: list[Difference] = []
    for each in METRICS:
        first, second = base["histograms"].get(each.name), other["histograms"].get(each.name)
        if each.unit != "ns" or each.of_client or not first or not second:
            continue
        draws = [(_statistics(_redrawn(second, source)), _statistics(_redrawn(first, source))) for _ in range(_DRAWS)]
        ours, theirs = _statistics(first), _statistics(second)
        for position, statistic in enumerate(_STATISTICS):
            spread = sorted(b[position] - a[position] for b, a in draws)
            low, high = spread[int(_DRAWS * 0.025)], spread[math.ceil(_DRAWS * 0.975) - 1]
            found.append(
                Difference(each.key, statistic, ours[position] / 1e6, theirs[position] / 1e6, low / 1e6, high / 1e6)
            )
    return found


def pair_runs(files: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> list[Pair]:
    """Pair the runs of several files: those of later files with the first file's run of the same schedule.

    A first file of one run is the base of everything; of a single file the first run is the base of the others.

    Args:
        files: name and runs of each.

    Raises:
        ConfigurationError: there are no two runs that could be compared.
    """
    name, bases = files[0]
    if len(files) == 1:
        pairs = [Pair(_titled(name, bases[0], bases), bases[0], _titled(name, one, bases), one) for one in bases[1:]]
    else:
        by_schedule = {base["schedule"]: base for base in reversed(bases)}
        only = bases[0] if len(bases) == 1 else None
        pairs = [
            Pair(_titled(name, base, bases), base, _titled(other, one, runs), one)
            for other, runs in files[1:]
            for one in runs
            if (base := only or by_schedule.get(one["schedule"])) is not None
        ]
    if not pairs:
        raise ConfigurationError("there are no two runs to compare: none of the same schedule, or only one in all")
    return pairs


def _titled(name: str, run: Mapping[str, Any], runs: Sequence[object]) -> str:
    return name if len(runs) == 1 else f"{name} ({run['schedule']})"


def compare_table(pairs: Sequence[Pair]) -> str:
    """Return every pair as text; `*` marks a difference whose interval leaves out zero."""
    lines: list[str] = []
    for pair in pairs:
        lines.append(f"{pair.other_name} against {pair.base_name} (milliseconds, 95 % interval of the difference)")
        for one in compare(pair.base, pair.other):
            mark = "*" if one.is_clear else " "
            lines.append(
                f"  {one.statistic:>4} {one.metric:<16}{one.base:>10.2f} -> {one.other:>10.2f}"
                f"   {one.low:+.2f} .. {one.high:+.2f} {mark}"
            )
        lines += [f"  {key} {base:.2f} -> {other:.2f}" for key, base, other in compare_rates(pair)]
        lines += [f"  {name} is {state}" for name, state in doubts(pair)] + [""]
    return "\n".join(lines[:-1])


def compare_rates(pair: Pair) -> list[tuple[str, float, float]]:
    """Return the rates that both runs of a pair have: name, base and other."""
    return [
        (key, pair.base[key], pair.other[key])
        for key in ("request_throughput", "output_throughput", "request_goodput")
        if pair.base.get(key) is not None and pair.other.get(key) is not None
    ]


def doubts(pair: Pair) -> list[tuple[str, str]]:
    """Return which of two runs the client may have caused: name and verdict."""
    both = ((pair.base_name, pair.base), (pair.other_name, pair.other))
    return [(name, run["client"]["verdict"]) for name, run in both if run["client"]["verdict"] != "trusted"]


def _redrawn(buckets: _Buckets, source: random.Random) -> _Buckets:
    return [(low, high, drawn) for low, high, count in buckets if (drawn := _poisson(count, source))] or buckets


def _poisson(mean: int, source: random.Random) -> int:
    if mean >= _NORMAL_FROM:
        return max(0, round(source.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), source.random(), 0
    while product > limit:
        product *= source.random()
        count += 1
    return count


def _statistics(buckets: _Buckets) -> tuple[float, float, float]:
    """Return mean, median and 99th percentile from buckets in order."""
    count = sum(times for _, _, times in buckets)
    total = sum((low + high) / 2 * times for low, high, times in buckets)
    ranks = [max(1, math.ceil(share * count)) for share in (0.5, 0.99)]
    found: list[float] = []
    below = 0
    for low, high, times in buckets:
        below += times
        while len(found) < len(ranks) and below >= ranks[len(found)]:
            found.append((low + high) / 2)
    return total / count, found[0], found[1]
