"""The typed forms of OpenAI's chat completion events, with every member that the compatible family adds.

Every field has a default and may be null: what is absent, null or unknown costs nothing and breaks nothing.
`gc=False`: these structs live for one event and never take part in a cycle.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = [
    "Choice",
    "ContentPart",
    "CostDetails",
    "Delta",
    "Event",
    "FirstEvent",
    "Function",
    "GroqExtra",
    "PlainChoice",
    "PlainDelta",
    "PlainEvent",
    "ReasoningDetail",
    "TokenDetails",
    "ToolCall",
    "Usage",
]


class ContentPart(msgspec.Struct, gc=False):
    """Mistral's typed piece of content; `thinking` holds pieces of its own."""

    type: str | None = None
    text: str | None = None
    thinking: str | list[ContentPart] | None = None


class Function(msgspec.Struct, gc=False):
    """Name and arguments of a call; some servers give the arguments as an object."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class ToolCall(msgspec.Struct, gc=False):
    """A fragment of a call; `index` is missing on some servers that send whole calls."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None


class ReasoningDetail(msgspec.Struct, gc=False):
    """OpenRouter's typed reasoning: text, summary, or encrypted data."""

    type: str | None = None
    text: str | None = None
    summary: str | None = None
    data: str | None = None
    signature: str | None = None


class Delta(msgspec.Struct, gc=False):
    """What a choice gained."""

    content: str | list[ContentPart] | None = None
    tool_calls: list[ToolCall] | None = None
    reasoning_content: str | None = None  # deepseek, xai, qwen, vllm
    reasoning: str | None = None  # openrouter, groq, together, newer vllm
    reasoning_details: list[ReasoningDetail] | None = None  # openrouter
    refusal: str | None = None
    function_call: Function | None = None  # the form before tool_calls
    annotations: list[Any] | None = None  # web search: OpenAI, openrouter
    role: str | None = None


class Choice(msgspec.Struct, gc=False):
    """One choice's part of an event."""

    delta: Delta | None = None
    finish_reason: str | None = None
    index: int = 0
    text: str | None = None  # the completions endpoint
    message: Delta | None = None  # a completion that was not streamed
    error: Any = None  # openrouter


class TokenDetails(msgspec.Struct, gc=False):
    """The details below prompt and completion tokens."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None  # openrouter
    reasoning_tokens: int | None = None


class CostDetails(msgspec.Struct, gc=False):
    """OpenRouter: what the provider behind it charges, where the user brought their own key."""

    upstream_inference_cost: float | None = None


class Usage(msgspec.Struct, gc=False):
    """Token counts, with the names of every member of the family."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: TokenDetails | None = None
    completion_tokens_details: TokenDetails | None = None
    cache_creation_input_tokens: int | None = None  # proxies in front of Anthropic
    cache_read_input_tokens: int | None = None
    prompt_cache_hit_tokens: int | None = None  # deepseek
    reasoning_tokens: int | None = None  # perplexity, some vllm builds
    cost: float | None = None  # openrouter
    cost_details: CostDetails | None = None


class GroqExtra(msgspec.Struct, gc=False):
    """Groq's own place for usage and errors."""

    usage: Usage | None = None
    error: Any = None


class Event(msgspec.Struct, gc=False):
    """One event, once the stream has been named."""

    choices: list[Choice] | None = None
    usage: Usage | None = None
    error: Any = None
    x_groq: GroqExtra | None = None


class FirstEvent(Event, gc=False):
    """An event before the stream has been named."""

    id: str | None = None
    model: str | None = None


class PlainDelta(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A delta of text and nothing else: any other member makes the decode fail."""

    content: str | None = None


class PlainChoice(msgspec.Struct, gc=False):
    """The first choice, with such a delta, and neither its end nor an error."""

    delta: PlainDelta
    finish_reason: None = None
    index: Literal[0] = 0
    error: None = None


class PlainEvent(msgspec.Struct, gc=False):
    """An event with such a choice and no other. Its shape is the whole check: asking in Python costs 0.1 us more."""

    choices: tuple[PlainChoice]
    usage: None = None
    error: None = None
