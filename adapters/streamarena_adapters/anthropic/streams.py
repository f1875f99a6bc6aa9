"""Lean streams: the SDK's `AsyncStream` with another inside, from our parser to light objects.

Invariants: they are made by the SDK (`stream_cls`), after its own authentication, retries and status checks; an error
event is the SDK's status error; pings are not handed out; a mistyped field ends nothing: that event is the SDK's
object, counted. Where the SDK traces a call, its observer is told what it would be told.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from anthropic import AsyncStream

from streamarena_adapters._light import load_json
from streamarena_adapters._sdk import EventReader
from streamarena_adapters.anthropic.events import ContentBlockDeltaEvent, OtherEvent, RawMessageStreamEvent

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

    from streamarena.sse import ServerSentEvent

__all__ = ["MessageEventStream"]

_light: Final = msgspec.json.Decoder(ContentBlockDeltaEvent)
_FREQUENT: Final = frozenset(("text_delta", "input_json_delta", "thinking_delta", "signature_delta"))


class MessageEventStream(AsyncStream[RawMessageStreamEvent]):
    """What `messages.create(stream=True)` returns: an asynchronous iterator and context manager.

    Leaving it early, an error or a cancellation closes the connection; after its end it can be used again.
    """

    @functools.cached_property
    def _decoding(self) -> _Decoder:
        return _Decoder(self._client, self.response)

    @functools.cached_property
    def _reader(self) -> EventReader[RawMessageStreamEvent]:
        # Made when it is first used: the SDK begins to trace a call after it has made its stream.
        return (EventReader if self._observer is None else _TracedReader)(self.response, self._decoding)

    def __aiter__(self) -> AsyncIterator[RawMessageStreamEvent]:
        return self._reader

    async def __anext__(self) -> RawMessageStreamEvent:
        return await self._reader.__anext__()

    async def close(self) -> None:
        """Close the response and give the connection back; over our transport nothing is awaited. Repeatable."""
        if self._observer is not None:
            self._observer.end("closed")
        await self._reader.aclose()

    @property
    def mistyped(self) -> int:
        """Events that had a field of another type than the SDK's; they were yielded as the SDK's object."""
        return self._decoding.mistyped


class _TracedReader(EventReader[RawMessageStreamEvent]):
    """Tells the observer of the SDK's tracing of each event that is taken."""

    def __init__(self, response: Any, decoder: _Decoder) -> None:  # noqa: ANN401 - of either library
        super().__init__(response, decoder)
        self._observer = response.stream.stream_observer
        self._begun = False

    async def __anext__(self) -> RawMessageStreamEvent:
        if not self._begun:
            self._begun = True
            self._observer.begin()
        item = await super().__anext__()
        self._observer.item(item.to_sdk())
        return item


class _Decoder:
    """Events to light objects.

    Args:
        client: makes the SDK's errors.
        response: the HTTP library's; its request is named in errors.
        observer: of the SDK's tracing, or None where the call is not traced.
    """

    def __init__(self, client: AsyncAnthropic, response: Any) -> None:  # noqa: ANN401 - of either library
        self._client = client
        self._response = response
        self._observer = getattr(response.stream, "stream_observer", None)
        self.mistyped = 0

    def decode(self, events: list[ServerSentEvent], emit: Callable[[Any], None]) -> bool:
        """Emit an item for each event; a stream of messages has no end mark.

        Raises:
            anthropic.APIStatusError: an event is an error. json.JSONDecodeError: one is not JSON.
        """
        decode = _light.decode
        for event in events:
            kind = event.event
            if kind in _SKIPPED:
                continue
            data = event.raw_data
            if kind == "error":
                raise self._error(event)
            if not data:
                continue
            try:
                item: RawMessageStreamEvent = decode(data)
            except (msgspec.DecodeError, UnicodeError):
                item = self._decode_other(data)
            else:
                item.bind(data)
            emit(item)
        return False

    def finish(self, error: Exception | None) -> Exception | None:
        """Tell the SDK's tracing; name the request in the HTTP library's error, as that library itself does."""
        if self._observer is not None:
            self._observer.end("read") if error is None else self._observer.end("failed", error)
        if error is not None and "RequestError" in {base.__name__ for base in type(error).__mro__}:
            cast("Any", error).request = self._response.request
        return error

    def _decode_other(self, data: bytes) -> OtherEvent:
        """Read an event that is rare, or has a field of another type than it should."""
        value: object = load_json(data)
        delta = cast("dict[str, object]", value).get("delta") if isinstance(value, dict) else None
        kind = cast("dict[str, object]", delta).get("type") if isinstance(delta, dict) else None
        self.mistyped += kind in _FREQUENT
        return OtherEvent.of(data)

    def _error(self, event: ServerSentEvent) -> Exception:
        body: object = event.data
        with contextlib.suppress(ValueError):
            body = json.loads(event.data)
        return self._client._make_status_error(f"{body}", body=body, response=self._response)


_SKIPPED: Final = frozenset(("ping", "message"))  # an event without a name is a `message` to the standard
