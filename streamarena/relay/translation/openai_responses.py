"""OpenAI Responses: a request's body to a conversation, and back.

Invariants: what is asked for through the other wires is not stored at the provider, as they never store: a written body
says `"store": false`. What lives at the provider (earlier responses, conversations, prompts, background work, its own
tools) cannot be carried over and is refused.
Source: OpenAI, API reference, "Create a model response".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from streamarena.errors import TranslationError
from streamarena.providers.json_values import is_object
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
from streamarena.relay.translation.members import Fate, Members, array_of, object_of, text_of
from streamarena.relay.translation.openai_chat import data_url, image_of_url

__all__ = ["FATES", "read", "write"]

FATES: Final[Mapping[str, Fate]] = {
    **dict.fromkeys(
        (
            *("model", "input", "instructions", "max_output_tokens", "temperature", "top_p", "stream", "tools"),
            *("tool_choice", "parallel_tool_calls", "user", "reasoning", "text"),
        ),
        "carried",
    ),
    **dict.fromkeys(("previous_response_id", "conversation", "background", "prompt", "context_management"), "refused"),
    **dict.fromkeys(
        (
            *("store", "include", "truncation", "metadata", "service_tier", "max_tool_calls", "top_logprobs"),
            *("prompt_cache_key", "prompt_cache_retention", "safety_identifier", "stream_options"),
        ),
        "dropped",
    ),
}
_HARMLESS: Final[dict[str, object]] = {
    "background": False,
    "store": False,
    "truncation": "disabled",
    "metadata": {},
    "service_tier": "auto",
    "include": ["reasoning.encrypted_content"],
    "stream_options": {"include_obfuscation": False},
}
_ROLES: Final[dict[str, Role]] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


# ---------------------------------------------------------------- reading


def read(body: Mapping[str, Any]) -> tuple[Conversation, list[str]]:
    """Return the conversation, and the names of members that were left out.

    Raises:
        TranslationError: a member is not of the form that this API gives it, or has no place elsewhere.
    """
    members = Members(body, FATES, _HARMLESS)
    turns = _turns(members.get("input"))
    if members.has("instructions"):
        turns.insert(0, Turn("system", (Text(members.text("instructions") or ""),), "instructions"))
    reasoning = object_of(members.get("reasoning") or {}, "reasoning")
    conversation = Conversation(
        model=members.required_text("model"),
        turns=tuple(turns),
        tools=tuple(_tool(tool, f"tools[{number}]") for number, tool in enumerate(members.array("tools"))),
        tool_choice=_choice(members.get("tool_choice")),
        parallel_calls=members.flag("parallel_tool_calls"),
        max_tokens=members.whole_number("max_output_tokens"),
        temperature=members.number("temperature"),
        top_p=members.number("top_p"),
        effort=reasoning.get("effort"),
        output=_format(object_of(members.get("text") or {}, "text"), members),
        user=members.text("user"),
        stream=members.flag("stream") or False,
    )
    return conversation, members.dropped


def _turns(value: object) -> list[Turn]:
    """Read the input; items of one role that follow each other are one turn, for calls and results are items here."""
    if isinstance(value, str):
        return [Turn("user", (Text(value),), "input")]
    turns: list[Turn] = []
    for number, item in enumerate(array_of(value, "input")):
        place = f"input[{number}]"
        turn = _item(object_of(item, place), place)
        if turns and turns[-1].role == turn.role != "system":
            turns[-1] = Turn(turn.role, (*turns[-1].parts, *turn.parts), turns[-1].place)
        else:
            turns.append(turn)
    return turns


def _item(item: dict[str, Any], place: str) -> Turn:
    kind = item.get("type", "message")
    if kind not in _ITEMS:
        raise TranslationError(f"{place}.type", f"{kind!r} has no counterpart in the target's API")
    return _ITEMS[kind](item, place)


def _message(item: dict[str, Any], place: str) -> Turn:
    role = item.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise TranslationError(f"{place}.role", f"{role!r} has no counterpart" if role else "is missing")
    return Turn(_ROLES[role], tuple(_parts(item.get("content"), f"{place}.content")), place)


def _call(item: dict[str, Any], place: str) -> Turn:
    call_id, name = text_of(item.get("call_id"), f"{place}.call_id"), text_of(item.get("name"), f"{place}.name")
    call = ToolCall(call_id, name, text_of(item.get("arguments", ""), f"{place}.arguments"))
    return Turn("assistant", (call,), place)


def _result(item: dict[str, Any], place: str) -> Turn:
    call_id = text_of(item.get("call_id"), f"{place}.call_id")
    parts = _parts(item.get("output"), f"{place}.output")
    return Turn("user", (ToolResult(call_id, tuple(part for part in parts if isinstance(part, Text | Image))),), place)


def _reasoning(item: dict[str, Any], place: str) -> Turn:
    summary = array_of(item.get("summary") or [], f"{place}.summary")
    text = "".join(text_of(object_of(part, place).get("text"), f"{place}.summary.text") for part in summary)
    signature = item.get("encrypted_content")
    return Turn("assistant", (Thinking(text, signature, redacted=not text and signature is not None),), place)


_ITEMS: Final[Mapping[str, Callable[[dict[str, Any], str], Turn]]] = {
    "message": _message,
    "function_call": _call,
    "function_call_output": _result,
    "reasoning": _reasoning,
}


def _parts(content: object, place: str) -> list[Part]:
    if isinstance(content, str):
        return [Text(content)] if content else []
    return [
        _part(object_of(part, f"{place}[{number}]"), f"{place}[{number}]")
        for number, part in enumerate(array_of(content, place))
    ]


def _part(part: dict[str, Any], place: str) -> Part:
    match part.get("type"):
        case "input_text" | "output_text" | "text":
            return Text(text_of(part.get("text"), f"{place}.text"))
        case "refusal":
            return Text(text_of(part.get("refusal"), f"{place}.refusal"))
        case "input_image" if part.get("image_url") is not None:
            return image_of_url(text_of(part["image_url"], f"{place}.image_url"), part.get("detail"))
        case other:
            raise TranslationError(f"{place}.type", f"{other!r} has no counterpart in the target's API")


def _tool(tool: object, place: str) -> Tool:
    given = object_of(tool, place)
    if given.get("type") != "function":
        raise TranslationError(f"{place}.type", f"{given.get('type')!r} runs at its provider; the target has none such")
    schema = given.get("parameters")
    return Tool(
        name=text_of(given.get("name"), f"{place}.name"),
        description=given.get("description"),
        schema=None if schema is None else object_of(schema, f"{place}.parameters"),
        strict=given.get("strict"),
    )


def _choice(value: object) -> ToolChoice | None:
    if value is None:
        return None
    if value in ("auto", "none", "required"):
        return ToolChoice(value)
    given = object_of(value, "tool_choice")
    if given.get("type") != "function":
        raise TranslationError("tool_choice.type", f"{given.get('type')!r} has no counterpart in the target's API")
    return ToolChoice("tool", text_of(given.get("name"), "tool_choice.name"))


def _format(text: dict[str, Any], members: Members) -> OutputFormat | None:
    if text.get("verbosity") not in {None, "medium"}:
        members.drop("text.verbosity")
    given = text.get("format")
    if not is_object(given) or given.get("type") == "text":
        return None
    if given.get("type") == "json_object":
        return OutputFormat()
    if given.get("type") != "json_schema":
        raise TranslationError("text.format.type", f"{given.get('type')!r} has no counterpart in the target's API")
    schema = object_of(given.get("schema"), "text.format.schema")
    return OutputFormat(schema, given.get("name", "answer"), given.get("strict"), given.get("description"))


# ---------------------------------------------------------------- writing


def write(conversation: Conversation, api: str) -> tuple[dict[str, Any], list[str]]:
    """Return the body that asks for the conversation, and what was left out.

    Raises:
        TranslationError: texts that stop the model; this wire has none.
    """
    del api  # one wire, one provider
    dropped: list[str] = []
    if conversation.stop:
        raise TranslationError("stop", "the target's API has no stop sequences")
    body: dict[str, Any] = {
        "model": conversation.model,
        "input": [item for turn in conversation.turns for item in _items(turn, dropped)],
        "max_output_tokens": conversation.max_tokens,
        "temperature": conversation.temperature,
        "top_p": conversation.top_p,
        "reasoning": None if conversation.effort is None else {"effort": conversation.effort, "summary": "auto"},
        "user": conversation.user,
        "tools": [_written_tool(tool) for tool in conversation.tools] or None,
        "tool_choice": _written_choice(conversation.tool_choice),
        "parallel_tool_calls": conversation.parallel_calls,
        "text": _written_format(conversation.output),
        "store": False,
    }
    return {name: value for name, value in body.items() if value is not None}, dropped


def _items(turn: Turn, dropped: list[str]) -> list[dict[str, Any]]:
    """Write a turn: its words are one message, each call and result an item of its own, in the turn's order."""
    items: list[dict[str, Any]] = []
    for part in turn.parts:
        match part:
            case ToolCall():
                call = {"call_id": part.id, "name": part.name, "arguments": part.arguments}
                items.append({"type": "function_call", **call})
            case ToolResult():
                if part.failed:
                    dropped.append("is_error")
                output = [_written(inner, "input") for inner in part.parts]
                single = output[0]["text"] if len(output) == 1 and "text" in output[0] else output
                items.append({"type": "function_call_output", "call_id": part.id, "output": single or ""})
            case Thinking():
                if part.signature is None:
                    dropped.append("thinking")
                    continue
                summary = [{"type": "summary_text", "text": part.text}] if part.text else []
                items.append({"type": "reasoning", "summary": summary, "encrypted_content": part.signature})
            case _:
                written = _written(part, "output" if turn.role == "assistant" else "input")
                if items and items[-1]["type"] == "message":
                    items[-1]["content"].append(written)
                else:
                    items.append({"type": "message", "role": turn.role, "content": [written]})
    return items


def _written(part: Text | Image, side: str) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": f"{side}_text", "text": part.text}
    return {"type": "input_image", "image_url": data_url(part), "detail": part.detail or "auto"}


def _written_tool(tool: Tool) -> dict[str, Any]:
    # This wire is strict by default and the others are not; what nobody said must not become a demand.
    tool_fields = {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.schema or {"type": "object", "properties": {}},
        "strict": bool(tool.strict),
    }
    return {name: value for name, value in tool_fields.items() if value is not None}


def _written_choice(choice: ToolChoice | None) -> object:
    if choice is None or choice.mode != "tool":
        return None if choice is None else choice.mode
    return {"type": "function", "name": choice.name}


def _written_format(output: OutputFormat | None) -> dict[str, Any] | None:
    if output is None:
        return None
    if output.schema is None:
        return {"format": {"type": "json_object"}}
    form = {
        "type": "json_schema",
        "name": output.name,
        "schema": output.schema,
        "strict": output.strict,
        "description": output.description,
    }
    return {"format": {name: value for name, value in form.items() if value is not None}}
