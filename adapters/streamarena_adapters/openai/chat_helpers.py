"""`chat.completions.stream()`: the SDK's helper events over a lean stream, in linear time.

Invariants: events, their order and their attributes are the SDK's, and so are snapshot and final completion: the SDK's
own state accumulates them, from runs of pieces instead of single ones.
Not here: `.parse()`, which stays the SDK's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

import jiter
from openai.lib.streaming import chat as sdk
from openai.types.chat import ChatCompletionChunk as SDKChunk

from streamarena_adapters._helpers import Fragments, HelperEvent, HelperStream
from streamarena_adapters._light import load_json
from streamarena_adapters.openai.chunks import ChatCompletionChunk, Choice, OtherChunk

if TYPE_CHECKING:
    from openai.types.chat import ParsedChatCompletion

    from streamarena_adapters.openai.streams import ChatStream

__all__ = ["ArgumentsDeltaEvent", "ChatHelperStream", "ChunkEvent", "ContentDeltaEvent"]


class ChunkEvent(HelperEvent):
    """A chunk, as the lean stream has it."""

    type: ClassVar[str] = "chunk"
    _sdk_type = sdk.ChunkEvent

    chunk: ChatCompletionChunk
    state_: Any

    @property
    def snapshot(self) -> Any:  # noqa: ANN401 - the SDK's
        """The completion so far."""
        return self.state_.snapshot()


class ContentDeltaEvent(HelperEvent):
    """A piece of the answer."""

    type: ClassVar[str] = "content.delta"
    _sdk_type = sdk.ContentDeltaEvent

    delta: str
    text_: Fragments
    moment_: int
    is_parsed_: bool

    @property
    def snapshot(self) -> str:
        """The answer after this piece; joined when it is looked at."""
        return self.text_.at(self.moment_)

    @property
    def parsed(self) -> object:
        """The answer so far as far as it can be read as JSON, where a response format was given; else None."""
        text = self.snapshot
        return jiter.from_json(text.encode(), partial_mode=True) if self.is_parsed_ and text.lstrip() else None


class ArgumentsDeltaEvent(HelperEvent):
    """A piece of a function's arguments."""

    type: ClassVar[str] = "tool_calls.function.arguments.delta"
    _sdk_type = sdk.FunctionToolCallArgumentsDeltaEvent

    name: str
    index: int
    arguments_delta: str
    text_: Fragments
    moment_: int
    is_strict_: bool

    @property
    def arguments(self) -> str:
        """The arguments after this piece; joined when they are looked at."""
        return self.text_.at(self.moment_)

    @property
    def parsed_arguments(self) -> object:
        """The arguments so far as far as they can be read, where the tool is strict; else None."""
        text = self.arguments
        return jiter.from_json(text.encode(), partial_mode=True) if self.is_strict_ and text else None


class ChatHelperStream(HelperStream):
    """What `chat.completions.stream()` gives: the events, and the completion so far.

    Args:
        raw: a lean stream.
        state: the SDK's, for the request's tools and response format.
        is_rich: whether the response format is a class. tools: the request's.
    """

    def __init__(
        self,
        raw: ChatStream,
        state: Any,  # noqa: ANN401 - generic
        *,
        is_rich: bool,
        tools: Iterable[Mapping[str, Any]],
    ) -> None:
        self._folding = _ChatFolding(state, is_rich, tools)
        super().__init__(raw, self._folding.fold)

    @property
    def current_completion_snapshot(self) -> Any:  # noqa: ANN401 - the SDK's
        """The completion so far; the SDK's object."""
        return self._folding.snapshot()

    async def get_final_completion(self) -> ParsedChatCompletion[Any]:
        """Read to the end and return the completion, parsed where a response format was given.

        Raises:
            what iterating raises.
        """
        await self.until_done()
        return cast("ParsedChatCompletion[Any]", self._folding.final())


_NO_TEXT: Final = Fragments()


class _ChatFolding:
    """Turns chunks into a helper's events, and keeps the SDK's state exact.

    A chunk is plain if it has one choice whose delta holds nothing but texts, or one piece of the arguments of the call
    that is being written. Runs of plain chunks of one shape reach the SDK's state as one: the last, with joined texts.
    """

    def __init__(self, state: Any, is_rich: bool, tools: Iterable[Mapping[str, Any]]) -> None:  # noqa: ANN401 - generic
        self._state = state
        self._is_rich = is_rich
        functions: list[dict[str, Any]] = [tool.get("function") or {} for tool in tools]
        self._strict: set[object] = {function.get("name") for function in functions if function.get("strict")}
        self._texts: dict[int, Fragments] = {}
        self._calls: dict[int, _Call] = {}  # the one that is being written, by choice
        self._run: tuple[object, ...] | None = None
        self._pieces: dict[str, list[str]] = {}
        self._last = b""

    def fold(self, chunk: ChatCompletionChunk | OtherChunk) -> Iterable[Any]:
        if chunk.object != "chat.completion.chunk":  # Azure's filter results; the SDK passes over them too
            return ()
        if isinstance(chunk, ChatCompletionChunk) and len(chunk.choices) == 1 and chunk.usage is None:
            choice = chunk.choices[0]
            if (
                not choice.finish_reason
                and choice.logprobs is None
                and self._texts.get(choice.index, _NO_TEXT) is not _NO_TEXT
            ):
                events = self._arguments(choice) if choice.delta.tool_calls else self._text(choice)
                if events is not None:
                    self._last = chunk._data
                    return [ChunkEvent(chunk=chunk, state_=self), *events]
        self._settle()
        sdk_chunk = chunk.to_sdk()
        made: Iterable[Any] = self._state.handle_chunk(sdk_chunk)
        self._note(sdk_chunk)
        return made

    def snapshot(self) -> Any:  # noqa: ANN401 - the SDK's
        self._settle()
        return self._state.current_completion_snapshot

    def final(self) -> Any:  # noqa: ANN401 - the SDK's
        self._settle()
        return self._state.get_final_completion()

    def _text(self, choice: Choice) -> list[HelperEvent] | None:
        """Add a delta of texts to the run and return its events; None if it is anything else."""
        delta = choice._wire()["delta"]
        texts = {name: value for name, value in delta.items() if value is not None}
        if delta.get("refusal") is not None or not all(isinstance(value, str) for value in texts.values()):
            return None
        if "type" in texts or "index" in texts:  # the SDK replaces these instead of joining them
            return None
        self._extend((choice.index, *delta, *texts), texts)
        piece = choice.delta.content
        if piece is None:
            return []
        text = self._texts[choice.index]
        return [ContentDeltaEvent(delta=piece, text_=text, moment_=text.add(piece), is_parsed_=self._is_rich)]

    def _arguments(self, choice: Choice) -> list[HelperEvent] | None:
        """Add a piece of the current call's arguments to the run and return its event; None if it is anything else."""
        delta: dict[str, Any] = choice._wire()["delta"]
        call = self._calls.get(choice.index)
        if call is None or len(delta["tool_calls"]) != 1 or sum(value is not None for value in delta.values()) != 1:
            return None
        piece: dict[str, Any] = delta["tool_calls"][0]
        function: dict[str, Any] = piece.get("function") or {}
        added: str | None = function.get("arguments")
        if piece["index"] != call.index or piece.get("type", call.type) != call.type or added is None:
            return None
        if not piece.keys() <= {"index", "function", "type"} or len(function) != 1:
            return None
        self._extend((choice.index, call.index, *delta, *piece), {"arguments": added})
        moment = call.text.add(added)
        strict = call.name in self._strict
        return [
            ArgumentsDeltaEvent(
                name=call.name,
                index=call.index,
                arguments_delta=added,
                text_=call.text,
                moment_=moment,
                is_strict_=strict,
            )
        ]

    def _extend(self, run: tuple[object, ...], texts: Mapping[str, str]) -> None:
        if run != self._run:
            self._settle()
            self._run = run
            self._pieces = {name: [] for name in texts}
        for name, text in texts.items():
            self._pieces[name].append(text)

    def _settle(self) -> None:
        """Hand the run to the SDK's state as one chunk; what it would tell of it was told piece by piece."""
        if self._run is None:
            return
        self._run = None
        chunk = load_json(self._last)
        delta = chunk["choices"][0]["delta"]
        target = (
            delta["tool_calls"][0]["function"] if "arguments" in self._pieces and delta.get("tool_calls") else delta
        )
        target.update({name: "".join(pieces) for name, pieces in self._pieces.items()})
        self._state.handle_chunk(SDKChunk.model_construct(**chunk))

    def _note(self, chunk: SDKChunk) -> None:
        """Learn from a chunk that the SDK's state has taken which texts and calls are being written."""
        for choice in chunk.choices or ():
            content: object = choice.delta.content
            if content is None or isinstance(content, str):
                self._texts.setdefault(choice.index, Fragments()).add(content or "")
            else:  # no text at all: from here on the SDK's state takes each chunk of this choice by itself
                self._texts[choice.index] = _NO_TEXT
            for piece in choice.delta.tool_calls or ():
                call = self._calls.get(choice.index)
                function = piece.function
                if call is None or call.index != piece.index:
                    whole = self._state.current_completion_snapshot.choices[choice.index].message.tool_calls[
                        piece.index
                    ]
                    self._calls[choice.index] = _Call(piece.index, whole)
                elif function is not None:
                    call.name += function.name or ""
                    call.text.add(function.arguments or "")


class _Call:
    """A function call that is being written."""

    def __init__(self, index: int, whole: Any) -> None:  # noqa: ANN401 - the SDK's snapshot of it
        self.index = index
        self.type: str | None = whole.type
        self.name: str = whole.function.name or ""
        self.text = Fragments(whole.function.arguments or "")
