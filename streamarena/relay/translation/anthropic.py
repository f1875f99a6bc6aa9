"""Anthropic messages: a request's body to a conversation, and back.

Invariants: the length that this wire demands is there: the caller's, or `DEFAULT_MAX_TOKENS`; consecutive turns of one
role become one; system texts stand before the turns, and one that comes later is refused, since moving it would change
what it follows.
Cache marks are hints to this provider alone: they are dropped and reported.
Source: Anthropic, "Messages" and "Tool use"; `output_config` as of November 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import orjson

from streamarena.errors import TranslationError
from streamarena.providers.encoders.parts import tool_input
from streamarena.relay.translation.conversation import (
    Conversation,
    Image,
    OutputFormat,
    Part,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from streamarena.relay.translation.members import Fate, Members, array_of, flag_of, object_of, text_of, texts_of

__all__ = ["DEFAULT_MAX_TOKENS", "FATES", "read", "write"]

DEFAULT_MAX_TOKENS: Final = 4096
"""Tokens asked for where the caller's API needs no limit and this one does."""

FATES: Final[Mapping[str, Fate]] = {
    **dict.fromkeys(
        (
            *("model", "messages", "system", "max_tokens", "stop_sequences", "temperature", "top_p", "stream"),
            *("tools", "tool_choice", "metadata", "thinking", "output_config"),
        ),
        "carried",
    ),
    **dict.fromkeys(("container", "mcp_servers", "context_management"), "refused"),
    **dict.fromkeys(("top_k", "service_tier", "cache_control", "inference_geo", "speed"), "dropped"),
}
_HARMLESS: Final[dict[str, object]] = {"service_tier": "auto", "mcp_servers": [], "speed": "standard"}
_CHOICES: Final[dict[str, Literal["auto", "none", "required"]]] = {"auto": "auto", "any": "required", "none": "none"}
_MODES: Final = {"auto": "auto", "required": "any", "none": "none"}
# OpenAI's words for effort that this wire lacks; the others are the same.
_EFFORTS: Final = {"minimal": "low"}
# From the budget of manual thinking, in tokens, the effort that comes near it.
_BUDGETS: Final = ((4096, "low"), (16384, "medium"))


# ---------------------------------------------------------------- reading


def read(body: Mapping[str, Any]) -> tuple[Conversation, list[str]]:
    """Return the conversation, and the names of members that were left out.

    Raises:
        TranslationError: a member is not of the form that this API gives it, or has no place elsewhere.
    """
    members = Members(body, FATES, _HARMLESS)
    turns: list[Turn] = []
    if members.has("system"):
        turns.append(Turn("system", tuple(_texts(members.get("system"), "system", members)), "system"))
    for number, message in enumerate(members.array("messages")):
        place = f"messages[{number}]"
        turns.append(_turn(object_of(message, place), place, members))
    choice, parallel = _choice(members.get("tool_choice"))
    effort, output = _output(members)
    metadata = object_of(members.get("metadata") or {}, "metadata")
    conversation = Conversation(
        model=members.required_text("model"),
        turns=tuple(turns),
        tools=tuple(_tool(tool, f"tools[{number}]", members) for number, tool in enumerate(members.array("tools"))),
        tool_choice=choice,
        parallel_calls=parallel,
        max_tokens=members.whole_number("max_tokens"),
        stop=texts_of(members.get("stop_sequences") or [], "stop_sequences"),
        temperature=members.number("temperature"),
        top_p=members.number("top_p"),
        effort=effort,
        output=output,
        user=metadata.get("user_id"),
        stream=members.flag("stream") or False,
    )
    return conversation, members.dropped


def _turn(message: dict[str, Any], place: str, members: Members) -> Turn:
    role = message.get("role")
    if role not in {"user", "assistant", "system"}:
        raise TranslationError(f"{place}.role", f"{role!r} has no counterpart" if role else "is missing")
    content = message.get("content")
    if isinstance(content, str):
        return Turn(role, (Text(content),), place)
    parts = [
        _part(object_of(block, f"{place}.content[{number}]"), f"{place}.content[{number}]", members)
        for number, block in enumerate(array_of(content, f"{place}.content"))
    ]
    return Turn(role, tuple(parts), place)


def _part(block: dict[str, Any], place: str, members: Members) -> Part:
    if block.get("cache_control") is not None:
        members.drop("cache_control")
    match block.get("type"):
        case "text":
            if block.get("citations"):
                members.drop("citations")
            return Text(text_of(block.get("text"), f"{place}.text"))
        case "image":
            return _image(object_of(block.get("source"), f"{place}.source"), place)
        case "tool_use":
            arguments = object_of(block.get("input"), f"{place}.input")
            call_id, name = text_of(block.get("id"), f"{place}.id"), text_of(block.get("name"), f"{place}.name")
            return ToolCall(call_id, name, orjson.dumps(arguments).decode())
        case "tool_result":
            call_id = text_of(block.get("tool_use_id"), f"{place}.tool_use_id")
            return ToolResult(call_id, tuple(_result(block, place, members)), block.get("is_error") is True)
        case "thinking":
            return Thinking(text_of(block.get("thinking"), f"{place}.thinking"), block.get("signature"))
        case "redacted_thinking":
            return Thinking("", text_of(block.get("data"), f"{place}.data"), redacted=True)
        case other:
            raise TranslationError(f"{place}.type", f"{other!r} has no counterpart in the target's API")


def _result(block: dict[str, Any], place: str, members: Members) -> list[Text | Image]:
    content = block.get("content")
    if content is None or isinstance(content, str):
        return [Text(content)] if content else []
    inner: list[Text | Image] = []
    for number, part in enumerate(array_of(content, f"{place}.content")):
        where = f"{place}.content[{number}]"
        read_part = _part(object_of(part, where), where, members)
        if not isinstance(read_part, Text | Image):
            raise TranslationError(f"{where}.type", "has no counterpart in the target's API")
        inner.append(read_part)
    return inner


def _image(source: dict[str, Any], place: str) -> Image:
    match source.get("type"):
        case "base64":
            media = text_of(source.get("media_type"), f"{place}.source.media_type")
            return Image(media_type=media, data=text_of(source.get("data"), f"{place}.source.data"))
        case "url":
            return Image(url=text_of(source.get("url"), f"{place}.source.url"))
        case other:
            raise TranslationError(f"{place}.source.type", f"{other!r} has no counterpart in the target's API")


def _texts(value: object, place: str, members: Members) -> list[Text]:
    if isinstance(value, str):
        return [Text(value)]
    blocks = [_part(object_of(block, place), place, members) for block in array_of(value, place)]
    if not all(isinstance(block, Text) for block in blocks):
        raise TranslationError(place, "holds something that is no text")
    return [block for block in blocks if isinstance(block, Text)]


def _tool(tool: object, place: str, members: Members) -> Tool:
    given = object_of(tool, place)
    if given.get("type") not in {None, "custom"}:
        raise TranslationError(f"{place}.type", f"{given.get('type')!r} runs at its provider; the target has none such")
    if given.get("cache_control") is not None:
        members.drop("cache_control")
    schema = object_of(given.get("input_schema") or {}, f"{place}.input_schema")
    return Tool(text_of(given.get("name"), f"{place}.name"), given.get("description"), schema, given.get("strict"))


def _choice(value: object) -> tuple[ToolChoice | None, bool | None]:
    if value is None:
        return None, None
    given = object_of(value, "tool_choice")
    alone = given.get("disable_parallel_tool_use")
    parallel = None if alone is None else not flag_of(alone, "tool_choice.disable_parallel_tool_use")
    kind = given.get("type")
    if kind == "tool":
        return ToolChoice("tool", text_of(given.get("name"), "tool_choice.name")), parallel
    if not isinstance(kind, str) or kind not in _CHOICES:
        raise TranslationError("tool_choice.type", f"{kind!r} has no counterpart in the target's API")
    return ToolChoice(_CHOICES[kind]), parallel


def _output(members: Members) -> tuple[str | None, OutputFormat | None]:
    """Return how much to reason and in which form to answer."""
    config = object_of(members.get("output_config") or {}, "output_config")
    effort = config.get("effort")
    thinking = object_of(members.get("thinking") or {}, "thinking")
    budget = thinking.get("budget_tokens")
    if effort is None and thinking.get("type") == "enabled" and isinstance(budget, int):
        effort = next((name for limit, name in _BUDGETS if budget <= limit), "high")
    elif effort is None and thinking and thinking.get("type") != "disabled":
        members.drop("thinking")
    wanted = config.get("format")
    if wanted is None:
        return effort, None
    given = object_of(wanted, "output_config.format")
    return effort, OutputFormat(object_of(given.get("schema"), "output_config.format.schema"))


# ---------------------------------------------------------------- writing


def write(conversation: Conversation, api: str) -> tuple[dict[str, Any], list[str]]:
    """Return the body that asks for the conversation, and what was left out.

    Raises:
        TranslationError: a system text behind other turns, a temperature above 1, any JSON without a schema.
    """
    del api  # one wire, one provider
    dropped: list[str] = []
    system, turns = _split(conversation.turns)
    if conversation.temperature is not None and conversation.temperature > 1:
        raise TranslationError("temperature", "goes from 0 to 1 in the target's API")
    body: dict[str, Any] = {
        "model": conversation.model,
        "max_tokens": conversation.max_tokens or DEFAULT_MAX_TOKENS,
        "system": _system(system),
        "messages": _messages(turns, dropped),
        "stop_sequences": list(conversation.stop) or None,
        "temperature": conversation.temperature,
        "top_p": conversation.top_p,
        "metadata": None if conversation.user is None else {"user_id": conversation.user},
        "tools": [_written_tool(tool) for tool in conversation.tools] or None,
        "tool_choice": _written_choice(conversation),
        "output_config": _written_output(conversation, dropped),
    }
    return {name: value for name, value in body.items() if value is not None}, dropped


def _split(turns: tuple[Turn, ...]) -> tuple[list[Turn], list[Turn]]:
    """Part the system texts at the beginning from the turns."""
    start = next((number for number, turn in enumerate(turns) if turn.role != "system"), len(turns))
    rest = list(turns[start:])
    late = next((turn for turn in rest if turn.role == "system"), None)
    if late is not None:
        raise TranslationError(f"{late.place}.role", "the target's API takes system texts at the beginning only")
    return list(turns[:start]), rest


def _system(turns: list[Turn]) -> str | list[dict[str, Any]] | None:
    texts = [part.text for turn in turns for part in turn.parts if isinstance(part, Text)]
    if len(texts) <= 1:
        return texts[0] if texts else None
    return [{"type": "text", "text": text} for text in texts]


def _messages(turns: list[Turn], dropped: list[str]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    for turn in turns:
        blocks = [_written(part, dropped) for part in turn.parts if not (isinstance(part, Text) and not part.text)]
        if not blocks:
            continue
        if messages and messages[-1]["role"] == turn.role:
            messages[-1]["content"] += blocks
        else:
            messages.append({"role": _written_role(turn.role), "content": blocks})
    return messages


def _written_role(role: Role) -> str:
    return "assistant" if role == "assistant" else "user"


def _written(part: Part, dropped: list[str]) -> dict[str, Any]:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Image():
            if part.detail not in {None, "auto"} and "image_url.detail" not in dropped:
                dropped.append("image_url.detail")
            if part.url is not None:
                return {"type": "image", "source": {"type": "url", "url": part.url}}
            source = {"type": "base64", "media_type": part.media_type, "data": part.data}
            return {"type": "image", "source": source}
        case ToolCall():
            return {"type": "tool_use", "id": part.id, "name": part.name, "input": tool_input(part.arguments)}
        case ToolResult():
            content = [_written(inner, dropped) for inner in part.parts]
            failed = {"is_error": True} if part.failed else {}
            return {"type": "tool_result", "tool_use_id": part.id, "content": content, **failed}
        case Thinking():
            if part.redacted:
                return {"type": "redacted_thinking", "data": part.signature or ""}
            return {"type": "thinking", "thinking": part.text, "signature": part.signature or ""}


def _written_tool(tool: Tool) -> dict[str, Any]:
    schema = tool.schema or {"type": "object", "properties": {}}
    written = {
        "name": tool.name,
        "description": tool.description,
        "input_schema": schema,
        "strict": tool.strict or None,
    }
    return {name: value for name, value in written.items() if value is not None}


def _written_choice(conversation: Conversation) -> dict[str, Any] | None:
    choice, parallel = conversation.tool_choice, conversation.parallel_calls
    if choice is None:
        if parallel is not False or not conversation.tools:
            return None
        choice = ToolChoice("auto")
    written = {"type": "tool", "name": choice.name} if choice.mode == "tool" else {"type": _MODES[choice.mode]}
    if parallel is None or choice.mode == "none":
        return written
    return {**written, "disable_parallel_tool_use": not parallel}


def _written_output(conversation: Conversation, dropped: list[str]) -> dict[str, Any] | None:
    config: dict[str, Any] = {}
    if conversation.effort is not None and conversation.effort != "none":
        config["effort"] = _EFFORTS.get(conversation.effort, conversation.effort)
    output = conversation.output
    if output is not None:
        if output.schema is None:
            raise TranslationError("response_format", "the target's API has no JSON answers without a schema")
        if output.description is not None:
            dropped.append("response_format.description")
        config["format"] = {"type": "json_schema", "schema": output.schema}
    return config or None
