"""What a finished tool call is checked for before anybody runs it: strict JSON, known names, types, required members.

Invariants: a call that lacks something required raises and is not run; nothing is guessed beyond the rules below, which
are those of the reference behaviour, section 6.4. Names of other generations are resolved, booleans and numbers that
came as strings are converted where the schema asks for them, and the text of the call is never changed.
Linear in the arguments. Not here: the full validation of JSON Schema, for which there are libraries.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from streamarena.errors import ToolCallError
from streamarena.providers.chunks import ToolCallChunk  # noqa: TC001 - as elsewhere
from streamarena.providers.json_values import is_array, is_object, read_exactly

__all__ = ["ALIASES", "MCP_PREFIX", "ParsedCall", "mcp_tool_name", "parse_call", "same_mcp_tool"]

MCP_PREFIX: Final = "mcp--"
_MCP_MAX_LENGTH: Final = 64

ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "write_file": "write_to_file",
        "search_and_replace": "edit",
    }
)

_BOOLEANS: Final = {"true": True, "false": False}
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER: Final = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


class ParsedCall(NamedTuple):
    """A call that may be run: the tool's present name and its arguments."""

    id: str
    name: str
    arguments: dict[str, Any]


def parse_call(
    call: ToolCallChunk,
    schema: Mapping[str, Any] | None = None,
    *,
    aliases: Mapping[str, str] = ALIASES,
) -> ParsedCall:
    """Parse a whole call strictly.

    Args:
        call: the call; empty arguments are an empty object.
        schema: the JSON Schema of the tool's parameters, of which `properties`, their `type` and `required` are used;
            None for no demands.
        aliases: old name to present name.

    Raises:
        ToolCallError: the arguments are not JSON or not an object, or a required member is missing.
    """
    name = aliases.get(call.name, call.name)
    try:
        arguments: object = read_exactly(call.arguments) if call.arguments.strip() else {}
    except msgspec.DecodeError as error:
        raise ToolCallError(name, f"its arguments are not JSON: {error}", call.arguments) from error
    if not is_object(arguments):
        raise ToolCallError(name, "its arguments are not an object", call.arguments)
    if schema is not None:
        arguments = _coerced(arguments, schema)
        required: object = schema.get("required")
        missing = tuple(str(member) for member in required if member not in arguments) if is_array(required) else ()
        if missing:
            raise ToolCallError(name, f"it lacks {', '.join(missing)}", call.arguments, missing)
    return ParsedCall(call.id, name, arguments)


def _coerced(arguments: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    properties: object = schema.get("properties")
    if not is_object(properties):
        return arguments
    return {name: _coerce(value, properties.get(name)) for name, value in arguments.items()}


def _coerce(value: object, wanted: object) -> object:
    """Convert a string to the boolean or number that the schema asks for; anything else stays as it is."""
    if not is_object(wanted) or not isinstance(value, str):
        return value
    named: object = wanted.get("type")
    types: list[Any] = named if is_array(named) else [named]
    if "string" in types:
        return value
    text = value.strip()
    if "boolean" in types and text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    if ("integer" in types or "number" in types) and _INTEGER.fullmatch(text):
        return int(text)
    if "number" in types and _NUMBER.fullmatch(text):
        return float(text)
    return value


def mcp_tool_name(server: str, tool: str) -> str:
    """Return the name under which a model knows an MCP server's tool: safe characters, at most 64 of them."""
    return f"{MCP_PREFIX}{_safe(server)}--{_safe(tool)}"[:_MCP_MAX_LENGTH]


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "", re.sub(r"\s", "_", name))


def same_mcp_tool(one: str, other: str) -> bool:
    """Tell whether two names mean the same tool: models confuse `-` and `_`."""
    return one.replace("-", "_") == other.replace("-", "_")
