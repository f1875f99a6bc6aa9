"""HTTP proxies: which one the environment names, and the tunnel that CONNECT opens through it.

Invariants: everything goes through a tunnel, plain HTTP too, so that no proxy sees a request or its key; credentials of
a proxy go to that proxy alone and stand in no repr and no error; loopback addresses never use a proxy from the
environment. Names are resolved by the proxy.
Cost: one exchange before TLS begins; the environment is read when a client is made.
Not here: SOCKS, proxies that are spoken to over TLS, and configuration scripts; they are refused by name.
Sources: RFC 9110 section 9.3.6 (CONNECT); the variables `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` as
Python's `urllib` and curl read them.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import unquote, urlsplit

from streamarena.errors import ConfigurationError, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EnvironmentProxies", "Proxy", "Tunnel", "parse_proxy"]

_ANSWER_BYTES: Final = 16 * 2**10
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})(?: ([ -~]*))?\r\n")


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy; `authorization` is the value of Proxy-Authorization, or None."""

    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)


def parse_proxy(url: str) -> Proxy:
    """Read `http://[user:password@]host[:port]`.

    Raises:
        ConfigurationError: it is another kind of proxy or no URL; the URL is not repeated, for it may hold a password.
    """
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port or 80
    except ValueError:
        raise ConfigurationError("the proxy's URL cannot be read") from None
    if parts.scheme != "http" or not parts.hostname:
        raise ConfigurationError(f"a proxy must be http://host:port; {parts.scheme}:// is not supported")
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode("ascii")
    return Proxy(parts.hostname, port, authorization)


class EnvironmentProxies:
    """The proxies that environment variables name; call it with scheme and host.

    Args:
        environment: default: the process's, as it is now.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        given = os.environ if environment is None else environment
        # Lower case wins; HTTP_PROXY in capitals may come from a request's "Proxy:" header where this runs as CGI.
        named = {name.lower(): value for name, value in given.items() if value}
        named |= {name: value for name, value in given.items() if name.islower()}
        if "REQUEST_METHOD" in given and "http_proxy" not in given:
            named.pop("http_proxy", None)
        self._urls = {scheme: named.get(f"{scheme}_proxy") or named.get("all_proxy") for scheme in ("http", "https")}
        self._exempt = [entry.strip().lower() for entry in named.get("no_proxy", "").split(",") if entry.strip()]

    def __call__(self, scheme: str, host: str, port: int) -> Proxy | None:
        """Return the proxy for an origin, or None.

        Raises:
            ConfigurationError: the environment names a proxy of a kind that is not supported.
        """
        url = self._urls.get(scheme)
        if not url or _is_loopback(host) or any(_exempts(entry, host, port) for entry in self._exempt):
            return None
        return parse_proxy(url)


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _exempts(entry: str, host: str, port: int) -> bool:
    """Tell whether one entry of `no_proxy` means this host: a name and all below it, an address, a network, or `*`."""
    if entry == "*":
        return True
    name, colon, number = entry.rpartition(":")
    if colon and number.isdigit() and ":" not in name:
        entry = name
        if int(number) != port:
            return False
    entry = entry.lstrip(".")
    if host == entry or host.endswith(f".{entry}"):
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


class Tunnel(asyncio.BufferedProtocol):
    """Asks a proxy for a tunnel; once there is one, the transport is given another protocol.

    Args:
        proxy: whom to ask.
        host, port: where the tunnel leads.
    """

    def __init__(self, proxy: Proxy, host: str, port: int) -> None:
        shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        fields = f"CONNECT {shown} HTTP/1.1\r\nhost: {shown}\r\n"
        if proxy.authorization is not None:
            fields += f"proxy-authorization: {proxy.authorization}\r\n"
        self._request = f"{fields}\r\n".encode("idna" if not shown.isascii() else "ascii")
        self._room = memoryview(bytearray(4096))
        self._answer = bytearray()
        self._open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None

    async def opened(self) -> asyncio.Transport:
        """Wait for the tunnel and return its transport; a failure or cancellation closes it.

        Raises:
            OSError: the proxy refused, or the connection broke.
            ProtocolError: the proxy's answer is not HTTP.
        """
        try:
            await self._open
        except BaseException:
            if self._transport is not None:
                self._transport.abort()
            raise
        assert self._transport is not None
        return self._transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Lend a small buffer: the answer is short, and there is one."""
        del sizehint
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        """Collect the answer's header."""
        if self._open.done():
            return
        self._answer += self._room[:nbytes]
        end = self._answer.find(b"\r\n\r\n")
        if end < 0 and len(self._answer) <= _ANSWER_BYTES:
            return
        found = _STATUS.match(self._answer)
        if found is None or end < 0:
            self._open.set_exception(ProtocolError("the proxy's answer to CONNECT is not HTTP/1.1"))
        elif not found[1].startswith(b"2"):
            reason = (found[2] or b"").decode("ascii")
            self._open.set_exception(OSError(f"the proxy refused the tunnel: {found[1].decode()} {reason}".rstrip()))
        elif len(self._answer) > end + 4:
            self._open.set_exception(ProtocolError("the proxy sent more behind its answer to CONNECT"))
        else:
            self._open.set_result(None)

    def eof_received(self) -> bool:
        """Let the transport close."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits."""
        if not self._open.done():
            self._open.set_exception(exc or ConnectionResetError("the proxy closed the connection"))
