"""Pairing of tool calls and tool results when a user message is about to join a history.

Rule of section 5.4 of the reference behaviour, for Anthropic-style messages: results of the message are held against
the calls of the last assistant message; duplicates go, unknown ids are re-assigned by position or dropped, a call
without a result gets a synthetic one at the front. For whole histories of any style see `trimming.repair_messages`.

Invariant: the message given is returned itself when no check applies to it; otherwise a copy.
Cost: linear in the blocks of both messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from streamarena.context.messages import Block, Message, block_type, content_blocks
from streamarena.context.texts import notices

__all__ = ["PairingIssue", "ResultValidation", "validate_tool_results"]


class PairingIssue(msgspec.Struct, frozen=True):
    """What did not pair.

    Attributes:
        kind: "missing" calls without results, or "mismatch" results whose id is no call's.
        missing_calls: ids of calls without a result (kind "missing").
        result_ids, call_ids: the ids on both sides, in order, duplicates removed from the results.
    """

    kind: str
    result_ids: tuple[str, ...]
    call_ids: tuple[str, ...]
    missing_calls: tuple[str, ...] = ()


class ResultValidation(msgspec.Struct, frozen=True):
    """The message to store, and what was wrong with the one given."""

    message: Message
    issues: tuple[PairingIssue, ...] = msgspec.field(default=())


def validate_tool_results(
    message: Message, history: Sequence[Message], *, missing_text: str | None = None
) -> ResultValidation:
    """Make the tool results of a new user message answer the calls of the last assistant message.

    Args:
        message: the message about to be added.
        history: what it will be added to.
        missing_text: content of the synthetic results; default: the catalogue's.

    Returns:
        The message, itself where there is nothing to check, and every issue found.
    """
    blocks = content_blocks(message)
    last = next((m for m in reversed(history) if m.get("role") == "assistant"), None)
    if message.get("role") != "user" or blocks is None or last is None:
        return ResultValidation(message)
    calls: list[Any] = [block.get("id") for block in content_blocks(last) or () if block_type(block) == "tool_use"]
    if not calls:
        return ResultValidation(message)
    content = _without_duplicates(blocks)
    results: list[Any] = [block.get("tool_use_id") for block in content if block_type(block) == "tool_result"]
    present, valid = set(results), set(calls)
    missing = [call for call in calls if call not in present]
    mismatched = any(result not in valid for result in results)
    if not missing and not mismatched:
        return ResultValidation({**message, "content": content})
    issues: list[PairingIssue] = []
    if missing:
        issues.append(PairingIssue("missing", tuple(results), tuple(calls), tuple(missing)))
    if mismatched:
        issues.append(PairingIssue("mismatch", tuple(results), tuple(calls)))
    kept = _reassigned(content, calls)
    answered = {block.get("tool_use_id") for block in kept if block_type(block) == "tool_result"}
    text = notices().tool_interrupted if missing_text is None else missing_text
    synthetic: list[Block] = [
        {"type": "tool_result", "tool_use_id": call, "content": text} for call in calls if call not in answered
    ]
    return ResultValidation({**message, "content": [*synthetic, *kept]}, tuple(issues))


def _without_duplicates(blocks: Sequence[Block]) -> list[Block]:
    seen: set[Any] = set()
    kept: list[Block] = []
    for block in blocks:
        if block_type(block) == "tool_result":
            if block.get("tool_use_id") in seen:
                continue
            seen.add(block.get("tool_use_id"))
        kept.append(block)
    return kept


def _reassigned(content: Sequence[Block], calls: Sequence[Any]) -> list[Block]:
    """Keep results with a valid unused id, re-assign the others by their position among the results, or drop them."""
    used: set[Any] = set()
    kept: list[Block] = []
    position = -1
    for block in content:
        if block_type(block) != "tool_result":
            kept.append(block)
            continue
        position += 1
        call = block.get("tool_use_id")
        if call in calls and call not in used:
            used.add(call)
            kept.append(block)
        elif position < len(calls) and calls[position] not in used:
            used.add(calls[position])
            kept.append({**block, "tool_use_id": calls[position]})
    return kept
