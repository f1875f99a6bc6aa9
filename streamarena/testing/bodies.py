"""Whole JSON bodies, by wire API: replies that are not streamed, errors, lists of models.

Invariants: shapes follow the providers' published API references (OpenAI "Chat Completions" and "Responses",
Anthropic "Messages", Google "GenerateContentResponse", Ollama "Generate a chat completion"). Differences between
providers are one function each, found by table.
Cost: one join of the pieces of a reply. Not here: streams, which the encoders of `streamarena.providers` make.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import orjson

from streamarena.providers.chunks import (
    Chunk,
    FinishChunk,
    ReasoningChunk,
    StartChunk,
    TextChunk,
    ThinkingCompleteChunk,
    ToolCallPartialChunk,
    UsageChunk,
)

__all__ = ["Message", "error_body", "message_body", "model_list"]


class Message:
    """The chunks of one reply, joined.

    Args:
        chunks: a whole reply. created: seconds since 1970, for the APIs that date their replies.
    """

    def __init__(self, chunks: Iterable[Chunk], created: int) -> None:
        self.created = created
        self.start = StartChunk()
        self.finish = FinishChunk("stop")
        self.usage = UsageChunk()
        self.signature: str | None = None
        self.calls: list[tuple[str, str, str]] = []
        text: list[str] = []
        reasoning: list[str] = []
        calls: dict[int, tuple[str, str, list[str]]] = {}
        for chunk in chunks:
            if isinstance(chunk, TextChunk):
                text.append(chunk.text)
            elif isinstance(chunk, ReasoningChunk):
                reasoning.append(chunk.text)
            elif isinstance(chunk, ToolCallPartialChunk):
                call = calls.setdefault(chunk.index, (chunk.id or "", chunk.name or "", []))
                call[2].append(chunk.arguments or "")
            elif isinstance(chunk, ThinkingCompleteChunk):
                self.signature = chunk.signature
            elif isinstance(chunk, StartChunk):
                self.start = chunk
            elif isinstance(chunk, FinishChunk):
                self.finish = chunk
            elif isinstance(chunk, UsageChunk):
                self.usage = chunk
        self.text = "".join(text)
        self.reasoning = "".join(reasoning)
        self.calls = [(call_id, name, "".join(parts)) for call_id, name, parts in calls.values()]


def message_body(api: str, message: Message) -> bytes:
    """Return the JSON body of a reply that is not streamed."""
    return orjson.dumps(_MESSAGES[api](message))


def error_body(api: str, status: int, message: str) -> bytes:
    """Return the JSON body that goes with an error status."""
    kind = _ERROR_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    if api == "anthropic":
        return orjson.dumps({"type": "error", "error": {"type": kind, "message": message}})
    if api == "gemini":
        state = _GOOGLE_STATES.get(status, "INTERNAL")
        return orjson.dumps({"error": {"code": status, "message": message, "status": state}})
    if api == "ollama":
        return orjson.dumps({"error": message})
    code = "rate_limit_exceeded" if status == 429 else None
    return orjson.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}})


def model_list(api: str, models: Iterable[str], created: int) -> bytes:
    """Return the body of the listing of models, in the shape of one API."""
    names = list(models)
    if api == "anthropic":
        day = "2026-01-01T00:00:00Z"
        listed = [{"type": "model", "id": name, "display_name": name, "created_at": day} for name in names]
        ends = {"first_id": names[0], "last_id": names[-1]} if names else {}
        return orjson.dumps({"data": listed, "has_more": False, **ends})
    if api == "gemini":
        return orjson.dumps({"models": [{"name": f"models/{name}", "displayName": name} for name in names]})
    if api == "ollama":
        return orjson.dumps({"models": [{"name": name, "model": name} for name in names]})
    entries = [{"id": name, "object": "model", "created": created, "owned_by": "streamarena"} for name in names]
    return orjson.dumps({"object": "list", "data": entries})


# ---------------------------------------------------------------- replies by API


def _openai_chat(message: Message) -> dict[str, Any]:
    body: dict[str, Any] = {"role": "assistant", "content": message.text or None, "refusal": None}
    if message.reasoning:
        body["reasoning_content"] = message.reasoning
    if message.calls:
        body["tool_calls"] = [
            {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
            for call_id, name, arguments in message.calls
        ]
    return {
        "id": message.start.id,
        "object": "chat.completion",
        "created": message.created,
        "model": message.start.model,
        "choices": [{"index": 0, "message": body, "logprobs": None, "finish_reason": message.finish.reason}],
        "usage": {
            "prompt_tokens": message.usage.input_tokens,
            "completion_tokens": message.usage.output_tokens,
            "total_tokens": message.usage.input_tokens + message.usage.output_tokens,
            "completion_tokens_details": {"reasoning_tokens": message.usage.reasoning_tokens or 0},
        },
    }


def _anthropic(message: Message) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    if message.reasoning:
        content.append({"type": "thinking", "thinking": message.reasoning, "signature": message.signature or ""})
    if message.text:
        content.append({"type": "text", "text": message.text})
    content += [
        {"type": "tool_use", "id": call_id, "name": name, "input": orjson.loads(arguments)}
        for call_id, name, arguments in message.calls
    ]
    return {
        "id": message.start.id,
        "type": "message",
        "role": "assistant",
        "model": message.start.model,
        "content": content,
        "stop_reason": {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}[message.finish.reason],
        "stop_sequence": None,
        "usage": {"input_tokens": message.usage.input_tokens, "output_tokens": message.usage.output_tokens},
    }


def _openai_responses(message: Message) -> dict[str, Any]:
    output: list[dict[str, Any]] = []
    if message.reasoning:
        summary = [{"type": "summary_text", "text": message.reasoning}]
        output.append({"type": "reasoning", "id": f"rs_{message.start.id}", "summary": summary})
    if message.text:
        part: dict[str, Any] = {"type": "output_text", "text": message.text, "annotations": []}
        output.append(
            {
                "type": "message",
                "id": f"msg_{message.start.id}",
                "status": "completed",
                "role": "assistant",
                "content": [part],
            }
        )
    output += [
        {
            "type": "function_call",
            "id": f"fc_{call_id}",
            "call_id": call_id,
            "name": name,
            "arguments": arguments,
            "status": "completed",
        }
        for call_id, name, arguments in message.calls
    ]
    cut = message.finish.reason == "length"
    usage = message.usage
    return {
        "id": message.start.id,
        "object": "response",
        "created_at": message.created,
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "error": None,
        "instructions": None,
        "metadata": {},
        "model": message.start.model,
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": {
            "input_tokens": usage.input_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": usage.output_tokens,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
            "total_tokens": usage.input_tokens + usage.output_tokens,
        },
    }


def _gemini(message: Message) -> dict[str, Any]:
    parts: list[dict[str, Any]] = []
    if message.reasoning:
        parts.append({"text": message.reasoning, "thought": True})
    if message.text:
        parts.append({"text": message.text})
    parts += [{"functionCall": {"name": name, "args": orjson.loads(arguments)}} for _, name, arguments in message.calls]
    reasoning = message.usage.reasoning_tokens or 0
    return {
        "candidates": [
            {
                "content": {"role": "model", "parts": parts},
                "finishReason": "MAX_TOKENS" if message.finish.reason == "length" else "STOP",
                "index": 0,
            }
        ],
        "usageMetadata": {
            "promptTokenCount": message.usage.input_tokens,
            "candidatesTokenCount": message.usage.output_tokens - reasoning,
            "thoughtsTokenCount": reasoning,
            "totalTokenCount": message.usage.input_tokens + message.usage.output_tokens,
        },
        "modelVersion": message.start.model,
        "responseId": message.start.id,
    }


def _ollama(message: Message) -> dict[str, Any]:
    body: dict[str, Any] = {"role": "assistant", "content": message.text}
    if message.reasoning:
        body["thinking"] = message.reasoning
    if message.calls:
        body["tool_calls"] = [
            {"function": {"name": name, "arguments": orjson.loads(arguments)}} for _, name, arguments in message.calls
        ]
    return {
        "model": message.start.model,
        "created_at": "2026-01-01T00:00:00Z",
        "message": body,
        "done": True,
        "done_reason": "length" if message.finish.reason == "length" else "stop",
        "prompt_eval_count": message.usage.input_tokens,
        "eval_count": message.usage.output_tokens,
    }


_MESSAGES: Final[dict[str, Callable[[Message], dict[str, Any]]]] = {
    "openai-chat": _openai_chat,
    "anthropic": _anthropic,
    "openai-responses": _openai_responses,
    "gemini": _gemini,
    "ollama": _ollama,
}

_ERROR_TYPES: Final[dict[int, str]] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}

_GOOGLE_STATES: Final[dict[int, str]] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
