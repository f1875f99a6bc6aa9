"""Where the tokens of a history are: by kind of content, and message by message.

Invariant: the parts of a message add up to the counter's number for it, the overhead included.
Cost: one count for each part; with a caching counter the whole-message counts that follow are free.
Not here: what to do about it (`request.py`, `trimming.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from streamarena.context._calls import RESULT_ITEMS, is_item
from streamarena.context._checks import naming_problems
from streamarena.context._javascript import stringify
from streamarena.context.messages import Message, block_type, content_blocks

if TYPE_CHECKING:
    from streamarena.context.tokens import TokenCounter

__all__ = ["Breakdown", "MessageShare", "break_down", "tool_definition_tokens"]


class MessageShare(msgspec.Struct, frozen=True):
    """One message's tokens: its index in the history, its role, its size, and its parts by kind."""

    index: int
    role: str
    tokens: int
    parts: dict[str, int]


class Breakdown(msgspec.Struct, frozen=True):
    """A history's tokens.

    Attributes:
        total: of all messages and tool definitions. exact: whether a real tokenizer counted.
        by_kind: "system", "text", "reasoning", "tool calls", "tool results", "images", "overhead", "tool definitions".
        messages: one share for each, in order.
    """

    total: int
    exact: bool
    by_kind: dict[str, int]
    messages: tuple[MessageShare, ...]


_KINDS = {
    "image": "images",
    "image_url": "images",
    "input_image": "images",
    "tool_use": "tool calls",
    "tool_result": "tool results",
    "thinking": "reasoning",
    "redacted_thinking": "reasoning",
    "reasoning": "reasoning",
}
_RESULT_ROLES = frozenset({"tool", "function"})


def break_down(messages: Sequence[Message], counter: TokenCounter, tools: Sequence[Any] = ()) -> Breakdown:
    """Count a history part by part.

    Args:
        messages: OpenAI- or Anthropic-style messages, or Responses items.
        counter: counts the texts.
        tools: tool definitions that go with the request.

    Raises:
        MalformedMessageError: a message has no shape to count.
    """
    with naming_problems(messages):
        shares = tuple(_share(index, message, counter) for index, message in enumerate(messages))
    by_kind: dict[str, int] = {}
    for share in shares:
        for kind, tokens in share.parts.items():
            by_kind[kind] = by_kind.get(kind, 0) + tokens
    definitions = tool_definition_tokens(tools, counter)
    if definitions:
        by_kind["tool definitions"] = definitions
    return Breakdown(sum(by_kind.values()), counter.exact, by_kind, shares)


def tool_definition_tokens(tools: Sequence[Any], counter: TokenCounter) -> int:
    """Return the tokens of tool definitions, counted as the JSON that they are."""
    return counter.count_text(stringify(list(tools))) if tools else 0


def _share(index: int, message: Message, counter: TokenCounter) -> MessageShare:
    total = counter(message)
    role = str(message.get("role") or message.get("type") or "?")
    parts: dict[str, int] = {"overhead": counter.message_overhead}
    for block in content_blocks(message) or ():
        kind = _KINDS.get(block_type(block) or "", "text")
        parts[kind] = parts.get(kind, 0) + counter.raw_blocks([block], tools=True)
    rest = total - sum(parts.values())
    if message.get("tool_calls") or message.get("function_call") or is_item(message):
        content = message.get("content")
        said = counter.count_text(content) if isinstance(content, str) else 0
        parts["text"] = parts.get("text", 0) + said
        parts["tool calls"] = parts.get("tool calls", 0) + rest - said
    elif role in _RESULT_ROLES or message.get("type") in RESULT_ITEMS:
        parts["tool results"] = parts.get("tool results", 0) + rest
    else:
        kind = "reasoning" if role == "reasoning" else "text"
        parts[kind] = parts.get(kind, 0) + rest
    if role in {"system", "developer"}:
        parts = {"overhead": parts["overhead"], "system": total - parts["overhead"]}
    return MessageShare(index, role, total, {kind: tokens for kind, tokens in parts.items() if tokens})
