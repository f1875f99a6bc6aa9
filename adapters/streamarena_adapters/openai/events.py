"""Light events of the Responses API: the deltas that come by the thousand as structs, all others through the SDK.

Invariants: an event's attributes are those of the SDK's class of the same `type`; a type that is new to the SDK is
what the SDK makes of it; a field that a server leaves out is None, as the SDK has it.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, TypeAlias, get_args

import msgspec
from openai.types import responses as sdk

from streamarena_adapters._light import Light, LightEvent, UnionBuilder

__all__ = [
    "DELTA_TYPES",
    "Deltas",
    "Logprob",
    "OtherEvent",
    "ResponseAudioDeltaEvent",
    "ResponseAudioTranscriptDeltaEvent",
    "ResponseCodeInterpreterCallCodeDeltaEvent",
    "ResponseCustomToolCallInputDeltaEvent",
    "ResponseDeltaEvent",
    "ResponseFunctionCallArgumentsDeltaEvent",
    "ResponseMcpCallArgumentsDeltaEvent",
    "ResponseReasoningSummaryTextDeltaEvent",
    "ResponseReasoningTextDeltaEvent",
    "ResponseRefusalDeltaEvent",
    "ResponseStreamEvent",
    "ResponseTextDeltaEvent",
]


class _Part(Light):
    _builder = UnionBuilder(sdk.ResponseStreamEvent)


class OtherEvent(_Part, LightEvent):
    """An event that comes once, or once an item: the SDK's object, made when it is first looked at."""


class ResponseDeltaEvent(_Part, tag_field="type", tag="delta"):
    """A piece of something; subclasses are one for each type."""

    type: ClassVar[str] = "delta"

    delta: str
    sequence_number: int | None = None
    error_: Any = msgspec.field(default=None, name="error")


class _ItemDelta(ResponseDeltaEvent, tag="item"):
    item_id: str | None = None
    output_index: int | None = None


class _ContentDelta(_ItemDelta, tag="content"):
    content_index: int | None = None


class Logprob(_Part):
    """A token's log probability."""

    _sdk_type = sdk.response_text_delta_event.Logprob

    token: str
    logprob: float


class ResponseTextDeltaEvent(_ContentDelta, tag="response.output_text.delta"):
    """A piece of the answer."""

    type = "response.output_text.delta"
    _sdk_type = sdk.ResponseTextDeltaEvent

    logprobs: list[Logprob] | None = None


class ResponseRefusalDeltaEvent(_ContentDelta, tag="response.refusal.delta"):
    """A piece of a refusal."""

    type = "response.refusal.delta"
    _sdk_type = sdk.ResponseRefusalDeltaEvent


class ResponseReasoningTextDeltaEvent(_ContentDelta, tag="response.reasoning_text.delta"):
    """A piece of the reasoning."""

    type = "response.reasoning_text.delta"
    _sdk_type = sdk.ResponseReasoningTextDeltaEvent


class ResponseReasoningSummaryTextDeltaEvent(_ItemDelta, tag="response.reasoning_summary_text.delta"):
    """A piece of the reasoning's summary."""

    type = "response.reasoning_summary_text.delta"
    _sdk_type = sdk.ResponseReasoningSummaryTextDeltaEvent

    summary_index: int | None = None


class ResponseFunctionCallArgumentsDeltaEvent(_ItemDelta, tag="response.function_call_arguments.delta"):
    """A piece of a function call's arguments."""

    type = "response.function_call_arguments.delta"
    _sdk_type = sdk.ResponseFunctionCallArgumentsDeltaEvent


class ResponseMcpCallArgumentsDeltaEvent(_ItemDelta, tag="response.mcp_call_arguments.delta"):
    """A piece of the arguments of a call to an MCP server."""

    type = "response.mcp_call_arguments.delta"
    _sdk_type = sdk.ResponseMcpCallArgumentsDeltaEvent


class ResponseCustomToolCallInputDeltaEvent(_ItemDelta, tag="response.custom_tool_call_input.delta"):
    """A piece of a custom tool's input."""

    type = "response.custom_tool_call_input.delta"
    _sdk_type = sdk.ResponseCustomToolCallInputDeltaEvent


class ResponseCodeInterpreterCallCodeDeltaEvent(_ItemDelta, tag="response.code_interpreter_call_code.delta"):
    """A piece of the code that the interpreter will run."""

    type = "response.code_interpreter_call_code.delta"
    _sdk_type = sdk.ResponseCodeInterpreterCallCodeDeltaEvent


class ResponseAudioDeltaEvent(ResponseDeltaEvent, tag="response.audio.delta"):
    """A piece of speech."""

    type = "response.audio.delta"
    _sdk_type = sdk.ResponseAudioDeltaEvent


class ResponseAudioTranscriptDeltaEvent(ResponseDeltaEvent, tag="response.audio.transcript.delta"):
    """A piece of the speech's transcript."""

    type = "response.audio.transcript.delta"
    _sdk_type = sdk.ResponseAudioTranscriptDeltaEvent


Deltas: TypeAlias = (
    ResponseTextDeltaEvent
    | ResponseFunctionCallArgumentsDeltaEvent
    | ResponseReasoningSummaryTextDeltaEvent
    | ResponseReasoningTextDeltaEvent
    | ResponseRefusalDeltaEvent
    | ResponseMcpCallArgumentsDeltaEvent
    | ResponseCustomToolCallInputDeltaEvent
    | ResponseCodeInterpreterCallCodeDeltaEvent
    | ResponseAudioDeltaEvent
    | ResponseAudioTranscriptDeltaEvent
)

DELTA_TYPES: Final = frozenset(str(member.type) for member in get_args(Deltas))

ResponseStreamEvent: TypeAlias = Deltas | OtherEvent
"""What a lean stream of the Responses API yields. All have `type` and `to_sdk()`."""
