"""A second request beside the first where content is late: the first that brings some is read, the other given up.

Invariants: never more than two at once, never for a body that can be made once, never once content was delivered, and
within a budget over all requests; giving the other up is synchronous. Both are in the list of attempts.
Cost: two tasks a request that hedges, one for any other of a client with a policy; without a policy nothing.
Source: J. Dean, L. A. Barroso, "The Tail at Scale", Communications of the ACM 56/2, 2013.
Not here: sending (`sending.py`), and what follows when neither brings anything (`session.py`).
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from streamarena.client.retry import RetryBudget
from streamarena.errors import ConfigurationError

__all__ = ["HedgePolicy", "HedgeStats", "Hedging", "Race", "race"]

_KEPT_TIMES: Final = 256
_KEPT_SERVERS: Final = 64


def _budget() -> RetryBudget:
    return RetryBudget(share=0.1, reserve=5.0)


@dataclass(frozen=True, slots=True)
class HedgePolicy:
    """When a second request is sent beside one that has brought no content yet.

    Attributes:
        after_seconds: so long after the first. Default None: at a percentile of what the target took lately.
        percentile: which one, where `after_seconds` is None. Default 95. It is taken of the latest 256 times to first
            content; a request that was given up counts with the time it had taken by then.
        least: times that must be known before; until then nothing is hedged. Default 20.
        shortest_seconds: a percentile below this is raised to it. Default 0.05.
        budget: bounds the second requests of all requests together. Default: one in ten, and five in reserve.

    Raises:
        ConfigurationError: a value makes no sense.
    """

    after_seconds: float | None = None
    percentile: float = 95.0
    least: int = 20
    shortest_seconds: float = 0.05
    budget: RetryBudget = field(default_factory=_budget)

    def __post_init__(self) -> None:
        if self.after_seconds is not None and not self.after_seconds >= 0:
            raise ConfigurationError(f"HedgePolicy.after_seconds is not negative, or None; not {self.after_seconds!r}")
        if not 0 < self.percentile < 100 or not self.shortest_seconds >= 0:
            raise ConfigurationError("HedgePolicy needs a percentile between 0 and 100, and no negative time")
        if not 1 <= self.least <= _KEPT_TIMES:
            raise ConfigurationError(f"HedgePolicy.least must be from 1 to {_KEPT_TIMES}, not {self.least!r}")


class HedgeStats(msgspec.Struct):
    """What hedging did for a client: second requests sent, those read in the end, and those the budget refused."""

    sent: int = 0
    won: int = 0
    refused: int = 0


class Hedging:
    """The hedging of one client: its policy, what it has seen of each server, and its counters.

    Args:
        policy: when.

    Attributes:
        stats: counters.
    """

    def __init__(self, policy: HedgePolicy) -> None:
        self._policy = policy
        self._times: dict[str, _Times] = {}
        self.stats = HedgeStats()

    def request(self) -> None:
        """Count a new request, which allows a share of a second one."""
        self._policy.budget.request()

    def delay(self, server: str) -> float | None:
        """Return the seconds after which a request to this server gets a second one; None: too little is known."""
        policy = self._policy
        if policy.after_seconds is not None:
            return policy.after_seconds
        times = self._times.get(server)
        if times is None or len(times) < policy.least:
            return None
        return max(policy.shortest_seconds, times.percentile(policy.percentile))

    def admit(self) -> bool:
        """Tell whether a second request may be sent now."""
        if not self._policy.budget.take():
            self.stats.refused += 1
            return False
        self.stats.sent += 1
        return True

    def observe(self, server: str, seconds: float) -> None:
        """Take note of a time to first content."""
        times = self._times.get(server)
        if times is None:
            if len(self._times) >= _KEPT_SERVERS:  # a client has as many as it has targets: some few
                return
            times = self._times[server] = _Times()
        times.add(seconds)


class _Times:
    """The latest times, in order of coming and of length."""

    def __init__(self) -> None:
        self._latest: deque[float] = deque()
        self._sorted: list[float] = []

    def __len__(self) -> int:
        return len(self._latest)

    def add(self, seconds: float) -> None:
        if len(self._latest) == _KEPT_TIMES:
            del self._sorted[bisect_left(self._sorted, self._latest.popleft())]
        self._latest.append(seconds)
        insort(self._sorted, seconds)

    def percentile(self, percent: float) -> float:
        return self._sorted[min(len(self._sorted) - 1, int(len(self._sorted) * percent / 100))]


# ---------------------------------------------------------------- the race itself


class _Contender(Protocol):
    """What can be given up."""

    def close(self) -> None:
        """Give everything back; synchronous and repeatable."""
        ...


_C = TypeVar("_C", bound=_Contender)


@dataclass(slots=True)
class Race(Generic[_C]):
    """How a race ended.

    Attributes:
        winner: whose response is read; None if each one failed before it had one.
        lost: those given up. failed: those that failed before they had a response, in the order of failing.
    """

    winner: _C | None
    lost: list[_C]
    failed: list[tuple[_C, Exception]]


async def race(
    first: _C,
    second: Callable[[], _C | None],
    run: Callable[[_C], Coroutine[Any, Any, bool]],
    seconds: float | None,
) -> Race[_C]:
    """Run `first`, beside it `second` if that is late, and return once one of them has won or all have failed.

    Args:
        first: who runs at once.
        second: makes who runs beside it; called when it is time, and may refuse with None.
        run: returns True when there is content, False when the response broke off without any.
        seconds: after which the second begins; None: never.

    A response that broke off is the winner where the other brought nothing either: what is wrong with it is known.
    Cancellation gives everybody up. What `run` raises is in `failed`, unless it is no `Exception`.
    """
    running: dict[asyncio.Task[bool], _C] = {}
    others: list[_C] = []
    failed: list[tuple[_C, Exception]] = []
    winner: _C | None = None

    def begin(contender: _C) -> None:
        task = asyncio.get_running_loop().create_task(run(contender))
        task.add_done_callback(_look_at)
        running[task] = contender

    try:
        begin(first)
        if seconds is not None:
            await asyncio.wait(running, timeout=seconds)
            if not next(iter(running)).done() and (other := second()) is not None:
                begin(other)
        while running and winner is None:
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in running if task.done()]:
                contender = running.pop(task)
                try:
                    if task.result() and winner is None:
                        winner = contender
                    else:
                        others.append(contender)
                except Exception as error:  # noqa: BLE001 - the caller decides what follows
                    contender.close()
                    failed.append((contender, error))
        if winner is None and others:
            winner = others.pop()
        return Race(winner, [*others, *running.values()], failed)
    finally:
        for task, contender in running.items():
            task.cancel()
            contender.close()
        for contender in others:
            contender.close()


def _look_at(task: asyncio.Task[bool]) -> None:
    """Nobody else looks at what ends a task that was given up."""
    if not task.cancelled():
        task.exception()
