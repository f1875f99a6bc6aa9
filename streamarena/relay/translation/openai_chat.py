"""OpenAI chat completions: a request's body to a conversation, and back.

What has no place elsewhere stands in `FATES`. Reasoning that a caller sends back has no place on this wire: it is
dropped and reported, with its signatures.
Source: OpenAI, API reference, "Create chat completion".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from streamarena.errors import TranslationError
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
from streamarena.relay.translation.members import Fate, Members, array_of, object_of, text_of, texts_of

__all__ = ["FATES", "data_url", "image_of_url", "read", "write"]

FATES: Final[Mapping[str, Fate]] = {
    **dict.fromkeys(
        (
            *("model", "messages", "max_tokens", "max_completion_tokens", "stop", "temperature", "top_p", "stream"),
            *("stream_options", "tools", "tool_choice", "parallel_tool_calls", "user", "reasoning_effort"),
            "response_format",
        ),
        "carried",
    ),
    # Without these the answer would have another form, or be another one than was asked for.
    **dict.fromkeys(
        ("n", "logprobs", "audio", "modalities", "functions", "function_call", "web_search_options", "logit_bias"),
        "refused",
    ),
    # Hints, bookkeeping and sampling that providers themselves ignore at times.
    **dict.fromkeys(
        (
            *("seed", "frequency_penalty", "presence_penalty", "top_logprobs", "metadata", "store", "service_tier"),
            *("prompt_cache_key", "prompt_cache_retention", "safety_identifier", "prediction", "verbosity"),
        ),
        "dropped",
    ),
}
_HARMLESS: Final[dict[str, object]] = {
    "n": 1,
    "logprobs": False,
    "modalities": ["text"],
    "logit_bias": {},
    "store": False,
    "metadata": {},
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "service_tier": "auto",
}
_ROLES: Final[dict[str, Role]] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_CHOICES: Final = ("auto", "none", "required")


# ---------------------------------------------------------------- reading


def read(body: Mapping[str, Any]) -> tuple[Conversation, list[str]]:
    """Return the conversation, and the names of members that were left out.

    Raises:
        TranslationError: a member is not of the form that this API gives it, or has no place elsewhere.
    """
    members = Members(body, FATES, _HARMLESS)
    turns: list[Turn] = []
    for number, message in enumerate(members.array("messages")):
        place = f"messages[{number}]"
        turns.append(_turn(object_of(message, place), place, members))
    limit = members.whole_number("max_completion_tokens")
    options = object_of(members.get("stream_options") or {}, "stream_options")
    conversation = Conversation(
        model=members.required_text("model"),
        turns=tuple(_joined_results(turns)),
        tools=tuple(_tool(tool, f"tools[{number}]") for number, tool in enumerate(members.array("tools"))),
        tool_choice=_choice(members.get("tool_choice")),
        parallel_calls=members.flag("parallel_tool_calls"),
        max_tokens=members.whole_number("max_tokens") if limit is None else limit,
        stop=texts_of(members.get("stop") or [], "stop"),
        temperature=members.number("temperature"),
        top_p=members.number("top_p"),
        effort=members.text("reasoning_effort"),
        output=_format(members.get("response_format")),
        user=members.text("user"),
        stream=members.flag("stream") or False,
        include_usage=options.get("include_usage") is True,
    )
    return conversation, members.dropped


def _turn(message: dict[str, Any], place: str, members: Members) -> Turn:
    role = message.get("role")
    if role == "tool":
        call_id = text_of(message.get("tool_call_id"), f"{place}.tool_call_id")
        parts = _parts(message.get("content"), f"{place}.content")
        kept = tuple(part for part in parts if isinstance(part, Text | Image))
        return Turn("user", (ToolResult(call_id, kept),), place)
    if not isinstance(role, str) or role not in _ROLES:
        raise TranslationError(f"{place}.role", f"{role!r} has no counterpart" if role else "is missing")
    for name in ("audio", "function_call"):
        if message.get(name) is not None:
            raise TranslationError(f"{place}.{name}", "the target's API has no place for it")
    if message.get("name"):
        members.drop("messages.name")
    parts = _parts(message.get("content"), f"{place}.content")
    if message.get("refusal"):
        parts.append(Text(text_of(message["refusal"], f"{place}.refusal")))
    for number, call in enumerate(array_of(message.get("tool_calls") or [], f"{place}.tool_calls")):
        parts.append(_call(object_of(call, f"{place}.tool_calls[{number}]"), f"{place}.tool_calls[{number}]"))
    return Turn(_ROLES[role], tuple(parts), place)


def _call(call: dict[str, Any], place: str) -> ToolCall:
    function = object_of(call.get("function"), f"{place}.function")
    return ToolCall(
        text_of(call.get("id"), f"{place}.id"),
        text_of(function.get("name"), f"{place}.function.name"),
        text_of(function.get("arguments", ""), f"{place}.function.arguments"),
    )


def _parts(content: object, place: str) -> list[Part]:
    if content is None:
        return []
    if isinstance(content, str):
        return [Text(content)] if content else []
    return [
        _part(object_of(part, f"{place}[{number}]"), f"{place}[{number}]")
        for number, part in enumerate(array_of(content, place))
    ]


def _part(part: dict[str, Any], place: str) -> Part:
    match part.get("type"):
        case "text":
            return Text(text_of(part.get("text"), f"{place}.text"))
        case "refusal":
            return Text(text_of(part.get("refusal"), f"{place}.refusal"))
        case "image_url":
            image = object_of(part.get("image_url"), f"{place}.image_url")
            return image_of_url(text_of(image.get("url"), f"{place}.image_url.url"), image.get("detail"))
        case other:
            raise TranslationError(f"{place}.type", f"{other!r} has no counterpart in the target's API")


_DATA_URL: Final = re.compile(r"data:([a-z0-9.+-]+/[a-z0-9.+-]+);base64,", re.IGNORECASE)


def image_of_url(url: str, detail: object) -> Image:
    """Return an image of an address, which may hold the picture itself (RFC 2397)."""
    hint = detail if isinstance(detail, str) else None
    inline = _DATA_URL.match(url)
    if inline is None:
        return Image(url=url, detail=hint)
    return Image(media_type=inline[1].lower(), data=url[inline.end() :], detail=hint)


def _joined_results(turns: list[Turn]) -> Iterable[Turn]:
    """Put the results of parallel calls into one turn, as the other wires have them."""
    results: list[Turn] = []
    for turn in turns:
        if len(turn.parts) == 1 and isinstance(turn.parts[0], ToolResult):
            results.append(turn)
            continue
        if results:
            yield Turn("user", tuple(part for each in results for part in each.parts), results[0].place)
            results = []
        yield turn
    if results:
        yield Turn("user", tuple(part for each in results for part in each.parts), results[0].place)


def _tool(tool: object, place: str) -> Tool:
    given = object_of(tool, place)
    if given.get("type") != "function":
        raise TranslationError(f"{place}.type", f"{given.get('type')!r} has no counterpart in the target's API")
    function = object_of(given.get("function"), f"{place}.function")
    schema = function.get("parameters")
    return Tool(
        name=text_of(function.get("name"), f"{place}.function.name"),
        description=function.get("description"),
        schema=None if schema is None else object_of(schema, f"{place}.function.parameters"),
        strict=function.get("strict"),
    )


def _choice(value: object) -> ToolChoice | None:
    if value is None:
        return None
    if isinstance(value, str) and value in _CHOICES:
        return ToolChoice(value)  # type: ignore[arg-type]  # one of the three it was looked up in
    given = object_of(value, "tool_choice")
    if given.get("type") != "function":
        raise TranslationError("tool_choice.type", f"{given.get('type')!r} has no counterpart in the target's API")
    function = object_of(given.get("function"), "tool_choice.function")
    return ToolChoice("tool", text_of(function.get("name"), "tool_choice.function.name"))


def _format(value: object) -> OutputFormat | None:
    if value is None:
        return None
    given = object_of(value, "response_format")
    match given.get("type"):
        case "text":
            return None
        case "json_object":
            return OutputFormat()
        case "json_schema":
            inner = object_of(given.get("json_schema"), "response_format.json_schema")
            schema = object_of(inner.get("schema") or {}, "response_format.json_schema.schema")
            name = text_of(inner.get("name", "answer"), "response_format.json_schema.name")
            return OutputFormat(schema, name, inner.get("strict"), inner.get("description"))
        case other:
            raise TranslationError("response_format.type", f"{other!r} has no counterpart in the target's API")


# ---------------------------------------------------------------- writing


def write(conversation: Conversation, api: str) -> tuple[dict[str, Any], list[str]]:
    """Return the body that asks a server of this API for the conversation, and what was left out.

    Args:
        conversation: what to ask.
        api: "openai-chat" itself writes the length as `max_completion_tokens`; its kin know `max_tokens` only.
    """
    dropped: list[str] = []
    messages = [message for turn in conversation.turns for message in _messages(turn, dropped)]
    limit = "max_completion_tokens" if api == "openai-chat" else "max_tokens"
    body: dict[str, Any] = {
        "model": conversation.model,
        "messages": messages,
        limit: conversation.max_tokens,
        "stop": list(conversation.stop) or None,
        "temperature": conversation.temperature,
        "top_p": conversation.top_p,
        "reasoning_effort": conversation.effort,
        "user": conversation.user,
        "tools": [_written_tool(tool) for tool in conversation.tools] or None,
        "tool_choice": _written_choice(conversation.tool_choice),
        "parallel_tool_calls": conversation.parallel_calls,
        "response_format": _written_format(conversation.output),
    }
    return {name: value for name, value in body.items() if value is not None}, dropped


def _messages(turn: Turn, dropped: list[str]) -> Iterable[dict[str, Any]]:
    """Write a turn: each tool result is a message of its own, in front of what else the turn says."""
    content: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for part in turn.parts:
        match part:
            case ToolResult():
                if part.failed:
                    dropped.append("is_error")
                yield {"role": "tool", "tool_call_id": part.id, "content": _content([_written(p) for p in part.parts])}
            case ToolCall():
                function = {"name": part.name, "arguments": part.arguments}
                calls.append({"id": part.id, "type": "function", "function": function})
            case Thinking():
                dropped.append("thinking")
            case _:
                content.append(_written(part))
    if not content and not calls:
        return
    message: dict[str, Any] = {"role": turn.role, "content": _content(content) if content else None}
    yield {**message, "tool_calls": calls} if calls else message


def _content(parts: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Return one text as a string, which every server of this family takes."""
    if not parts:
        return ""
    return parts[0]["text"] if len(parts) == 1 and "text" in parts[0] else parts


def _written(part: Text | Image) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    image = {"url": data_url(part)}
    return {"type": "image_url", "image_url": image if part.detail is None else {**image, "detail": part.detail}}


def data_url(image: Image) -> str:
    """Return an image as an address."""
    return image.url if image.url is not None else f"data:{image.media_type};base64,{image.data}"


def _written_tool(tool: Tool) -> dict[str, Any]:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.schema,
        "strict": tool.strict,
    }
    return {"type": "function", "function": {name: value for name, value in function.items() if value is not None}}


def _written_choice(choice: ToolChoice | None) -> object:
    if choice is None or choice.mode != "tool":
        return None if choice is None else choice.mode
    return {"type": "function", "function": {"name": choice.name}}


def _written_format(output: OutputFormat | None) -> dict[str, Any] | None:
    if output is None:
        return None
    if output.schema is None:
        return {"type": "json_object"}
    schema = {"name": output.name, "schema": output.schema, "strict": output.strict, "description": output.description}
    return {"type": "json_schema", "json_schema": {name: value for name, value in schema.items() if value is not None}}
