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
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

from streamarena.client.clock import ContentClock
from streamarena.client.connector import Connector, TLSMode
from streamarena.client.endpoints import endpoint_for
from streamarena.client.intake import Intake
from streamarena.client.pool import ConnectionPool, ConnectionPoolStats
from streamarena.client.receiver import Receiver
from streamarena.client.request import build_request, parse_base_url, request_body
from streamarena.client.result import Timings
from streamarena.client.settings import Limits, Timeouts
from streamarena.client.stream import ChunkStream
from streamarena.client.wire_state import lease_accumulator, lease_batch, lease_wire_state
from streamarena.errors import ConfigurationError, StreamTruncatedError, TotalTimeoutError
from streamarena.memory import Arena, MemoryManager, default_manager

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from types import TracebackType

    from streamarena.client.connection import Connection

__all__ = ["StreamClient", "StreamRequest"]

_STALE_RETRIES: Final = 1
"""Attempts repeated because a kept connection turned out to be closed before a byte of the response came."""


class StreamClient:
    """Asks one provider for streams.

    Args:
        base_url: where the API lives, up to and without the path of the call, as the provider's own SDK takes it
            (`https://api.openai.com/v1`). None: the provider's own address.
        api: the wire API: "openai-chat" (default), "openai-responses", "anthropic", "gemini", ...; see `ENDPOINTS`.
        api_key: sent in the header where this API expects it; None sends none. Environment variables are not read.
        headers: sent with every request.
        timeouts, limits: see there.
        ssl_context: replaces the default TLS context, which checks certificates and host names.
        tls: who does TLS: "own", over the loop's shared buffers (default on Linux), or the event "loop" (elsewhere).
        keep_result: whether streams keep what `result()` needs. Default True.
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
        tls: TLSMode | None = None,
        keep_result: bool = True,
        memory: MemoryManager | None = None,
    ) -> None:
        self._endpoint = endpoint_for(api)
        address = base_url or self._endpoint.base_url
        if not address:
            raise ConfigurationError(f"{api} has no address of its own; give base_url=")
        self.api = api
        self.timeouts = timeouts or Timeouts()
        self.limits = limits or Limits()
        self.keep_result = keep_result
        self.memory = memory or default_manager()
        self._url = parse_base_url(address)
        self._headers = {**self._endpoint.headers, **(headers or {})}
        if api_key:
            self._headers[self._endpoint.key_header] = self._endpoint.key_prefix + api_key
        self._connector = Connector(self.limits, self.timeouts.connect, self.memory.buffers, ssl_context, tls)
        self._pool = ConnectionPool(self._connector, self.limits)

    def __repr__(self) -> str:
        origin = self._url.origin
        return f"StreamClient({origin.scheme}://{self._url.host_header}{self._url.prefix}, api={self.api!r})"

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
    def connections_in_use(self) -> int:
        """Connections that streams hold now."""
        return self._pool.leased

    def stream(
        self,
        body: Mapping[str, Any] | bytes | None = None,
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
                and the like) is added. Bytes are sent as they are.
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
        if isinstance(body, bytes):
            if members:
                raise ConfigurationError("members cannot be laid over a body given as bytes")
            payload, model = body, ""
        else:
            merged = {**(body or {}), **members}
            model = str(merged.get("model", ""))
            payload = request_body(self._endpoint, merged)
        target = (path or self._endpoint.path).replace("{model}", model)
        request = build_request(self._url, target, {**self._headers, **(headers or {})}, payload)
        keep = self.keep_result if keep_result is None else keep_result
        return StreamRequest(self, request, timeouts or self.timeouts, keep_result=keep, label=label)

    def _give_back(self, connection: Connection, reusable: bool) -> None:
        self._pool.release(connection, reusable=reusable)


class StreamRequest:
    """A request that has not been sent yet; entering it sends it and gives the open stream. Serves once."""

    def __init__(
        self, client: StreamClient, request: bytes, timeouts: Timeouts, *, keep_result: bool, label: str | None
    ) -> None:
        self._client = client
        self._request = request
        self._timeouts = timeouts
        self._keep_result = keep_result
        self._label = label
        self._stream: ChunkStream | None = None
        self._deadline: int | None = None

    async def __aenter__(self) -> ChunkStream:
        """Send the request and return the stream once the response is known to be one.

        Cancellation, twice too, gives back whatever was taken so far.
        """
        if self._stream is not None:
            raise ConfigurationError("a request serves once; call client.stream() again")
        loop = asyncio.get_running_loop()
        timings = Timings(started=time.perf_counter_ns())
        total = self._timeouts.total
        self._deadline = None if total is None else timings.started + round(total * 1e9)
        attempts = 0
        while True:
            attempts += 1
            stream, receiver = self._prepare(timings)
            connection: Connection | None = None
            try:
                connection = await self._connection()
                clock = ContentClock(loop, self._timeouts, self._deadline, receiver.time_out)
                receiver.start(connection, self._request, clock, pings_are_content=self._timeouts.pings_are_content)
                await receiver.wait_for_head()
            except BaseException as error:
                stream.close()
                stale = isinstance(error, StreamTruncatedError) and _was_stale(connection)
                if not stale or attempts > _STALE_RETRIES:
                    raise
            else:
                stream.attempts = attempts
                self._stream = stream
                self._request = b""  # it will not be sent again, and a thousand open streams would keep a thousand
                return stream

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give everything back; a failure of that becomes a note on the body's exception, if there is one."""
        assert self._stream is not None
        try:
            self._stream.close()
        except Exception as trouble:
            if error is None:
                raise
            error.add_note(f"giving the stream back failed as well: {trouble!r}")

    async def _connection(self) -> Connection:
        client = self._client
        left = None if self._deadline is None else (self._deadline - time.perf_counter_ns()) / 1e9
        limit = asyncio.timeout(left)
        try:
            async with limit:
                return await client._pool.acquire(client._url.origin, self._timeouts.pool)
        except TimeoutError as error:
            if limit.expired():
                raise TotalTimeoutError(self._timeouts.total or 0.0) from error
            raise

    def _prepare(self, timings: Timings) -> tuple[ChunkStream, Receiver]:
        """Make the stream; what it takes from here on goes back by `stream.close()`."""
        client, memory, limits = self._client, self._client.memory, self._client.limits
        arena = Arena(label=self._label or client.api, resources=memory.resources)
        try:
            keeper = lease_accumulator(memory, arena, client.api, limits.result_bytes) if self._keep_result else None
            wire = lease_wire_state(memory, arena, client.api, limits.event_bytes)
            intake = Intake(wire, keeper, limits.stream_bytes, arena)
        except BaseException:
            arena.close()
            raise
        receiver = Receiver(intake, limits, timings, client._give_back)
        return ChunkStream(receiver, arena, keeper, timings, partial(lease_batch, memory, arena)), receiver


def _was_stale(connection: Connection | None) -> bool:
    """Tell whether a kept connection turned out to be dead before a byte of the response came."""
    return connection is not None and connection.reused and not connection.response_started
