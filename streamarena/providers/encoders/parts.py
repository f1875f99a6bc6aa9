"""What the encoders share: JSON text that never fails, framing, tool calls told apart, cache tokens moved in and out.

Cost: one `orjson.dumps` for each value; nothing is kept but a position for each tool call.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import orjson

from streamarena.providers.chunks import (
    ToolCallChunk,
    ToolCallDeltaChunk,
    ToolCallPartialChunk,
    ToolCallStartChunk,
    UsageChunk,
)
from streamarena.providers.json_values import is_array, is_object

__all__ = ["CallFragment", "CallNumbers", "dump", "input_with_cache", "input_without_cache", "sse", "tool_input"]


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


class CallFragment(NamedTuple):
    """A piece of one call: its number in the message from 0, whether it is the first piece, and what it brings."""

    number: int
    first: bool
    id: str | None
    name: str | None
    arguments: str
    choice: int


class CallNumbers:
    """Numbers tool calls from 0 for each choice, whichever of the four chunk kinds they come as."""

    def __init__(self, id_prefix: str = "call_") -> None:
        self._prefix: Final = id_prefix
        self._numbers: dict[tuple[int, int | str], int] = {}
        self._next: dict[int, int] = {}

    def fragment(
        self, chunk: ToolCallPartialChunk | ToolCallStartChunk | ToolCallDeltaChunk | ToolCallChunk
    ) -> CallFragment:
        """Return what the chunk brings; a call that comes without an id is given one made of its number."""
        if isinstance(chunk, ToolCallPartialChunk):
            return self._number(chunk.index, chunk.choice, chunk.id, chunk.name, chunk.arguments or "")
        if isinstance(chunk, ToolCallDeltaChunk):
            return self._number(chunk.id, 0, chunk.id, None, chunk.delta)
        if isinstance(chunk, ToolCallStartChunk):
            return self._number(chunk.id, 0, chunk.id, chunk.name, "")
        return self._number(chunk.id, chunk.choice, chunk.id, chunk.name, chunk.arguments)

    def _number(
        self, key: int | str, choice: int, call_id: str | None, name: str | None, arguments: str
    ) -> CallFragment:
        number = self._numbers.get((choice, key))
        first = number is None
        if number is None:
            number = self._numbers[choice, key] = self._next.get(choice, 0)
            self._next[choice] = number + 1
            call_id = call_id or f"{self._prefix}{number}"
        return CallFragment(number, first, call_id if first else None, name, arguments, choice)
