"""Leaks: slopes of blocks, malloc bytes and resident memory over a million short requests, and over 24 hours.

Each detector must find nothing in the real run, and must find a seeded leak of one object for every 1,000 requests.
A slope is the median of the slopes between all pairs of windows (Theil and Sen); the first quarter is warm-up.
"""

from __future__ import annotations

import gc
import itertools
import json
import statistics
import sys
import time
from array import array
from pathlib import Path

from perf.criteria.criterion import Criterion, Options, verdict
from perf.criteria.workload import client_of, many_requests, run
from streamarena.memory import default_manager
from streamarena.memory._tracker_py import PythonCounters
from streamarena.memory.tracking import resident_bytes

DETECTORS = {"blocks": 0.0005, "malloc bytes": 2.0, "resident bytes": 8.0}  # slopes a request from which it is a leak
SEED_BYTES = 16 << 10
WINDOWS = 40
SECONDS = 590.0
LOG = Path(__file__).parents[1] / "long.jsonl"
RESULT = Path(__file__).parents[1] / "long.json"


class Readings:
    """Readings by name, in arrays made beforehand: the notes of a leak hunt must not look like a leak."""

    def __init__(self, most: int) -> None:
        self.columns = {name: array("d", bytes(8 * most)) for name in ("requests", *DETECTORS, "leases")}
        self.count = 0
        self._counters = PythonCounters()

    def take(self, requests: int) -> None:
        """Read every detector after a collection."""
        gc.collect()
        manager = default_manager().stats()
        values = (
            requests,
            sys.getallocatedblocks(),
            self._counters.read()[0],
            resident_bytes() or 0,
            manager.outstanding + manager.arenas.open,
        )
        del manager
        for column, value in zip(self.columns.values(), values, strict=True):
            column[self.count] = value
        self.count += 1

    def series(self, name: str) -> list[float]:
        """Return what one detector has read."""
        return list(self.columns[name][: self.count])


async def _windows(count: int, size: int, seconds: float, seeded: bool) -> tuple[Readings, float]:
    leaked: list[bytearray] = []
    readings, start, done = Readings(count), time.monotonic(), 0
    async with client_of(2) as client:
        await many_requests(client, min(2_000, size))
        for _ in range(count):
            await many_requests(client, size, concurrency=32)
            done += size
            if seeded:
                leaked += [bytearray(SEED_BYTES) for _ in range(size // 1000)]
            readings.take(done)
            if time.monotonic() - start > seconds:
                break
    del leaked
    return readings, time.monotonic() - start


def slope(readings: Readings, name: str) -> float:
    points = list(zip(readings.series("requests"), readings.series(name), strict=True))[readings.count // 4 :]
    return statistics.median((b[1] - a[1]) / (b[0] - a[0]) for a, b in itertools.combinations(points, 2))


def _row(name: str, target: str, readings: Readings, seconds: float, complete: bool) -> Criterion:
    slopes = {detector: slope(readings, detector) for detector in DETECTORS}
    leases, done = readings.series("leases"), readings.series("requests")[-1]
    left = leases[-1] - leases[0]  # the receive buffer is out while the client is open
    clean = all(abs(slopes[detector]) < limit or slopes[detector] < 0 for detector, limit in DETECTORS.items())
    return Criterion(
        name,
        target,
        f"{done:,.0f} requests in {seconds:.0f} s; a request: "
        f"{', '.join(f'{slopes[d]:+.5f} {d}' for d in DETECTORS)}; {left:+.0f} leases",
        f"{readings.count} windows, gc before each; a leak from {', '.join(f'{v} {k}' for k, v in DETECTORS.items())}",
        verdict(clean and complete and not left),
        {"slopes": slopes, "seconds": seconds, "readings": {name: readings.series(name) for name in readings.columns}},
    )


def measure(options: Options) -> list[Criterion]:
    if options.hours:
        return [_long(options.hours)]
    requests = options.count(1_000_000, 40_000)
    readings, seconds = run(lambda: _windows(WINDOWS, requests // WINDOWS, SECONDS, False))
    whole = readings.series("requests")[-1] == requests
    rows = [
        _row("leaks: compressed soak", f"no slope; {requests:,} requests in under 10 minutes", readings, seconds, whole)
    ]
    seed_requests = options.count(120_000, 40_000)
    seeded, _ = run(lambda: _windows(WINDOWS, seed_requests // WINDOWS, SECONDS, True))
    found = {name: slope(seeded, name) for name in DETECTORS}
    rows.append(
        Criterion(
            "leaks: a seeded one is found",
            "by each detector",
            ", ".join(f"{name} {value:+.4f}" for name, value in found.items()),
            f"one bytearray of {SEED_BYTES >> 10} KiB left behind every 1,000 requests, {seed_requests:,} requests",
            verdict(all(found[name] > limit for name, limit in DETECTORS.items())),
            {"slopes": found},
        )
    )
    return [*rows, _kept_long_run()]


def _kept_long_run() -> Criterion:
    if RESULT.exists():
        row = Criterion(**json.loads(RESULT.read_text("utf-8")))
        if row.figures["hours"] >= 24:
            return row
    return Criterion("leaks: 24 hours", "no slope", "not run", "python -m perf.criteria --hours 24", "not run")


def _long(hours: float) -> Criterion:
    """Run for hours and log every minute, so that an interrupted run can be judged as far as it came."""
    readings, start = Readings(int(hours * 60) + 2), time.monotonic()

    async def soak() -> None:
        done = 0
        async with client_of(20, keep_result=True) as client:
            with LOG.open("a", encoding="utf-8") as log:
                while time.monotonic() - start < hours * 3600:
                    minute = time.monotonic()
                    while time.monotonic() - minute < 60:
                        await many_requests(client, 200, concurrency=16)
                        done += 200
                    readings.take(done)
                    last = {name: readings.series(name)[-1] for name in readings.columns}
                    log.write(json.dumps({"seconds": round(time.monotonic() - start), **last}) + "\n")
                    log.flush()

    run(soak)
    seconds = time.monotonic() - start
    row = _row(f"leaks: {hours:g} hours", "no slope", readings, seconds, readings.count > 3)
    row = Criterion(row.name, row.target, row.measured, row.how, row.verdict, {"hours": hours, **row.figures})
    RESULT.write_text(json.dumps(row.as_dict()), "utf-8")
    return row
