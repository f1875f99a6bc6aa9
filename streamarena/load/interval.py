"""What one worker measured in one stretch of time: histograms, counters, errors and its own health; mergeable.

Workers hand over an interval every second and start an empty one, so nothing in a run grows with its length, and what
a lost worker had handed over stays valid.

Invariants: merging two intervals is the interval that one worker would have measured over both; kinds of errors are
capped, the rest is counted as `other`.
Cost: memory by distinct histogram buckets and by requests in the interval (two stamps each, and a row if asked for).
Not here: how a request becomes numbers (`folding.py`), results (`summary.py`).
"""

from __future__ import annotations

from array import array
from collections import Counter
from typing import Any, Final

import msgspec

from streamarena.histogram import Histogram

__all__ = ["ErrorCount", "Health", "Interval", "decode_interval", "encode_interval", "shift_interval"]

_ERROR_KINDS: Final = 64


class ErrorCount(msgspec.Struct):
    """How often something went wrong, and what it said the first time."""

    count: int
    example: str


class Health(msgspec.Struct):
    """The client itself, summed over workers and time; nanoseconds, bytes.

    Attributes:
        wall: time watched. cpu: of the process. busy: in turns of the loop that touched streams.
        run_wait: runnable without a core; None where the system does not tell. memory: peak resident bytes.
    """

    wall: int = 0
    cpu: int = 0
    busy: int = 0
    run_wait: int | None = None
    memory: int = 0

    def merge(self, other: Health) -> None:
        """Add another's times; memory is the larger one within a worker, so callers sum it over workers."""
        self.wall += other.wall
        self.cpu += other.cpu
        self.busy += other.busy
        if other.run_wait is not None:
            self.run_wait = (self.run_wait or 0) + other.run_wait
        self.memory = max(self.memory, other.memory)


class Interval:
    """One stretch of one worker.

    Attributes:
        worker: whose. start, end: nanoseconds of `time.perf_counter_ns` of its machine.
        histograms: by metric name, see `metrics.py`; only those with values.
        counters: by name: started, completed, failed, dropped, unfinished, left_out, chunks, ...
        errors: by kind. active, peak_active: requests in flight at its end, and at most.
        starts, ends: when measured and unmeasured requests were sent and ended, for the sweep over all workers.
        first_start, last_end: of the measured requests that ended in it, or None.
        rows: one for each finished request, if the plan asks for them.
        health: the client's own.
        done: whether it is the worker's last one.
    """

    __slots__ = (
        "active",
        "counters",
        "done",
        "end",
        "ends",
        "errors",
        "first_start",
        "health",
        "histograms",
        "last_end",
        "peak_active",
        "rows",
        "start",
        "starts",
        "worker",
    )

    def __init__(self, worker: int = 0, start: int = 0) -> None:
        self.worker = worker
        self.start = start
        self.end = start
        self.histograms: dict[str, Histogram] = {}
        self.counters: Counter[str] = Counter()
        self.errors: dict[str, ErrorCount] = {}
        self.active = self.peak_active = 0
        self.first_start: int | None = None
        self.last_end: int | None = None
        self.starts, self.ends = array("q"), array("q")
        self.rows: list[dict[str, Any]] = []
        self.health = Health()
        self.done = False

    def histogram(self, name: str) -> Histogram:
        """Return the histogram of a name, made at need."""
        found = self.histograms.get(name)
        if found is None:
            found = self.histograms[name] = Histogram()
        return found

    def add(self, name: str, value: int | None) -> None:
        """Count a value; a missing one is not counted."""
        if value is not None:
            self.histogram(name).add(value)

    def add_error(self, kind: str, example: str, count: int = 1) -> None:
        """Count an error by kind; kinds beyond the cap are counted as `other`."""
        if kind not in self.errors and len(self.errors) >= _ERROR_KINDS:
            kind = "other"
        found = self.errors.get(kind)
        if found is None:
            self.errors[kind] = ErrorCount(count, example[:500])
        else:
            found.count += count

    def note_span(self, start: int | None, end: int | None) -> None:
        """Widen the stretch between the first start and the last end of measured requests."""
        if start is not None:
            self.first_start = start if self.first_start is None else min(self.first_start, start)
        if end is not None:
            self.last_end = end if self.last_end is None else max(self.last_end, end)

    def merge_numbers(self, other: Interval) -> None:
        """Add histograms, counters and errors of another interval to this one."""
        for name, histogram in other.histograms.items():
            self.histogram(name).merge(histogram)
        self.counters.update(other.counters)
        self.note_span(other.first_start, other.last_end)
        for kind, error in other.errors.items():
            self.add_error(kind, error.example, error.count)

    def append(self, following: Interval) -> None:
        """Become one interval with the one that the same worker measured next."""
        self.merge_numbers(following)
        self.end, self.done, self.active = following.end, following.done, following.active
        self.peak_active = max(self.peak_active, following.peak_active)
        self.starts.extend(following.starts)
        self.ends.extend(following.ends)
        self.rows.extend(following.rows)
        self.health.merge(following.health)


def encode_interval(interval: Interval) -> bytes:
    """Return an interval as bytes, for another process or machine."""
    return _ENCODER.encode(
        {
            **{name: getattr(interval, name) for name in _PLAIN},
            "counters": dict(interval.counters),
            "starts": interval.starts.tobytes(),
            "ends": interval.ends.tobytes(),
            "histograms": {
                name: (h.counts, h.count, str(h.total), str(h.squares), h.minimum, h.maximum)
                for name, h in interval.histograms.items()
            },
        }
    )


def decode_interval(data: bytes) -> Interval:
    """Return the interval that `encode_interval` wrote; the machines must have the same byte order."""
    wire = _DECODER.decode(data)
    interval = Interval(wire.worker, wire.start)
    for name in _PLAIN[2:]:
        setattr(interval, name, getattr(wire, name))
    interval.counters = Counter(wire.counters)
    interval.starts.frombytes(wire.starts)
    interval.ends.frombytes(wire.ends)
    for name, (counts, count, total, squares, minimum, maximum) in wire.histograms.items():
        histogram = interval.histogram(name)
        histogram.counts, histogram.count = counts, count
        histogram.total, histogram.squares = int(total), int(squares)  # sums of squares pass 64 bits
        histogram.minimum, histogram.maximum = minimum, maximum
    return interval


def shift_interval(interval: Interval, nanoseconds: int) -> None:
    """Move every moment of an interval, for one that was measured by another machine's clock."""
    interval.start += nanoseconds
    interval.end += nanoseconds
    interval.starts = array("q", (moment + nanoseconds for moment in interval.starts))
    interval.ends = array("q", (moment + nanoseconds for moment in interval.ends))
    for name in ("first_start", "last_end"):
        moment = getattr(interval, name)
        if moment is not None:
            setattr(interval, name, moment + nanoseconds)
    for row in interval.rows:
        for name in ("scheduled_ns", "sent_ns", "ended_ns"):
            if row[name] is not None:
                row[name] += nanoseconds
        if "stamps_ns" in row:
            row["stamps_ns"] = [(moment + nanoseconds, bar) for moment, bar in row["stamps_ns"]]


_PLAIN: Final = (
    "worker",
    "start",
    "end",
    "errors",
    "active",
    "peak_active",
    "rows",
    "health",
    "done",
    "first_start",
    "last_end",
)


class _Wire(msgspec.Struct):
    worker: int
    start: int
    end: int
    errors: dict[str, ErrorCount]
    active: int
    peak_active: int
    rows: list[dict[str, Any]]
    health: Health
    done: bool
    first_start: int | None
    last_end: int | None
    counters: dict[str, int]
    starts: bytes
    ends: bytes
    histograms: dict[str, tuple[dict[int, int], int, str, str, int | None, int | None]]


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(_Wire)
