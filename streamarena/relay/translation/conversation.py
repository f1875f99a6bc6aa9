"""What a model request says, whatever wire it came by: turns of parts, tools, and the few settings all wires share.

Invariants: plain data; nothing ever changes once it is made. Texts, arguments and ids are the caller's own, unaltered.
Not here: reading and writing it, one file for each API.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

__all__ = [
    "Conversation",
    "Image",
    "OutputFormat",
    "Part",
    "Role",
    "Text",
    "Thinking",
    "Tool",
    "ToolCall",
    "ToolChoice",
    "ToolResult",
    "Turn",
]

Role: TypeAlias = Literal["system", "user", "assistant"]


class Text(msgspec.Struct, frozen=True, gc=False):
    """Words."""

    text: str


class Image(msgspec.Struct, frozen=True, gc=False):
    """A picture: either an address, or base64 `data` of a `media_type`. `detail` is OpenAI's hint."""

    url: str | None = None
    media_type: str = ""
    data: str = ""
    detail: str | None = None


class ToolCall(msgspec.Struct, frozen=True, gc=False):
    """The assistant asks for a tool; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str


class ToolResult(msgspec.Struct, frozen=True):
    """What a tool answered, to the call of this id."""

    id: str
    parts: tuple[Text | Image, ...]
    failed: bool = False


class Thinking(msgspec.Struct, frozen=True, gc=False):
    """Reasoning of the assistant; with `redacted` only its signature, which nobody here can read."""

    text: str
    signature: str | None = None
    redacted: bool = False


Part: TypeAlias = Text | Image | ToolCall | ToolResult | Thinking


class Turn(msgspec.Struct, frozen=True):
    """One turn. `place` is where it stood in the caller's request, for errors."""

    role: Role
    parts: tuple[Part, ...]
    place: str = ""


class Tool(msgspec.Struct, frozen=True):
    """A function that the model may call; `schema` is the JSON schema of its arguments."""

    name: str
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class ToolChoice(msgspec.Struct, frozen=True, gc=False):
    """Whether tools are to be called: "tool" means the one of that name."""

    mode: Literal["auto", "none", "required", "tool"]
    name: str = ""


class OutputFormat(msgspec.Struct, frozen=True):
    """The form that the answer must have; without a schema: any JSON object."""

    schema: dict[str, Any] | None = None
    name: str = "answer"
    strict: bool | None = None
    description: str | None = None


class Conversation(msgspec.Struct, frozen=True):
    """A request. None means that the caller said nothing about it.

    Attributes:
        parallel_calls: whether several tools may be called at once.
        effort: how much the model is to reason: "low", "medium", "high" and whatever else the caller's wire knows.
        user: the caller's name for its own user.
        stream, include_usage: whether the reply is wanted as a stream, and with token counts in it.
    """

    model: str
    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_calls: bool | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    temperature: float | None = None
    top_p: float | None = None
    effort: str | None = None
    output: OutputFormat | None = None
    user: str | None = None
    stream: bool = False
    include_usage: bool = True
