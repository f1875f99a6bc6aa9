"""Server-sent events over httpx and httpx2 responses: the names of `httpx_sse`, with streamarena's parser.

Change the import and nothing else: `from streamarena_adapters.httpx_sse import EventSource, aconnect_sse`.

Invariants:
* Names, arguments, attributes and errors are those of httpx-sse; clients and responses are known by what they can do.
* An error can be caught as this module's `SSEError`, as the `SSEError` of the response's own library, and as that
  library's `TransportError`.
* What was complete before an event that is too large is delivered before the error.
Cost: one parser a response; one object and one text an event. Nothing beyond the unfinished event is kept.
Differences, on purpose: the WHATWG standard is followed where httpx-sse leaves it (`docs/coming-from-httpx-sse.md`);
one event is limited in bytes; the caller's headers are copied, not changed.
Not here: reconnecting, and HTTP itself, which stays the client's.
"""

from __future__ import annotations

import functools
import importlib
import json as standard_json
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

import msgspec

from streamarena.errors import ConfigurationError, EventTooLargeError, StreamArenaError
from streamarena.sse import SSEParser

__all__ = ["aconnect_sse", "connect_sse", "EventSource", "ServerSentEvent", "SSEError"]

_MAX_EVENT_BYTES: Final = 16 * 2**20

_Headers: TypeAlias = Mapping[str, str] | Sequence[tuple[str, str]]


class _Response(Protocol):
    """What is asked of a response: its header and its decoded body, one way or the other."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The header, looked up without regard to case."""
        ...

    @property
    def iter_bytes(self) -> Callable[[], Iterator[bytes]]:
        """The body's pieces, content coding removed."""
        ...

    @property
    def aiter_bytes(self) -> Callable[[], AsyncIterator[bytes]]:
        """The body's pieces, content coding removed."""
        ...


_ResponseT = TypeVar("_ResponseT", bound=_Response)
_ResponseT_co = TypeVar("_ResponseT_co", bound=_Response, covariant=True)


class _SyncClient(Protocol[_ResponseT_co]):
    """A client such as `httpx.Client` or `httpx2.Client`."""

    @property
    def stream(self) -> Callable[..., AbstractContextManager[_ResponseT_co]]:
        """Send a request; the response's body is read inside the context."""
        ...


class _AsyncClient(Protocol[_ResponseT_co]):
    """A client such as `httpx.AsyncClient` or `httpx2.AsyncClient`."""

    @property
    def stream(self) -> Callable[..., AbstractAsyncContextManager[_ResponseT_co]]:
        """Send a request; the response's body is read inside the context."""
        ...


@contextmanager
def connect_sse(
    client: _SyncClient[_ResponseT], method: str, url: object, *, headers: _Headers | None = None, **kwargs: object
) -> Generator[EventSource[_ResponseT]]:
    """Send a request that asks for events, and yield the source of them.

    Args:
        client: an `httpx.Client` or `httpx2.Client`.
        method: the request's method.
        url: what the client takes as one.
        headers: sent too; `Accept` and `Cache-Control` are set here.
        **kwargs: for `client.stream`.

    Raises:
        what `client.stream` raises, unchanged.
    """
    with client.stream(method, url, headers=_event_headers(headers), **kwargs) as response:
        yield EventSource(response)


@asynccontextmanager
async def aconnect_sse(
    client: _AsyncClient[_ResponseT], method: str, url: object, *, headers: _Headers | None = None, **kwargs: object
) -> AsyncGenerator[EventSource[_ResponseT]]:
    """Send a request that asks for events, and yield the source of them.

    Args:
        client: an `httpx.AsyncClient` or `httpx2.AsyncClient`.
        method: the request's method.
        url: what the client takes as one.
        headers: sent too; `Accept` and `Cache-Control` are set here.
        **kwargs: for `client.stream`.

    Raises:
        what `client.stream` raises, unchanged. Cancellation closes the response as `client.stream` does.
    """
    async with client.stream(method, url, headers=_event_headers(headers), **kwargs) as response:
        yield EventSource(response)


class EventSource(Generic[_ResponseT]):
    """The events of one response; read them once.

    Args:
        response: an open response whose body has not been read.
        max_event_bytes: the most bytes that one event may hold back. Default 16 MiB.

    Raises:
        ConfigurationError: `max_event_bytes` is not positive.
    """

    def __init__(self, response: _ResponseT, *, max_event_bytes: int = _MAX_EVENT_BYTES) -> None:
        if max_event_bytes < 1:
            raise ConfigurationError(f"max_event_bytes must be at least 1, not {max_event_bytes}")
        self._response = response
        self._max_event_bytes = max_event_bytes

    @property
    def response(self) -> _ResponseT:
        """The response that the events come from."""
        return self._response

    def iter_sse(self) -> Iterator[ServerSentEvent]:
        """Yield the events of a synchronous client's response.

        Raises:
            SSEError: the content type is another one, or an event is too large (`__cause__` is the
                `EventTooLargeError`, which names the limit).
        """
        self._check_content_type()
        parser = SSEParser(self._max_event_bytes)
        for data in self._response.iter_bytes():
            yield from self._parse(parser, data)
        self._parse_end(parser)

    async def aiter_sse(self) -> AsyncGenerator[ServerSentEvent, None]:
        """Yield the events of an asynchronous client's response.

        Closing the generator, or leaving a loop over it and closing it, closes the body's iterator too. The response
        is closed by whoever opened it.

        Raises:
            SSEError: the content type is another one, or an event is too large (`__cause__` is the
                `EventTooLargeError`, which names the limit).
        """
        self._check_content_type()
        parser = SSEParser(self._max_event_bytes)
        pieces = self._response.aiter_bytes()
        try:
            async for data in pieces:
                for event in self._parse(parser, data):
                    yield event
            self._parse_end(parser)
        finally:
            close = getattr(pieces, "aclose", None)  # an async generator in both libraries; the protocol asks for less
            if close is not None:
                await close()

    def _parse(self, parser: SSEParser, data: bytes) -> list[ServerSentEvent]:
        try:
            events = parser.feed(data)
        except EventTooLargeError as error:
            raise _error_for(self._response)(f"{error} (EventSource(max_event_bytes=...))") from error
        return [ServerSentEvent(event.event, event.data, event.id, event.retry) for event in events]

    def _parse_end(self, parser: SSEParser) -> None:
        """Raise what the last piece left behind: an event that was too large, after ones that were complete."""
        self._parse(parser, b"")

    def _check_content_type(self) -> None:
        content_type = self._response.headers.get("content-type", "").partition(";")[0]
        if "text/event-stream" not in content_type:
            raise _error_for(self._response)(f"the response is {content_type!r}, not 'text/event-stream'")


class ServerSentEvent:
    """One event.

    Attributes:
        event: its type, `message` where the stream names none; data: its text; id: the stream's last event id;
        retry: the reconnection time in milliseconds that this event carried, or None.
    """

    __slots__ = ("data", "event", "id", "retry")

    def __init__(
        self,
        event: str | None = None,
        data: str | None = None,
        id: str | None = None,  # noqa: A002 - the field's name, and httpx-sse's
        retry: int | None = None,
    ) -> None:
        self.event = event or "message"
        self.data = data or ""
        self.id = id or ""
        self.retry = retry

    def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """Decode the data as the standard library's `json.loads` does, faster where the data is plain JSON.

        Raises:
            json.JSONDecodeError: it is not JSON.
        """
        try:
            return msgspec.json.decode(self.data)
        except (msgspec.DecodeError, UnicodeError):
            # What the standard library takes beyond JSON (NaN, lone surrogates), and its own error for the rest.
            return standard_json.loads(self.data)

    def __repr__(self) -> str:
        shown = [f"event={self.event!r}"]
        shown += [f"{name}={value!r}" for name, value in (("data", self.data), ("id", self.id)) if value]
        shown += [] if self.retry is None else [f"retry={self.retry!r}"]
        return f"ServerSentEvent({', '.join(shown)})"


class SSEError(StreamArenaError):
    """The response is no stream of events, or an event of it is too large.

    What is raised is also the `SSEError` of the response's own library: `httpx_sse.SSEError` or `httpx2.SSEError`.
    """


# ---------------------------------------------------------------- private

_OWN_ERRORS: Final = {"httpx": "httpx_sse", "httpx2": "httpx2"}
"""Which module has the `SSEError` that users of a library catch."""


def _error_for(response: object) -> type[SSEError]:
    """Return the error class for a response: this module's, and its library's where that is known."""
    for base in type(response).__mro__:
        library = base.__module__.partition(".")[0]
        if library in _OWN_ERRORS:
            return _error_class(library)
    return SSEError


@functools.cache
def _error_class(library: str) -> type[SSEError]:
    """Make the class once for each library; its module is imported already, by the response, or is ours to need."""
    theirs: type[Exception] = importlib.import_module(_OWN_ERRORS[library]).SSEError
    return type("SSEError", (SSEError, theirs), {"__module__": __name__, "__doc__": SSEError.__doc__})


def _event_headers(headers: _Headers | None) -> list[tuple[str, str]]:
    """Return the caller's headers with the two of an event stream in the place of theirs."""
    if headers is None:
        pairs: Iterable[tuple[str, str]] = ()
    elif isinstance(headers, Mapping):
        every: Callable[[], Iterable[tuple[str, str]]] | None = getattr(headers, "multi_items", None)
        pairs = every() if every is not None else headers.items()  # a client's own header object keeps repeated ones
    else:
        pairs = headers
    kept = [pair for pair in pairs if pair[0].lower() not in {"accept", "cache-control"}]
    return [*kept, ("Accept", "text/event-stream"), ("Cache-Control", "no-store")]
