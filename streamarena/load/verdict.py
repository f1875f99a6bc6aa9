"""Whether the client could have caused the result: one verdict, with the reasons in words.

A result is "client-limited" when the error bars of its headline figures are wide, or when the client could not do what
the plan asked although the server would have let it. The rules are the table `_RULES`; each compares two numbers that
the result itself shows, so that a reader can check them.

Not here: measuring (`loop_watch.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from streamarena.load.metrics import METRICS

if TYPE_CHECKING:
    from streamarena.load.interval import Interval
    from streamarena.load.totals import Totals

__all__ = ["Verdict", "VerdictState", "judge"]

VerdictState: TypeAlias = Literal["trusted", "client-limited", "nothing measured"]

_SHARE: Final = 0.1
_FLOOR_NS: Final = 1_000_000
_LAG_NS: Final = 10_000_000
_LATE_SHARE: Final = 0.01
_CPU_SHARE: Final = 0.95
_WAIT_SHARE: Final = 0.1


class Verdict(msgspec.Struct, frozen=True):
    """What can be said of the client.

    Attributes:
        state: "trusted", "client-limited", or "nothing measured". reasons: why, one sentence each.
    """

    state: VerdictState
    reasons: tuple[str, ...] = ()


def judge(totals: Totals) -> Verdict:
    """Judge a run by what was measured of the client beside it."""
    if not totals.numbers.counters["completed"] and not totals.numbers.histograms.get("ttft"):
        return Verdict("nothing measured", ("no request brought content",))
    reasons = [reason for rule in _RULES for reason in rule(totals)]
    return Verdict("client-limited" if reasons else "trusted", tuple(reasons))


def _wide_bars(totals: Totals) -> list[str]:
    """Headline figures whose error bar is more than a tenth of them, and more than a millisecond."""
    numbers = totals.numbers
    reasons: list[str] = []
    for each in METRICS:
        for percent in (50, 99) if each.low else ():
            bar = _bar(numbers, each.name, each.low, each.high, percent)
            if bar is not None and bar[1] - bar[0] > max(_SHARE * bar[1], _FLOOR_NS):
                low, high = bar[0] / 1e6, bar[1] / 1e6
                reasons.append(f"{each.title} p{percent} lies between {low:.1f} and {high:.1f} ms: wider than 10 %")
    return reasons


def _bar(numbers: Interval, name: str, low: str, high: str, percent: float) -> tuple[int, int] | None:
    ends = [numbers.histograms.get(low), numbers.histograms.get(high or name)]
    found = [end.percentile(percent) for end in ends if end is not None]
    if len(found) < 2 or found[0] is None or found[1] is None:
        return None
    return found[0], found[1]


def _late_schedule(totals: Totals) -> list[str]:
    """Arrivals that were sent late although no cap held them back."""
    lag = totals.numbers.histograms.get("schedule_lag")
    if lag is None:
        return []
    late = sum(count for low, _, count in lag.buckets() if low > _LAG_NS) - totals.numbers.counters["capped"]
    if late < _LATE_SHARE * lag.count:
        return []
    return [f"{late} of {lag.count} requests were sent more than {_LAG_NS // 1_000_000} ms late, and by no cap"]


def _busy_core(totals: Totals) -> list[str]:
    """A worker that used all of a core."""
    return [
        f"worker {worker} used {health.cpu / health.wall:.0%} of a core"
        for worker, health in sorted(totals.health.items())
        if health.wall and health.cpu / health.wall > _CPU_SHARE
    ]


def _crowded_machine(totals: Totals) -> list[str]:
    """A worker that often had to wait for a core."""
    return [
        f"worker {worker} waited for a core {health.run_wait / health.wall:.0%} of the time: the machine is busy"
        for worker, health in sorted(totals.health.items())
        if health.wall and health.run_wait is not None and health.run_wait / health.wall > _WAIT_SHARE
    ]


def _lost_workers(totals: Totals) -> list[str]:
    """Workers that are gone: from then on less load was sent than was asked for."""
    return [f"worker {worker} was lost, and its load with it: {reason}" for worker, reason in totals.lost.items()]


_RULES: Final[tuple[Callable[[Totals], list[str]], ...]] = (
    _wide_bars,
    _late_schedule,
    _busy_core,
    _crowded_machine,
    _lost_workers,
)
