"""What a message is here, and the few questions that every policy asks of one.

A message is a JSON object with a `role` and a `content` that is a string or a list of blocks; other keys are kept as
they are. Nothing in this room changes a message or block that it was given: results share what did not change and hold
new objects where something did, so identity tells "unchanged".

Cost: all functions are linear in the blocks of the messages they look at and copy nothing but what they return.
Not here: wire formats (`providers/`), and checks of a message's shape beyond what a question needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, cast

__all__ = ["Block", "Message", "as_blocks", "block_type", "content_blocks", "text_block"]

Message: TypeAlias = Mapping[str, Any]
"""One message of a history: `role`, `content`, and whatever else its store keeps."""

Block: TypeAlias = Mapping[str, Any]
"""One content block: `type` and its fields."""


def content_blocks(message: Message) -> Sequence[Block] | None:
    """Return the message's content if it is a list of blocks, else None."""
    content = message.get("content")
    return cast(Sequence[Block], content) if isinstance(content, list | tuple) else None


def as_blocks(message: Message) -> Sequence[Block]:
    """Return the content as blocks; a string becomes one text block, missing content none."""
    blocks = content_blocks(message)
    if blocks is not None:
        return blocks
    content = message.get("content")
    return [] if content is None else [text_block(str(content))]


def text_block(text: str) -> Block:
    """Return a text block."""
    return {"type": "text", "text": text}


def block_type(block: object) -> str | None:
    """Return a block's type; None for what is not a block."""
    if not isinstance(block, Mapping):
        return None
    kind = cast(Block, block).get("type")
    return kind if isinstance(kind, str) else None
