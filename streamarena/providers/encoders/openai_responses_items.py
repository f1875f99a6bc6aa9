"""The JSON of a response and of its output items, for the streamed and for the whole form of OpenAI's Responses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from streamarena.providers.chunks import FinishChunk, GroundingSource, UsageChunk  # noqa: TC001 - as elsewhere
from streamarena.providers.encoders.parts import input_with_cache

__all__ = [
    "annotation",
    "call_item",
    "incomplete_reason",
    "message_item",
    "message_part",
    "reasoning_item",
    "response_body",
    "response_usage",
]


def response_body(response_id: str, model: str, created: int, status: str, output: list[Any]) -> dict[str, Any]:
    """Return a response; its output, usage and outcome grow in place."""
    return {
        "id": response_id,
        "object": "response",
        "created_at": created,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": output,
        "parallel_tool_calls": True,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "usage": None,
    }


def message_part(text: str, *, refusal: bool = False, sources: Iterable[GroundingSource] = ()) -> dict[str, Any]:
    """Return a part of a message's content."""
    if refusal:
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "text": text, "annotations": [annotation(source) for source in sources]}


def message_item(response_id: str, index: int, parts: list[Any], status: str = "completed") -> dict[str, Any]:
    """Return a message; `index` is its place in the output."""
    return {
        "id": f"msg_{response_id}_{index}",
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": parts,
    }


def reasoning_item(response_id: str, index: int, text: str, encrypted: str | None = None) -> dict[str, Any]:
    """Return reasoning, its text as a summary; a signature has the place of the encrypted content."""
    summary = [{"type": "summary_text", "text": text}] if text else []
    item: dict[str, Any] = {"id": f"rs_{response_id}_{index}", "type": "reasoning", "summary": summary}
    return item if encrypted is None else {**item, "encrypted_content": encrypted}


def call_item(item_id: str, call_id: str, name: str, arguments: str, status: str = "completed") -> dict[str, Any]:
    """Return a function call."""
    return {
        "id": item_id,
        "type": "function_call",
        "status": status,
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
    }


def annotation(source: GroundingSource) -> dict[str, Any]:
    """Return a citation; the wire wants a place in the text, which no chunk knows."""
    return {"type": "url_citation", "url": source.url, "title": source.title, "start_index": 0, "end_index": 0}


def response_usage(usage: UsageChunk) -> dict[str, Any]:
    """Return usage in the form of Responses: input with cache tokens."""
    prompt = input_with_cache(usage)
    return {
        "input_tokens": prompt,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read_tokens or 0,
            "cache_write_tokens": usage.cache_write_tokens or 0,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
        "total_tokens": prompt + usage.output_tokens,
    }


def incomplete_reason(finish: FinishChunk | None) -> str | None:
    """Return why a response is incomplete; None where it is complete."""
    if finish is None:
        return None
    return {"length": "max_output_tokens", "content_filter": "content_filter"}.get(finish.reason)
