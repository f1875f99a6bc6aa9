"""When requests are sent: closed loops of users, open loops of arrivals, and levels that change over time.

A closed loop keeps a number of users busy: each sends its next request when its last one has ended, so a slow server
gets less load. An open loop sends at times that do not depend on the server, as independent users do; latency then
counts from the scheduled time too, or a server that stalls would hide its own queue (coordinated omission).

Invariants: arrival times depend on the seed alone, never on the clock, and never decrease; the same schedule split
among n workers sends, taken together, exactly what one worker would.
Source of the arrival processes: inter-arrival times of mean 1/rate that are equal (constant), exponential (Poisson),
or gamma distributed with shape `burstiness` (1 is Poisson, less is burstier).
Not here: sleeping and sending (`worker.py`).
"""

from __future__ import annotations

import itertools
import math
import random
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import msgspec

from streamarena.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["ArrivalPattern", "ClosedLoop", "Levels", "OpenLoop", "Schedule", "Stage", "TraceArrivals"]

ArrivalPattern: TypeAlias = Literal["constant", "poisson", "gamma"]


class Stage(msgspec.Struct, frozen=True):
    """A stretch of a run: the level moves in a straight line to `target` and arrives after `seconds`."""

    seconds: float
    target: float


class Levels:
    """A level over time, made of straight lines; the last target holds for ever.

    Args:
        start: the level at time 0.
        stages: what follows; a stage of 0 seconds is a step.

    Raises:
        ConfigurationError: a negative level or length.
    """

    def __init__(self, start: float, stages: Sequence[Stage] = ()) -> None:
        if start < 0 or any(stage.seconds < 0 or stage.target < 0 for stage in stages):
            raise ConfigurationError("levels and lengths of stages cannot be negative")
        self.points: list[tuple[float, float]] = [(0.0, float(start))]
        for stage in stages:
            self.points.append((self.points[-1][0] + stage.seconds, float(stage.target)))

    @property
    def highest(self) -> float:
        """The highest level ever reached."""
        return max(level for _, level in self.points)

    def at(self, time: float) -> float:
        """Return the level at `time` (seconds); at a step, the level after it."""
        level = self.points[0][1]
        for (t0, l0), (t1, l1) in itertools.pairwise(self.points):
            if time >= t1:
                level = l1
            elif time >= t0:
                return l0 + (l1 - l0) * (time - t0) / (t1 - t0)
        return level

    def next_above(self, threshold: float, now: float) -> float | None:
        """Return the first time from `now` on at which the level is above `threshold`; None if there is none."""
        if self.at(now) > threshold:
            return now
        for (t0, l0), (t1, l1) in itertools.pairwise(self.points):
            if t1 >= now and l1 > threshold:
                crossing = t1 if t1 == t0 or l0 > threshold else t0 + (t1 - t0) * (threshold - l0) / (l1 - l0)
                return max(now, math.nextafter(crossing, math.inf))
        return None

    def time_of(self, area: float) -> float | None:
        """Return when the area under the level reaches `area`; None if it never does."""
        for (t0, l0), (t1, l1) in itertools.pairwise(self.points):
            piece = (l0 + l1) / 2 * (t1 - t0)
            if area < piece:
                return t0 + _time_within(l0, (l1 - l0) / (t1 - t0), area)
            area -= piece
        time, level = self.points[-1]
        return time + area / level if level else None


def _time_within(level: float, slope: float, area: float) -> float:
    """Solve level * t + slope / 2 * t^2 = area for the t that comes first; written so that nothing cancels out."""
    root = math.sqrt(max(level * level + 2 * slope * area, 0.0))
    return 2 * area / (level + root) if level + root else 0.0


class ClosedLoop(msgspec.Struct, frozen=True):
    """Users who wait for an answer before they ask again.

    Attributes:
        concurrency: how many there are. ramp_up: seconds over which they join, evenly.
        stages: what the number of users does after the ramp.
        max_rate: requests a second that all users together may start, or None for no limit.
    """

    concurrency: int
    ramp_up: float = 0.0
    stages: tuple[Stage, ...] = ()
    max_rate: float | None = None

    def __post_init__(self) -> None:
        if self.concurrency < 1 or self.ramp_up < 0 or (self.max_rate is not None and not self.max_rate > 0):
            raise ConfigurationError("a closed loop has at least one user, no negative ramp and a positive rate limit")

    def levels(self) -> Levels:
        """Return the number of users over time."""
        ramp = (Stage(self.ramp_up, self.concurrency),) if self.ramp_up else ()
        return Levels(0 if ramp else self.concurrency, (*ramp, *self.stages))

    def describe(self) -> str:
        """Say it in a few words."""
        return f"concurrency {self.concurrency}"


class OpenLoop(msgspec.Struct, frozen=True):
    """Arrivals that do not wait for answers.

    Attributes:
        rate: arrivals a second; infinity sends everything at once.
        pattern: "constant", "poisson" (default) or "gamma". burstiness: shape of the gamma distribution; below 1 is
            burstier than Poisson. ramp_up: seconds over which the rate grows from nothing.
        stages: what the rate does after the ramp.
        max_concurrency: requests in flight at once, or None; those beyond wait, and their waiting is reported.
    """

    rate: float
    pattern: ArrivalPattern = "poisson"
    burstiness: float = 1.0
    ramp_up: float = 0.0
    stages: tuple[Stage, ...] = ()
    max_concurrency: int | None = None

    def __post_init__(self) -> None:
        if not self.rate > 0 or not self.burstiness > 0 or self.ramp_up < 0:
            raise ConfigurationError("rate and burstiness must be positive, and a ramp cannot be negative")
        if self.pattern not in get_args(ArrivalPattern):
            raise ConfigurationError(f"no arrival pattern is called {self.pattern!r}")
        if self.max_concurrency is not None and self.max_concurrency < 1:
            raise ConfigurationError("max_concurrency must be at least 1")
        if math.isinf(self.rate) and (self.ramp_up or self.stages):
            raise ConfigurationError("an infinite rate has no ramp and no stages")

    def times(self, seed: int) -> Iterator[float]:
        """Yield the arrival times in seconds from the start; ends only where the stages end at rate 0."""
        if math.isinf(self.rate):
            yield from itertools.repeat(0.0)
        ramp = (Stage(self.ramp_up, self.rate),) if self.ramp_up else ()
        levels = Levels(0 if ramp else self.rate, (*ramp, *self.stages))
        for area in self._unit_arrivals(random.Random(seed)):  # noqa: S311 - repeatable, not secret
            time = levels.time_of(area)
            if time is None:
                return
            yield time

    def describe(self) -> str:
        """Say it in a few words."""
        rate = "all at once" if math.isinf(self.rate) else f"{self.rate:g} requests/s, {self.pattern}"
        return rate + (f", at most {self.max_concurrency} at once" if self.max_concurrency else "")

    def _unit_arrivals(self, source: random.Random) -> Iterator[float]:
        """Yield arrivals of a process of rate 1."""
        if self.pattern == "constant":
            yield from itertools.count()
        area = 0.0
        shape = self.burstiness if self.pattern == "gamma" else 1.0
        while True:
            yield area
            area += source.gammavariate(shape, 1 / shape) if shape != 1.0 else source.expovariate(1.0)


class TraceArrivals(msgspec.Struct, frozen=True):
    """Arrivals at recorded times.

    Attributes:
        seconds: from the start of the trace, in order. speed: 2 plays it twice as fast.
        max_concurrency: as for `OpenLoop`.
    """

    seconds: tuple[float, ...]
    speed: float = 1.0
    max_concurrency: int | None = None

    def __post_init__(self) -> None:
        if not self.speed > 0:
            raise ConfigurationError("speed must be positive")
        if any(later < earlier for earlier, later in itertools.pairwise(self.seconds)):
            raise ConfigurationError("the times of a trace must not decrease")

    def times(self, seed: int) -> Iterator[float]:
        """Yield the arrival times; the first is 0, whatever the trace's own clock says."""
        del seed
        for second in self.seconds:
            yield (second - self.seconds[0]) / self.speed

    def describe(self) -> str:
        """Say it in a few words."""
        return f"a trace of {len(self.seconds)} arrivals" + (f" at speed {self.speed:g}" if self.speed != 1 else "")


Schedule: TypeAlias = ClosedLoop | OpenLoop | TraceArrivals
