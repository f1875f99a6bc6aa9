"""What all workers measured together: intervals merged as they come, a timeline of bounded length, the peak by sweep.

Invariants: memory does not grow with the length of a run; an interval that was taken stays, whatever becomes of its
worker; the peak of requests in flight is the exact maximum over all workers' starts and ends, as far as every worker
has reported.
Cost: a merge of the buckets that an interval filled. Not here: results (`summary.py`), rows (`export.py`).
"""

from __future__ import annotations

import heapq
from typing import Any, Final

import msgspec

from streamarena.histogram import Histogram, bucket_bounds
from streamarena.load.interval import Health, Interval

__all__ = ["Moment", "Totals", "coarse_percentile", "sweep"]

_TIMELINE: Final = 600
_COARSE_BITS: Final = 6
"""Timelines keep 16 buckets a power of two: percentiles to 6 %, a hundredth of the memory."""


class Moment(msgspec.Struct):
    """One stretch of the timeline.

    Attributes:
        start, end: seconds from the start of the run. active: requests in flight at most.
        counters: as in intervals. ttft, gap, loop_lag: coarse histograms, nanoseconds.
        cpu: seconds of the workers' processes.
    """

    start: float
    end: float
    active: int
    counters: dict[str, int]
    histograms: dict[str, dict[int, int]]
    cpu: float

    def merge(self, other: Moment) -> None:
        """Add a moment of the same stretch, or of the one that follows."""
        self.start, self.end = min(self.start, other.start), max(self.end, other.end)
        self.active = max(self.active, other.active)
        self.cpu += other.cpu
        for name, count in other.counters.items():
            self.counters[name] = self.counters.get(name, 0) + count
        for name, counts in other.histograms.items():
            mine = self.histograms.setdefault(name, {})
            for bucket, count in counts.items():
                mine[bucket] = mine.get(bucket, 0) + count


class Totals:
    """Merges intervals.

    Args:
        begun: the start of the run (`time.perf_counter_ns`).
        workers: how many there are.

    Attributes:
        numbers: everything measured, as one interval. health: by worker.
        timeline: moments in order; when there are too many, two become one.
        lost: workers that ended without their last interval, with why.
    """

    def __init__(self, begun: int, workers: int = 1, *, has_objectives: bool = False) -> None:
        self.begun = begun
        self.has_objectives = has_objectives
        self.numbers = Interval()
        self.health: dict[int, Health] = {}
        self.lost: dict[int, str] = {}
        self.timeline: list[Moment] = []
        self.step = 1.0
        self._peak = _Sweep(workers)

    @property
    def measured_seconds(self) -> float | None:
        """From the first measured request being started to the last one having ended; None where there was none."""
        first, last = self.numbers.first_start, self.numbers.last_end
        return None if first is None or last is None or last <= first else (last - first) / 1e9

    @property
    def peak_active(self) -> int:
        """Requests in flight at once, at most."""
        return self._peak.peak

    def add(self, interval: Interval) -> None:
        """Merge one interval."""
        self.numbers.merge_numbers(interval)
        self.health.setdefault(interval.worker, Health()).merge(interval.health)
        self._peak.add(interval)
        self._note(interval)

    def lose(self, worker: int, reason: str) -> None:
        """Note that a worker is gone; what it had reported stays."""
        self.lost[worker] = reason
        self._peak.drop(worker)

    def total_health(self) -> Health:
        """Return the workers' health together; memory is the sum of their peaks."""
        whole = Health()
        for health in self.health.values():
            whole.merge(health)
        whole.memory = sum(health.memory for health in self.health.values())
        return whole

    def _note(self, interval: Interval) -> None:
        start, end = (interval.start - self.begun) / 1e9, (interval.end - self.begun) / 1e9
        moment = Moment(start, end, interval.peak_active, dict(interval.counters), {}, interval.health.cpu / 1e9)
        for name in _SHOWN:
            if name in interval.histograms:
                moment.histograms[name] = _coarse(interval.histograms[name])
        slot = int((start + end) / 2 / self.step)
        for known in reversed(self.timeline):
            known_slot = int((known.start + known.end) / 2 / self.step)
            if known_slot == slot:
                known.merge(moment)
                return
            if known_slot < slot:
                break
        self.timeline.append(moment)
        if len(self.timeline) > _TIMELINE:
            self._halve()

    def _halve(self) -> None:
        self.step *= 2
        merged: list[Moment] = []
        for moment in self.timeline:
            slot = int((moment.start + moment.end) / 2 / self.step)
            if merged and int((merged[-1].start + merged[-1].end) / 2 / self.step) == slot:
                merged[-1].merge(moment)
            else:
                merged.append(moment)
        self.timeline = merged


_SHOWN: Final = ("ttft", "gap", "e2e", "loop_lag", "stamp_error")


def _coarse(histogram: Histogram) -> dict[int, int]:
    counts: dict[int, int] = {}
    for bucket, count in histogram.counts.items():
        counts[bucket >> _COARSE_BITS] = counts.get(bucket >> _COARSE_BITS, 0) + count
    return counts


def coarse_percentile(counts: dict[int, int], percent: float) -> int | None:
    """Return a percentile of a timeline's coarse histogram, to 6 %."""
    if not counts:
        return None
    histogram = Histogram()
    histogram.counts = {(bucket << _COARSE_BITS) + (1 << (_COARSE_BITS - 1)): n for bucket, n in counts.items()}
    histogram.count = sum(counts.values())
    histogram.minimum, histogram.maximum = 0, bucket_bounds(max(histogram.counts))[1]
    return histogram.percentile(percent)


def sweep(starts: list[int], ends: list[int]) -> int:
    """Return how many of the stretches [start, end) overlapped at most: one walk along both, in order of time."""
    peak = active = 0
    ordered = sorted(ends)
    done = 0
    for start in sorted(starts):
        active += 1
        while done < len(ordered) and ordered[done] <= start:
            active -= 1
            done += 1
        peak = max(peak, active)
    return peak


class _Sweep:
    """The sweep line over several workers, moved up to where every one of them has reported."""

    def __init__(self, workers: int) -> None:
        self._until: dict[int, int] = dict.fromkeys(range(workers), 0)
        self._events: list[tuple[int, int]] = []
        self._active = 0
        self._of_worker: dict[int, int] = {}
        self.peak = 0

    def add(self, interval: Interval) -> None:
        for start in interval.starts:
            heapq.heappush(self._events, (start, 1))
        for end in interval.ends:
            heapq.heappush(self._events, (end, -1))  # of equal times the end comes first
        self._of_worker[interval.worker] = interval.active
        if interval.done:
            self._until.pop(interval.worker, None)
        else:
            self._until[interval.worker] = interval.end
        self._advance()

    def drop(self, worker: int) -> None:
        until = self._until.pop(worker, None)
        if until is not None:  # what it had in flight ends with it
            for _ in range(self._of_worker.get(worker, 0)):
                heapq.heappush(self._events, (until, -1))
        self._advance()

    def _advance(self) -> None:
        limit: Any = min(self._until.values(), default=None)
        while self._events and (limit is None or self._events[0][0] <= limit):
            self._active += heapq.heappop(self._events)[1]
            self.peak = max(self.peak, self._active)
