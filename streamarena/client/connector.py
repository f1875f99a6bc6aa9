"""Opening a connection: name look-up, TCP and TLS within one deadline.

Invariants: certificates and host names are checked unless the caller's own context says otherwise; one default TLS
context serves the whole process (making one costs about 20 ms and 830 kB); no request is sent before the handshake is
done. A cancelled or failed attempt leaves no socket.
Not here: what is said on the connection (`connection.py`), how many there may be (`pool.py`).
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from typing import TYPE_CHECKING

from streamarena.client.connection import Connection
from streamarena.client.receive_buffer import ReceiveBuffer, borrow_receive_buffer
from streamarena.errors import ConnectionFailedError, ConnectTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamarena.client.pool import Origin
    from streamarena.client.settings import Limits
    from streamarena.memory import BufferPool

__all__ = ["Connector", "default_ssl_context"]


@functools.cache
def default_ssl_context() -> ssl.SSLContext:
    """Return the process's TLS context: the system's trust store, host names checked, TLS 1.2 or later."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    return context


class Connector:
    """Opens connections.

    Args:
        limits: header limits for the connections.
        timeout: seconds for name look-up, TCP and TLS together; None waits for ever.
        buffers: where the loop's receive buffer is leased from.
        ssl_context: replaces the default context; what it does not check is not checked.
    """

    def __init__(
        self, limits: Limits, timeout: float | None, buffers: BufferPool, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self._limits = limits
        self._timeout = timeout
        self._buffers = buffers
        self._ssl_context = ssl_context
        self._buffer: ReceiveBuffer | None = None

    async def __call__(self, origin: Origin, on_lost: Callable[[Connection], None]) -> Connection:
        """Open a connection to `origin`.

        Raises:
            ConnectTimeoutError: not within the time limit.
            ConnectionFailedError: refused, unreachable, unknown name, or TLS refused the peer; the cause says which.
        """
        if self._buffer is None:
            self._buffer = borrow_receive_buffer(asyncio.get_running_loop(), self._buffers)
        buffer, limits = self._buffer, self._limits

        def protocol() -> Connection:
            return Connection(buffer, limits.header_bytes, limits.header_count, on_lost)

        tls = (self._ssl_context or default_ssl_context()) if origin.is_tls else None
        try:
            async with asyncio.timeout(self._timeout):
                _, connection = await asyncio.get_running_loop().create_connection(
                    protocol, origin.host, origin.port, ssl=tls, server_hostname=origin.host if tls else None
                )
        except TimeoutError as error:
            if error.errno is not None:  # the kernel's own ETIMEDOUT
                raise ConnectionFailedError(origin.host, origin.port, str(error)) from error
            raise ConnectTimeoutError(self._timeout or 0.0) from error
        except (OSError, ssl.SSLError) as error:
            raise ConnectionFailedError(origin.host, origin.port, _reason(error)) from error
        return connection

    def close(self) -> None:
        """Give the receive buffer back; call it once every connection is closed. Can be repeated."""
        buffer, self._buffer = self._buffer, None
        if buffer is not None:
            buffer.give_back()


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS certificate refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error}"
    return error.strerror or str(error) or type(error).__name__
