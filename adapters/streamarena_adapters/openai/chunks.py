"""Light chat completion chunks: the attributes of `openai.types.chat.ChatCompletionChunk` and its parts.

Invariants: a field here has the SDK's name, and is None where the server leaves it out, as the SDK has it. A chunk
without a field that is never None in the SDK's types (`index`, a token count) becomes the SDK's object.
Not here: `audio`, `moderation` and `function_call`, which `Light` takes from the SDK's object where they came.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec
from openai.types import completion_usage
from openai.types.chat import ChatCompletionChunk as SDKChunk
from openai.types.chat import chat_completion_chunk, chat_completion_token_logprob

from streamarena_adapters._light import Light, LightEvent, ModelBuilder, Path

__all__ = [
    "ChatCompletionChunk",
    "ChatCompletionTokenLogprob",
    "Choice",
    "ChoiceDelta",
    "ChoiceDeltaToolCall",
    "ChoiceDeltaToolCallFunction",
    "ChoiceLogprobs",
    "CompletionTokensDetails",
    "CompletionUsage",
    "OtherChunk",
    "PromptTokensDetails",
    "TopLogprob",
]


class _Part(Light):
    _builder = ModelBuilder(SDKChunk)


class ChoiceDeltaToolCallFunction(_Part):
    """A piece of a call of a function."""

    _sdk_type = chat_completion_chunk.ChoiceDeltaToolCallFunction

    arguments: str | None = None
    name: str | None = None


class ChoiceDeltaToolCall(_Part, kw_only=True):
    """A piece of a tool call."""

    _sdk_type = chat_completion_chunk.ChoiceDeltaToolCall

    index: int
    id: str | None = None
    function: ChoiceDeltaToolCallFunction | None = None
    type: str | None = None


class ChoiceDelta(_Part):
    """What a chunk adds to a choice."""

    _sdk_type = chat_completion_chunk.ChoiceDelta

    _path: Path = msgspec.field(default=("choices", 0, "delta"), name="(path)")
    content: str | None = None
    role: str | None = None
    refusal: str | None = None
    tool_calls: list[ChoiceDeltaToolCall] | None = None


class TopLogprob(_Part):
    """A token that might have been."""

    _sdk_type = chat_completion_token_logprob.TopLogprob

    token: str
    logprob: float
    bytes: list[int] | None = None


class ChatCompletionTokenLogprob(_Part):
    """A token's log probability."""

    _sdk_type = chat_completion_token_logprob.ChatCompletionTokenLogprob

    token: str
    logprob: float
    top_logprobs: list[TopLogprob]
    bytes: list[int] | None = None


class ChoiceLogprobs(_Part):
    """Log probabilities of a chunk's tokens."""

    _sdk_type = chat_completion_chunk.ChoiceLogprobs

    content: list[ChatCompletionTokenLogprob] | None = None
    refusal: list[ChatCompletionTokenLogprob] | None = None


class Choice(_Part, kw_only=True):
    """One of the answers that are being written."""

    _sdk_type = chat_completion_chunk.Choice

    _path: Path = msgspec.field(default=("choices", 0), name="(path)")
    delta: ChoiceDelta
    index: int
    finish_reason: str | None = None
    logprobs: ChoiceLogprobs | None = None


class CompletionTokensDetails(_Part):
    """What the completion's tokens were."""

    _sdk_type = completion_usage.CompletionTokensDetails

    accepted_prediction_tokens: int | None = None
    audio_tokens: int | None = None
    reasoning_tokens: int | None = None
    rejected_prediction_tokens: int | None = None


class PromptTokensDetails(_Part):
    """What the prompt's tokens were."""

    _sdk_type = completion_usage.PromptTokensDetails

    audio_tokens: int | None = None
    cached_tokens: int | None = None


class CompletionUsage(_Part):
    """Tokens of the request."""

    _sdk_type = completion_usage.CompletionUsage

    completion_tokens: int
    prompt_tokens: int
    total_tokens: int
    completion_tokens_details: CompletionTokensDetails | None = None
    prompt_tokens_details: PromptTokensDetails | None = None


class ChatCompletionChunk(_Part):
    """One event of a chat completion."""

    _sdk_type = SDKChunk

    choices: list[Choice]
    id: str | None = None
    created: int | None = None
    model: str | None = None
    object: str | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    usage: CompletionUsage | None = None
    error_: Any = msgspec.field(default=None, name="error")

    def bind(self, data: bytes, path: Path = ()) -> None:
        """Tell this chunk and its parts which event they come from."""
        choices = self.choices
        if len(choices) == 1 and self.usage is None:
            choice = choices[0]
            delta = choice.delta
            if delta.tool_calls is None and choice.logprobs is None:  # nearly always: the paths are the defaults
                self._data = choice._data = delta._data = data
                return
        super().bind(data, path)

    def to_sdk(self) -> SDKChunk:
        """Return the SDK's own object, as the stock SDK builds it from the same bytes; a new one at each call."""
        return cast("SDKChunk", super().to_sdk())


class OtherChunk(_Part, LightEvent):
    """A chunk with a field of another type than it should have: the SDK's object, which checks nothing."""
