"""How far the client's own clock can be trusted: the loop's turns, its lag, the collector's pauses, the run queue.

A stamp is taken when the loop gets to a read, not when the bytes came. What is read in one turn of the loop came after
the poll of the turn before, which did not find it; where the poll in between found nothing for a while, it came while
the thread slept, and all that can lie between is what kept the thread from running then: the wait for a core and work
that nobody noted, both told by Linux's `schedstat`. `since` is the earliest moment that this leaves. A quarter of a
millisecond more is allowed for what a process cannot see of itself (`UNSEEN_NS`).

Invariants: `since` never lies after the turn's first stamp; nothing here grows with the length of a run.
Cost: one `call_soon` and two clock readings a turn of the loop that touches a stream; one 2 us read of /proc a turn
after a pause of a millisecond or more; 40 timers a second.
Not seen: a network or kernel that delivers late, another machine's clock, a hypervisor that takes the core away, other
threads of this process that hold the interpreter, and, away from Linux, the run queue and work that nobody noted.
"""

from __future__ import annotations

import gc
import os
import time
from typing import TYPE_CHECKING, Final, Self

from streamarena.histogram import Histogram

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

__all__ = ["UNSEEN_NS", "LoopWatch"]

UNSEEN_NS: Final = 250_000
"""Part of every error bar: a core that has to wake up first (a virtual one takes longest), the system calls on both
sides, the parsing before the stamp. On two virtual cores 1 to 4 % of chunks were later than all that is measured here:
in a quiet run by 0.13 ms at most, in a busy one by 0.2 ms, after a core had slept by 0.34 ms."""
_PAUSE_NS: Final = 1_000_000
"""A shorter stretch between two turns is not looked into: what came in it may as well have come in the turn before."""
_WINDOW_SECONDS: Final = 0.025


class LoopWatch:
    """Watches one event loop; use it as `with LoopWatch(loop) as watch:` on the loop's own thread.

    Args:
        loop: the loop.
        on_window: called 40 times a second, in a noted turn.

    Attributes:
        in_turn: whether the present turn of the loop has been noted.
        since: the earliest moment (`time.perf_counter_ns`) at which what is read in this turn may have come.
        busy: nanoseconds spent in noted turns. run_wait: nanoseconds runnable without a core.
        lags, pauses: how late timers fired, and the collector's pauses, in nanoseconds.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_window: Callable[[], object] | None = None) -> None:
        self._loop = loop
        self._on_window = on_window
        self._turn_start = self._turn_end = 0
        self._due = 0
        self._timer: asyncio.TimerHandle | None = None
        self._schedstat: int | None = None
        self._ran = self._waited = self._busy_before = 0
        self._pause_start = 0
        self.in_turn = False
        self.since = 0
        self.busy = 0
        self.run_wait = 0
        self.lags, self.pauses = Histogram(), Histogram()

    def __enter__(self) -> Self:
        try:
            self._schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        except OSError:  # not Linux, or a kernel without it
            self._schedstat = None
        self._lost()
        self.run_wait = 0
        self._turn_start = self._turn_end = self.since = time.perf_counter_ns()
        gc.callbacks.append(self._collected)
        self._arm()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        gc.callbacks.remove(self._collected)
        if self._schedstat is not None:
            os.close(self._schedstat)
            self._schedstat = None

    @property
    def sees_run_queue(self) -> bool:
        """Whether this system tells how long the thread waited for a core."""
        return self._schedstat is not None

    def take_health(self) -> tuple[Histogram, Histogram, int, int | None]:
        """Return lags, pauses, busy and run-queue time since the last call, and begin anew."""
        self._lost()
        taken = self.lags, self.pauses, self.busy, self.run_wait if self.sees_run_queue else None
        self.lags, self.pauses = Histogram(), Histogram()
        self._busy_before -= self.busy
        self.busy = self.run_wait = 0
        return taken

    # ------------------------------------------------------------ turns

    def begin(self, now: int) -> None:
        """Note that a turn of the loop does something of ours; call it only while `in_turn` is false."""
        self.in_turn = True
        before = self._turn_start
        if now - self._turn_end < _PAUSE_NS:
            self.since = before
        else:
            moment = now - self._lost()
            self.since = max(before, moment)
        self._turn_start = now
        self._loop.call_soon(self._end)

    def touch(self) -> None:
        """Note that something of ours runs now; for callbacks that have no stamp at hand."""
        if not self.in_turn:
            self.begin(time.perf_counter_ns())

    def _end(self) -> None:
        self.in_turn = False
        self._turn_end = now = time.perf_counter_ns()
        self.busy += now - self._turn_start

    def _lost(self) -> int:
        """Return how long the thread waited for a core, or did what was not noted, since the last call (ns)."""
        if self._schedstat is None:
            return 0
        ran, waited = map(int, os.pread(self._schedstat, 64, 0).split()[:2])
        wait = waited - self._waited
        unnoted = ran - self._ran - (self.busy - self._busy_before)
        self._ran, self._waited, self._busy_before = ran, waited, self.busy
        self.run_wait += wait
        return wait + unnoted if unnoted > 0 else wait

    # ------------------------------------------------------------ timers, the collector

    def _arm(self) -> None:
        self._due = time.perf_counter_ns() + int(_WINDOW_SECONDS * 1e9)
        self._timer = self._loop.call_later(_WINDOW_SECONDS, self._window)

    def _window(self) -> None:
        self.touch()
        self.lags.add(time.perf_counter_ns() - self._due)
        self._arm()
        if self._on_window is not None:
            self._on_window()

    def _collected(self, phase: str, info: dict[str, int]) -> None:
        del info
        now = time.perf_counter_ns()
        if phase == "start":
            self._pause_start = now
            if not self.in_turn:
                self.begin(now)
        else:
            self.pauses.add(now - self._pause_start)
