"""Memory over time: snapshots of every source, a bounded history, leak slopes, and a report as JSON, text or picture.

Invariants: the history never takes more than `max_bytes`: when it is full, every second snapshot goes and from then on
every second one is kept, so that it always reaches from the first to the last; marked snapshots stay. A source that
raises is counted and read as zero; it does not stop the profiler.
Costs: one snapshot 150 us with the sources of a manager, 250 bytes kept.
Not here: the clock and the interval. Callers pass `now`; `pipeline.background` calls at an interval.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Lock
from typing import TypeAlias

import msgspec

from streamarena.memory._checks import check_setting

__all__ = ["LeakSlope", "MemoryProfiler", "MemoryReport", "MemorySnapshot", "Source", "spark_line"]

Source: TypeAlias = Callable[[], int]

_SNAPSHOT_BYTES = 200  # of a snapshot with its array and list entry, beside 8 a value; held to by a test
_BARS = "▁▂▃▄▅▆▇█"


class MemorySnapshot:
    """All sources at one moment. `snapshot["arenas"]`; `at` in seconds of the caller's clock."""

    __slots__ = ("_names", "_values", "at", "mark")

    def __init__(self, at: float, names: tuple[str, ...], values: Iterable[int], mark: str | None = None) -> None:
        self.at = at
        self.mark = mark
        self._names = names
        self._values = array("q", values)

    def __getitem__(self, name: str) -> int:
        try:
            return self._values[self._names.index(name)]
        except ValueError:
            raise KeyError(name) from None

    def as_dict(self) -> dict[str, int]:
        """Return the values by source."""
        return dict(zip(self._names, self._values, strict=True))

    def __repr__(self) -> str:
        return f"<MemorySnapshot at {self.at:.3f} {self.mark or ''} {self.as_dict()}>"


class LeakSlope(msgspec.Struct, frozen=True):
    """The straight line that fits one source best.

    Attributes:
        per_second: units of the source per second; growth: by how much the line rises over the history.
        fit: 0.0 to 1.0, the share of the variation that the line explains (r squared).
    """

    per_second: float
    growth: float
    fit: float


class MemoryReport(msgspec.Struct, frozen=True):
    """What a profiler has seen.

    Attributes:
        snapshots: the kept ones, oldest first; peaks: highest value of each source, also of those not kept.
        slopes: by source; failures: reads of a source that raised; taken: snapshots taken in all.
    """

    names: tuple[str, ...]
    snapshots: tuple[MemorySnapshot, ...]
    peaks: Mapping[str, int]
    slopes: Mapping[str, LeakSlope]
    failures: Mapping[str, int]
    taken: int

    @property
    def current(self) -> Mapping[str, int]:
        """The last values, by source; empty before the first snapshot."""
        return self.snapshots[-1].as_dict() if self.snapshots else {}

    def to_json(self) -> str:
        """Return the whole report as one JSON object."""
        first = self.snapshots[0].at if self.snapshots else 0.0
        return json.dumps(
            {
                "taken": self.taken,
                "current": dict(self.current),
                "peaks": dict(self.peaks),
                "failures": dict(self.failures),
                "slopes": {
                    name: {"per_second": slope.per_second, "growth": slope.growth, "fit": slope.fit}
                    for name, slope in self.slopes.items()
                },
                "snapshots": [
                    {"seconds": round(each.at - first, 6), "mark": each.mark, **each.as_dict()}
                    for each in self.snapshots
                ],
            }
        )

    def to_text(self, width: int = 32) -> str:
        """Return a table, one line a source: now, peak, growth an hour, and its course in `width` columns."""
        lines = [f"{'source':<14}{'now':>14}{'peak':>14}{'an hour':>16}  course"]
        for name in self.names:
            course = spark_line([each[name] for each in self.snapshots], width)
            hourly = self.slopes[name].per_second * 3600 if name in self.slopes else 0.0
            now, peak = self.current.get(name, 0), self.peaks.get(name, 0)
            lines.append(f"{name:<14}{now:>14,}{peak:>14,}{hourly:>+16,.0f}  {course}")
        return "\n".join(lines)

    def to_picture(self, path: str) -> None:
        """Write the course of every source as PNG or SVG, by the ending of `path`.

        Raises:
            MissingExtraError: matplotlib is not installed; the extra is `report`.
        """
        from streamarena.memory._picture import draw  # noqa: PLC0415 - matplotlib only when a picture is wanted

        draw(self, path)


class MemoryProfiler:
    """Takes snapshots of named sources and keeps a bounded history. Safe from several threads.

    Args:
        sources: what to read, by name; each returns bytes or a count.
        max_bytes: size of the history; at least four snapshots are kept, however small it is.

    Raises:
        ConfigurationError: `max_bytes` is no whole number from 0 on.
    """

    def __init__(self, sources: Mapping[str, Source], max_bytes: int = 100_000) -> None:
        check_setting("MemoryProfiler(max_bytes=...)", max_bytes)
        self.names = tuple(sources)
        self.capacity = max(4, max_bytes // (_SNAPSHOT_BYTES + 8 * len(self.names)))
        self._sources = dict(sources)
        self._history: list[MemorySnapshot] = []
        self._peaks = dict.fromkeys(self.names, 0)
        self._failures: dict[str, int] = {}
        self._stride = 1
        self._taken = 0
        self._lock = Lock()

    def sample(self, now: float, mark: str | None = None) -> MemorySnapshot:
        """Read every source and keep the snapshot, if it is its turn or carries a mark.

        Args:
            now: seconds of any steady clock, the same for all calls.
            mark: names the moment, such as "warm".
        """
        with self._lock:
            snapshot = MemorySnapshot(now, self.names, [self._read(name) for name in self.names], mark)
            for name, value in snapshot.as_dict().items():
                self._peaks[name] = max(self._peaks[name], value)
            if mark is not None or self._taken % self._stride == 0:
                self._history.append(snapshot)
            self._taken += 1
            if len(self._history) >= self.capacity:
                self._thin()
            return snapshot

    def report(self) -> MemoryReport:
        """Return what was seen so far."""
        with self._lock:
            snapshots = tuple(self._history)
            return MemoryReport(
                names=self.names,
                snapshots=snapshots,
                peaks=dict(self._peaks),
                slopes={name: _slope([(each.at, each[name]) for each in snapshots]) for name in self.names},
                failures=dict(self._failures),
                taken=self._taken,
            )

    def clear(self) -> None:
        """Forget the history, the peaks and the failures."""
        with self._lock:
            self._history.clear()
            self._peaks = dict.fromkeys(self.names, 0)
            self._failures.clear()
            self._stride, self._taken = 1, 0

    def after_fork(self) -> None:
        """Start afresh in a forked child: another thread of the parent may have held the lock."""
        self._lock = Lock()

    def _read(self, name: str) -> int:
        try:
            return int(self._sources[name]())
        except Exception:  # noqa: BLE001 - one broken source must not cost the others their history; it is counted
            self._failures[name] = self._failures.get(name, 0) + 1
            return 0

    def _thin(self) -> None:
        last = self._history[-1]
        kept = [each for index, each in enumerate(self._history[:-1]) if each.mark is not None or index % 2 == 0]
        if len(kept) >= self.capacity - 1:  # marks alone fill it: the oldest ones go
            kept = kept[len(kept) // 2 :]
        self._history = [*kept, last]
        self._stride *= 2


def spark_line(values: Sequence[int], width: int) -> str:
    """Return the course of some values in at most `width` characters, from the lowest to the highest bar."""
    if not values:
        return ""
    columns = [values[index * len(values) // width] for index in range(width)] if len(values) > width else values
    low, high = min(columns), max(columns)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0
    return "".join(_BARS[int((value - low) * scale)] for value in columns)


def _slope(points: list[tuple[float, int]]) -> LeakSlope:
    if len(points) < 2:
        return LeakSlope(0.0, 0.0, 0.0)
    count = len(points)
    mean_at = sum(at for at, _ in points) / count
    mean_value = sum(value for _, value in points) / count
    spread = sum((at - mean_at) ** 2 for at, _ in points)
    common = sum((at - mean_at) * (value - mean_value) for at, value in points)
    variation = sum((value - mean_value) ** 2 for _, value in points)
    if not spread:
        return LeakSlope(0.0, 0.0, 0.0)
    per_second = common / spread
    fit = common**2 / (spread * variation) if variation else 0.0
    return LeakSlope(per_second, per_second * (points[-1][0] - points[0][0]), fit)
