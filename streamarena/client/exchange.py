"""One HTTP/1.1 request and its response as bytes: our connections for whoever brings an HTTP client of their own.

Invariants:
* Nothing is interpreted: no redirects, cookies, decompression, retries or JSON. Fields pass as they are given and come.
* A connection is used again only after a complete response to a completely sent request.
* Closing is synchronous and can be repeated; an error or cancellation in any call has closed the response already.
* What was received before an error is delivered before the error is raised.
* Reading pauses while more than `Limits.pending_bytes` await the consumer.
Cost: one future for each time the consumer waits; one timer for the length of the read limit, however many reads.
Not here: proxies' meaning, HTTP/2, upgrades and CONNECT, which are refused.
Source: RFC 9112; RFC 9110 section 9.3.2 (HEAD).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamarena.client.connector import Connector, ConnectSettings, TLSMode
from streamarena.client.pool import ConnectionPool, ConnectionPoolStats, Origin
from streamarena.client.proxy import parse_proxy
from streamarena.client.raw_connection import RawConnection
from streamarena.client.raw_framing import Framing, raw_head
from streamarena.client.settings import Limits
from streamarena.errors import (
    ConnectTimeoutError,
    ReadTimeoutError,
    StreamClosedError,
    StreamTruncatedError,
    WriteTimeoutError,
)
from streamarena.memory import MemoryManager, default_manager

if TYPE_CHECKING:
    import ssl

    from streamarena.client.connection import Connection, ResponseHead

__all__ = ["RawClient", "RawRequest", "RawResponse", "RawTimeouts"]


@dataclass(frozen=True, slots=True)
class RawTimeouts:
    """Time limits in seconds; None means no limit.

    Attributes:
        connect: name look-up, TCP and TLS together. pool: waiting for a free connection.
        read: each wait for more of the response. write: each wait for the network to take more of the request.
    """

    connect: float | None = None
    pool: float | None = None
    read: float | None = None
    write: float | None = None


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request.

    Attributes:
        method, target: as they stand in the request line. scheme, host, port: where to connect.
        socket_path: the unix socket on which that server listens; None: it is reached by host and port.
        headers: all of them; Host, and Content-Length or Transfer-Encoding for a body, are the caller's to give.
        body: bytes, or an asynchronous iterable of them, sent as it makes them.
    """

    method: bytes
    scheme: str
    host: str
    port: int
    target: bytes
    headers: Sequence[tuple[bytes, bytes]] = field(repr=False)  # there may be a key in it
    body: bytes | AsyncIterable[bytes] = field(default=b"", repr=False)
    timeouts: RawTimeouts = RawTimeouts()
    socket_path: str | None = None


class RawClient:
    """Sends requests over pooled connections; belongs to one event loop.

    Args:
        limits: `max_connections`, `max_idle_connections`, `idle_expiry`, `header_*` and `pending_bytes` are used.
        ssl_context, tls, proxy: as for `StreamClient`; the environment's proxies are not used.
        resend_stale: whether a request is sent once more when a kept connection turns out dead before a byte of the
            response came, and its body is bytes; as for `StreamClient`, but the default is False.
        memory: whose buffers are used. Default: the process's manager.

    Raises:
        ConfigurationError: a proxy that cannot be used.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        ssl_context: ssl.SSLContext | None = None,
        tls: TLSMode | None = None,
        proxy: str | None = None,
        resend_stale: bool = False,
        memory: MemoryManager | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._resend_stale = resend_stale
        settings = ConnectSettings(None, ssl_context, None, tls, parse_proxy(proxy) if proxy else None)
        buffers = (memory or default_manager()).buffers
        self._connector = Connector(settings, self._limits, buffers, connection_class=RawConnection)
        self._pool = ConnectionPool(self._connect, self._limits)

    @property
    def pool_stats(self) -> ConnectionPoolStats:
        """Counters of the connections since the client was made."""
        return self._pool.stats

    @property
    def open_connections(self) -> int:
        """Connections that are open or being opened now."""
        return self._pool.open

    @property
    def connections_in_use(self) -> int:
        """Connections that requests hold now."""
        return self._pool.leased

    async def send(self, request: RawRequest) -> RawResponse:
        """Send a request and return its response once its header is there; close it when done.

        Raises:
            ConfigurationError: the request cannot be written: bad characters, or a body that is not as it was declared.
            ConnectionFailedError: no connection.
            ProtocolError, HeaderTooLargeError, StreamTruncatedError: the answer broke.
            ConnectTimeoutError, PoolTimeoutError, ReadTimeoutError, WriteTimeoutError: a limit passed.
            PoolClosedError: the client is closed.
            What an asynchronous body raises, unchanged.

        Cancellation gives everything back.
        """
        try:
            return await self._exchange(request, fresh=False)
        except _StaleConnectionError as stale:
            if not self._resend_stale or not isinstance(request.body, bytes):
                raise stale.error from None
        return await self._exchange(request, fresh=True)

    def close(self) -> None:
        """Close every connection, also those in use; synchronous and repeatable."""
        self._pool.close()
        self._connector.close()

    async def _exchange(self, request: RawRequest, *, fresh: bool) -> RawResponse:
        head, framing = raw_head(request.method, request.target, request.headers, request.body)
        where = (request.scheme, request.host, request.port, request.socket_path)
        origin = _TimedOrigin(*where, connect_seconds=request.timeouts.connect)
        connection = await self._pool.acquire(origin, request.timeouts.pool, fresh=fresh)
        assert isinstance(connection, RawConnection)
        response = RawResponse(connection, request, self._limits.pending_bytes, self._release)
        try:
            await response._send(head, framing, request.body)
        except StreamTruncatedError as error:
            response.close()
            if connection.reused and not connection.response_started:
                raise _StaleConnectionError(error) from error
            raise
        except BaseException:
            response.close()
            raise
        return response

    async def _connect(self, origin: Origin, on_lost: Callable[[Connection], None]) -> Connection:
        seconds = origin.connect_seconds if isinstance(origin, _TimedOrigin) else None
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                return await self._connector(origin, on_lost)
        except TimeoutError as error:
            if limit.expired():
                raise ConnectTimeoutError(seconds or 0.0) from error
            raise

    def _release(self, connection: RawConnection, reusable: bool) -> None:
        self._pool.release(connection, reusable=reusable)


class RawResponse:
    """A response that is being received.

    Attributes:
        status: the status code. reason: the reason phrase. version: `b"HTTP/1.1"` or `b"HTTP/1.0"`.
        headers: the fields as they came.
    """

    __slots__ = (
        "_connection",
        "_due",
        "_ended",
        "_error",
        "_loop",
        "_max_pending",
        "_no_body",
        "_owed",
        "_paused",
        "_pending",
        "_pending_bytes",
        "_persistent",
        "_release",
        "_sent",
        "_sink",
        "_timeouts",
        "_timer",
        "_waiter",
        "closed",
        "headers",
        "reason",
        "status",
        "version",
    )

    def __init__(
        self,
        connection: RawConnection,
        request: RawRequest,
        max_pending: int,
        release: Callable[[RawConnection, bool], None],
    ) -> None:
        self._connection: RawConnection | None = connection
        self._release = release
        self._max_pending = max_pending
        self._timeouts = request.timeouts
        self._no_body = request.method == b"HEAD"
        self._persistent = not any(
            name.lower() == b"connection" and b"close" in value.lower() for name, value in request.headers
        )
        self._loop = asyncio.get_running_loop()
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._paused = False
        self._sent = False
        self._ended = False
        self._error: Exception | None = None
        self._sink: Callable[[list[bytes]], Awaitable[object] | None] | None = None
        self._owed: Awaitable[object] | None = None  # what the sink asked to be waited for
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self.closed = False
        self.status = 0
        self.reason = self.version = b""
        self.headers: list[tuple[bytes, bytes]] = []

    def __repr__(self) -> str:
        return f"RawResponse({self.status}, {len(self.headers)} fields)"

    async def next_batch(self) -> list[bytes]:
        """Return all of the body that came since the last call, one item a read; an empty list at its end.

        Raises:
            StreamTruncatedError, ProtocolError: the body broke off; ReadTimeoutError: nothing came in time.
            PoolClosedError: the client was closed. StreamClosedError: this response was.

        An error or cancellation closes the response.
        """
        while not self._pending:
            if self.closed:
                raise StreamClosedError("the response was closed")
            if self._error is not None:
                raise self._error
            if self._ended:
                return []
            try:
                await self._wait()
            except BaseException:
                self.close()
                raise
        batch, self._pending = self._pending, []
        self._pending_bytes = 0
        self._resume()
        return batch

    async def for_each(self, sink: Callable[[list[bytes]], Awaitable[object] | None]) -> None:
        """Hand the body over inside the read callback, all that one read brought at a time, until its end.

        Args:
            sink: takes the pieces; the list is lent for the call. Where it returns something to wait for, that is
                awaited here before any more is read. What it raises closes the response and is raised here.

        Raises:
            as `next_batch`.

        It costs no wake-up of a task for what comes, as `next_batch` does.
        """
        self._sink = sink
        try:
            while not self._ended or self._pending or self._owed is not None:
                if self._owed is None and self._pending:
                    self._hand_over()
                owed, self._owed = self._owed, None
                if owed is not None:
                    await owed
                elif not self._pending and not self._ended:
                    self._resume()
                    await self._wait()
            if self._error is not None:
                raise self._error
            if self.closed:
                raise StreamClosedError("the response was closed")
        except BaseException:
            self.close()
            raise
        finally:
            self._sink = None

    def close(self) -> None:
        """Read no more: a connection whose response is not complete is closed. Synchronous and repeatable."""
        self.closed = True
        self._pending.clear()
        self._finish()

    def abandon(self) -> None:
        """Close a response that nobody holds any more: for a `__del__`, which may run in any thread."""
        if self._connection is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.close)

    # ------------------------------------------------------------ for the connection

    def head_received(self, head: ResponseHead) -> None:
        """Take the header."""
        connection = self._connection
        assert connection is not None
        self.status = head.status
        self.reason, self.version, self.headers = connection.reason, connection.version, connection.fields
        if self._no_body:  # the parser does not know the method and would wait for a body: the connection goes
            self._sent = False
            self._finish()
        self._wake()

    def part_received(self, data: bytes, /) -> None:
        """Take a fragment; more of the same read follows."""
        if not self._ended:
            self._pending.append(data)
            self._pending_bytes += len(data)

    def read_done(self, data: bytes, whole: bool, /) -> None:
        """Take the rest of what one read brought."""
        if self._ended:
            return
        if data:
            self.part_received(data)
        if self._sink is not None and self._pending and self._owed is None and self._hand_over() and not whole:
            return  # nobody has to wake
        if whole:
            self._finish()
        elif self._pending_bytes > self._max_pending and not self._paused and self._connection is not None:
            self._paused = True
            self._connection.pause_reading()
        if data or whole:
            self._wake()

    def exchange_failed(self, error: Exception) -> None:
        """Take the error that ended the response."""
        self._error = error
        self._finish()
        self._wake()

    # ------------------------------------------------------------ private

    async def _send(self, head: bytes, framing: Framing, body: bytes | AsyncIterable[bytes]) -> None:
        """Send the request, then wait for the response's header."""
        connection = self._connection
        assert connection is not None
        if isinstance(body, bytes):
            connection.send(head + framing.piece(body) + framing.end(), self)
            await self._drain(connection)
            self._sent = True
        else:
            connection.send(head, self)
            await self._upload(connection, framing, body)
        while not self.status and self._error is None:
            await self._wait()
        if not self.status and self._error is not None:
            raise self._error

    def _hand_over(self) -> bool:
        """Let the sink take what is pending; return whether that was all."""
        assert self._sink is not None
        if self._timeouts.read is not None:
            self._due = self._loop.time() + self._timeouts.read
        try:
            self._owed = self._sink(self._pending)
        except Exception as error:  # noqa: BLE001 - raised to whoever gave the sink
            self._error = error
            self._finish()
            return False
        finally:
            self._pending.clear()
            self._pending_bytes = 0
        if self._owed is None:
            return True
        if not self._paused and self._connection is not None:
            self._paused = True
            self._connection.pause_reading()
        return False

    def _resume(self) -> None:
        if self._paused and self._connection is not None:
            self._paused = False
            self._connection.resume_reading()

    async def _upload(self, connection: RawConnection, framing: Framing, body: AsyncIterable[bytes]) -> None:
        pieces = aiter(body)
        try:
            async for piece in pieces:
                if self._ended or self.status >= 400:  # an answer already; RFC 9112, 9.3: the rest may be left out
                    return
                connection.send_more(framing.piece(piece))
                await self._drain(connection)
        finally:
            close = getattr(pieces, "aclose", None)  # of a generator that was left early
            if close is not None:
                await close()
        connection.send_more(framing.end())
        self._sent = not self._ended

    async def _drain(self, connection: RawConnection) -> None:
        if not connection.is_full:
            return
        seconds = self._timeouts.write
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                await connection.drained()
        except TimeoutError as error:
            if limit.expired():
                raise WriteTimeoutError(seconds or 0.0) from error
            raise

    async def _wait(self) -> None:
        loop = self._loop
        waiter = self._waiter = loop.create_future()
        if self._timeouts.read is not None:
            self._due = loop.time() + self._timeouts.read
            if self._timer is None:  # one that is set already fires earlier, looks, and sets itself again
                self._timer = loop.call_at(self._due, self._look)
        try:
            await waiter
        finally:
            self._waiter = None

    def _look(self) -> None:
        self._timer = None
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        if self._loop.time() >= self._due:
            waiter.set_exception(ReadTimeoutError(self._timeouts.read or 0.0))
        else:
            self._timer = self._loop.call_at(self._due, self._look)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _finish(self) -> None:
        """Give the connection back, once."""
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._sent and self._persistent:
            self._release(connection, connection.detach())
        else:
            connection.abort()
            self._release(connection, False)


class _StaleConnectionError(Exception):
    """A kept connection turned out to be dead before a byte of the response came; `error` says how."""

    def __init__(self, error: StreamTruncatedError) -> None:
        super().__init__(error)
        self.error = error


@dataclass(frozen=True, slots=True)
class _TimedOrigin(Origin):
    """An origin, and how long this request waits for a connection to it; equal to others that wait longer."""

    connect_seconds: float | None = field(default=None, compare=False)
