"""The typed forms of OpenAI's Responses events; every field has a default and may be null.

One flat struct serves all events: its `type` says which members count. `gc=False`: nothing here outlives its event.
"""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = [
    "ErrorBody",
    "Event",
    "IncompleteDetails",
    "InputDetails",
    "Item",
    "OutputDetails",
    "Part",
    "Response",
    "Usage",
]


class InputDetails(msgspec.Struct, gc=False):
    """What the input tokens were."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class OutputDetails(msgspec.Struct, gc=False):
    """What the output tokens were spent on."""

    reasoning_tokens: int | None = None


class Usage(msgspec.Struct, gc=False):
    """Token counts of a finished response."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None
    cost: float | None = None  # openrouter


class Part(msgspec.Struct, gc=False):
    """A part of a message's content, or of a reasoning item's summary."""

    type: str | None = None
    text: str | None = None
    refusal: str | None = None
    annotations: list[Any] | None = None


class Item(msgspec.Struct, gc=False):
    """One output item: a message, reasoning, a call."""

    type: str | None = None
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | dict[str, Any] | None = None
    input: str | None = None
    content: list[Part] | None = None
    summary: list[Part] | None = None
    encrypted_content: str | None = None


class IncompleteDetails(msgspec.Struct, gc=False):
    """Why a response is incomplete."""

    reason: str | None = None


class ErrorBody(msgspec.Struct, gc=False):
    """A failed response's error."""

    code: str | None = None
    message: str | None = None


class Response(msgspec.Struct, gc=False):
    """The envelope: its name at the start, usage and outcome at the end."""

    id: str | None = None
    model: str | None = None
    status: str | None = None
    usage: Usage | None = None
    incomplete_details: IncompleteDetails | None = None
    error: ErrorBody | None = None
    output: list[Item] | None = None


class Event(msgspec.Struct, gc=False):
    """Any event."""

    type: str | None = None
    delta: str | None = None
    output_index: int = 0
    item: Item | None = None
    part: Part | None = None
    annotation: Any = None
    response: Response | None = None
    error: Any = None
    object: str | None = None
