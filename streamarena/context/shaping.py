"""Shaping a stored history for the wire: merging roles, the R1 format, images, call ids, resumption.

Rules of sections 5.2 to 5.4 of the reference behaviour. Used for requests, never for storage.
Invariants: input is never changed; a message that needs no change is returned as the same object, and a list in which
nothing changed as the same list where a docstring says so.

Cost: linear in the blocks.
Not here: pairing of tool calls and results (`pairing.py`), and trimming (`trimming.py`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Literal, cast

import msgspec

from streamarena.context._javascript import text_of
from streamarena.context.messages import Block, Message, block_type, content_blocks, text_block
from streamarena.context.texts import notices
from streamarena.errors import ContextError

__all__ = [
    "MAX_CALL_ID",
    "merge_consecutive_messages",
    "remove_image_blocks",
    "resume_history",
    "Resumption",
    "sanitize_tool_id",
    "sanitize_tool_ids",
    "TASK_RESUMPTION",
    "to_r1_messages",
]

MAX_CALL_ID: Final = 64
TASK_RESUMPTION: Final = (
    "[TASK RESUMPTION] The task was interrupted. What you know of the workspace may be out of date: look again before "
    "you go on, and repeat a step whose result is missing."
)
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]")


def merge_consecutive_messages(
    messages: Sequence[Message], roles: Collection[str] = frozenset({"user"})
) -> Sequence[Message]:
    """Merge neighbours of the same role; the later time wins.

    A summary is never merged into what stands before it (what follows it may be merged into the summary), and a
    truncation marker is never merged at all.

    Returns:
        The same list for fewer than two messages, else a new one that shares every message that was not merged.
    """
    if len(messages) <= 1:
        return messages
    merged: list[Message] = []
    for message in messages:
        previous = merged[-1] if merged else None
        if (
            previous is None
            or previous.get("role") != message.get("role")
            or message.get("role") not in roles
            or message.get("isSummary")
            or previous.get("isTruncationMarker")
            or message.get("isTruncationMarker")
        ):
            merged.append(message)
            continue
        joined: dict[str, Any] = {**previous, "content": [*_blocks(previous), *_blocks(message)]}
        newest = max(previous.get("ts") or 0, message.get("ts") or 0) or previous.get("ts") or message.get("ts")
        joined.pop("ts", None)
        if newest is not None:
            joined["ts"] = newest
        merged[-1] = joined
    return merged


def _blocks(message: Message) -> Sequence[Block]:
    blocks = content_blocks(message)
    if blocks is not None:
        return blocks
    content = message.get("content")
    return () if content is None else (text_block(text_of(content)),)


def remove_image_blocks(
    messages: Sequence[Message],
    supports_images: bool | None,
    placeholder: str | None = None,
) -> list[Message]:
    """Replace top-level image blocks by a text where the model takes no images.

    Args:
        messages: the history. Images inside tool results are left alone, as in the reference.
        supports_images: False and None ("not said") both mean no.
        placeholder: the text that stands in for an image; default: the catalogue's.
    """
    if supports_images:
        return list(messages)
    stand_in = text_block(notices().image_placeholder if placeholder is None else placeholder)
    result: list[Message] = []
    for message in messages:
        blocks = content_blocks(message)
        if blocks is None or all(block_type(block) != "image" for block in blocks):
            result.append(message)
            continue
        shown = [stand_in if block_type(block) == "image" else block for block in blocks]
        result.append({**message, "content": shown})
    return result


def sanitize_tool_id(tool_id: str, *, limit: int = MAX_CALL_ID, separator: str = "_") -> str:
    """Make a call id acceptable to every provider: only `[A-Za-z0-9_-]`, and no longer than `limit`.

    A longer id keeps its start and ends in the separator and the first eight hex digits of its MD5, so that two ids
    with the same start stay different; the digest is of the id as it was given.
    """
    clean = _UNSAFE.sub("_", tool_id)
    if len(clean) <= limit:
        return clean
    digest = hashlib.md5(tool_id.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()[:8]
    return f"{clean[: limit - len(separator) - len(digest)]}{separator}{digest}"


def sanitize_tool_ids(messages: Sequence[Message]) -> Sequence[Message]:
    """Apply `sanitize_tool_id` to every call and every result of an Anthropic- or OpenAI-style history.

    Returns:
        The same list where every id is acceptable already.
    """
    changed = False
    result: list[Message] = []
    for message in messages:
        clean = _with_clean_ids(message)
        changed = changed or clean is not message
        result.append(clean)
    return result if changed else messages


def _with_clean_ids(message: Message) -> Message:
    updates: dict[str, Any] = {}
    blocks = content_blocks(message)
    if blocks is not None:
        cleaned = [_clean_key(block, _ID_KEYS.get(block_type(block) or "")) for block in blocks]
        if any(new is not old for new, old in zip(cleaned, blocks, strict=True)):
            updates["content"] = cleaned
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        given = cast(list[Mapping[str, Any]], calls)
        fresh = [_clean_key(call, "id") for call in given]
        if any(new is not old for new, old in zip(fresh, given, strict=True)):
            updates["tool_calls"] = fresh
    if message.get("role") == "tool":
        clean = _clean_key(message, "tool_call_id")
        if clean is not message:
            updates["tool_call_id"] = clean["tool_call_id"]
    return {**message, **updates} if updates else message


_ID_KEYS: Final = {"tool_use": "id", "tool_result": "tool_use_id"}


def _clean_key(value: Mapping[str, Any], key: str | None) -> Mapping[str, Any]:
    tool_id = value.get(key) if key is not None else None
    if key is None or not isinstance(tool_id, str):
        return value
    clean = sanitize_tool_id(tool_id)
    return value if clean == tool_id else {**value, key: clean}


def to_r1_messages(system_prompt: str, messages: Sequence[Message]) -> list[Message]:
    """Return OpenAI-style messages for models that want alternating roles and no system message.

    The system prompt becomes the first user message; neighbours of the same role are merged: two strings with a
    newline between them, anything else as parts. Text blocks of a message are joined by newlines, images follow them.
    """
    result: list[dict[str, Any]] = []
    for message in [{"role": "user", "content": system_prompt}, *messages]:
        content = _r1_content(message)
        if result and result[-1]["role"] == message.get("role"):
            result[-1]["content"] = _joined(result[-1]["content"], content)
        else:
            result.append({"role": message.get("role"), "content": content})
    return list(result)


def _r1_content(message: Message) -> str | list[dict[str, Any]]:
    blocks = content_blocks(message)
    if blocks is None:
        return str(message.get("content") or "")
    text = "\n".join(str(block.get("text", "")) for block in blocks if block_type(block) == "text")
    images = [_image_part(block) for block in blocks if block_type(block) == "image"]
    if not images or message.get("role") == "assistant":
        return text
    return [*([{"type": "text", "text": text}] if text else []), *images]


def _image_part(block: Block) -> dict[str, Any]:
    source: Mapping[str, Any] = block.get("source") or {}
    url = source.get("url") or f"data:{source.get('media_type')};base64,{source.get('data')}"
    return {"type": "image_url", "image_url": {"url": url}}


def _joined(first: str | list[dict[str, Any]], second: str | list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n{second}"
    as_parts = [[{"type": "text", "text": part}] if isinstance(part, str) else part for part in (first, second)]
    return [*as_parts[0], *as_parts[1]]


class Resumption(msgspec.Struct, frozen=True):
    """An interrupted task made ready to go on: the history to keep, and the content of the next user message."""

    history: list[Message]
    user_content: list[Block]


def resume_history(
    messages: Sequence[Message],
    text: str = "",
    images: Sequence[Block] = (),
    *,
    tool_blocks: Literal["text", "keep"] = "text",
) -> Resumption:
    """Prepare a stored history for the next user turn (section 5.2, classic resumption).

    Args:
        messages: the stored history; must end with a user or an assistant message.
        text: what the user says now.
        images: image blocks that come with it.
        tool_blocks: "text" turns old tool blocks into tagged text, as the classic generation does.

    Raises:
        ContextError: the history is empty, or its last message has another role.
    """
    if not messages:
        raise ContextError("there is no history to resume")
    history = (
        [_tool_blocks_as_text(message, messages) for message in messages] if tool_blocks == "text" else [*messages]
    )
    last, content = messages[-1], list[Block]()
    match last.get("role"):
        case "assistant":
            content = _interrupted(last, answered=set())
        case "user":
            history.pop()
            blocks = list(_blocks(last))
            answered = {block.get("tool_use_id") for block in blocks if block_type(block) == "tool_result"}
            before = messages[-2] if len(messages) > 1 and messages[-2].get("role") == "assistant" else None
            content = [*blocks, *(_interrupted(before, answered) if before is not None else [])]
        case role:
            raise ContextError(f"a history cannot be resumed after a message with the role {role!r}")
    if tool_blocks == "text":
        content = list(_blocks(_tool_blocks_as_text({"role": "user", "content": content}, messages)))
    if text:
        content.append(text_block(f"<user_message>\n{text}\n</user_message>"))
    content.extend(images)
    return Resumption(history, content or [text_block(TASK_RESUMPTION)])


def _interrupted(message: Message, answered: set[Any]) -> list[Block]:
    return [
        {"type": "tool_result", "tool_use_id": block.get("id"), "content": notices().tool_interrupted}
        for block in content_blocks(message) or ()
        if block_type(block) == "tool_use" and block.get("id") not in answered
    ]


def _tool_blocks_as_text(message: Message, messages: Sequence[Message]) -> Message:
    blocks = content_blocks(message)
    if blocks is None or all(block_type(block) not in _ID_KEYS for block in blocks):
        return message
    names = {
        block.get("id"): str(block.get("name"))
        for other in messages
        for block in content_blocks(other) or ()
        if block_type(block) == "tool_use"
    }
    return {**message, "content": [_tool_block_as_text(block, names) for block in blocks]}


def _tool_block_as_text(block: Block, names: Mapping[Any, str]) -> Block:
    kind = block_type(block)
    if kind == "tool_use":
        given: Mapping[str, Any] = block.get("input") or {}
        parameters = "".join(f"<{key}>\n{text_of(value)}\n</{key}>\n" for key, value in given.items())
        return text_block(f"<{block.get('name')}>\n{parameters}</{block.get('name')}>")
    if kind != "tool_result":
        return block
    content = block.get("content")
    parts = [str(part.get("text", "")) for part in content_blocks(block) or () if block_type(part) == "text"]
    text = content if isinstance(content, str) else "\n\n".join(parts)
    return text_block(f"[{names.get(block.get('tool_use_id'), 'tool')} Result]\n\n{text}")
