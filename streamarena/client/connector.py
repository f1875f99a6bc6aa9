"""Opening a connection: name look-up, TCP and TLS within one deadline.

TLS is done by `tls.py` over the loop's shared buffers, or by the event loop itself where the user says so.

Invariants: certificates and host names are checked unless the caller's own context says otherwise; one default TLS
context serves the whole process (making one costs about 20 ms and 830 kB); no request is sent before the handshake is
done. A cancelled or failed attempt leaves no socket.
Not here: what is said on the connection (`connection.py`), how many there may be (`pool.py`).
"""

from __future__ import annotations

import asyncio
import functools
import ssl
import sys
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

from streamarena.client.connection import Connection
from streamarena.client.receive_buffer import ReceiveBuffer, borrow_receive_buffer
from streamarena.client.tls import TLSTransport
from streamarena.errors import ConnectionFailedError, ConnectTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamarena.client.pool import Origin
    from streamarena.client.settings import Limits
    from streamarena.memory import BufferPool

__all__ = ["Connector", "TLSMode", "default_ssl_context"]

TLSMode: TypeAlias = Literal["own", "loop"]
"""Who does TLS: "own" over the loop's shared buffers (some 30 kB a stream), or the event "loop" with its transports."""

_DEFAULT_TLS: Final[TLSMode] = "own" if sys.platform == "linux" else "loop"  # elsewhere it has not been measured


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
        buffers: where the loop's receive buffers are leased from.
        ssl_context: replaces the default context; what it does not check is not checked.
        tls: who does TLS; see `TLSMode`.
        connection_class: what is made for each connection.
    """

    def __init__(
        self,
        limits: Limits,
        timeout: float | None,
        buffers: BufferPool,
        ssl_context: ssl.SSLContext | None = None,
        tls: TLSMode | None = None,
        *,
        connection_class: type[Connection] = Connection,
    ) -> None:
        self._connection_class = connection_class
        self._limits = limits
        self._timeout = timeout
        self._buffers = buffers
        self._ssl_context = ssl_context
        self._tls: TLSMode = tls or _DEFAULT_TLS
        self._socket_buffer: ReceiveBuffer | None = None
        self._plaintext_buffer: ReceiveBuffer | None = None

    async def __call__(self, origin: Origin, on_lost: Callable[[Connection], None]) -> Connection:
        """Open a connection to `origin`.

        Raises:
            ConnectTimeoutError: not within the time limit.
            ConnectionFailedError: refused, unreachable, unknown name, or TLS refused the peer; the cause says which.
        """
        limit = asyncio.timeout(self._timeout)
        try:
            async with limit:
                return await self._open(origin, on_lost)
        except TimeoutError as error:
            if limit.expired():
                raise ConnectTimeoutError(self._timeout or 0.0) from error
            raise ConnectionFailedError(origin.host, origin.port, _reason(error)) from error  # the kernel's, or TLS's
        except OSError as error:  # ssl.SSLError is one
            raise ConnectionFailedError(origin.host, origin.port, _reason(error)) from error

    def close(self) -> None:
        """Give the receive buffers back; call it once every connection is closed. Can be repeated."""
        borrowed = (self._socket_buffer, self._plaintext_buffer)
        self._socket_buffer = self._plaintext_buffer = None
        for buffer in borrowed:
            if buffer is not None:
                buffer.give_back()

    async def _open(self, origin: Origin, on_lost: Callable[[Connection], None]) -> Connection:
        loop = asyncio.get_running_loop()
        if self._socket_buffer is None:
            self._socket_buffer = borrow_receive_buffer(loop, self._buffers)
        buffer = self._socket_buffer
        context = (self._ssl_context or default_ssl_context()) if origin.is_tls else None
        own = context is not None and self._tls == "own"
        if own:
            if self._plaintext_buffer is None:
                self._plaintext_buffer = borrow_receive_buffer(loop, self._buffers, "plaintext")
            buffer = self._plaintext_buffer
        connection = self._connection_class(buffer, self._limits.header_bytes, self._limits.header_count, on_lost)
        if context is not None and own:
            layer = TLSTransport(connection, context, origin.host, self._socket_buffer)
            await loop.create_connection(lambda: layer, origin.host, origin.port)
            await layer.handshake()
            transport: asyncio.BaseTransport = layer
        else:
            transport, _ = await loop.create_connection(
                lambda: connection,
                origin.host,
                origin.port,
                ssl=context,
                server_hostname=origin.host if context is not None else None,
            )
        if context is not None:
            _check_protocol(transport)
        return connection


def _check_protocol(transport: asyncio.BaseTransport) -> None:
    """Close a connection on which ALPN chose what is not spoken here; a user's own context may offer anything."""
    chosen = transport.get_extra_info("ssl_object").selected_alpn_protocol()
    if chosen not in {None, "http/1.1"}:
        cast("asyncio.Transport", transport).abort()
        raise ssl.SSLError(ssl.SSL_ERROR_SSL, f"the server chose {chosen}, which is not spoken here")


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS certificate refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        named = getattr(error, "reason", None)  # only OpenSSL's own errors have one
        return f"TLS failed: {named or error.strerror or error}"
    return error.strerror or str(error) or type(error).__name__
