"""Model requests of every wire API, read into one shape.

Invariants: reading is tolerant, as real servers are with fields they do not know; a body that is not a JSON object, or
an override that cannot be read, raises `BadRequestError` and becomes status 400 in the API's own error shape.
Cost: one orjson parse, one walk over the texts to estimate input tokens (four characters each).
Provider differences are the tables below. Not here: answering.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import orjson

from streamarena.errors import ConfigurationError
from streamarena.providers.json_values import is_array, is_object
from streamarena.testing.completions import COMPLETIONS
from streamarena.testing.settings import ReplySettings, parse_pairs

if TYPE_CHECKING:
    from streamarena.testing.connection import HTTPRequest

__all__ = ["BadRequestError", "ModelRequest", "ToolSpecification", "read_model_request"]

_USAGE_ON_REQUEST: Final = {"openai-chat", COMPLETIONS}
_TEXT_FIELDS: Final = (
    "messages",
    "prompt",
    "system",
    "input",
    "instructions",
    "contents",
    "systemInstruction",
    "tools",
)
_MAX_TOKEN_FIELDS: Final = (
    ("max_completion_tokens",),
    ("max_tokens",),
    ("max_output_tokens",),
    ("generationConfig", "maxOutputTokens"),
    ("options", "num_predict"),
)
_STREAMS_BY_DEFAULT: Final = {"ollama"}
_CHARACTERS_PER_TOKEN: Final = 4


class BadRequestError(ConfigurationError):
    """A model request that cannot be read; a server answers it with status 400."""


class ToolSpecification:
    """A tool that the request offers: its name and the JSON schema of its arguments."""

    __slots__ = ("name", "schema")

    def __init__(self, name: str, schema: dict[str, Any]) -> None:
        self.name = name
        self.schema = schema


class ModelRequest:
    """What a client asked of the model.

    Attributes:
        api: the wire API by its registered name. model: without the overrides behind a comma.
        stream: whether the reply shall be streamed. server_sent: whether as server-sent events (Gemini's `alt=sse`).
        include_usage: whether the API reports usage on this request. max_tokens: the request's limit, or None.
        input_tokens: an estimate, at least 1. tools: those offered. tool_forced: the request demands a call.
        reasoning_wanted: the request asks for reasoning. settings: the server's with the request's overrides.
        body: the parsed JSON object.
    """

    __slots__ = (
        "api",
        "body",
        "include_usage",
        "input_tokens",
        "max_tokens",
        "model",
        "reasoning_wanted",
        "server_sent",
        "settings",
        "stream",
        "tool_forced",
        "tools",
    )

    def __init__(self, api: str, model: str, body: dict[str, Any], settings: ReplySettings, *, stream: bool) -> None:
        self.api = api
        self.model = model
        self.body = body
        self.settings = settings
        self.stream = stream
        self.server_sent = True
        options = body.get("stream_options")
        self.include_usage = (
            api not in _USAGE_ON_REQUEST or not stream or (is_object(options) and options.get("include_usage") is True)
        )
        self.max_tokens = _first_number(body, _MAX_TOKEN_FIELDS)
        self.input_tokens = max(1, sum(map(_characters, map(body.get, _TEXT_FIELDS))) // _CHARACTERS_PER_TOKEN)
        self.tools = _tools(body)
        self.tool_forced = bool(self.tools) and _forces_tool(body)
        self.reasoning_wanted = _wants_reasoning(body)


def read_model_request(api: str, match: re.Match[str], request: HTTPRequest, defaults: ReplySettings) -> ModelRequest:
    """Read the request of a matched route.

    Raises:
        BadRequestError: not a JSON object, or overrides that cannot be read.
    """
    try:
        body = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(f"the body is not JSON: {error}") from None
    if not is_object(body):
        raise BadRequestError("the body is not a JSON object")
    groups = match.groupdict()
    named = str(groups.get("model") or body.get("model") or "fake-model")
    model, _, overrides = named.partition(",")
    try:
        settings = defaults.override(parse_pairs(overrides) | parse_pairs(request.headers.get("x-fake-llm", "")))
    except BadRequestError:
        raise
    except ConfigurationError as error:
        raise BadRequestError(str(error)) from None
    verb = groups.get("verb")
    stream = verb == "streamGenerateContent" if verb else bool(body.get("stream", api in _STREAMS_BY_DEFAULT))
    result = ModelRequest(api, model, body, settings, stream=stream)
    result.server_sent = verb is None or request.query.get("alt") == ["sse"]
    return result


def _first_number(body: dict[str, Any], paths: tuple[tuple[str, ...], ...]) -> int | None:
    """Return the first positive integer found along one of the paths."""
    for path in paths:
        value: object = body
        for key in path:
            value = value.get(key) if is_object(value) else None
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


def _characters(value: object) -> int:
    """Count the characters of all texts inside, leaving out embedded data such as images."""
    total = 0
    pending: list[object] = [value]
    while pending:
        part = pending.pop()
        if isinstance(part, str):
            total += 0 if part.startswith("data:") else len(part)
        elif is_array(part):
            pending += part
        elif is_object(part):
            pending += [inner for key, inner in part.items() if key not in {"data", "type", "role"}]
    return total


def _tools(body: dict[str, Any]) -> list[ToolSpecification]:
    """Read the tools of OpenAI (both APIs), Anthropic, Gemini and Ollama requests."""
    found: list[ToolSpecification] = []
    offered = body.get("tools")
    pending = list(offered) if is_array(offered) else []
    while pending:
        tool = pending.pop(0)
        if not is_object(tool):
            continue
        nested = tool.get("functionDeclarations") or tool.get("function")
        if nested:
            pending[:0] = nested if is_array(nested) else [nested]
        elif isinstance(tool.get("name"), str):
            schema = tool.get("input_schema") or tool.get("parameters")
            found.append(ToolSpecification(tool["name"], schema if is_object(schema) else {}))
    return found


def _forces_tool(body: dict[str, Any]) -> bool:
    """Whether `tool_choice` (or Gemini's `toolConfig`) demands a call."""
    choice = body.get("tool_choice")
    if is_object(choice):
        return choice.get("type") in {"function", "tool", "any"}
    mode = body.get("toolConfig")
    calling = mode.get("functionCallingConfig") if is_object(mode) else None
    return choice == "required" or (is_object(calling) and calling.get("mode") == "ANY")


def _wants_reasoning(body: dict[str, Any]) -> bool:
    """Whether the request turns reasoning on, in any API's way."""
    thinking = body.get("thinking")
    if is_object(thinking):
        return thinking.get("type") in {"enabled", "adaptive"}
    reasoning = body.get("reasoning")
    generation = body.get("generationConfig")
    return bool(
        body.get("reasoning_effort") not in {None, "none"}
        or (is_object(reasoning) and reasoning.get("effort") not in {None, "none"})
        or body.get("think") is True
        or (is_object(generation) and isinstance(generation.get("thinkingConfig"), dict))
    )
