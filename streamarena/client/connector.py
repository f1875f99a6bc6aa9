"""Opening a connection: name look-up, TCP and TLS within one deadline.

TLS is done by `tls.py` over the loop's shared buffers, or by the event loop itself where the user says so.

Invariants: certificates and host names are checked unless the caller's own context says otherwise; one default TLS
context serves the whole process (making one costs about 20 ms and 830 kB); no request is sent before the handshake is
done. A cancelled or failed attempt leaves no socket.
Not here: which address of a name is connected to (`addresses.py`), what is said on the connection (`connection.py`),
and how many there may be (`pool.py`).
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import ssl
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

from streamarena.client.addresses import addresses_of, connect_first
from streamarena.client.connection import Connection
from streamarena.client.proxy import EnvironmentProxies, Proxy, Tunnel
from streamarena.client.receive_buffer import ReceiveBuffer, borrow_receive_buffer
from streamarena.client.tls import TLSTransport
from streamarena.errors import ConfigurationError, ConnectionFailedError, ConnectTimeoutError, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamarena.client.pool import Origin
    from streamarena.client.settings import Limits
    from streamarena.memory import BufferPool

__all__ = ["ClientCertificate", "ConnectSettings", "Connector", "TLSMode", "default_ssl_context"]

TLSMode: TypeAlias = Literal["own", "loop"]
"""Who does TLS: "own" over the loop's shared buffers (some 30 kB a stream), or the event "loop" with its transports."""

_DEFAULT_TLS: Final[TLSMode] = "own" if sys.platform == "linux" else "loop"  # elsewhere it has not been measured


@functools.cache
def default_ssl_context() -> ssl.SSLContext:
    """Return the process's TLS context: the system's trust store, host names checked, TLS 1.2 or later."""
    return _new_context()


def _new_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    return context


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """What a client shows of itself: PEM files with the certificate chain and its key, and the key's password."""

    certificate: str
    key: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ConnectSettings:
    """How connections are opened.

    Attributes:
        seconds: for name look-up, TCP, proxy and TLS together; None waits for ever.
        ssl_context: replaces the default context; what it does not check is not checked.
        client_certificate: shown to servers that ask; goes with the default context only.
        tls: who does TLS; see `TLSMode`.
        proxy: for every connection but those to unix sockets. proxies: asked where `proxy` is None.
        happy_eyeballs_delay: seconds after which the next address of a name is tried beside those that have not
            answered; None tries one after the other.
    """

    seconds: float | None = 10.0
    ssl_context: ssl.SSLContext | None = None
    client_certificate: ClientCertificate | None = None
    tls: TLSMode | None = None
    proxy: Proxy | None = field(default=None, repr=False)
    proxies: EnvironmentProxies | None = field(default=None, repr=False)
    happy_eyeballs_delay: float | None = 0.25  # RFC 8305, section 5

    def __post_init__(self) -> None:
        delay = self.happy_eyeballs_delay
        if delay is not None and not delay > 0:
            raise ConfigurationError(
                f"happy_eyeballs_delay must be a positive number of seconds or None, not {delay!r}"
            )


class Connector:
    """Opens connections.

    Args:
        settings: how.
        limits: header limits for the connections.
        buffers: where the loop's receive buffers are leased from.
        connection_class: what is made for each connection.

    Raises:
        ConfigurationError: a context and a client certificate were both given, or the certificate cannot be loaded.
    """

    def __init__(
        self,
        settings: ConnectSettings,
        limits: Limits,
        buffers: BufferPool,
        *,
        connection_class: type[Connection] = Connection,
    ) -> None:
        self._connection_class = connection_class
        self._settings = settings
        self._limits = limits
        self._buffers = buffers
        self._ssl_context = settings.ssl_context
        if settings.client_certificate is not None:
            if settings.ssl_context is not None:
                raise ConfigurationError("load the client certificate into your own ssl_context instead")
            self._ssl_context = _context_with(settings.client_certificate)
        self._tls: TLSMode = settings.tls or _DEFAULT_TLS
        self._socket_buffer: ReceiveBuffer | None = None
        self._plaintext_buffer: ReceiveBuffer | None = None

    async def __call__(self, origin: Origin, on_lost: Callable[[Connection], None]) -> Connection:
        """Open a connection to `origin`.

        Raises:
            ConnectTimeoutError: not within the time limit.
            ConnectionFailedError: refused, unreachable, unknown name, or TLS refused the peer; the cause says which.
        """
        limit = asyncio.timeout(self._settings.seconds)
        try:
            async with limit:
                return await self._open(origin, on_lost)
        except TimeoutError as error:
            if limit.expired():
                raise ConnectTimeoutError(self._settings.seconds or 0.0) from error
            raise ConnectionFailedError(origin.host, origin.port, _reason(error)) from error  # the kernel's, or TLS's
        except ProtocolError as error:  # a proxy that is none
            raise ConnectionFailedError(origin.host, origin.port, str(error)) from error
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
        socket_buffer = self._borrow()
        context = (self._ssl_context or default_ssl_context()) if origin.is_tls else None
        own = context is not None and self._tls == "own"
        buffer = self._borrow_plaintext() if own else socket_buffer
        connection = self._connection_class(buffer, self._limits.header_bytes, self._limits.header_count, on_lost)
        if context is not None and own:
            layer = TLSTransport(connection, context, origin.host, socket_buffer)
            try:
                await self._reach(origin, layer, None)
                await layer.handshake()
            except BaseException:
                layer.abort()  # uvloop closes a cancelled attempt without telling its protocol
                raise
            transport: asyncio.BaseTransport = layer
        else:
            transport = await self._reach(origin, connection, context)
        if context is not None:
            _check_protocol(transport)
        return connection

    async def _reach(
        self, origin: Origin, protocol: asyncio.BufferedProtocol, context: ssl.SSLContext | None
    ) -> asyncio.BaseTransport:
        """Connect `protocol` to the origin, by the way it is to be reached; with a context the loop does TLS."""
        loop = asyncio.get_running_loop()
        name = origin.host if context is not None else None
        proxy = None if origin.socket_path is not None else self._proxy_for(origin)
        if proxy is not None:
            tunnel = Tunnel(proxy, origin.host, origin.port)
            await self._connect(tunnel, proxy.host, proxy.port)
            transport = await tunnel.opened()
            try:
                transport.set_protocol(protocol)
                if context is not None:
                    started = await loop.start_tls(transport, protocol, context, server_hostname=name)
                    transport = cast("asyncio.Transport", started)
                protocol.connection_made(transport)
            except BaseException:
                transport.abort()
                raise
            return transport
        if origin.socket_path is not None:
            made, _ = await loop.create_unix_connection(
                lambda: protocol, origin.socket_path, ssl=context, server_hostname=name
            )
            return made
        return await self._connect(protocol, origin.host, origin.port, context, name)

    async def _connect(
        self,
        protocol: asyncio.BaseProtocol,
        host: str,
        port: int,
        context: ssl.SSLContext | None = None,
        name: str | None = None,
    ) -> asyncio.BaseTransport:
        """Connect to the first address that answers."""
        loop = asyncio.get_running_loop()
        delay = self._settings.happy_eyeballs_delay
        if delay is not None and not _is_address(host):
            found = await addresses_of(host, port)
            if len(found) > 1:
                reached = await connect_first(found, delay)
                try:
                    made, _ = await loop.create_connection(
                        lambda: protocol, sock=reached, ssl=context, server_hostname=name
                    )
                except BaseException:
                    reached.close()
                    raise
                return made
            host = found[0][4][0]
        made, _ = await loop.create_connection(lambda: protocol, host, port, ssl=context, server_hostname=name)
        return made

    def _proxy_for(self, origin: Origin) -> Proxy | None:
        if self._settings.proxy is not None or self._settings.proxies is None:
            return self._settings.proxy
        return self._settings.proxies(origin.scheme, origin.host, origin.port)

    def _borrow(self) -> ReceiveBuffer:
        if self._socket_buffer is None:
            self._socket_buffer = borrow_receive_buffer(asyncio.get_running_loop(), self._buffers)
        return self._socket_buffer

    def _borrow_plaintext(self) -> ReceiveBuffer:
        if self._plaintext_buffer is None:
            self._plaintext_buffer = borrow_receive_buffer(asyncio.get_running_loop(), self._buffers, "plaintext")
        return self._plaintext_buffer


def _context_with(certificate: ClientCertificate) -> ssl.SSLContext:
    context = _new_context()
    try:
        context.load_cert_chain(certificate.certificate, certificate.key, certificate.password)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"the client certificate cannot be loaded: {error}") from error
    return context


def _check_protocol(transport: asyncio.BaseTransport) -> None:
    """Close a connection on which ALPN chose what is not spoken here; a user's own context may offer anything."""
    chosen = transport.get_extra_info("ssl_object").selected_alpn_protocol()
    if chosen not in {None, "http/1.1"}:
        cast("asyncio.Transport", transport).abort()
        raise ssl.SSLError(ssl.SSL_ERROR_SSL, f"the server chose {chosen}, which is not spoken here")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS certificate refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        named = getattr(error, "reason", None)  # only OpenSSL's own errors have one
        return f"TLS failed: {named or error.strerror or error}"
    return error.strerror or str(error) or type(error).__name__
