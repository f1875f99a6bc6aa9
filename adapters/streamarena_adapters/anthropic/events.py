"""Light events of the Messages API: block deltas, which come by the thousand, as structs; all others through the SDK.

Invariants: an event's attributes are those of the SDK's class of the same `type`; a type that is new to the SDK is
what the SDK makes of it; a field that a server leaves out is None, as the SDK has it.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias

import msgspec
from anthropic import types as sdk

from streamarena_adapters._light import Light, LightEvent, Path, UnionBuilder

__all__ = [
    "ContentBlockDeltaEvent",
    "InputJSONDelta",
    "OtherEvent",
    "RawMessageStreamEvent",
    "SignatureDelta",
    "TextDelta",
    "ThinkingDelta",
]


class _Part(Light):
    _builder = UnionBuilder(sdk.RawMessageStreamEvent)


class _Delta(_Part, tag_field="type", tag="delta"):
    type: ClassVar[str]

    _path: Path = msgspec.field(default=("delta",), name="(path)")


class TextDelta(_Delta, kw_only=True, tag="text_delta"):
    """A piece of the answer."""

    type = "text_delta"
    _sdk_type = sdk.TextDelta

    text: str


class InputJSONDelta(_Delta, kw_only=True, tag="input_json_delta"):
    """A piece of a tool's input."""

    type = "input_json_delta"
    _sdk_type = sdk.InputJSONDelta

    partial_json: str


class ThinkingDelta(_Delta, kw_only=True, tag="thinking_delta"):
    """A piece of the reasoning."""

    type = "thinking_delta"
    _sdk_type = sdk.ThinkingDelta

    thinking: str


class SignatureDelta(_Delta, kw_only=True, tag="signature_delta"):
    """What a later request proves the reasoning with."""

    type = "signature_delta"
    _sdk_type = sdk.SignatureDelta

    signature: str


class ContentBlockDeltaEvent(_Part, tag_field="type", tag="content_block_delta"):
    """A piece of a block."""

    type: ClassVar[str] = "content_block_delta"
    _sdk_type = sdk.RawContentBlockDeltaEvent

    delta: TextDelta | InputJSONDelta | ThinkingDelta | SignatureDelta
    index: int

    def bind(self, data: bytes, path: Path = ()) -> None:  # noqa: ARG002 - an event is always the whole
        """Tell this event and its delta where they come from."""
        self._data = self.delta._data = data


class OtherEvent(_Part, LightEvent):
    """An event that comes once, or once a block: the SDK's object, made when it is first looked at."""


RawMessageStreamEvent: TypeAlias = ContentBlockDeltaEvent | OtherEvent
"""What a lean stream of messages yields. All have `type` and `to_sdk()`."""
