"""Driving a worker by its schedule: users of a closed loop, arrivals of an open one, and the end of both.

Invariants: no request starts after the plan's end or after `Worker.stop`; when `drive` returns, no task of it is left;
an arrival that finds no room waits its turn and keeps its scheduled time.
Not here: the arithmetic of schedules (`schedule.py`), one request (`worker.py`).
"""

from __future__ import annotations

import asyncio
import itertools
import math
from typing import TYPE_CHECKING, Final, Protocol

from streamarena.load.schedule import ClosedLoop, OpenLoop, TraceArrivals

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from streamarena.load.plan import LoadPlan
    from streamarena.load.schedule import Levels

__all__ = ["Sender", "drive", "share_of"]

_GLANCE_SECONDS: Final = 0.05
"""How often a waiting user or arrival looks whether the run has been stopped."""


class Sender(Protocol):
    """What is driven: a worker."""

    plan: LoadPlan
    index: int
    workers: int
    begun: int

    @property
    def stopping(self) -> bool:
        """Whether no further request is started."""
        ...

    def elapsed(self) -> float:
        """Return the seconds since the start; negative before it."""
        ...

    def note_cap(self) -> None:
        """Count an arrival that waits because the schedule allows no more streams at once."""
        ...

    async def send(self, number: int, scheduled: int | None = None) -> None:
        """Send one request and see it to its end."""
        ...


def share_of(whole: int, index: int, workers: int) -> int:
    """Return how many of `whole` things fall to worker `index` when they are dealt one by one."""
    return len(range(index, whole, workers))


async def drive(sender: Sender, group: asyncio.TaskGroup) -> None:
    """Start the sender's share of its plan's requests in `group`; returns when the last one has been started."""
    if not await _until(sender, 0.0):
        return
    schedule = sender.plan.schedule
    if isinstance(schedule, ClosedLoop):
        await _drive_closed(sender, group, schedule)
    else:
        await _drive_open(sender, group, schedule)


async def _until(sender: Sender, seconds: float) -> bool:
    """Wait until `seconds` after the start; False where the run is over before."""
    while not sender.stopping:
        end = sender.plan.total_seconds
        if end is not None and sender.elapsed() >= end:
            return False
        left = seconds - sender.elapsed()
        if left <= 0:
            return True
        await asyncio.sleep(min(left, _GLANCE_SECONDS))
    return False


# ---------------------------------------------------------------- closed


async def _drive_closed(sender: Sender, group: asyncio.TaskGroup, schedule: ClosedLoop) -> None:
    levels = schedule.levels()
    numbers = itertools.count(sender.index, sender.workers)
    pace = _Pace(sender.workers / schedule.max_rate if schedule.max_rate is not None else 0.0)
    for user in range(sender.index, math.ceil(levels.highest), sender.workers):
        group.create_task(_user(sender, user, levels, numbers, pace))


class _Pace:
    """Keeps starts of all users of a worker at least so many seconds apart."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    def slot(self, now: float) -> float:
        """Return when the next start may be; 0 without a limit."""
        if not self._seconds:
            return 0.0
        slot = max(self._next, now)
        self._next = slot + self._seconds
        return slot


async def _user(sender: Sender, user: int, levels: Levels, numbers: Iterator[int], pace: _Pace) -> None:
    """Be one user: present while the level is above its number, asking again when answered."""
    total = sender.plan.total_requests
    while True:
        now = sender.elapsed()
        present_at = levels.next_above(user, max(now, 0.0))
        if present_at is None:
            return
        if present_at > now:
            if not await _until(sender, present_at):
                return
            continue
        if not await _until(sender, pace.slot(now)):
            return
        number = next(numbers)
        if total is not None and number >= total:
            return
        await sender.send(number)


# ---------------------------------------------------------------- open


async def _drive_open(sender: Sender, group: asyncio.TaskGroup, schedule: OpenLoop | TraceArrivals) -> None:
    plan = sender.plan
    cap = schedule.max_concurrency if schedule.max_concurrency is not None else plan.max_in_flight
    room = asyncio.Semaphore(max(share_of(cap, sender.index, sender.workers), 1))
    arrivals = itertools.islice(enumerate(schedule.times(plan.seed)), plan.total_requests)
    freed = 0.0  # until then the cap held back whoever was due
    everything_now = isinstance(schedule, OpenLoop) and math.isinf(schedule.rate)  # there is no time to be late for
    for number, at in itertools.islice(arrivals, sender.index, None, sender.workers):
        if not await _until(sender, at):
            return
        if room.locked():
            await room.acquire()
            freed = sender.elapsed()
        else:
            await room.acquire()
        if at < freed and schedule.max_concurrency is not None:
            sender.note_cap()
        if sender.stopping:
            return
        scheduled = None if everything_now else sender.begun + int(at * 1e9)
        group.create_task(_arrival(sender.send(number, scheduled), room))


async def _arrival(sending: Coroutine[object, object, None], room: asyncio.Semaphore) -> None:
    try:
        await sending
    finally:
        room.release()
