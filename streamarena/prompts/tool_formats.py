"""Tool definitions as each provider wants them, and the tools of MCP servers as native functions.

Strict conversion for OpenAI (section 7.2 of the reference behaviour): `additionalProperties` false, every property
required, a list of types with null collapsed to the plain type where a provider knows no null. Tools of servers keep
their schema and are never strict.
Names of server tools: `mcp--SERVER--TOOL`; white space becomes `_`, other characters outside `[A-Za-z0-9_-]` go, and
the whole is cut to 64 characters. Models tend to confuse `-` and `_`, so names are compared with the two made equal.

Cost: schemas are copied once per conversion; convert once per settings, not once per request.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

from streamarena.errors import PackError
from streamarena.prompts.tools import ToolDefinition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from streamarena.prompts.settings import ToolServer

__all__ = [
    "MAX_NAME",
    "ToolFormat",
    "format_tools",
    "parse_server_tool_name",
    "same_tool_name",
    "server_tool_name",
    "server_tools",
    "strict_schema",
]

ToolFormat: TypeAlias = Literal["openai-chat", "openai-responses", "anthropic", "gemini"]
_Json: TypeAlias = dict[str, object]

MAX_NAME: Final = 64
_SEPARATOR: Final = "--"


def format_tools(tools: Iterable[ToolDefinition], to: ToolFormat) -> list[dict[str, object]]:
    """Return what goes under `tools` in a request body.

    Args:
        tools: definitions in order.
        to: `openai-chat` and `openai-responses` give one object a tool, `anthropic` likewise, `gemini` one object with
            all `functionDeclarations`.
    """
    return _FORMATS[to](list(tools))


def server_tools(servers: Sequence[ToolServer]) -> list[ToolDefinition]:
    """Return the enabled tools of connected servers as definitions, each name once.

    Raises:
        PackError: a tool's input schema is not a JSON object.
    """
    found: dict[str, ToolDefinition] = {}
    for server in servers:
        for tool in server.tools if server.connected else ():
            if not tool.enabled:
                continue
            name = server_tool_name(server.name, tool.name)
            schema = _schema(tool.schema, name)
            found.setdefault(name, ToolDefinition(name, tool.description, schema))
    return list(found.values())


def server_tool_name(server: str, tool: str) -> str:
    """Return the function name of a server's tool, at most 64 characters long."""
    return _SEPARATOR.join(("mcp", _clean(server), _clean(tool)))[:MAX_NAME]


def parse_server_tool_name(name: str) -> tuple[str, str] | None:
    """Return server and tool of a function name as they were cleaned; None if it is no server tool's name."""
    parts = name.split(_SEPARATOR, 2)
    return (parts[1], parts[2]) if len(parts) == 3 and parts[0] == "mcp" and parts[1] and parts[2] else None


def same_tool_name(first: str, second: str) -> bool:
    """Whether two names are equal when `-` and `_` count as one."""
    return first.replace("-", "_") == second.replace("-", "_")


def strict_schema(schema: _Json) -> _Json:
    """Return a copy in which every object lists all its properties as required and allows no other."""
    return cast("_Json", _strict(schema))


def _strict(node: object) -> object:
    if isinstance(node, list):
        return [_strict(item) for item in cast("list[object]", node)]
    if not isinstance(node, dict):
        return node
    table = cast("_Json", node)
    made = {name: _strict(value) for name, value in table.items()}
    properties = made.get("properties")
    if isinstance(properties, dict):
        made["required"] = list(cast("_Json", properties))
        made["additionalProperties"] = False
    return made


def _openai_function(tool: ToolDefinition) -> _Json:
    parameters = strict_schema(tool.parameters) if tool.strict else tool.parameters
    return {"name": tool.name, "description": tool.description, "strict": tool.strict, "parameters": parameters}


def _openai_chat(tools: list[ToolDefinition]) -> list[_Json]:
    return [{"type": "function", "function": _openai_function(tool)} for tool in tools]


def _openai_responses(tools: list[ToolDefinition]) -> list[_Json]:
    return [{"type": "function", **_openai_function(tool)} for tool in tools]


def _anthropic(tools: list[ToolDefinition]) -> list[_Json]:
    return [{"name": tool.name, "description": tool.description, "input_schema": tool.parameters} for tool in tools]


def _gemini(tools: list[ToolDefinition]) -> list[_Json]:
    declarations = [
        {"name": tool.name, "description": tool.description, "parameters": _gemini_schema(tool.parameters)}
        for tool in tools
    ]
    return [{"functionDeclarations": declarations}] if declarations else []


# Gemini's `parameters` are an OpenAPI subset: no additionalProperties, no list of types; null is `nullable`.
_GEMINI_DROPS: Final = frozenset({"additionalProperties", "$schema", "strict"})


def _gemini_schema(node: object) -> object:
    if isinstance(node, list):
        return [_gemini_schema(item) for item in cast("list[object]", node)]
    if not isinstance(node, dict):
        return node
    table = cast("_Json", node)
    made: _Json = {}
    for name, value in table.items():
        if name == "properties" and isinstance(value, dict):  # names of properties are not keywords
            made[name] = {key: _gemini_schema(item) for key, item in cast("_Json", value).items()}
        elif name == "type" and isinstance(value, list):
            kinds = cast("list[object]", value)
            made["type"] = next((kind for kind in kinds if kind != "null"), "string")
            made["nullable"] = "null" in kinds
        elif name == "enum" and isinstance(value, list):
            made[name] = [item for item in cast("list[object]", value) if item is not None]
        elif name not in _GEMINI_DROPS:
            made[name] = _gemini_schema(value)
    if isinstance(made.get("required"), list):
        optional = {key for key, item in cast("_Json", made.get("properties", {})).items() if _nullable(item)}
        made["required"] = [key for key in cast("list[str]", made["required"]) if key not in optional]
    return made


def _nullable(schema: object) -> bool:
    return isinstance(schema, dict) and cast("_Json", schema).get("nullable") is True


_FORMATS: Final[dict[ToolFormat, Callable[[list[ToolDefinition]], list[_Json]]]] = {
    "openai-chat": _openai_chat,
    "openai-responses": _openai_responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
}


def _clean(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "", re.sub(r"\s", "_", name))


def _schema(text: str, name: str) -> _Json:
    try:
        schema: object = json.loads(text) if text else {"type": "object", "properties": {}}
    except ValueError as error:
        raise PackError(name, 0, f"its input schema is not JSON: {error}") from error
    if not isinstance(schema, dict):
        raise PackError(name, 0, "its input schema is no object")
    return cast("_Json", schema)
