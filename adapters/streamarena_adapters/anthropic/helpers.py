"""`messages.stream()`: the SDK's helper events over a lean stream, and the message so far, in linear time.

Invariants: events, their order and their attributes are the SDK's, and so is the final message: the SDK accumulates it,
from runs of pieces instead of single ones.
Difference: a tool's input that is no JSON is the SDK's error at the end of its block, not at the first wrong piece.
Not here: tool runners and the beta helpers, which stay the SDK's.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast, get_args

import jiter
from anthropic.lib import streaming
from anthropic.types import RawContentBlockDeltaEvent

from streamarena.errors import StreamArenaError
from streamarena_adapters._helpers import Fragments, HelperEvent, HelperStream
from streamarena_adapters.anthropic.events import (
    ContentBlockDeltaEvent,
    InputJSONDelta,
    RawMessageStreamEvent,
    TextDelta,
    ThinkingDelta,
)

if TYPE_CHECKING:
    from anthropic.types import ParsedMessage

    from streamarena_adapters.anthropic.streams import MessageEventStream

__all__ = ["InputJsonEvent", "MessageStream", "TextEvent", "TextStream", "ThinkingEvent"]

_SDK_EVENTS: Final[dict[str, Any]] = {
    get_args(event.model_fields["type"].annotation)[0]: event
    for event in get_args(get_args(streaming.MessageStreamEvent)[0])
}


class _Growing(HelperEvent):
    """An event with a piece of a text and the text so far."""

    type: ClassVar[str]

    text_: Fragments
    moment_: int

    @property
    def snapshot(self) -> Any:  # noqa: ANN401 - a text, or a tool's input
        """What the block holds after this piece; made when it is looked at."""
        return self.text_.at(self.moment_)


class TextEvent(_Growing):
    """A piece of the answer."""

    type = "text"
    _sdk_type = _SDK_EVENTS["text"]

    text: str


class ThinkingEvent(_Growing):
    """A piece of the reasoning."""

    type = "thinking"
    _sdk_type = _SDK_EVENTS["thinking"]

    thinking: str


class InputJsonEvent(_Growing):
    """A piece of a tool's input."""

    type = "input_json"
    _sdk_type = _SDK_EVENTS["input_json"]

    partial_json: str
    empty_: Any

    @property
    def snapshot(self) -> Any:  # noqa: ANN401 - any JSON value
        """The input so far as far as it can be read; parsed when it is looked at.

        Raises:
            ValueError: it is no JSON.
        """
        text = self.text_.at(self.moment_)
        return jiter.from_json(text.encode(), partial_mode=True) if text else self.empty_


class MessageStream(HelperStream):
    """What `messages.stream()` gives: the events, `text_stream`, and the message so far.

    Args:
        raw: a lean stream.
        output_format: for the SDK.
    """

    def __init__(self, raw: MessageEventStream, output_format: object) -> None:
        self._folding = _Folding(raw, output_format)
        super().__init__(raw, self._folding.fold)
        self.text_stream = TextStream(self)

    @property
    def request_id(self) -> str | None:
        """What the provider calls the request."""
        return cast("str | None", self.response.headers.get("request-id"))

    @property
    def current_message_snapshot(self) -> ParsedMessage[Any]:
        """The message so far; the SDK's object, which goes on growing."""
        return self._folding.message()

    async def get_final_message(self) -> ParsedMessage[Any]:
        """Read to the end and return the message.

        Raises:
            what iterating raises.
        """
        await self.until_done()
        return self.current_message_snapshot

    async def get_final_text(self) -> str:
        """Read to the end and return the text of all text blocks.

        Raises:
            RuntimeError: there is none. Also what iterating raises.
        """
        blocks = (await self.get_final_message()).content
        texts = [block.text for block in blocks if block.type == "text"]
        if not texts:
            raise RuntimeError(f"the answer has no text block, only: {', '.join(block.type for block in blocks)}")
        return "".join(texts)


class TextStream:
    """Only the text of a message stream, piece by piece."""

    def __init__(self, stream: MessageStream) -> None:
        self._stream = stream

    def __aiter__(self) -> TextStream:
        return self

    async def __anext__(self) -> str:
        while True:
            event = await self._stream.__anext__()
            if event.type == "content_block_delta" and event.delta.type == "text_delta":
                return cast("str", event.delta.text)


# ---------------------------------------------------------------- private

_PLAIN: Final[dict[type, tuple[str, frozenset[str], type[_Growing]]]] = {
    TextDelta: ("text", frozenset(("text",)), TextEvent),
    ThinkingDelta: ("thinking", frozenset(("thinking",)), ThinkingEvent),
    InputJSONDelta: ("partial_json", frozenset(("tool_use", "server_tool_use")), InputJsonEvent),
}
"""Deltas that are plain: where their piece is, in which blocks the helper tells of them, and as which event."""


class _Block:
    """A block that is being written: what it is, and its text so far."""

    def __init__(self, start: Any) -> None:  # noqa: ANN401 - the SDK's block, of any version
        self.type: str = start.type
        self.empty: object = getattr(start, "input", None)
        self.text = Fragments(getattr(start, self.type, None) or "")


class _Folding:
    """Turns a lean stream's events into a helper's, and keeps the SDK's accumulator exact."""

    def __init__(self, raw: MessageEventStream, output_format: object) -> None:
        self._sdk = _SDKStream(raw, output_format)
        self._blocks: dict[int, _Block] = {}
        self._run: tuple[int, type] | None = None
        self._pieces: list[str] = []

    def fold(self, event: RawMessageStreamEvent) -> list[Any]:
        if isinstance(event, ContentBlockDeltaEvent):
            block = self._blocks.get(event.index)
            plain = _PLAIN.get(type(event.delta))
            if block is not None and plain is not None and block.type in plain[1]:
                return [event, self._extend(event, block, plain[0], plain[2])]
        self._settle()
        sdk_event = event.to_sdk()
        if sdk_event.type == "content_block_start":
            self._blocks[sdk_event.index] = _Block(sdk_event.content_block)
        return self._sdk.take(sdk_event)

    def message(self) -> ParsedMessage[Any]:
        self._settle()
        return self._sdk.message()

    def _extend(self, event: ContentBlockDeltaEvent, block: _Block, name: str, kind: type[_Growing]) -> _Growing:
        piece: str = getattr(event.delta, name)
        run = (event.index, type(event.delta))
        if run != self._run:
            self._settle()
            self._run = run
        self._pieces.append(piece)
        more: dict[str, Any] = {"empty_": block.empty} if kind is InputJsonEvent else {}
        return kind(text_=block.text, moment_=block.text.add(piece), **{name: piece}, **more)

    def _settle(self) -> None:
        """Hand the run to the SDK as one event; what it would tell of it was told piece by piece."""
        if self._run is None:
            return
        (index, kind), self._run = self._run, None
        name = _PLAIN[kind][0]
        delta = {"type": cast("Any", kind).type, name: "".join(self._pieces)}
        self._pieces = []
        self._sdk.take(RawContentBlockDeltaEvent.model_construct(type="content_block_delta", index=index, delta=delta))


class _SDKStream:
    """The SDK's own helper stream, given one event at a time: what it would read is there, so it never waits."""

    def __init__(self, raw: MessageEventStream, output_format: object) -> None:
        self._feed = _Feed(raw)
        self._stream: Any = streaming.AsyncMessageStream(cast("Any", self._feed), cast("Any", output_format))

    def take(self, event: object) -> list[Any]:
        """Return the helper's events for one event.

        Raises:
            what the SDK raises.
        """
        self._feed.events.append(event)
        made: list[Any] = []
        events = self._stream.__stream__()  # ends with the event; what was accumulated is the stream's
        while True:
            try:
                made.append(_result(events.__anext__()))
            except StopAsyncIteration:
                return made

    def message(self) -> ParsedMessage[Any]:
        return cast("ParsedMessage[Any]", self._stream.current_message_snapshot)


class _Feed:
    """Stands for a raw stream in the SDK's helper."""

    def __init__(self, raw: MessageEventStream) -> None:
        self.response = raw.response
        self._observer = raw._observer  # the SDK's tracing takes the message from its helper
        self.events: deque[object] = deque()

    def __aiter__(self) -> _Feed:
        return self

    async def __anext__(self) -> object:
        if not self.events:
            raise StopAsyncIteration
        return self.events.popleft()


def _result(step: Any) -> object:  # noqa: ANN401 - an awaitable with `send`
    """Run something awaitable that has nothing to wait for."""
    try:
        step.send(None)
    except StopIteration as returned:
        return cast("object", returned.value)
    raise StreamArenaError("this version of the SDK waits inside its message helper: use its own messages.stream()")
