"""A connection for raw exchanges: it keeps header fields as they came, reason and version, and sends bodies in pieces.

Invariants: fields keep their order, their case and their repetitions (`Set-Cookie` cannot be joined); those of 1xx
responses and trailers are dropped; limits are those of `Connection`.
Cost: one tuple a header field more than a `Connection`.
Not here: what requests and responses mean (`exchange.py`).
"""

from __future__ import annotations

import asyncio

from streamarena.client.connection import Connection

__all__ = ["RawConnection"]


class RawConnection(Connection):
    """A connection for raw exchanges.

    Attributes:
        fields: the header of the current response; reason: its reason phrase; version: `b"HTTP/1.1"` or `b"HTTP/1.0"`.
    """

    __slots__ = ("_room", "fields", "reason", "version")

    fields: list[tuple[bytes, bytes]]
    reason: bytes
    version: bytes
    _room: asyncio.Future[None] | None  # while the transport takes no more

    @property
    def is_open(self) -> bool:
        """Whether anything can still be sent."""
        return self._transport is not None and not self._lost and not self._transport.is_closing()

    @property
    def is_full(self) -> bool:
        """Whether the transport takes no more for now."""
        return self._room is not None

    def send_more(self, data: bytes) -> None:
        """Send more of a request; nothing happens once the connection has ended."""
        if self._transport is not None and self.is_open:
            self._transport.write(data)

    async def drained(self) -> None:
        """Wait until the transport takes more, or the connection ends."""
        if self._room is not None:
            await asyncio.shield(self._room)

    def pause_writing(self) -> None:
        """Remember that the transport takes no more for now."""
        if self._room is None:
            self._room = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """Let whoever waits go on."""
        waiting, self._room = self._room, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake a sender too."""
        self.resume_writing()
        super().connection_lost(exc)

    # ------------------------------------------------------------ httptools callbacks

    def on_status(self, status: bytes) -> None:
        """Collect the reason phrase; a read may end inside it."""
        self.reason += status

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect one field as it came, within the limits."""
        super().on_header(name, value)
        if not self._head_done:
            self.fields.append((name, value))

    def on_headers_complete(self) -> None:
        """Hand the header on, unless it is an informational one."""
        self.version = b"HTTP/" + self._parser.get_http_version().encode("ascii")
        super().on_headers_complete()
        if self._informational:
            self.fields, self.reason = [], b""

    def _begin(self) -> None:
        super()._begin()
        self.fields, self.reason, self.version = [], b"", b"HTTP/1.1"
        self._room = None
