"""A TCP proxy on loopback that delays, stalls, cuts, splits, corrupts and throttles what passes, by rules.

It knows nothing of HTTP or TLS: it works on bytes, so anything may be put behind it.

Invariants: what no rule touches passes unchanged and in order; a slow side slows the other (`pause_reading`) instead of
filling memory, so at most `BUFFER` bytes and one read wait in each direction; when the context is left, both sides of
every connection are gone. Rules may be replaced while connections are open.
Cost: one copy of each piece; no task a connection once both sides are open.
Not here: the rules themselves (`chaos_rules.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from typing import Final, Self, cast
from urllib.parse import urlsplit, urlunsplit

from streamarena.errors import ConfigurationError
from streamarena.testing.chaos_direction import BUFFER, ChaosContext, Direction
from streamarena.testing.chaos_rules import ChaosRule, parse_rule
from streamarena.testing.wheel import TimerWheel

__all__ = ["BUFFER", "ChaosProxy"]

_CONNECT_SECONDS: Final = 10.0


class ChaosProxy:
    """A proxy in front of one server; use it as `async with ChaosProxy(llm.url, "cut,after=2000") as proxy:`.

    Args:
        target: URL or `host:port` of the server.
        *rules: texts or `ChaosRule`s; see `chaos_rules`. Those that change bytes or times act in the given order.
        host, port: where to listen; port 0 takes a free one.
        seed: decides which connections a rule's share means, and every drawn delay and corrupted byte.
        max_connections: further ones are dropped at once.

    Attributes:
        connections, open_connections: accepted in all; open now.
        context: rules and counters: `bytes` forwarded by direction, `applied` by kind of rule.

    Raises:
        ConfigurationError: a target or a rule that cannot be read.
    """

    def __init__(
        self,
        target: str,
        *rules: str | ChaosRule,
        host: str = "127.0.0.1",
        port: int = 0,
        seed: int = 0,
        max_connections: int = 10_000,
    ) -> None:
        parts = urlsplit(target if "://" in target else f"tcp://{target}")
        default = {"http": 80, "https": 443}.get(parts.scheme)
        if not parts.hostname or (parts.port or default) is None:
            raise ConfigurationError(f"{target!r} is neither a URL nor host:port")
        self._parts = parts
        self.target = (parts.hostname, parts.port or default or 0)
        self.context = ChaosContext([parse_rule(rule) for rule in rules], seed)
        self.connections = self.open_connections = 0
        self._listen = (host, port)
        self._max_connections = max_connections
        self._links: set[_Link] = set()
        self._server: asyncio.Server | None = None
        self._gone = asyncio.Event()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self.context.start(TimerWheel(loop), time.monotonic())
        self._server = await loop.create_server(lambda: _Side(_Link(self)), *self._listen, backlog=1024)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._server is None:
            return
        self._server.close()
        self._server = None
        connecting = [link.connecting for link in self._links if link.connecting is not None]
        self.drop_connections()
        self.context.wheel.close()
        for task in connecting:
            task.cancel()
        await asyncio.gather(*connecting, return_exceptions=True)
        if self._links:
            # The transports report their end in the next turns of the loop.
            await asyncio.wait_for(self._gone.wait(), 5)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that are listened on."""
        if self._server is None:
            raise ConfigurationError("the chaos proxy is not running; use `async with ChaosProxy(...) as proxy:`")
        host, port = self._server.sockets[0].getsockname()[:2]
        return host, port

    @property
    def url(self) -> str:
        """The target's URL with this proxy's address in its place."""
        host, port = self.address
        return urlunsplit(self._parts._replace(netloc=f"{host}:{port}"))

    def use(self, *rules: str | ChaosRule) -> None:
        """Replace the rules, for open connections too; bytes that already wait keep their times."""
        self.context.rules = [parse_rule(rule) for rule in rules]

    def drop_connections(self) -> None:
        """Drop all connections on both sides."""
        for link in list(self._links):
            link.abort()

    # ------------------------------------------------------------ for the links

    def opened(self, link: _Link) -> bool:
        """Count a connection; False where it must not be served."""
        self.connections += 1
        if self._server is None or len(self._links) >= self._max_connections:
            return False
        if self.context.refuses(self.connections):
            return False
        link.number = self.connections
        self.open_connections += 1
        self._links.add(link)
        return True

    def closed(self, link: _Link) -> None:
        """Forget a connection whose both sides are gone."""
        if link in self._links:
            self._links.discard(link)
            self.open_connections -= 1
            if not self._links and self._server is None:
                self._gone.set()


class _Link:
    """One accepted connection and its way to the server."""

    def __init__(self, proxy: ChaosProxy) -> None:
        self.proxy = proxy
        self.number = 0
        self.sides: list[_Side] = []
        self.connecting: asyncio.Task[None] | None = None
        self.aborted = False
        self.early: list[bytes] = []
        self.early_end = False

    def accepted(self, side: _Side) -> None:
        """The client is here: open the way to the server."""
        if not self.proxy.opened(self):
            side.abort()
            return
        self.sides.append(side)
        side.pause()
        self.connecting = asyncio.get_running_loop().create_task(self._connect(side))

    async def _connect(self, client: _Side) -> None:
        server = _Side(self)
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await asyncio.get_running_loop().create_connection(lambda: server, *self.proxy.target)
        except OSError:
            self.abort()
            return
        if self.aborted:
            server.abort()
            return
        self.sides.append(server)
        context = self.proxy.context
        client.output = Direction(context, self.number, "down", source=server, target=client, finish=self.finish)
        server.output = Direction(context, self.number, "up", source=client, target=server, finish=self.finish)
        for data in self.early:
            server.output.take(data)
        self.early.clear()
        if self.early_end:
            server.output.end("eof")
        client.resume()

    def received(self, side: _Side, data: bytes) -> None:
        """Bytes from one side go towards the other."""
        other = self._other(side)
        if other is not None and other.output is not None:
            other.output.take(data)
        else:
            # uvloop starts to read after `connection_made`, whatever was paused in there: one read may come early.
            self.early.append(data)
            side.pause()

    def ended(self, side: _Side) -> None:
        """One side has sent its FIN."""
        if side.output is not None and side.output.stalled:
            # Nothing can be delivered to it any more, and only a write would tell whether it still reads.
            self.abort()
            return
        other = self._other(side)
        if other is not None and other.output is not None:
            other.output.end("eof")
        else:
            self.early_end = True

    def lost(self, side: _Side, exc: Exception | None) -> None:
        """One side is gone: the other follows, at once after an error, else when all has been delivered."""
        other = self._other(side)
        if other is not None and other.output is not None and exc is None and not self.aborted:
            other.output.end("close")
        elif self.connecting is None or self.connecting.done():
            self.abort()
        if side.output is not None:
            side.output.stop()
        if all(each.closed for each in self.sides):
            if self.connecting is not None:
                self.connecting.cancel()
            self.proxy.closed(self)

    def abort(self) -> None:
        """Drop both sides."""
        self.aborted = True
        for side in self.sides:
            side.abort()

    def finish(self, kind: str) -> None:
        """End both sides: `cut` sends what waits and a FIN, `reset` an RST; `eof` waits until both have ended."""
        if kind == "eof":
            if all(side.output is not None and side.output.eof_sent for side in self.sides):
                for side in self.sides:
                    side.close()
            return
        self.aborted = True
        for side in self.sides:
            if kind == "cut":
                side.close()
            else:
                side.abort(reset=True)

    def _other(self, side: _Side) -> _Side | None:
        return next((each for each in self.sides if each is not side), None)


class _Side(asyncio.Protocol):
    """The transport of one side; `output` feeds it."""

    def __init__(self, link: _Link) -> None:
        self.link = link
        self.closed = False
        self.output: Direction | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if not self.link.sides:
            self.link.accepted(self)

    def data_received(self, data: bytes) -> None:
        self.link.received(self, data)

    def eof_received(self) -> bool:
        self.link.ended(self)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._transport = None
        self.link.lost(self, exc)

    def pause_writing(self) -> None:
        if self.output is not None:
            self.output.hold()

    def resume_writing(self) -> None:
        if self.output is not None:
            self.output.go_on()

    def write(self, data: bytes) -> None:
        """Send, unless the side is gone."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def write_eof(self) -> None:
        """Send a FIN and go on reading."""
        if self._transport is not None and not self._transport.is_closing():
            with contextlib.suppress(OSError):
                self._transport.write_eof()

    def pause(self) -> None:
        """Stop reading."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        """Close when what was written has been sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self, *, reset: bool = False) -> None:
        """Drop the side; with `reset` the peer gets an RST."""
        if self._transport is None:
            return
        if reset:
            handle = cast("socket.socket | None", self._transport.get_extra_info("socket"))
            if handle is not None:
                handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
