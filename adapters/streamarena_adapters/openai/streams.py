"""Lean streams: the SDK's `AsyncStream` with another inside, from our parser to light objects.

Invariants: they are made by the SDK (`stream_cls`), after its own authentication, retries and status checks; an
error inside the stream is the SDK's `APIError`; a mistyped field ends nothing: that event is the SDK's object, counted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

import msgspec
from openai import APIConnectionError, APIError, APITimeoutError, AsyncStream

from streamarena_adapters._light import LightEvent, load_json
from streamarena_adapters._sdk import EventReader
from streamarena_adapters.openai.chunks import ChatCompletionChunk, OtherChunk
from streamarena_adapters.openai.events import DELTA_TYPES, Deltas, OtherEvent, ResponseStreamEvent

if TYPE_CHECKING:
    from streamarena.sse import ServerSentEvent

__all__ = ["ChatStream", "LeanStream", "ResponseEventStream"]

_Item = TypeVar("_Item")


class _Decoder:
    """Events to light objects.

    Args:
        light: decodes the frequent ones. other: makes an item of the rest.
        frequent: the types of the frequent ones; None where events have no type, and all should be.
        request: the HTTP library's request, for the SDK's errors.
    """

    def __init__(
        self,
        light: msgspec.json.Decoder[Any],
        other: type[LightEvent],
        frequent: frozenset[str] | None,
        request: Any,  # noqa: ANN401 - of either library
    ) -> None:
        self._light = light
        self._other = other
        self._frequent = frequent
        self._request = request
        self.mistyped = 0

    def decode(self, events: list[ServerSentEvent], emit: Callable[[Any], None]) -> bool:
        """Emit an item for each event; return whether `[DONE]` was among them.

        Raises:
            openai.APIError: an event carries an error. json.JSONDecodeError: one is not JSON.
        """
        decode = self._light.decode
        for event in events:
            data = event.raw_data
            if data.startswith(b"[DONE]"):
                return True
            try:
                item = decode(data)
            except (msgspec.DecodeError, UnicodeError):
                item = self._decode_other(data)
            else:
                if item.error_:
                    raise self._api_error(item.error_)
                item.bind(data)
            emit(item)
        return False

    def finish(self, error: Exception | None) -> Exception | None:
        """Return the SDK's error for one of the HTTP library's, known by the names that both libraries have."""
        names = {base.__name__ for base in type(error).__mro__}
        if "TimeoutException" in names:
            return APITimeoutError(request=self._request)
        if "RequestError" in names:
            return APIConnectionError(request=self._request)
        return error

    def _decode_other(self, data: bytes) -> LightEvent:
        """Read an event that is rare, an error, or has a field of another type than it should."""
        value: object = load_json(data)
        given = cast("dict[str, object]", value) if isinstance(value, dict) else {}
        if given.get("error"):
            raise self._api_error(given["error"])
        self.mistyped += self._frequent is None or given.get("type") in self._frequent
        return self._other.of(data)

    def _api_error(self, error: object) -> APIError:
        message = cast("dict[str, object]", error).get("message") if isinstance(error, dict) else None
        text = message if message and isinstance(message, str) else "An error occurred during streaming"
        return APIError(message=text, request=self._request, body=cast("Any", error))


class LeanStream(AsyncStream[_Item]):
    """A stream of light objects: an asynchronous iterator and context manager, with `close()` and `response`.

    Leaving it early, an error or a cancellation closes the connection; after its end it can be used again.
    """

    _light: ClassVar[msgspec.json.Decoder[Any]]
    _other: ClassVar[type[LightEvent]]
    _frequent: ClassVar[frozenset[str] | None] = None

    _decoding: _Decoder
    _reader: EventReader[_Item]

    def __stream__(self) -> AsyncIterator[_Item]:
        """Return what reads the events: no generator, so that dropping the stream needs no collector."""
        made = type(self)
        self._decoding = _Decoder(made._light, made._other, made._frequent, self.response.request)
        self._reader = EventReader(self.response, self._decoding)
        return self._reader

    def __aiter__(self) -> AsyncIterator[_Item]:
        return self._reader

    async def __anext__(self) -> _Item:
        return await self._reader.__anext__()

    async def close(self) -> None:
        """Close the response and give the connection back; over our transport nothing is awaited. Repeatable."""
        await self._reader.aclose()

    @property
    def mistyped(self) -> int:
        """Events that had a field of another type than the SDK's; they were yielded as the SDK's object."""
        return self._decoding.mistyped


class ChatStream(LeanStream[ChatCompletionChunk], AsyncStream[ChatCompletionChunk]):  # the SDK looks for it here
    """What `chat.completions.create(stream=True)` returns."""

    _light = msgspec.json.Decoder(ChatCompletionChunk)
    _other = OtherChunk


class ResponseEventStream(LeanStream[ResponseStreamEvent], AsyncStream[ResponseStreamEvent]):
    """What `responses.create(stream=True)` returns."""

    _light: ClassVar = msgspec.json.Decoder(Deltas)
    _other = OtherEvent
    _frequent = DELTA_TYPES
