"""The two content clocks and the total limit of one stream, with one timer that is hardly ever touched.

Noting content stores a time and nothing else; the timer looks at it when it fires and sets itself again for what is
left. While the stream waits for its own consumer the content clocks stand still: `hold` and `release` bracket that.

Cost: an attribute for each read that brought content; at most one timer firing for each limit's length. Inside a read
callback no timer is set, but for the one that all lingering streams of a loop share.
Times are nanoseconds of `time.perf_counter_ns`, the same that stamp a stream's timings.
Not here: what content is (`Chunk.is_content`), and what a timeout does to the stream.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, overload
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
        loop: its timers are used.
        timeouts: `first_content`, `idle` and `total` are used here.
        deadline: when the total limit passes, or None.
        on_timeout: called once with the error when a limit passes.
    """

    __slots__ = (
        "_armed_for",
        "_deadline",
        "_first_seen",
        "_held",
        "_last",
        "_limit",
        "_looked_for",
        "_loop",
        "_on_timeout",
        "_timeouts",
        "_timer",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        timeouts: Timeouts,
        deadline: int | None,
        on_timeout: Callable[[StreamTimeoutError], None],
    ) -> None:
        self._loop = loop
        self._timeouts = timeouts
        self._deadline = deadline
        self._on_timeout = on_timeout
        self._limit = _nanoseconds(timeouts.first_content)
        self._first_seen = False
        self._held = False
        self._last = 0
        self._timer: asyncio.TimerHandle | None = None
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
            _lingering_of(self._loop).add(self, self._last + limit)

    def hold(self) -> None:
        """Stop the content clocks: it is the consumer's turn."""
        self._held = True

    def release(self) -> None:
        """Let the content clocks run again, from now."""
        if self._held:
            self._held = False
            self._last = time.perf_counter_ns()
            if self._timer is None:
                self._arm()

    def stop(self) -> None:
        """Stop everything; nothing fires any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._limit = self._deadline = None
        lingering = _lingering.get(self._loop)
        if lingering is not None:
            lingering.clocks.pop(self, None)

    def _due(self) -> int | None:
        content = None if self._limit is None or self._held else self._last + self._limit
        if content is None or self._deadline is None:
            return content if self._deadline is None else self._deadline
        return min(content, self._deadline)

    def look(self) -> None:
        """Do now what the timer does when it fires."""
        if self._timer is not None:
            self._timer.cancel()
        self._fire()

    def _arm(self) -> None:
        due = self._due()
        if self._timer is not None:
            if due is not None and self._armed_for <= due:
                return  # it fires before that, looks, and sets itself again: a timer of uvloop costs a malloc
            self._timer.cancel()
        self._armed_for = due or 0
        if due is None:
            self._timer = None
        else:
            self._timer = self._loop.call_later(max(0, due - time.perf_counter_ns()) / 1e9, self._fire)

    def _fire(self) -> None:
        self._timer = None
        due = self._due()
        now = time.perf_counter_ns()
        if due is None or now < due:
            self._arm()
            return
        late = self._deadline is not None and now >= self._deadline
        if not late and self._looked_for != self._last:
            # A consumer that blocked the loop may have left content unread in the socket: read before judging.
            self._looked_for = self._last
            self._armed_for = due
            self._timer = self._loop.call_later(0.001, self._fire)
            return
        if late:
            error: StreamTimeoutError = TotalTimeoutError(self._timeouts.total or 0.0)
        elif self._first_seen:
            error = IdleTimeoutError(self._timeouts.idle or 0.0)
        else:
            error = FirstContentTimeoutError(self._timeouts.first_content or 0.0)
        self.stop()
        self._on_timeout(error)


@overload
def _nanoseconds(seconds: float) -> int: ...


@overload
def _nanoseconds(seconds: None) -> None: ...


def _nanoseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1e9)


class _Lingering:
    """The clocks of one loop that wait for the end of a body that has said its last word, with one timer for all.

    Nearly every such wait ends within the same moment; a timer for each would be set and cancelled for nothing.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = ref(loop)  # a timer's handle would keep the loop alive too: none is held, and none is cancelled
        self._armed_for = 0
        self.clocks: dict[ContentClock, int] = {}

    def add(self, clock: ContentClock, due: int) -> None:
        """Look at a clock when its time is due."""
        self.clocks[clock] = due
        if not self._armed_for or due < self._armed_for:
            self._arm(due)

    def _arm(self, due: int) -> None:
        loop = self._loop()
        if loop is not None:
            self._armed_for = due
            loop.call_later(max(0, due - time.perf_counter_ns()) / 1e9, self._fire)

    def _fire(self) -> None:
        self._armed_for = 0
        now = time.perf_counter_ns()
        for clock in [clock for clock, due in self.clocks.items() if due <= now]:
            del self.clocks[clock]
            clock.look()
        if self.clocks:
            self._arm(min(self.clocks.values()))


_lingering: WeakKeyDictionary[asyncio.AbstractEventLoop, _Lingering] = WeakKeyDictionary()


def _lingering_of(loop: asyncio.AbstractEventLoop) -> _Lingering:
    lingering = _lingering.get(loop)
    if lingering is None:
        lingering = _lingering[loop] = _Lingering(loop)
    return lingering
