"""What the servers of this room share: listening, connections with a limit, streams in progress, a clean end.

Invariants: `close` gives everything back before its only wait, so a cancel loses nothing; afterwards no socket, timer
or stream of the server remains. Connections beyond the limit are dropped at once.
Cost: one set entry a connection. Not here: what is answered; a subclass says so in `request_received`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Self

from streamarena.errors import ConfigurationError
from streamarena.testing.connection import HTTPConnection, HTTPRequest, response_head
from streamarena.testing.queueing import ServiceQueue
from streamarena.testing.records import RequestRecord, ServerStatistics
from streamarena.testing.streams import ReplyStream
from streamarena.testing.wheel import TimerWheel

if TYPE_CHECKING:
    from streamarena.testing.frames import Frame

__all__ = ["LoopbackServer", "answer"]


class LoopbackServer:
    """A server with HTTP/1.1 connections; use it as `async with`.

    Args:
        host, port: where to listen; port 0 takes a free one.
        ssl_context: serve TLS with it.
        queue: where requests wait for service.
        max_connections: further ones are dropped at once.
        max_body_bytes: largest request body that is read.
        keep_records: finished requests kept with their stamps.

    Attributes:
        statistics: counters, and the last finished requests.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl_context: ssl.SSLContext | None = None,
        queue: ServiceQueue | None = None,
        max_connections: int = 65_536,
        max_body_bytes: int = 64 * 2**20,
        keep_records: int = 1000,
    ) -> None:
        self.statistics = ServerStatistics(keep_records)
        self.queue = queue or ServiceQueue()
        self._listen = (host, port)
        self._ssl_context = ssl_context
        self._max_connections = max_connections
        self._max_body_bytes = max_body_bytes
        self._connections: set[HTTPConnection] = set()
        self._streams: dict[ReplyStream, None] = {}
        self._server: asyncio.Server | None = None
        self._wheel: TimerWheel | None = None
        self._gone: asyncio.Event | None = None

    # ------------------------------------------------------------ life

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Listen; afterwards `url` is known."""
        loop = asyncio.get_running_loop()
        self._wheel = TimerWheel(loop)
        self._gone = asyncio.Event()
        self._server = await loop.create_server(
            lambda: HTTPConnection(self, self._max_body_bytes), *self._listen, ssl=self._ssl_context, backlog=4096
        )

    async def close(self) -> None:
        """Drop every connection and stop listening. All but the last wait is synchronous, so a cancel loses nothing."""
        if self._server is None or self._wheel is None or self._gone is None:
            return
        self._server.close()
        self._server = None
        for stream in list(self._streams):
            stream.stop("stopped")
        self.drop_connections()
        self._wheel.close()
        if self._connections:
            # The transports report their end in the next turns of the loop.
            await asyncio.wait_for(self._gone.wait(), 5)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that are listened on.

        Raises:
            ConfigurationError: the server has not been started or is closed.
        """
        if self._server is None or not self._server.sockets:
            name = type(self).__name__
            raise ConfigurationError(f"{name} is not running; use `async with {name}(...) as server:`")
        host, port = self._server.sockets[0].getsockname()[:2]
        return host, port

    @property
    def url(self) -> str:
        """The base URL, without `/v1`."""
        host, port = self.address
        return f"{'https' if self._ssl_context else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"

    def freeze(self, seconds: float) -> None:
        """Send nothing to anyone for `seconds`; what was due then goes out at its end."""
        if self._wheel is not None:
            self._wheel.hold(seconds)

    def drop_connections(self) -> int:
        """Drop all connections, as a restart of the server would; return how many there were."""
        dropped = list(self._connections)
        for connection in dropped:
            connection.abort()
        return len(dropped)

    # ------------------------------------------------------------ HTTPHandler

    def connection_opened(self, connection: HTTPConnection) -> bool:
        """Count the connection, unless there are too many or the server is closing."""
        if self._server is None or len(self._connections) >= self._max_connections:
            return False
        self._connections.add(connection)
        self.statistics.connections += 1
        self.statistics.open_connections += 1
        return True

    def connection_closed(self, connection: HTTPConnection) -> None:
        """Forget the connection."""
        self._connections.discard(connection)
        self.statistics.open_connections -= 1
        if not self._connections and self._gone is not None and self._server is None:
            self._gone.set()

    def request_received(self, connection: HTTPConnection, request: HTTPRequest) -> None:
        """Answer one request."""
        del request
        answer(connection, 404, b"{}")

    # ------------------------------------------------------------ for subclasses

    def begin(self, connection: HTTPConnection, record: RequestRecord, frames: Callable[[], Iterator[Frame]]) -> bool:
        """Count a request and start its reply.

        Args:
            connection: where to.
            record: what is noted.
            frames: called when the request has left the queue.

        Returns:
            False where the queue is full: the request is counted as refused, and the caller has to say so.
        """
        assert self._wheel is not None
        self.statistics.begin(record)
        stream = ReplyStream(
            wheel=self._wheel,
            queue=self.queue,
            statistics=self.statistics,
            connection=connection,
            record=record,
            frames=frames,
        )
        stream.on_end = self._streams.pop
        self._streams[stream] = None
        if stream.start():
            return True
        del self._streams[stream]
        self.statistics.end(record, "refused")
        return False


def answer(connection: HTTPConnection, status: int, body: bytes, retry_after: int | None = None) -> None:
    """Send a whole JSON response at once."""
    headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
    if retry_after is not None:
        headers.append(("retry-after", str(retry_after)))
    connection.write(response_head(status, headers) + body)
    connection.finish()
