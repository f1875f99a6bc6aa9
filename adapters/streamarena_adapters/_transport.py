"""What the transports for httpx and httpx2 share: requests, bodies and errors, by the names that both have.

Invariants: every error of the core becomes the library's own of the same meaning, with the core's as its `__cause__`;
errors of a user's request body pass unchanged; a response that is dropped unread gives its connection back. Nothing
here imports a client library.
Not here: the classes that a library demands to inherit from, and its types (`httpx.py`, `httpx2.py`).
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
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

    from streamarena.client import ConnectionPoolStats

__all__ = ["BODY_EXTENSION", "LibraryLimits", "ResponseBody", "Transport"]

BODY_EXTENSION: Final = "streamarena.body"
"""The response extension that holds the `ResponseBody`, for readers that take lists instead of single pieces."""

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


class Transport:
    """A transport without the base class that a library demands; belongs to one event loop.

    Args:
        verify: True checks against the system's trust store; a context replaces that, False checks nothing.
        limits: the library's limits; None means streamarena's: 1,000 connections, 100 of them kept idle for 30 seconds.
            A client hands the limits it was given to its own transport only: give them here.
        proxy: must be None. http2: must be False.

    Raises:
        ConfigurationError: a proxy or HTTP/2 was asked for.
    """

    _library: ModuleType  # a class's own; its exceptions are raised

    def __init__(
        self,
        *,
        verify: ssl.SSLContext | bool = True,
        limits: LibraryLimits | None = None,
        proxy: object | None = None,
        http2: bool = False,
    ) -> None:
        if proxy is not None:
            raise ConfigurationError("this transport speaks to servers directly; for a proxy keep the library's own")
        if http2:
            raise ConfigurationError("this transport speaks HTTP/1.1; for HTTP/2 keep the library's own")
        context = verify if isinstance(verify, ssl.SSLContext) else None if verify else _unchecked_context()
        self._client = RawClient(limits=_limits(limits), ssl_context=context)

    @property
    def pool_stats(self) -> ConnectionPoolStats:
        """Counters of the connections since the transport was made."""
        return self._client.pool_stats

    @property
    def open_connections(self) -> int:
        """Connections that are open or being opened now."""
        return self._client.open_connections

    async def aclose(self) -> None:
        """Close every connection; nothing is awaited. Responses that are still open end with `ReadError`."""
        self._client.close()

    async def _send(self, request: _Request) -> RawResponse:
        """Send a library's request and return the response once its header is there.

        Raises:
            the library's own exceptions. What the request's body raises passes unchanged.
        """
        raw = self._translate(request)
        try:
            return await self._client.send(raw)
        except StreamArenaError as error:
            raise library_error(self._library, error) from error

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
        return _exception_of(self._library, name)


class ResponseBody:
    """A response's body without the base class that a library demands: no generator, so leaving it needs no clean-up.

    Args:
        library: the client library's module; its exceptions are raised.
        raw: the response.
    """

    def __init__(self, library: ModuleType, raw: RawResponse) -> None:
        self._library = library
        self._raw = raw

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        batch = await self.next_batch()
        if not batch:
            raise StopAsyncIteration
        return batch[0] if len(batch) == 1 else b"".join(batch)

    async def next_batch(self) -> list[bytes]:
        """Return all that came since the last call, one item a read; an empty list at the end.

        Raises:
            the library's own exceptions. An error or cancellation closes the response.
        """
        try:
            return await self._raw.next_batch()
        except StreamArenaError as error:
            raise library_error(self._library, error) from error

    async def aclose(self) -> None:
        """Read no more; nothing is awaited."""
        self._raw.close()

    def __del__(self) -> None:
        self._raw.abandon()


def library_error(library: ModuleType, error: StreamArenaError) -> Exception:
    """Return a library's exception for an error of ours; one that it has no name for is returned as it is."""
    if isinstance(error, StreamTruncatedError):  # broken by the network, or ended by the server in mid-sentence
        name = "ReadError" if isinstance(error.__cause__, OSError) else "RemoteProtocolError"
    else:
        found = next((name for kind, name in _ERRORS if isinstance(error, kind)), None)
        if found is None:
            return error
        name = found
    return _exception_of(library, name)(str(error))


def _exception_of(library: ModuleType, name: str) -> type[Exception]:
    return cast("type[Exception]", getattr(library, name))


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
