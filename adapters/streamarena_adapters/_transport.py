"""What the transports for httpx and httpx2 share: requests and errors, translated by the names that both have.

Invariants: every error of the core becomes the library's own of the same meaning, with the core's as its `__cause__`;
errors of a user's request body pass unchanged. Nothing here imports a client library.
Not here: the classes that a library demands to inherit from (`httpx.py`, `httpx2.py`).
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol, cast

from streamarena.client import Limits, RawClient, RawRequest, RawResponse, RawTimeouts
from streamarena.errors import (
    ConfigurationError,
    ConnectionFailedError,
    ConnectTimeoutError,
    HeaderTooLargeError,
    PoolClosedError,
    PoolTimeoutError,
    ProtocolError,
    ReadTimeoutError,
    StreamArenaError,
    StreamClosedError,
    StreamTruncatedError,
    WriteTimeoutError,
)

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["TransportCore", "LibraryLimits"]

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_FOR_EVER: Final = 10 * 365 * 86_400.0  # seconds: an idle connection that never expires
_UNLIMITED: Final = 2**31

_ERRORS: Final[tuple[tuple[type[StreamArenaError], str], ...]] = (
    (ConnectTimeoutError, "ConnectTimeout"),
    (PoolTimeoutError, "PoolTimeout"),
    (ReadTimeoutError, "ReadTimeout"),
    (WriteTimeoutError, "WriteTimeout"),
    (ConnectionFailedError, "ConnectError"),
    (HeaderTooLargeError, "RemoteProtocolError"),
    (ProtocolError, "RemoteProtocolError"),
    (PoolClosedError, "ReadError"),
    (StreamClosedError, "ReadError"),
    (ConfigurationError, "LocalProtocolError"),
)
"""Our errors and the names that both libraries have for them; the first that fits counts."""


class LibraryLimits(Protocol):
    """The pool limits of either library."""

    @property
    def max_connections(self) -> int | None:
        """Connections open at once."""
        ...

    @property
    def max_keepalive_connections(self) -> int | None:
        """Connections kept for reuse."""
        ...

    @property
    def keepalive_expiry(self) -> float | None:
        """Seconds that one is kept."""
        ...


class _URL(Protocol):
    @property
    def scheme(self) -> str: ...
    @property
    def raw_host(self) -> bytes: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int | None: ...
    @property
    def raw_path(self) -> bytes: ...


class _Headers(Protocol):
    @property
    def raw(self) -> Sequence[tuple[bytes, bytes]]: ...


class _Request(Protocol):
    @property
    def method(self) -> str: ...
    @property
    def url(self) -> _URL: ...
    @property
    def headers(self) -> _Headers: ...
    @property
    def stream(self) -> object: ...
    @property
    def content(self) -> bytes: ...
    @property
    def extensions(self) -> Mapping[str, object]: ...


class TransportCore:
    """The part of a transport that both libraries share.

    Args:
        library: the client library's module; its exceptions are raised.
        verify: True for the system's trust store, False for no checks at all, or a context of the user's.
        limits: the library's limits, or None for streamarena's own (1,000 connections, 100 kept for 30 s).
        proxy, http2: refused where they ask for something.

    Raises:
        ConfigurationError: something that is not supported was asked for.
    """

    def __init__(
        self,
        library: ModuleType,
        *,
        verify: ssl.SSLContext | bool,
        limits: LibraryLimits | None,
        proxy: object | None,
        http2: bool,
    ) -> None:
        if proxy is not None:
            raise ConfigurationError("this transport speaks to servers directly; for a proxy keep the library's own")
        if http2:
            raise ConfigurationError("this transport speaks HTTP/1.1; for HTTP/2 keep the library's own")
        self._library = library
        context = verify if isinstance(verify, ssl.SSLContext) else None if verify else _unchecked_context()
        self._client = RawClient(limits=_limits(limits), ssl_context=context)

    @property
    def client(self) -> RawClient:
        """What sends the requests."""
        return self._client

    async def send(self, request: _Request) -> RawResponse:
        """Send a library's request and return the response once its header is there.

        Raises:
            the library's own exceptions. What the request's body raises passes unchanged.
        """
        raw = self._translate(request)
        try:
            return await self._client.send(raw)
        except StreamArenaError as error:
            raise self.error_for(error) from error

    async def read(self, response: RawResponse) -> bytes:
        """Return what came since the last call, joined; empty at the end.

        Raises:
            the library's own exceptions.
        """
        try:
            batch = await response.next_batch()
        except StreamArenaError as error:
            raise self.error_for(error) from error
        return batch[0] if len(batch) == 1 else b"".join(batch)

    def error_for(self, error: StreamArenaError) -> Exception:
        """Return the library's exception for an error of ours; one that it has no name for is returned as it is."""
        if isinstance(error, StreamTruncatedError):  # broken by the network, or ended by the server in mid-sentence
            name = "ReadError" if isinstance(error.__cause__, OSError) else "RemoteProtocolError"
        else:
            found = next((name for kind, name in _ERRORS if isinstance(error, kind)), None)
            if found is None:
                return error
            name = found
        return self._named(name)(str(error))

    def _translate(self, request: _Request) -> RawRequest:
        url = request.url
        if url.scheme not in _DEFAULT_PORTS or not url.raw_host:
            raise self._named("UnsupportedProtocol")(f"the URL must begin with http:// or https://, not {url.scheme!r}")
        if "sni_hostname" in request.extensions:
            raise self._named("UnsupportedProtocol")("this transport checks the host of the URL: no sni_hostname")
        given = cast("Mapping[str, float | None]", request.extensions.get("timeout") or {})
        try:
            body: bytes | AsyncIterable[bytes] = request.content
        except self._named("RequestNotRead"):
            body = cast("AsyncIterable[bytes]", request.stream)
        return RawRequest(
            method=request.method.encode("ascii", "replace"),
            scheme=url.scheme,
            host=url.raw_host.decode("ascii"),
            port=url.port or _DEFAULT_PORTS[url.scheme],
            target=url.raw_path,
            headers=request.headers.raw,
            body=body,
            timeouts=RawTimeouts(given.get("connect"), given.get("pool"), given.get("read"), given.get("write")),
        )

    def _named(self, name: str) -> type[Exception]:
        return cast("type[Exception]", getattr(self._library, name))


def _limits(given: LibraryLimits | None) -> Limits:
    if given is None:
        return Limits()
    kept, expiry = given.max_keepalive_connections, given.keepalive_expiry
    return Limits(
        max_connections=_UNLIMITED if given.max_connections is None else given.max_connections,
        max_idle_connections=_UNLIMITED if kept is None else 0 if expiry == 0 else kept,
        idle_expiry=expiry or _FOR_EVER,
    )


def _unchecked_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
