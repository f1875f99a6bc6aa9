"""`responses.stream()`: the SDK's helper events over a lean stream, in linear time.

Invariants: events, their order and their attributes are the SDK's, and so is the final response: the SDK's own state
accumulates it, from runs of pieces instead of single ones.
Not here: `.parse()`, which stays the SDK's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from openai.lib.streaming import responses as sdk
from openai.types.responses import ResponseFunctionCallArgumentsDeltaEvent as SDKArgumentsDelta
from openai.types.responses import ResponseTextDeltaEvent as SDKTextDelta

from streamarena_adapters._helpers import Fragments, HelperEvent, HelperStream
from streamarena_adapters.openai.events import (
    ResponseDeltaEvent,
    ResponseFunctionCallArgumentsDeltaEvent,
    ResponseStreamEvent,
    ResponseTextDeltaEvent,
)

if TYPE_CHECKING:
    from openai.types.responses import ParsedResponse

    from streamarena_adapters.openai.streams import ResponseEventStream

__all__ = ["ArgumentsPieceEvent", "ResponseHelperStream", "TextPieceEvent"]

_Piece: TypeAlias = ResponseTextDeltaEvent | ResponseFunctionCallArgumentsDeltaEvent


class _PieceEvent(HelperEvent):
    """A piece of a text: the lean stream's event, and what there is after it."""

    event_: _Piece
    text_: Fragments
    moment_: int

    @property
    def type(self) -> str:
        """The type of the event."""
        return self.event_.type

    @property
    def delta(self) -> str:
        """The piece."""
        return self.event_.delta

    @property
    def snapshot(self) -> str:
        """The text after this piece; joined when it is looked at."""
        return self.text_.at(self.moment_)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the event has
        if name in self.event_.__struct_fields__:
            return getattr(self.event_, name)
        return super().__getattr__(name)


class TextPieceEvent(_PieceEvent):
    """A piece of the answer."""

    _sdk_type = sdk.ResponseTextDeltaEvent


class ArgumentsPieceEvent(_PieceEvent):
    """A piece of a function's arguments."""

    _sdk_type = sdk.ResponseFunctionCallArgumentsDeltaEvent


_PIECES: Final[dict[type, tuple[type[_PieceEvent], Any]]] = {
    ResponseTextDeltaEvent: (TextPieceEvent, SDKTextDelta),
    ResponseFunctionCallArgumentsDeltaEvent: (ArgumentsPieceEvent, SDKArgumentsDelta),
}
"""For each plain event: what the helper yields for it, and what the SDK's state takes."""


class ResponseHelperStream(HelperStream):
    """What `responses.stream()` gives: the events, and the response at the end.

    Args:
        raw: a lean stream.
        state: the SDK's, for the request's tools and text format.
        starting_after: events up to this number are taken, but not yielded.
    """

    def __init__(self, raw: ResponseEventStream, state: Any, starting_after: int | None) -> None:  # noqa: ANN401 - generic
        self._folding = _ResponseFolding(state)
        self._starting_after = starting_after
        super().__init__(raw, self._folding.fold if starting_after is None else self._later)

    async def get_final_response(self) -> ParsedResponse[Any]:
        """Read to the end and return the response, parsed where a text format was given.

        Raises:
            RuntimeError: it was not completed. Also what iterating raises.
        """
        await self.until_done()
        if self._folding.completed is None:
            raise RuntimeError("the stream ended without a `response.completed` event")
        return cast("ParsedResponse[Any]", self._folding.completed)

    def _later(self, event: ResponseStreamEvent) -> Iterable[Any]:
        return [made for made in self._folding.fold(event) if made.sequence_number > cast("int", self._starting_after)]


class _ResponseFolding:
    """Turns a lean stream's events into a helper's, and keeps the SDK's state exact."""

    def __init__(self, state: Any) -> None:  # noqa: ANN401 - generic
        self._state = state
        self._texts: dict[tuple[object, ...], Fragments] = {}
        self._run: tuple[object, ...] | None = None
        self._pieces: list[str] = []
        self._last: _Piece | None = None
        self.completed: object = None

    def fold(self, event: ResponseStreamEvent) -> list[Any]:
        if isinstance(event, ResponseTextDeltaEvent):
            key: tuple[object, ...] = (event.output_index, event.content_index)
            if key in self._texts:
                return [self._extend(key, event)]
        elif isinstance(event, ResponseFunctionCallArgumentsDeltaEvent):
            key = (event.output_index,)
            if key in self._texts:
                return [self._extend(key, event)]
        elif isinstance(event, ResponseDeltaEvent) and self._texts:
            return [event]  # the SDK's state takes no notice of the others
        self._settle()
        sdk_event: Any = event.to_sdk()
        made: list[Any] = self._state.handle_event(sdk_event)
        self._note(sdk_event, made)
        return made

    def _extend(self, key: tuple[object, ...], event: _Piece) -> _PieceEvent:
        if key != self._run:
            self._settle()
            self._run = key
        self._pieces.append(event.delta)
        self._last = event
        text = self._texts[key]
        return _PIECES[type(event)][0](event_=event, text_=text, moment_=text.add(event.delta))

    def _settle(self) -> None:
        """Hand the run to the SDK's state as one event; what it would tell of it was told piece by piece."""
        if self._run is None or self._last is None:
            return
        self._run = None
        kind = _PIECES[type(self._last)][1]
        self._state.handle_event(kind.model_construct(**{**self._last._wire(), "delta": "".join(self._pieces)}))
        self._pieces = []

    def _note(self, event: Any, made: list[Any]) -> None:  # noqa: ANN401 - the SDK's
        """Learn from an event that the SDK's state has taken which texts are being written."""
        if event.type == "response.content_part.added" and event.part.type == "output_text":
            self._texts[event.output_index, event.content_index] = Fragments(event.part.text or "")
        elif event.type == "response.output_item.added" and event.item.type == "function_call":
            self._texts[(event.output_index,)] = Fragments(event.item.arguments or "")
        elif event.type == "response.completed" and made:
            self.completed = made[-1].response
