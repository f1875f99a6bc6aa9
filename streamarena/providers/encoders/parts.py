"""What the encoders share: JSON that never fails, framing, tool input as an object, cache tokens in or out of input."""

from __future__ import annotations

from typing import Any

import orjson

from streamarena.providers.chunks import UsageChunk  # noqa: TC001 - annotations stay readable at run time
from streamarena.providers.json_values import is_array, is_object

__all__ = ["dump", "input_with_cache", "input_without_cache", "sse", "tool_input"]


def dump(value: object) -> bytes:
    """Return JSON bytes; a lone surrogate becomes U+FFFD, as any JSON reader would have it."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return orjson.dumps(_without_surrogates(value))


def _without_surrogates(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if is_object(value):
        return {_without_surrogates(key): _without_surrogates(member) for key, member in value.items()}
    if is_array(value):
        return [_without_surrogates(member) for member in value]
    return value


def sse(body: object, event: str | None = None) -> bytes:
    """Return one server-sent event; JSON has no raw line ends, so one `data` line holds it."""
    name = b"event: " + event.encode() + b"\n" if event else b""
    return name + b"data: " + dump(body) + b"\n\n"


def tool_input(arguments: str) -> dict[str, Any]:
    """Return arguments as the object that some wires want; text that is not an object is wrapped, never lost."""
    try:
        value: object = orjson.loads(arguments) if arguments.strip() else {}
    except orjson.JSONDecodeError:
        value = None
    return value if is_object(value) else {"_raw": arguments}


def input_with_cache(usage: UsageChunk) -> int:
    """Return input tokens in the sense of OpenAI and Gemini: those read from or written to a cache are among them."""
    if usage.cache_in_input:
        return usage.input_tokens
    return usage.input_tokens + (usage.cache_read_tokens or 0) + (usage.cache_write_tokens or 0)


def input_without_cache(usage: UsageChunk) -> int:
    """Return input tokens in the sense of Anthropic: those read from or written to a cache come on top."""
    if not usage.cache_in_input:
        return usage.input_tokens
    return max(usage.input_tokens - (usage.cache_read_tokens or 0) - (usage.cache_write_tokens or 0), 0)
