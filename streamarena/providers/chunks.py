"""What a stream is made of once the wire is gone: chunks, one small frozen record for each kind.

A chunk's `kind` is a class attribute, so a consumer may switch on `chunk.kind` or on the class. `is_content` says
whether it counts for time to first token and for the idle timer: text, reasoning and tool calls do; role-only starts,
usage, pings and finish records do not. Invariant: a decoder never emits a content chunk that is empty.

Cost: one allocation a chunk (msgspec structs without a garbage-collector header); strings are shared with the decode.
Kinds follow section 6.1 of the reference behaviour: `tool_call_partial` is what wires bring; `tool_call_start`,
`tool_call_delta`, `tool_call_end` and `tool_call` are what the assembler makes of it.
Usage is a snapshot: each `UsageChunk` holds all that the provider has reported so far, so the last one of a stream is
its usage. (The reference's consumer adds them up, and counts Anthropic's output twice.)
Not here: decoding (`providers/decoders/`), joining (`providers/assembly.py`, `providers/accumulator.py`).
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, TypeAlias

import msgspec

__all__ = [
    "Chunk",
    "ChunkKind",
    "ErrorChunk",
    "FinishChunk",
    "FinishReason",
    "GroundingChunk",
    "GroundingSource",
    "ReasoningChunk",
    "StartChunk",
    "TextChunk",
    "ThinkingCompleteChunk",
    "ToolCallChunk",
    "ToolCallDeltaChunk",
    "ToolCallEndChunk",
    "ToolCallPartialChunk",
    "ToolCallStartChunk",
    "UsageChunk",
]

ChunkKind: TypeAlias = Literal[
    "start",
    "text",
    "reasoning",
    "thinking_complete",
    "grounding",
    "tool_call",
    "tool_call_start",
    "tool_call_delta",
    "tool_call_end",
    "tool_call_partial",
    "usage",
    "finish",
    "error",
]

FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter", "refusal", "error", "other"]


class StartChunk(msgspec.Struct, frozen=True, gc=False):
    """The stream is set up: the provider named the response. Not content.

    With `attempt` above 1 it is a mark that the client set, no decoder: the answer broke off after content, and another
    attempt follows. With `continues` that goes on where the last chunk ended; without, the answer begins anew and what
    came before is void.
    """

    kind: ClassVar[Literal["start"]] = "start"
    is_content: ClassVar[bool] = False
    id: str | None = None
    model: str | None = None
    role: str | None = None
    attempt: int = 1
    continues: bool = False


class TextChunk(msgspec.Struct, frozen=True, gc=False):
    """A piece of the answer's text; `index` is the choice (OpenAI) or candidate (Gemini) it belongs to.

    `refusal` is true where the wire keeps the words of a refusal apart from the answer.
    """

    kind: ClassVar[Literal["text"]] = "text"
    is_content: ClassVar[bool] = True
    text: str
    index: int = 0
    refusal: bool = False


class ReasoningChunk(msgspec.Struct, frozen=True, gc=False):
    """A piece of the model's reasoning; `signature` where the provider signs it with the text."""

    kind: ClassVar[Literal["reasoning"]] = "reasoning"
    is_content: ClassVar[bool] = True
    text: str
    signature: str | None = None
    index: int = 0


class ThinkingCompleteChunk(msgspec.Struct, frozen=True, gc=False):
    """A block of reasoning is complete and this is its signature. Not content.

    With `redacted`, `signature` is the encrypted reasoning itself, which the provider wants back unread.
    """

    kind: ClassVar[Literal["thinking_complete"]] = "thinking_complete"
    is_content: ClassVar[bool] = False
    signature: str
    redacted: bool = False


class GroundingSource(msgspec.Struct, frozen=True, gc=False):
    """One source that an answer leans on."""

    title: str
    url: str
    snippet: str | None = None


class GroundingChunk(msgspec.Struct, frozen=True):
    """Sources that the provider searched for this answer. Not content."""

    kind: ClassVar[Literal["grounding"]] = "grounding"
    is_content: ClassVar[bool] = False
    sources: tuple[GroundingSource, ...]


class ToolCallPartialChunk(msgspec.Struct, frozen=True, gc=False):
    """A raw fragment of a tool call as the wire brought it; `index` tells parallel calls of one `choice` apart.

    At least one of `id`, `name` and `arguments` is a string that is not empty.
    """

    kind: ClassVar[Literal["tool_call_partial"]] = "tool_call_partial"
    is_content: ClassVar[bool] = True
    index: int
    id: str | None = None
    name: str | None = None
    arguments: str | None = None
    choice: int = 0


class ToolCallStartChunk(msgspec.Struct, frozen=True, gc=False):
    """A tool call has begun: its id and name are known."""

    kind: ClassVar[Literal["tool_call_start"]] = "tool_call_start"
    is_content: ClassVar[bool] = True
    id: str
    name: str


class ToolCallDeltaChunk(msgspec.Struct, frozen=True, gc=False):
    """More of a tool call's JSON arguments."""

    kind: ClassVar[Literal["tool_call_delta"]] = "tool_call_delta"
    is_content: ClassVar[bool] = True
    id: str
    delta: str


class ToolCallEndChunk(msgspec.Struct, frozen=True, gc=False):
    """A tool call's arguments are complete. Not content."""

    kind: ClassVar[Literal["tool_call_end"]] = "tool_call_end"
    is_content: ClassVar[bool] = False
    id: str


class ToolCallChunk(msgspec.Struct, frozen=True, gc=False):
    """A whole tool call: `arguments` is its JSON text."""

    kind: ClassVar[Literal["tool_call"]] = "tool_call"
    is_content: ClassVar[bool] = True
    id: str
    name: str
    arguments: str
    index: int = 0
    choice: int = 0


class UsageChunk(msgspec.Struct, frozen=True, gc=False):
    """Token counts as the provider reported them so far; fields that it did not give are None.

    `input_tokens` and `output_tokens` are the provider's own numbers: Anthropic's input excludes cache tokens, the
    others' includes them, and `cache_in_input` says which of the two it is. `total_cost` is in the provider's currency
    (US dollars) where it says.
    """

    kind: ClassVar[Literal["usage"]] = "usage"
    is_content: ClassVar[bool] = False
    input_tokens: int = 0
    output_tokens: int = 0
    cache_write_tokens: int | None = None
    cache_read_tokens: int | None = None
    reasoning_tokens: int | None = None
    total_cost: float | None = None
    cache_in_input: bool = True


class FinishChunk(msgspec.Struct, frozen=True, gc=False):
    """A choice is finished; `reason` is normalised, `raw_reason` is the provider's word.

    `stop_sequence` is the text that stopped the model, where the provider says which.
    """

    kind: ClassVar[Literal["finish"]] = "finish"
    is_content: ClassVar[bool] = False
    reason: FinishReason
    raw_reason: str | None = None
    index: int = 0
    stop_sequence: str | None = None


class ErrorChunk(msgspec.Struct, frozen=True):
    """The provider reported an error inside the stream; the stream ends with it."""

    kind: ClassVar[Literal["error"]] = "error"
    is_content: ClassVar[bool] = False
    message: str
    code: str | None = None
    type: str | None = None
    raw: Any = None


Chunk: TypeAlias = (
    TextChunk
    | ReasoningChunk
    | ToolCallPartialChunk
    | ToolCallStartChunk
    | ToolCallDeltaChunk
    | ToolCallEndChunk
    | ToolCallChunk
    | UsageChunk
    | FinishChunk
    | StartChunk
    | ThinkingCompleteChunk
    | GroundingChunk
    | ErrorChunk
)
