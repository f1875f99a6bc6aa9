"""A connection for raw exchanges: it keeps header fields as they came, reason and version.

Invariants: fields keep their order, their case and their repetitions (`Set-Cookie` cannot be joined); those of 1xx
responses and trailers are dropped; limits are those of `Connection`.
Cost: one tuple a header field more than a `Connection`.
Not here: what requests and responses mean (`exchange.py`).
"""

from __future__ import annotations

from streamarena.client.connection import Connection

__all__ = ["RawConnection"]


class RawConnection(Connection):
    """A connection for raw exchanges.

    Attributes:
        fields: the header of the current response; reason: its reason phrase; version: `b"HTTP/1.1"` or `b"HTTP/1.0"`.
    """

    __slots__ = ("fields", "reason", "version")

    fields: list[tuple[bytes, bytes]]
    reason: bytes
    version: bytes

    @property
    def is_full(self) -> bool:
        """Whether the transport takes no more for now."""
        return self._drained is not None

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
