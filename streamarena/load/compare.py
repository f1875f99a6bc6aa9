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
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from streamarena.errors import ConfigurationError
from streamarena.load.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Difference", "compare", "compare_table", "load_documents"]

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


def load_documents(path: str | Path) -> list[dict[str, Any]]:
    """Return the results of a file that `write_json` wrote.

    Raises:
        ConfigurationError: it is not one.
    """
    try:
        content = Path(path).read_bytes()
        if content.lstrip()[:1] == b"[":
            documents = msgspec.json.decode(content, type=list[dict[str, Any]])
        else:
            documents = [msgspec.json.decode(content, type=dict[str, Any])]
    except msgspec.MsgspecError as error:
        raise ConfigurationError(f"{path} is not a result: {error}") from error
    if any("histograms" not in document for document in documents):
        raise ConfigurationError(f"{path} holds no distributions; write results with --save-result or write_json")
    return documents


def compare(base: Mapping[str, Any], other: Mapping[str, Any], *, seed: int = 0) -> list[Difference]:
    """Return the differences of two results for every duration that both measured."""
    source = random.Random(seed)  # noqa: S311 - repeatable, not secret
    found: list[Difference] = []
    for each in METRICS:
        first, second = base["histograms"].get(each.name), other["histograms"].get(each.name)
        if each.unit != "ns" or not first or not second:
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


def compare_table(documents: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """Return every run against the first as text; `*` marks a difference whose interval leaves out zero."""
    lines: list[str] = []
    for name, document in list(zip(names, documents, strict=True))[1:]:
        lines += [f"{name} against {names[0]} (milliseconds, 95 % interval of the difference)"]
        for one in compare(documents[0], document):
            mark = "*" if one.is_clear else " "
            lines.append(
                f"  {one.statistic:>4} {one.metric:<16}{one.base:>10.2f} -> {one.other:>10.2f}"
                f"   {one.low:+.2f} .. {one.high:+.2f} {mark}"
            )
        lines.append(_rates(documents[0], document))
    return "\n".join(lines)


def _rates(base: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    shown = [
        f"  {key} {base[key]:.2f} -> {other[key]:.2f}"
        for key in ("request_throughput", "output_throughput", "request_goodput")
        if base.get(key) is not None and other.get(key) is not None
    ]
    return "\n".join(shown)


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
