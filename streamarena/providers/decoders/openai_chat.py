"""OpenAI's chat completions stream, and that of everyone who speaks it, to chunks.

One decoder serves the whole compatible family, because a user rarely knows what stands behind a base URL: every place
where a member of the family puts something is read, whichever name the decoder was asked for by.
Invariants: a choice's content order is kept; usage is a snapshot and is given when it changes; after `[DONE]` or an
error nothing more comes. A complete (not streamed) completion decodes as one event.
Costs one typed decode an event: unknown members are skipped without being built, and id and model are read only until
the first event has named them. Nine events of ten are a piece of text and nothing else, so a form without any other
member is tried first, until it fails once: asking eight absent members whether they are there costs 0.1 us an event.
Not here: `<think>` tags (`tags.py`), joining tool calls (`assembly.py`).

Source: OpenAI, API reference, "The chat completion chunk object"; the members' own pages are named in `dialects.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from streamarena.providers.chunks import (
    Chunk,
    ErrorChunk,
    FinishChunk,
    StartChunk,
    TextChunk,
    ToolCallPartialChunk,
    UsageChunk,
)
from streamarena.providers.decoders.base import is_keep_alive
from streamarena.providers.decoders.openai_chat_shapes import (
    Choice,
    Delta,
    Event,
    FirstEvent,
    Function,
    PlainEvent,
    ToolCall,
    Usage,
)
from streamarena.providers.decoders.openai_chat_values import (
    FINISH_REASONS,
    content_parts,
    grounding_of,
    json_text,
    reasoning_of,
    usage_of,
)
from streamarena.providers.decoders.problems import error_chunk, looks_like_error
from streamarena.providers.interfaces import NO_CHUNKS, Framing, WireEvent
from streamarena.providers.json_values import is_array, is_object
from streamarena.providers.tolerant import TYPED_DECODE_ERRORS, as_struct, load_object, wrong_shape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["OpenAIChatDecoder"]

_READ_FIRST: Final[Callable[[bytes], Event]] = msgspec.json.Decoder(FirstEvent).decode
_READ_LATER: Final[Callable[[bytes], Event]] = msgspec.json.Decoder(Event).decode
_READ_PLAIN: Final[Callable[[bytes], PlainEvent]] = msgspec.json.Decoder(PlainEvent).decode
_NOTHING: Final = Event()


def _read_nothing(data: bytes, /) -> Event:
    del data
    return _NOTHING


class OpenAIChatDecoder:
    """Decode `chat.completion.chunk` events; `Decoder` says what the methods promise."""

    framing: ClassVar[Framing] = "sse"

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the stream; counters go back to zero."""
        self.complete = False
        self.fallbacks = 0
        self._read = _READ_FIRST
        self._started = False
        self._plain = False
        self._usage: UsageChunk | None = None
        self._finished: dict[int, str] = {}  # by index; an empty set is three times as large
        self._highest_choice = 0
        self._latest_call = -1

    def decode(self, event: WireEvent) -> Sequence[Chunk]:
        """Return the chunks of one event.

        Raises:
            DecodeError: the payload is not a JSON object, or the stream begins as another wire's.
        """
        data = event.raw_data
        if self._plain:
            try:
                text = _READ_PLAIN(data).choices[0].delta.content
            except TYPED_DECODE_ERRORS:
                self._plain = False  # the end, or this server's events have more members: do not try again
            else:
                if text:
                    return (TextChunk(text),)
        try:
            message = self._read(data)
        except TYPED_DECODE_ERRORS:
            return self._decode_untyped(event)
        return self._decode_message(message, event)

    def finish(self) -> Sequence[Chunk]:
        """Return nothing: no part of a chat event is ever held back."""
        return NO_CHUNKS

    # ------------------------------------------------------------ whole events

    def _decode_message(self, message: Event, event: WireEvent) -> Sequence[Chunk]:
        chunks: list[Chunk] = []
        choices = message.choices or ()
        if not self._started and isinstance(message, FirstEvent):
            self._start(message, choices[0] if choices else None, chunks)
        for choice in choices:
            self._decode_choice(choice, chunks)
        extra = message.x_groq
        if message.error or any(choice.error for choice in choices) or (extra is not None and extra.error):
            chunks.append(self._fail(event))
            return chunks
        usage = message.usage or (extra.usage if extra is not None else None)
        if usage is not None:
            # Servers that report usage with every piece of text would be read twice.
            self._plain = self._plain and not choices
            self._report(usage, chunks)
        elif not choices and self._read is not _read_nothing:
            return self._decode_unrecognised(event)
        return chunks or NO_CHUNKS

    def _start(self, message: FirstEvent, choice: Choice | None, chunks: list[Chunk]) -> None:
        role = choice.delta.role if choice and choice.delta else None
        named = bool(message.id or message.model or role)
        # Azure's first event carries filter results, empty names and no choice: the stream is not named yet.
        if named or choice is not None:
            self._started = self._plain = True
            self._read = _READ_LATER
        if named:
            chunks.append(StartChunk(message.id or None, message.model or None, role))

    def _decode_choice(self, choice: Choice, chunks: list[Chunk]) -> None:
        index = choice.index
        self._highest_choice = max(self._highest_choice, index)
        delta = choice.delta or choice.message
        if delta is not None:
            self._decode_delta(delta, index, chunks)
        elif choice.text:  # Together repeats the delta's content here
            chunks.append(TextChunk(choice.text, index))
        # A few servers send an empty reason until there is one; some repeat it in the usage event.
        if choice.finish_reason and index not in self._finished:
            raw = choice.finish_reason
            self._finished[index] = raw
            self.complete = len(self._finished) > self._highest_choice
            chunks.append(FinishChunk(FINISH_REASONS.get(raw, "other"), raw, index))

    def _decode_delta(self, delta: Delta, index: int, chunks: list[Chunk]) -> None:
        for reasoning in reasoning_of(delta, index):
            chunks.append(reasoning)  # noqa: PERF402 - `extend` by a generator without items costs two calls of malloc
        content = delta.content
        if isinstance(content, str):
            if content:
                chunks.append(TextChunk(content, index))
        elif content:
            chunks.extend(content_parts(content, index))
        if delta.refusal:
            chunks.append(TextChunk(delta.refusal, index, refusal=True))
        for call in delta.tool_calls or ():
            self._decode_call(call, index, chunks)
        if delta.function_call is not None:
            # The old form has one call and no id; the assembler needs one.
            first = self._latest_call < 0
            self._decode_call(ToolCall(0, "function_call" if first else None, delta.function_call), index, chunks)
        if delta.annotations:
            sources = grounding_of(delta.annotations)
            if sources is not None:
                chunks.append(sources)

    def _decode_call(self, call: ToolCall, choice: int, chunks: list[Chunk]) -> None:
        index = call.index
        if index is None:
            # Without an index a new id begins a new call, and what has no id belongs to the latest.
            index = self._latest_call + 1 if call.id or self._latest_call < 0 else self._latest_call
        self._latest_call = index
        function = call.function or Function()
        name, arguments = function.name or None, json_text(function.arguments)
        if call.id or name or arguments:
            chunks.append(ToolCallPartialChunk(index, call.id or None, name, arguments, choice))

    def _report(self, usage: Usage, chunks: list[Chunk]) -> None:
        snapshot = usage_of(usage)
        if snapshot != self._usage:
            self._usage = snapshot
            chunks.append(snapshot)

    def _end(self) -> None:
        self.complete = True
        self._plain = False
        self._read = _read_nothing

    # ------------------------------------------------------------ what is not a chat event

    def _decode_untyped(self, event: WireEvent) -> Sequence[Chunk]:
        data = event.raw_data.strip()
        if data == b"[DONE]":
            self._end()
            return NO_CHUNKS
        if is_keep_alive(data):
            return NO_CHUNKS
        body = load_object(data, "openai-chat")
        self.fallbacks += 1
        return self._decode_message(as_struct(body, FirstEvent if not self._started else Event), event)

    def _decode_unrecognised(self, event: WireEvent) -> Sequence[Chunk]:
        data = event.raw_data.strip()
        if not data:
            return NO_CHUNKS
        body = load_object(data, "openai-chat")
        if event.event == "error" or looks_like_error(body):
            return (self._fail(event),)
        if not self._started and "choices" not in body and "object" not in body:
            raise wrong_shape("openai-chat", data)
        return NO_CHUNKS

    def _fail(self, event: WireEvent) -> ErrorChunk:
        body = load_object(event.raw_data, "openai-chat")
        self._end()
        if not body.get("error"):
            choices = body.get("choices")
            for place in (*(choices if is_array(choices) else ()), body.get("x_groq")):
                if is_object(place) and place.get("error"):
                    return error_chunk(place)
        return error_chunk(body)
