"""The largest load that meets given objectives: doubling until one is missed, then bisection, within a bound of runs.

Invariants: every run that was made is returned, with what it missed; at most `most_runs` are made; the answer is a
load that was really run. A run whose client was the limit never counts as met: the server was not what was measured.
Not here: what a run is; the caller makes it from a level.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from streamarena.errors import ConfigurationError

if TYPE_CHECKING:
    from streamarena.load.summary import LoadResult

__all__ = ["RunAt", "SearchResult", "Trial", "find_capacity"]

RunAt: TypeAlias = "Callable[[float], Awaitable[LoadResult]]"


class Trial(msgspec.Struct, frozen=True):
    """One run of a search.

    Attributes:
        level: concurrency, or requests a second. result: of the run. missed: objectives that it did not meet, in words.
    """

    level: float
    result: LoadResult
    missed: tuple[str, ...]


class SearchResult(msgspec.Struct, frozen=True):
    """What a search found.

    Attributes:
        best: the largest load that met every objective, or None. trials: every run, in order.
        bounded: whether a larger load was tried and missed; without it the capacity may be larger still.
    """

    best: Trial | None
    trials: tuple[Trial, ...]
    bounded: bool

    def describe(self, unit: str) -> str:
        """Say it in a sentence."""
        if self.best is None:
            return f"no load that was tried meets the objectives; the least was {self.trials[0].level:g} {unit}"
        more = "" if self.bounded else ", and possibly more"
        return f"{self.best.level:g} {unit} meet the objectives{more} ({len(self.trials)} runs)"


async def find_capacity(
    run: RunAt,
    missed: Callable[[LoadResult], list[str]],
    *,
    least: float = 1,
    most: float = 1024,
    precision: float = 0.05,
    most_runs: int = 12,
    whole: bool = True,
) -> SearchResult:
    """Search between `least` and `most`.

    Args:
        run: makes one run at a level.
        missed: names the objectives that a result does not meet.
        least: the level tried first.
        most: the highest level ever tried.
        precision: the search ends when the answer is known to this share.
        most_runs: and after so many runs.
        whole: whether levels are whole numbers, as concurrencies are.

    Raises:
        ConfigurationError: bounds that make no sense; whatever `run` raised.
    """
    if not 0 < least <= most or most_runs < 1 or not precision > 0:
        raise ConfigurationError("a search needs 0 < least <= most, at least one run, and a positive precision")
    trials: list[Trial] = []
    good: Trial | None = None
    bad: Trial | None = None
    level: float | None = least
    while level is not None and len(trials) < most_runs:
        result = await run(level)
        failures = missed(result)
        if result.verdict.state != "trusted":
            failures = [*failures, f"the result is {result.verdict.state}"]
        trial = Trial(level, result, tuple(failures))
        trials.append(trial)
        good, bad = (good, trial) if failures else (trial, bad)
        level = _next(good, bad, least, most, precision, whole=whole)
    return SearchResult(good, tuple(trials), bad is not None)


def _next(
    good: Trial | None, bad: Trial | None, least: float, most: float, precision: float, *, whole: bool
) -> float | None:
    """Return the level to try next; None when the answer is near enough."""
    if good is None:
        return None if bad is not None and bad.level <= least else least
    if bad is None:
        return None if good.level >= most else min(good.level * 2, most)
    middle = (good.level + bad.level) / 2
    if whole:
        middle = float(int(middle))
        return middle if middle > good.level and (bad.level - good.level) / good.level > precision else None
    return middle if (bad.level - good.level) / good.level > precision else None
