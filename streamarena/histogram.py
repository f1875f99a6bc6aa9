"""Log-linear histograms of durations: bounded, mergeable, and exact to three significant digits.

The layout is HdrHistogram's (Gil Tene, hdrhistogram.org) with unit magnitude 0 and three significant digits: values
below 2,048 have a bucket each, every further power of two is cut into 1,024 buckets, so a bucket is never wider than
0.1 % of its value. Counts live in a dictionary by bucket, so an idle histogram costs nothing and a merge costs what
was recorded.

Invariants: merging is associative and commutative and loses nothing; `count` is the sum of all buckets; percentiles
are of all samples, nearest rank; minimum, maximum and sum are exact.
Cost: 0.1 us a value; memory grows with the number of distinct buckets (at most 1,024 a power of two), never with the
number of values.
Not here: clocks, units (nanoseconds by convention of those who count here), the files of other tools (`load/hdr.py`).
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Final

from streamarena.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["Histogram", "bucket_bounds", "bucket_of"]

_HALF_BITS: Final = 10
_BITS: Final = _HALF_BITS + 1


def bucket_of(value: int) -> int:
    """Return the bucket of a value; negative values belong to bucket 0."""
    if value < 0:
        return 0
    shift = value.bit_length() - _BITS
    return value if shift <= 0 else (shift << _HALF_BITS) + (value >> shift)


def bucket_bounds(bucket: int) -> tuple[int, int]:
    """Return the smallest and the largest value of a bucket."""
    shift = (bucket >> _HALF_BITS) - 1
    if shift <= 0:
        return bucket, bucket
    low = (bucket - (shift << _HALF_BITS)) << shift
    return low, low + (1 << shift) - 1


class Histogram:
    """Counts of values.

    Attributes:
        counts: by bucket. count: values in all. total: their sum. minimum, maximum: exact; None while empty.
    """

    __slots__ = ("count", "counts", "maximum", "minimum", "squares", "total")

    def __init__(self, values: Iterable[int] = ()) -> None:
        self.counts: dict[int, int] = {}
        self.count = 0
        self.total = 0
        self.squares = 0
        self.minimum: int | None = None
        self.maximum: int | None = None
        for value in values:
            self.add(value)

    def __repr__(self) -> str:
        middle, high = self.percentiles((50, 99))
        return f"Histogram(count={self.count}, p50={middle}, p99={high}, maximum={self.maximum})"

    def add(self, value: int, times: int = 1) -> None:
        """Count a value, `times` times; negative values are counted as 0."""
        value = max(value, 0)
        bucket = bucket_of(value)
        counts = self.counts
        counts[bucket] = counts.get(bucket, 0) + times
        self.count += times
        self.total += value * times
        self.squares += value * value * times
        if self.minimum is None or value < self.minimum:
            self.minimum = value
        if self.maximum is None or value > self.maximum:
            self.maximum = value

    def add_all(self, values: Sequence[int]) -> None:
        """Count many values; each must be 0 or more. The loop that `add` would be, without its calls."""
        if not values:
            return
        counts = self.counts
        get = counts.get
        for value in values:
            shift = value.bit_length() - _BITS
            bucket = value if shift <= 0 else (shift << _HALF_BITS) + (value >> shift)
            counts[bucket] = get(bucket, 0) + 1
        self.count += len(values)
        self.total += sum(values)
        self.squares += sum(map(operator.mul, values, values))
        low, high = min(values), max(values)
        if self.minimum is None or low < self.minimum:
            self.minimum = low
        if self.maximum is None or high > self.maximum:
            self.maximum = high

    def merge(self, other: Histogram) -> None:
        """Add another histogram's values to this one."""
        counts = self.counts
        for bucket, times in other.counts.items():
            counts[bucket] = counts.get(bucket, 0) + times
        self.count += other.count
        self.total += other.total
        self.squares += other.squares
        if other.minimum is not None:
            self.minimum = other.minimum if self.minimum is None else min(self.minimum, other.minimum)
        if other.maximum is not None:
            self.maximum = other.maximum if self.maximum is None else max(self.maximum, other.maximum)

    @property
    def mean(self) -> float | None:
        """The exact mean; None while empty."""
        return self.total / self.count if self.count else None

    @property
    def deviation(self) -> float | None:
        """The population's standard deviation; None while empty."""
        if not self.count:
            return None
        return math.sqrt(max(self.squares * self.count - self.total * self.total, 0)) / self.count

    def percentile(self, percent: float) -> int | None:
        """Return the value at or below which `percent` of all values lie (nearest rank); None while empty.

        Raises:
            ConfigurationError: `percent` is not between 0 and 100.
        """
        return self.percentiles((percent,))[0]

    def percentiles(self, percents: Iterable[float]) -> list[int | None]:
        """Return several percentiles, in the order asked, with one walk over the buckets.

        Raises:
            ConfigurationError: one of them is not between 0 and 100.
        """
        wanted = list(percents)
        if any(not 0 <= percent <= 100 for percent in wanted):
            raise ConfigurationError(f"percentiles lie between 0 and 100, not {wanted}")
        found: list[int | None] = [None] * len(wanted)
        if not self.count:
            return found
        order = sorted(range(len(wanted)), key=wanted.__getitem__)
        walk = self._cumulative()
        bucket, below = next(walk)
        for position in order:
            rank = max(1, math.ceil(wanted[position] * self.count / 100 - 1e-9))
            while below < rank:
                bucket, below = next(walk)
            found[position] = self._value_in(bucket)
        return found

    def buckets(self) -> list[tuple[int, int, int]]:
        """Return (smallest value, largest value, count) of each bucket that is not empty, in order."""
        return [(*bucket_bounds(bucket), self.counts[bucket]) for bucket in sorted(self.counts)]

    def _cumulative(self) -> Iterator[tuple[int, int]]:
        below = 0
        for bucket in sorted(self.counts):
            below += self.counts[bucket]
            yield bucket, below

    def _value_in(self, bucket: int) -> int:
        """The middle of a bucket, kept within what was really seen."""
        low, high = bucket_bounds(bucket)
        assert self.minimum is not None
        assert self.maximum is not None
        return min(max((low + high) // 2, self.minimum), self.maximum)
