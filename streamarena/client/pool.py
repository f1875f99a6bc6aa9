"""The connections of a client: kept for reuse, limited in number, waited for in order.

Invariants:
* `open` = leased + idle + being opened, and never passes `Limits.max_connections`.
* Who waits is served first come, first served; a place that falls to a waiter who has gone goes to the next.
* Giving back is synchronous: no cancellation can come between a request and its connection's return.
* An idle connection that ends, or that says anything unasked, leaves the pool at once.
Cost: a dictionary look-up and a list pop to reuse a connection.
Not here: HTTP (`connection.py`), name look-up and TLS (`connector.py`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import ref

import msgspec

from streamarena.client.connection import Connection
from streamarena.errors import ConfigurationError, PoolClosedError, PoolTimeoutError

if TYPE_CHECKING:
    from streamarena.client.settings import Limits

__all__ = ["Connect", "ConnectionPool", "Origin", "ConnectionPoolStats"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where connections go; two requests share connections when their origins are equal.

    With `socket_path` connections go to that unix socket; host and port still name the server, for TLS and the header.
    """

    scheme: str
    host: str
    port: int
    socket_path: str | None = None

    @property
    def is_tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.scheme == "https"


class ConnectionPoolStats(msgspec.Struct):
    """Counters of a pool since it was made."""

    opened: int = 0
    reused: int = 0
    closed: int = 0
    waited: int = 0
    failed: int = 0


@dataclass(slots=True, eq=False)
class _Waiter:
    origin: Origin
    future: asyncio.Future[Connection | None]  # a connection, or None: a free place to open one


Connect = Callable[[Origin, Callable[[Connection], None]], Awaitable[Connection]]


class ConnectionPool:
    """Connections by origin.

    Args:
        connect: opens a connection to an origin and reports its end to the callback given.
        limits: `max_connections`, `max_idle_connections` and `idle_expiry` are used here.

    Attributes:
        stats: counters.
    """

    def __init__(self, connect: Connect, limits: Limits) -> None:
        self._connect = connect
        self._limits = limits
        self._idle: dict[Origin, list[Connection]] = {}
        self._leased: dict[Connection, Origin] = {}
        self._opening = 0
        self._waiters: deque[_Waiter] = deque()
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False
        self._loop: ref[asyncio.AbstractEventLoop] | None = None
        self.stats = ConnectionPoolStats()

    @property
    def leased(self) -> int:
        """Connections that requests hold now."""
        return len(self._leased)

    @property
    def idle(self) -> int:
        """Connections kept for reuse now."""
        return sum(map(len, self._idle.values()))

    @property
    def open(self) -> int:
        """Connections that count against the limit now."""
        return self.leased + self.idle + self._opening

    @property
    def waiting(self) -> int:
        """Requests that wait for a connection now."""
        return len(self._waiters)

    async def acquire(self, origin: Origin, timeout: float | None, *, fresh: bool = False) -> Connection:
        """Return a connection to `origin`; give it back with `release`.

        Args:
            origin: where to.
            timeout: seconds to wait while all connections are in use; None waits for ever. Opening one is not
                counted here.
            fresh: take no kept connection: the last one was dead.

        Raises:
            PoolTimeoutError: none became free in time.
            PoolClosedError: the pool is closed, or was closed meanwhile.
            ConfigurationError: the pool belongs to another event loop.
            ConnectionFailedError, ConnectTimeoutError: from opening one.

        Cancellation gives the place on to the next waiter.
        """
        if self._closed:
            raise PoolClosedError("the client is closed")
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = ref(loop)
        elif self._loop() is not loop:
            raise ConfigurationError("this client was used on another event loop; make a client for each loop")
        connection = None if fresh else self._take_idle(origin)
        if connection is None:
            if self._make_room():
                self._opening += 1
            else:
                connection = await self._wait(origin, timeout)
        if connection is None:
            return await self._open(origin)
        self._leased[connection] = origin
        self.stats.reused += 1
        return connection

    def release(self, connection: Connection, reusable: bool) -> None:
        """Take a connection back; synchronous. Releasing one that is not leased does nothing."""
        origin = self._leased.pop(connection, None)
        if origin is None:
            return
        if reusable and connection.usable and not self._closed:
            waiter = self._next_waiter()
            if waiter is not None and waiter.origin == origin:
                self._leased[connection] = origin
                waiter.future.set_result(connection)
                return
            if waiter is None and self.idle < self._limits.max_idle_connections:
                self._keep(origin, connection)
                return
            self._discard(connection)
            if waiter is not None:
                self._promise_place(waiter)
            return
        self._discard(connection)
        self._offer_place()

    def close(self) -> None:
        """Close every connection, leased ones too, and fail every waiter; synchronous and repeatable."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        idle, self._idle = self._idle, {}
        for connection in list(self._leased):
            connection.fail(PoolClosedError("the client was closed"))  # whose stream may release it right here
            if connection in self._leased:
                self._discard(connection)
        for connection in [each for kept in idle.values() for each in kept]:
            self._discard(connection)
        while (waiter := self._next_waiter()) is not None:
            waiter.future.set_exception(PoolClosedError("the client was closed while a request waited"))

    # ------------------------------------------------------------ private

    async def _open(self, origin: Origin) -> Connection:
        """Open a connection in the place that `_opening` already counts."""
        try:
            connection = await self._connect(origin, self._connection_lost)
        except BaseException:
            self._opening -= 1
            self.stats.failed += 1
            self._offer_place()
            raise
        self._opening -= 1
        self.stats.opened += 1
        self._leased[connection] = origin
        if self._closed:
            self.release(connection, reusable=False)
            raise PoolClosedError("the client was closed while a connection was being opened")
        return connection

    async def _wait(self, origin: Origin, timeout: float | None) -> Connection | None:
        loop = asyncio.get_running_loop()
        waiter = _Waiter(origin, loop.create_future())
        self._waiters.append(waiter)
        self.stats.waited += 1
        timer = None
        if timeout is not None:
            timer = loop.call_later(timeout, _fail_waiter, waiter, timeout)
        try:
            return await waiter.future
        except BaseException:
            if waiter.future.done() and not waiter.future.cancelled() and waiter.future.exception() is None:
                self._return_unused(waiter.future.result())
            raise
        finally:
            if timer is not None:
                timer.cancel()
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _return_unused(self, connection: Connection | None) -> None:
        if connection is None:
            self._opening -= 1
            self._offer_place()
        else:
            self.release(connection, reusable=True)

    def _take_idle(self, origin: Origin) -> Connection | None:
        kept = self._idle.get(origin)
        if not kept:
            return None
        oldest_allowed = asyncio.get_running_loop().time() - self._limits.idle_expiry
        while kept:
            connection = kept.pop()
            if not kept:
                del self._idle[origin]
            if connection.usable and connection.last_used >= oldest_allowed:
                return connection
            self._discard(connection)
        return None

    def _make_room(self) -> bool:
        """Return whether a connection may be opened now, closing the longest idle one for it if need be."""
        if self._waiters and self.open >= self._limits.max_connections:
            return False
        if self.open < self._limits.max_connections:
            return True
        oldest = min(
            ((kept[0].last_used, origin) for origin, kept in self._idle.items()), default=None, key=lambda pair: pair[0]
        )
        if oldest is None:
            return False
        kept = self._idle[oldest[1]]
        self._discard(kept.pop(0))
        if not kept:
            del self._idle[oldest[1]]
        return True

    def _keep(self, origin: Origin, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        connection.last_used = loop.time()
        self._idle.setdefault(origin, []).append(connection)
        if self._sweep is None:
            self._sweep = loop.call_later(self._limits.idle_expiry, self._expire)

    def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        oldest_allowed = loop.time() - self._limits.idle_expiry
        self._sweep = None
        for origin in list(self._idle):
            kept = self._idle[origin]
            while kept and kept[0].last_used <= oldest_allowed:
                self._discard(kept.pop(0))
            if not kept:
                del self._idle[origin]
        if self._idle:
            next_at = min(kept[0].last_used for kept in self._idle.values()) + self._limits.idle_expiry
            self._sweep = loop.call_at(next_at, self._expire)
        self._offer_place()

    def _connection_lost(self, connection: Connection) -> None:
        for origin, kept in self._idle.items():
            if connection in kept:
                kept.remove(connection)
                if not kept:
                    del self._idle[origin]
                self.stats.closed += 1
                self._offer_place()
                return

    def _discard(self, connection: Connection) -> None:
        """Close a connection that is on no list any more, or in `_leased` for the last time."""
        self._leased.pop(connection, None)
        self.stats.closed += 1
        connection.abort()

    def _next_waiter(self) -> _Waiter | None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.future.done():
                return waiter
        return None

    def _offer_place(self) -> None:
        if self.open < self._limits.max_connections and (waiter := self._next_waiter()) is not None:
            self._promise_place(waiter)

    def _promise_place(self, waiter: _Waiter) -> None:
        self._opening += 1  # counted from now on, so that nobody takes it before the waiter runs
        waiter.future.set_result(None)


def _fail_waiter(waiter: _Waiter, seconds: float) -> None:
    if not waiter.future.done():
        waiter.future.set_exception(PoolTimeoutError(seconds))
