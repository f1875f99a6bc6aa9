"""What the adapters for the official SDKs share: a client over our transport, requests for lean streams, their reader.

Invariants: one read's events are parsed and decoded together, and handed out one by one without waiting; what came
before an error is delivered before it; an error, a cancellation and the end give the connection back.
Cost: a deque's pop for an event that is there; one future for each time the consumer waits (over our transport).
Not here: what events mean (`openai/`, `anthropic/`); which base class a library demands (`httpx.py`, `httpx2.py`).
"""

from __future__ import annotations

import asyncio
import importlib
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

from streamarena.errors import ConfigurationError, StreamInUseError
from streamarena.sse import ServerSentEvent, SSEParser
from streamarena_adapters._transport import BODY_EXTENSION, LibraryLimits, ResponseBody

__all__ = ["Decoder", "EventReader", "LeanRequests", "Proxy", "client_over_transport", "require_async"]

_MAX_EVENT_BYTES: Final = 16 * 2**20
_DRAIN_SECONDS: Final = 0.1  # what the SDKs allow for the end of a body whose last event has come
_LIBRARIES: Final = ("httpx", "httpx2")

_Item = TypeVar("_Item")
_Item_co = TypeVar("_Item_co", covariant=True)


def client_over_transport(
    default_client: Callable[..., Any],
    limits: LibraryLimits,
    verify: ssl.SSLContext | bool,
    settings: Mapping[str, object],
) -> Any:  # noqa: ANN401 - a client of whichever library the SDK is on
    """Make an SDK's own default HTTP client, with its timeouts and redirects, over our transport.

    Args:
        default_client: the SDK's class of default clients; it says which library the SDK wants.
        limits: of the connections.
        verify: as for the transport.
        settings: for the client.
    """
    bases = {base.__module__.partition(".")[0] for base in getattr(default_client, "__mro__", ())}
    library = next((name for name in _LIBRARIES if name in bases), None)
    if library is None:
        raise ConfigurationError(f"{default_client!r} is a client of neither {' nor '.join(_LIBRARIES)}")
    # By name, for only the SDK's own library is sure to be installed.
    adapter = importlib.import_module(f"streamarena_adapters.{library}")
    transport = adapter.AsyncHTTPTransport(verify=verify, limits=limits)
    return default_client(transport=transport, limits=limits, **settings)


def require_async(client: object) -> None:
    """Refuse a client that blocks.

    Raises:
        ConfigurationError: the client is a synchronous one.
    """
    if not hasattr(client, "__aenter__"):
        raise ConfigurationError(f"lean() takes the SDK's asynchronous client, not {type(client).__name__}")


class Proxy:
    """Something of the SDK's with a few attributes of ours in front."""

    def __init__(self, sdk: Any) -> None:  # noqa: ANN401 - a client or resource of any version of the SDK
        self._sdk = sdk

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the SDK has
        return getattr(self._sdk, name)

    def __repr__(self) -> str:
        return f"lean({self._sdk!r})"


class LeanRequests(Proxy):
    """An SDK's client as its resources see it, with other classes of streams: `AsyncChat(LeanRequests(...))`.

    Args:
        sdk: the client; it sends, authenticates, retries and raises.
        streams: the SDK's classes of streams, as its resources ask for them, and ours.

    Attributes:
        last_body, last_stream: of the last request that was answered with a stream of ours.
    """

    def __init__(self, sdk: Any, streams: Sequence[tuple[object, type]]) -> None:  # noqa: ANN401 - as above
        super().__init__(sdk)
        self._streams = streams
        self.last_body: Mapping[str, object] = {}
        self.last_stream: Any = None

    async def post(self, path: str, **options: Any) -> Any:  # noqa: ANN401 - the SDK's
        """Send a request with the SDK's `post`, naming our class of stream where there is one."""
        return await self._send(self._sdk.post, path, **options)

    async def get(self, path: str, **options: Any) -> Any:  # noqa: ANN401 - the SDK's
        """Send a request with the SDK's `get`, naming our class of stream where there is one."""
        return await self._send(self._sdk.get, path, **options)

    async def _send(self, send: Any, path: str, *, stream_cls: object = None, **options: Any) -> Any:  # noqa: ANN401 - as above
        ours = next((ours for theirs, ours in self._streams if theirs == stream_cls), stream_cls)
        answer = await send(path, stream_cls=ours, **options)
        if ours is not stream_cls:
            self.last_body, self.last_stream = options.get("body") or {}, answer
        return answer


class _Response(Protocol):
    """What is asked of an HTTP library's response."""

    is_stream_consumed: bool

    @property
    def extensions(self) -> Mapping[str, Any]: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def aiter_bytes(self) -> Callable[[], AsyncIterator[bytes]]: ...
    @property
    def aclose(self) -> Callable[[], Awaitable[None]]: ...


class Decoder(Protocol[_Item_co]):
    """Turns events into what a stream yields."""

    def decode(self, events: list[ServerSentEvent], emit: Callable[[_Item_co], None], /) -> bool:
        """Emit an item for each event that is one; return whether the stream's end was among them.

        Raises:
            whatever ends the stream: it is raised to the consumer after what was emitted.
        """
        ...

    def finish(self, error: Exception | None, /) -> Exception | None:
        """Learn that the stream is at its end or failed; return the SDK's error for one of the HTTP library's.

        Called before the response is closed, and not for a cancellation.
        """
        ...


class EventReader(Generic[_Item]):
    """Iterates over the events of one response; for one consumer at a time.

    Args:
        response: an open response whose body has not been read.
        decoder: what its events become.
        max_event_bytes: the most bytes that one event may hold back. Default 16 MiB.
    """

    __slots__ = ("_at_end", "_decoder", "_ending", "_next", "_parser", "_reading", "_ready", "_response")

    def __init__(
        self, response: _Response, decoder: Decoder[_Item], *, max_event_bytes: int = _MAX_EVENT_BYTES
    ) -> None:
        self._response = response
        self._decoder = decoder
        self._parser = SSEParser(max_event_bytes)
        self._next = _batches(response)
        self._ready: deque[_Item] = deque()
        self._ending: Exception | None = None  # what is raised once everything before it was taken
        self._at_end = False
        self._reading = False

    def __aiter__(self) -> AsyncIterator[_Item]:
        return self

    async def __anext__(self) -> _Item:
        ready = self._ready
        while not ready:
            if self._reading:
                raise StreamInUseError
            if self._ending is not None or self._at_end:
                await self._end()
            self._reading = True
            try:
                batch = await self._next()
            except Exception as error:
                told = self._decoder.finish(error)
                await self.aclose()
                if told is None or told is error:
                    raise
                raise told from error
            except BaseException:
                await self.aclose()
                raise
            finally:
                self._reading = False
            self._take(batch)
        return ready.popleft()

    async def aclose(self) -> None:
        """Read no more and give the connection back; over our transport nothing is awaited. Repeatable."""
        self._at_end = True
        self._ready.clear()
        await self._response.aclose()

    def _take(self, batch: list[bytes]) -> None:
        """Parse and decode what one wait brought."""
        self._at_end = not batch
        emit = self._ready.append
        try:
            for data in batch or (b"",):  # at the end the parser says what the last piece left: an event too large
                events = self._parser.feed(data)
                if events and self._decoder.decode(events, emit):
                    self._at_end = True
                    return
        except Exception as error:  # noqa: BLE001 - kept, and raised to the consumer after what came before it
            self._ending = error

    async def _end(self) -> None:
        """End the iteration: with the error that was kept, or because the stream is at its end."""
        ending, self._ending = self._ending, None
        try:
            if ending is None:
                await self._drain()
            ending = self._decoder.finish(ending)
        finally:
            await self.aclose()
        raise ending or StopAsyncIteration

    async def _drain(self) -> None:
        """Read the little that follows the last event, so that the connection can be used again."""
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                while await self._next():
                    pass
        except Exception:  # noqa: BLE001, S110 - the output is complete: what its connection does now is no error of it
            pass


def _batches(response: _Response) -> Callable[[], Awaitable[list[bytes]]]:
    """Return what waits for more of a body: by the list over our transport, else through the library's iterator."""
    body = response.extensions.get(BODY_EXTENSION)
    if isinstance(body, ResponseBody) and response.headers.get("content-encoding", "identity") == "identity":
        response.is_stream_consumed = True  # as after the library's own reading
        return body.next_batch
    pieces = response.aiter_bytes()

    async def next_batch() -> list[bytes]:
        async for piece in pieces:
            return [piece]
        return []

    return next_batch
