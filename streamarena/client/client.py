"""StreamClient: asks a model for a stream and owns everything that takes until it ends.

Invariants:
* Whatever `stream()` takes (a connection, timers, an arena) goes back when its `async with` is left: at the end, on an
  error, on `break`, on cancellation and on a second cancellation alike. No step of giving back awaits.
* The body's exception propagates unchanged; trouble in giving back becomes notes on it.
* A secret is sent in its header and appears nowhere else: not in a repr, an error or a log.
Not here: HTTP/2. The providers' streaming endpoints all speak HTTP/1.1, and one stream needs one connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from streamarena.client.connector import ClientCertificate, Connector, ConnectSettings, TLSMode
from streamarena.client.hedging import HedgeStats, Hedging
from streamarena.client.pool import ConnectionPool, ConnectionPoolStats
from streamarena.client.proxy import EnvironmentProxies, parse_proxy
from streamarena.client.session import Services, Session
from streamarena.client.settings import Limits, Timeouts
from streamarena.client.stream import ChunkStream
from streamarena.client.targets import Asked, Route, Target
from streamarena.errors import ConfigurationError
from streamarena.memory import MemoryManager, default_manager

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    from streamarena.client.breaker import BreakerPolicy, BreakerState
    from streamarena.client.hedging import HedgePolicy
    from streamarena.client.observers import Observer
    from streamarena.client.retry import Attempt, RetryPolicy

__all__ = ["StreamClient", "StreamRequest"]


class StreamClient:
    """Asks one provider for streams.

    Args:
        base_url: where the API lives, up to and without the path of the call and with its version
            (`https://api.openai.com/v1`, `https://api.anthropic.com/v1`). None: the provider's own address.
        api: the wire API: "openai-chat" (default), "openai-responses", "anthropic", "gemini", ...; see `ENDPOINTS`.
        api_key: sent in the header where this API expects it; None sends none. Environment variables are not read.
        headers: sent with every request.
        timeouts, limits: see there.
        ssl_context: replaces the default TLS context, which checks certificates and host names.
        tls: who does TLS: "own", over the loop's shared buffers (default on Linux), or the event "loop" (elsewhere).
        client_certificate: shown to servers that ask for one.
        proxy: `http://[user:password@]host:port` of an HTTP proxy through which every connection is tunnelled.
        environment_proxies: whether `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` count where `proxy` is not
            given. Default True; loopback addresses never use them.
        happy_eyeballs_delay: seconds after which the next address of a name is tried beside those that have not
            answered (RFC 8305). Default 0.25; None tries one after the other.
        unix_socket: path of a socket on which the server of `base_url` listens.
        retry: whether and when a failed request is sent again. Default None: never, but where a kept connection turned
            out to be dead.
        fallbacks: further targets, asked in this order when this one fails before the first content.
        breaker: when a target that fails too often is left alone (`CircuitOpenError`, or the next fallback). Default
            None: never.
        hedge: when a second request is sent beside one that has brought no content yet; the first content wins.
            Default None: never. With a policy a stream is open once its first content is there.
        observers: are told the moments of every request; see `Observer`.
        keep_result: whether streams keep what `result()` needs. Default True.
        resend_stale: whether a request is sent once more when a kept connection turns out dead before a byte of the
            response came. Default True: that is nearly always a server that closed it while it was idle; but a server
            that read the request and died is asked twice (RFC 9110, section 9.2.2). Every sending is in `attempts`.
        memory: whose arenas, pools and buffers are used. Default: the process's manager.

    Use it as `async with StreamClient(...) as client:`, or call `aclose()`. One client belongs to one event loop.

    Raises:
        ConfigurationError: an argument cannot be used.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        api: str = "openai-chat",
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeouts: Timeouts | None = None,
        limits: Limits | None = None,
        ssl_context: ssl.SSLContext | None = None,
        client_certificate: ClientCertificate | None = None,
        tls: TLSMode | None = None,
        proxy: str | None = None,
        environment_proxies: bool = True,
        happy_eyeballs_delay: float | None = 0.25,
        unix_socket: str | None = None,
        retry: RetryPolicy | None = None,
        fallbacks: Sequence[Target] = (),
        breaker: BreakerPolicy | None = None,
        hedge: HedgePolicy | None = None,
        observers: Sequence[Observer] = (),
        keep_result: bool = True,
        resend_stale: bool = True,
        memory: MemoryManager | None = None,
    ) -> None:
        targets = (Target(base_url, api, api_key, headers or {}, unix_socket=unix_socket), *fallbacks)
        self.api = api
        self.timeouts = timeouts or Timeouts()
        self.limits = limits or Limits()
        self.keep_result = keep_result
        self.memory = memory or default_manager()
        settings = ConnectSettings(
            self.timeouts.connect,
            ssl_context,
            client_certificate,
            tls,
            parse_proxy(proxy) if proxy else None,
            EnvironmentProxies() if environment_proxies else None,
            happy_eyeballs_delay,
        )
        self._connector = Connector(settings, self.limits, self.memory.buffers)
        self._pool = ConnectionPool(self._connector, self.limits)
        routes = tuple(Route(target, breaker) for target in targets)
        hedging = None if hedge is None else Hedging(hedge)
        self._services = Services(
            self._pool, self.memory, self.limits, routes, retry, tuple(observers), resend_stale, hedging
        )

    def __repr__(self) -> str:
        url = self._services.routes[0].url
        return f"StreamClient({url.origin.scheme}://{url.host_header}{url.prefix}, api={self.api!r})"

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        """Close the client."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection. Streams that are still open end with an error. Can be repeated."""
        self._pool.close()
        self._connector.close()
        await asyncio.sleep(0)  # lets the transports take notice, so that no socket outlives this call

    @property
    def pool_stats(self) -> ConnectionPoolStats:
        """Counters of the connection pool."""
        return self._pool.stats

    @property
    def breaker_states(self) -> dict[str, BreakerState]:
        """The state of each target's circuit breaker, by `host:port`; empty without a policy."""
        routes = self._services.routes
        return {route.server: route.breaker.state for route in routes if route.breaker is not None}

    @property
    def hedge_stats(self) -> HedgeStats:
        """Counters of second requests; all 0 without a policy."""
        hedging = self._services.hedging
        return HedgeStats() if hedging is None else hedging.stats

    @property
    def connections_in_use(self) -> int:
        """Connections that streams hold now."""
        return self._pool.leased

    def stream(
        self,
        body: Mapping[str, Any] | bytes | AsyncIterable[bytes] | None = None,
        /,
        *,
        path: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeouts: Timeouts | None = None,
        keep_result: bool | None = None,
        label: str | None = None,
        **members: Any,  # noqa: ANN401 - JSON values of the provider's own naming
    ) -> StreamRequest:
        """Ask for a stream: `async with client.stream(model="m", messages=[...]) as stream:`.

        Args:
            body: the request body; members given by keyword are laid over it. What asks for a stream (`"stream": true`
                and the like) is added. Bytes are sent as they are, those of an asynchronous iterable as they come; a
                request with such a body is never sent twice.
            path: replaces the API's path under the base URL.
            headers: for this request, over the client's.
            timeouts: for this request, instead of the client's.
            keep_result: for this request, instead of the client's.
            label: names the request's scope in statistics and errors.
            members: members of the request body.

        Raises (on entering):
            ConfigurationError: the request cannot be written.
            PoolTimeoutError, ConnectTimeoutError, FirstContentTimeoutError, TotalTimeoutError: a time limit passed.
            ConnectionFailedError: no connection.
            ProviderError: the provider answered with an error; UnexpectedContentError: with something else.
        """
        if body is None or isinstance(body, Mapping):
            asked = Asked({**(body or {}), **members}, path, headers or {})
        elif members:
            raise ConfigurationError("members cannot be laid over a body given as bytes")
        else:
            asked = Asked(body, path, headers or {})
        request = self._services.routes[0].write(asked)
        keep = self.keep_result if keep_result is None else keep_result
        limits = timeouts or self.timeouts
        make = partial(Session, self._services, asked, request, limits, keep_result=keep, label=label)
        return StreamRequest(make)


class StreamRequest:
    """A request that has not been sent yet; entering it sends it and gives the open stream. Serves once.

    Attributes:
        attempts: every request sent for it so far; also to be read after a failure.
    """

    def __init__(self, session_for: Callable[[], Session]) -> None:
        self._session_for: Callable[[], Session] | None = session_for
        self._session: Session | None = None
        self._stream: ChunkStream | None = None

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every request sent for it so far, in order."""
        return () if self._session is None else tuple(self._session.attempts)

    async def __aenter__(self) -> ChunkStream:
        """Send the request and return the stream once the response is known to be one.

        Cancellation, twice too, gives back whatever was taken so far.
        """
        make, self._session_for = self._session_for, None
        if make is None:
            raise ConfigurationError("a request serves once; call client.stream() again")
        session = self._session = make()
        await session.open()
        self._stream = ChunkStream(session)
        return self._stream

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give everything back; a failure of that becomes a note on the body's exception, if there is one."""
        assert self._stream is not None
        try:
            self._stream.close(error)
        except Exception as trouble:
            if error is None:
                raise
            error.add_note(f"giving the stream back failed as well: {trouble!r}")
