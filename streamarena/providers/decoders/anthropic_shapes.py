"""The typed forms of Anthropic's Messages events; every field has a default and may be null.

One flat struct serves all events: its `type` says which members count. `gc=False`: nothing here outlives its event.
"""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Block", "Delta", "Event", "Message", "OutputDetails", "Usage"]


class OutputDetails(msgspec.Struct, gc=False):
    """What the output tokens were spent on."""

    thinking_tokens: int | None = None


class Usage(msgspec.Struct, gc=False):
    """Token counts: input without cache tokens; output is cumulative."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens_details: OutputDetails | None = None


class Delta(msgspec.Struct, gc=False):
    """What a block, or the message itself, gained."""

    type: str | None = None
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    signature: str | None = None
    citation: Any = None
    stop_reason: str | None = None
    stop_sequence: str | None = None


class Block(msgspec.Struct, gc=False):
    """The start of a content block."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: Any = None
    content: Any = None


class Message(msgspec.Struct, gc=False):
    """The envelope that `message_start` brings; complete where the message was not streamed."""

    id: str | None = None
    model: str | None = None
    role: str | None = None
    usage: Usage | None = None


class Event(msgspec.Struct, gc=False):
    """Any event."""

    type: str | None = None
    index: int = 0
    delta: Delta | None = None
    content_block: Block | None = None
    message: Message | None = None
    usage: Usage | None = None
    error: Any = None
