"""The two content clocks and the total limit of one stream; one timer of the loop serves all of its streams.

Noting content stores a time and nothing else; the clock is looked at when it may be due, and asks to be looked at again
for what is left. While the stream waits for its own consumer the content clocks stand still: `hold` and `release`
bracket that and let them begin anew, `hold` and `resume` let them run on.

Invariants: a clock that was stopped never fires, and nothing of its stream is kept by it.
Cost: an attribute for each read that brought content; a place in a heap for each limit's length, some 150 bytes a
stream. A timer of uvloop's for each stream would be 1 kB and a malloc a request.
Times are nanoseconds of `time.perf_counter_ns`, the same that stamp a stream's timings.
Not here: what content is (`Chunk.is_content`), and what a timeout does to the stream.
"""

from __future__ import annotations

import heapq
import time
from typing import TYPE_CHECKING, Final, overload
from weakref import WeakKeyDictionary, ref

from streamarena.errors import FirstContentTimeoutError, IdleTimeoutError, StreamTimeoutError, TotalTimeoutError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from streamarena.client.settings import Timeouts

__all__ = ["ContentClock"]


class ContentClock:
    """Watches one stream.

    Args:
        loop: its timer is used.
        timeouts: `first_content`, `idle` and `total` are used here.
        deadline: when the total limit passes, or None.
        on_timeout: called once with the error when a limit passes.

    Attributes:
        place: for the alarms of the loop: the entry of theirs that is this clock's, or None.
        latest: asked for the stamp of the latest content before a limit is judged, where content is not noted as it
            comes; None: it is.
    """

    __slots__ = (
        "_alarms",
        "_armed_for",
        "_deadline",
        "_first_seen",
        "_held",
        "_last",
        "_limit",
        "_looked_for",
        "_on_timeout",
        "_timeouts",
        "latest",
        "place",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        timeouts: Timeouts,
        deadline: int | None,
        on_timeout: Callable[[StreamTimeoutError], None],
    ) -> None:
        self._alarms = _alarms_of(loop)
        self._timeouts = timeouts
        self._deadline = deadline
        self._on_timeout: Callable[[StreamTimeoutError], None] | None = on_timeout
        self._limit = _nanoseconds(timeouts.first_content)
        self._first_seen = False
        self._held = False
        self._last = 0
        self.place: _Entry | None = None
        self.latest: Callable[[], int | None] | None = None
        self._armed_for = 0
        self._looked_for = -1  # the latest content after whose limit the socket was given one more look

    def start(self, now: int) -> None:
        """Start counting: the request has just been sent."""
        self._last = now
        self._arm()

    def content(self, now: int) -> None:
        """Note that content came."""
        self._last = now
        if not self._first_seen:
            self._first_seen = True
            self._limit = _nanoseconds(self._timeouts.idle)
            self._arm()

    def linger(self, seconds: float) -> None:
        """Wait no longer than this for more content: the provider has said its last word."""
        limit = _nanoseconds(seconds)
        if self._limit is None or self._limit > limit:
            self._limit = limit
            self._arm()

    def hold(self) -> None:
        """Stop the content clocks: it is the consumer's turn."""
        self._held = True

    def release(self) -> None:
        """Let the content clocks run again, from now."""
        if self._held:
            self._held = False
            self._last = time.perf_counter_ns()
            if not self.place:
                self._arm()

    def resume(self, since: int) -> None:
        """Let the content clocks run on where they stood: what has passed since that stamp does not count."""
        self._held = False
        self._last += time.perf_counter_ns() - since
        if not self.place and self._limit is not None:
            self._arm()

    def stop(self) -> None:
        """Stop everything; nothing fires any more."""
        if self.place:
            self._alarms.drop(self)
        self._limit = self._deadline = self._on_timeout = self.latest = None

    def _due(self) -> int | None:
        content = None if self._limit is None or self._held else self._last + self._limit
        if content is None or self._deadline is None:
            return content if self._deadline is None else self._deadline
        return min(content, self._deadline)

    def look(self) -> None:
        """See whether a limit has passed; called when that may be so."""
        latest = None if self.latest is None else self.latest()
        if latest is not None and latest > self._last:
            self._last = latest
        due = self._due()
        now = time.perf_counter_ns()
        if due is None or now < due:
            self._arm()
            return
        late = self._deadline is not None and now >= self._deadline
        if not late and self._looked_for != self._last:
            # A consumer that blocked the loop may have left content unread in the socket: read before judging.
            self._looked_for = self._last
            self._set(now + _ONE_MORE_LOOK)
            return
        if late:
            error: StreamTimeoutError = TotalTimeoutError(self._timeouts.total or 0.0)
        elif self._first_seen:
            error = IdleTimeoutError(self._timeouts.idle or 0.0)
        else:
            error = FirstContentTimeoutError(self._timeouts.first_content or 0.0)
        on_timeout = self._on_timeout
        self.stop()
        if on_timeout is not None:
            on_timeout(error)

    def _arm(self) -> None:
        due = self._due()
        if self.place and due is not None and self._armed_for <= due:
            return  # it is looked at before that, and then asks again
        if self.place:
            self._alarms.drop(self)
        if due is not None:
            self._set(due)

    def _set(self, due: int) -> None:
        self._armed_for = self._alarms.add(self, due)


@overload
def _nanoseconds(seconds: float) -> int: ...


@overload
def _nanoseconds(seconds: None) -> None: ...


def _nanoseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1e9)


class _Entry:
    """A moment at which a clock is looked at; while nobody needs it, one of a chain of spare ones."""

    __slots__ = ("clock", "due", "next")

    def __init__(self, due: int, clock: ContentClock) -> None:
        self.due = due
        self.clock: ContentClock | None = clock
        self.next: _Entry | None = None


class _Alarms:
    """The clocks of one loop, by when each may be due, behind one timer of the loop.

    An entry that was dropped stays until it comes up, and serves the next clock that may be looked at no later: so
    requests that follow one another make no entry, and the table neither grows nor shrinks.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = ref(loop)  # a timer's handle would keep the loop alive too: none is held, and none is cancelled
        self._timers: list[int] = []  # when those fire that are set, the earliest first
        self._entries: list[tuple[int, int, _Entry]] = []
        self._spare: _Entry | None = None  # the last one dropped; a list would grow and shrink by calls of malloc
        self._spares = 0
        self._gone = 0  # spare entries that have come up
        self._number = 0

    def add(self, clock: ContentClock, due: int) -> int:
        """Look at a clock, which has no place here, when its time is due or before; return when."""
        entry = self._spare_for(due)
        if entry is None:
            entry = _Entry(due, clock)
            self._number += 1
            heapq.heappush(self._entries, (due, self._number, entry))
            self._wake_at(due)
        entry.clock = clock
        clock.place = entry
        return entry.due

    def drop(self, clock: ContentClock) -> None:
        """Do not look at a clock that has a place here."""
        entry = clock.place
        assert entry is not None
        clock.place = entry.clock = None
        entry.next, self._spare = self._spare, entry
        self._spares += 1

    def _spare_for(self, due: int) -> _Entry | None:
        """Take a spare entry that comes up no later, if there is one among the few that were dropped last."""
        before, entry = None, self._spare
        for _ in range(_LOOKED_THROUGH):
            if entry is None or entry.due <= due:
                break
            before, entry = entry, entry.next
        if entry is None or entry.due > due:
            return None
        if before is None:
            self._spare = entry.next
        else:
            before.next = entry.next
        entry.next = None
        self._spares -= 1
        return entry

    def _forget_gone(self) -> None:
        """Let go of the spare entries that have come up."""
        kept, self._spare, self._spares, self._gone = self._spare, None, 0, 0
        while kept is not None:
            entry, kept = kept, kept.next
            entry.next = None
            if entry.due != _GONE:
                entry.next, self._spare = self._spare, entry
                self._spares += 1

    def _wake_at(self, due: int) -> None:
        loop = self._loop()
        if loop is not None and (not self._timers or due < self._timers[0]):
            heapq.heappush(self._timers, due)
            loop.call_later(max(_LEAST_WAIT, due - time.perf_counter_ns()) / 1e9, self._fire)

    def _fire(self) -> None:
        heapq.heappop(self._timers)
        now = time.perf_counter_ns()
        try:
            while self._entries and self._entries[0][0] <= now:
                entry = heapq.heappop(self._entries)[2]
                entry.due, clock = _GONE, entry.clock
                if clock is None:
                    self._gone += 1
                else:
                    clock.place = entry.clock = None
                    clock.look()
        finally:
            if 2 * self._gone > self._spares:
                self._forget_gone()
            if self._entries:
                self._wake_at(self._entries[0][0])


_GONE: Final = 1 << 63  # nanoseconds; no clock is due so late
_LOOKED_THROUGH: Final = 8  # spare entries, the latest first
_ONE_MORE_LOOK: Final = 1_000_000  # nanoseconds
_LEAST_WAIT: Final = 1_000_000  # nanoseconds; uvloop rounds what is less to nothing, and would spin
_alarms: WeakKeyDictionary[asyncio.AbstractEventLoop, _Alarms] = WeakKeyDictionary()


def _alarms_of(loop: asyncio.AbstractEventLoop) -> _Alarms:
    alarms = _alarms.get(loop)
    if alarms is None:
        alarms = _alarms[loop] = _Alarms(loop)
    return alarms
