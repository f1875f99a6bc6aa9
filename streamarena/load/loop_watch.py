"""How far the client's own clock can be trusted: the loop's turns, its lag, the collector's pauses, the run queue.

A stamp is taken when the loop gets to a read, not when the bytes came. Bytes read in one turn of the loop cannot have
come before the poll that ended the turn before last found them missing, so the distance to that moment bounds the
error that the loop itself makes; `since` is that moment. What happens to the whole thread is sampled in short windows
beside it: time spent runnable without a core (Linux's `schedstat`), and how late a timer fires.

Invariants: `since` never lies after the turn's first stamp; the memory of windows is bounded, and a stamp older than
all of them gets the largest error ever seen.
Cost: one `call_soon` and two clock readings a turn of the loop that touches a stream; one timer and one 2 us read of
/proc a window (100 a second).
Not seen: a network or kernel that delivers late, another machine's clock, blocking calls shorter than a window outside
our own callbacks, and, away from Linux, the run queue.
"""

from __future__ import annotations

import gc
import os
import time
from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, Final, Self

from streamarena.histogram import Histogram

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

__all__ = ["LoopWatch"]

_WINDOW_SECONDS: Final = 0.01
_KEPT_WINDOWS: Final = 8192
_POLL_NS: Final = 100_000
"""An unwatched stretch longer than this was a poll that found nothing, and not the loop's own housekeeping."""
_TIMER_NS: Final = 1_500_000
"""uvloop's timers have a resolution of a millisecond and round either way."""


class LoopWatch:
    """Watches one event loop; use it as `with LoopWatch(loop) as watch:` on the loop's own thread.

    Args:
        loop: the loop.
        on_window: called after each window has been closed.

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
        self._longest = 0
        self._ends, self._delays, self._turns = array("q"), array("q"), array("q")
        self._worst = 0
        self._due = 0
        self._timer: asyncio.TimerHandle | None = None
        self._schedstat: int | None = None
        self._waited = 0
        self._pause_start = 0
        self.in_turn = False
        self.since = 0
        self.busy = 0
        self.run_wait = 0
        self.lags, self.pauses = Histogram(), Histogram()

    def __enter__(self) -> Self:
        try:
            self._schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        except OSError:  # not Linux, or a kernel without it: the timer's lag has to do
            self._schedstat = None
        self._waited = self._run_queue_wait()
        self._turn_end = self.since = time.perf_counter_ns()
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
        taken = self.lags, self.pauses, self.busy, self.run_wait if self.sees_run_queue else None
        self.lags, self.pauses = Histogram(), Histogram()
        self.busy = self.run_wait = 0
        return taken

    # ------------------------------------------------------------ turns

    def begin(self, now: int) -> None:
        """Note that a turn of the loop does something of ours; call it only while `in_turn` is false."""
        self.in_turn = True
        self.since = now if now - self._turn_end > _POLL_NS else self._turn_start
        self._turn_start = now
        self._loop.call_soon(self._end)

    def touch(self) -> None:
        """Note that something of ours runs now; for callbacks that have no stamp at hand."""
        if not self.in_turn:
            self.begin(time.perf_counter_ns())

    def _end(self) -> None:
        self.in_turn = False
        self._turn_end = now = time.perf_counter_ns()
        length = now - self._turn_start
        self.busy += length
        self._longest = max(self._longest, length)

    # ------------------------------------------------------------ windows

    def close_window(self) -> None:
        """Close the present window now, so that everything stamped so far can be judged."""
        now = time.perf_counter_ns()
        waited = self._run_queue_wait()
        delay = max(waited - self._waited, now - self._due - _TIMER_NS if self._due else 0, 0)
        self.run_wait += waited - self._waited
        self._waited = waited
        self._ends.append(now)
        self._delays.append(delay)
        self._turns.append(self._longest if not self.in_turn else max(self._longest, now - self._turn_start))
        self._worst = max(self._worst, delay, self._longest)
        self._longest = 0
        if len(self._ends) >= 2 * _KEPT_WINDOWS:
            for ring in (self._ends, self._delays, self._turns):
                del ring[:_KEPT_WINDOWS]

    def delay_at(self, moment: int) -> int:
        """Return by how much (nanoseconds) the whole thread may have been late at a moment."""
        return self.delays_at((moment,))[0]

    def delays_at(self, moments: array[int] | tuple[int, ...]) -> list[int]:
        """As `delay_at` for moments in ascending order; the windows that hold them must have been closed."""
        ends, delays = self._ends, self._delays
        count = len(ends)
        found: list[int] = []
        window = bisect_left(ends, moments[0]) if moments else 0
        for moment in moments:
            while window < count and ends[window] < moment:
                window += 1
            if window == 0:
                found.append(self._worst if count >= _KEPT_WINDOWS else delays[0] if count else 0)
            elif window == count:
                found.append(delays[-1])
            else:
                # A timer that is late closes its window before the reads that were late with it are seen.
                found.append(max(delays[window - 1], delays[window]))
        return found

    def turn_at(self, moment: int) -> int:
        """Return how long (nanoseconds) what was written at a moment may have waited for the end of its turn."""
        window = bisect_left(self._ends, moment)
        if window == 0 and len(self._ends) >= _KEPT_WINDOWS:
            return self._worst
        return max(self._turns[window : window + 2], default=0)

    def _arm(self) -> None:
        self._due = time.perf_counter_ns() + int(_WINDOW_SECONDS * 1e9)
        self._timer = self._loop.call_later(_WINDOW_SECONDS, self._window)

    def _window(self) -> None:
        self.touch()
        self.lags.add(time.perf_counter_ns() - self._due)
        self.close_window()
        self._arm()
        if self._on_window is not None:
            self._on_window()

    def _run_queue_wait(self) -> int:
        if self._schedstat is None:
            return 0
        return int(os.pread(self._schedstat, 64, 0).split()[1])

    def _collected(self, phase: str, info: dict[str, int]) -> None:
        del info
        now = time.perf_counter_ns()
        if phase == "start":
            self._pause_start = now
            if not self.in_turn:
                self.begin(now)
        else:
            self.pauses.add(now - self._pause_start)
