"""A limited number of places, and a limited number of requests that wait for one.

Invariants: first come, first served; a place that falls to somebody who has gone goes to the next; giving back is
synchronous, so that no cancellation can come in between.
Cost: a counter; one future and one timer for each that has to wait.
Not here: what a place is for.
"""

from __future__ import annotations

import asyncio
from collections import deque

from streamarena.errors import RelayBusyError

__all__ = ["Places"]


class Places:
    """Places that requests take.

    Args:
        limit: how many there are; None: as many as anybody wants.
        waiting: how many may wait. seconds: how long each may wait.
        setting: what raises the limit, for the error. status: that such a request is answered with.

    Attributes:
        taken: how many are taken now.
    """

    __slots__ = ("_limit", "_queue", "_seconds", "_setting", "_status", "_waiting", "taken")

    def __init__(self, limit: int | None, waiting: int, seconds: float, setting: str, status: int = 503) -> None:
        self._limit = limit
        self._waiting = waiting
        self._seconds = seconds
        self._setting = setting
        self._status = status
        self._queue: deque[asyncio.Future[None]] = deque()
        self.taken = 0

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return len(self._queue)

    async def take(self) -> None:
        """Take a place; give it back with `give_back`.

        Raises:
            RelayBusyError: too many wait already, or none became free in time.

        Cancellation takes none, or gives it to the next.
        """
        if self._limit is None or (self.taken < self._limit and not self._queue):
            self.taken += 1
            return
        if len(self._queue) >= self._waiting:
            raise self._busy()
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(place)
        try:
            async with asyncio.timeout(self._seconds):
                await place
        except BaseException as error:
            if place.done() and not place.cancelled():
                self.give_back()  # it was given in the same moment
            elif place in self._queue:
                self._queue.remove(place)
            if isinstance(error, TimeoutError):
                raise self._busy() from None
            raise

    def give_back(self) -> None:
        """Give a place back, to whoever waits longest; synchronous."""
        while self._queue:
            place = self._queue.popleft()
            if not place.done():
                place.set_result(None)  # it stays taken
                return
        self.taken -= 1

    def _busy(self) -> RelayBusyError:
        return RelayBusyError(self._limit or 0, self._setting, max(1.0, self._seconds / 2), self._status)
