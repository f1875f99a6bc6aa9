"""The native window policy: nothing is ever lost, messages are hidden by tags and can come back.

Behaviour of section 1.7 (Roo Code 3.52). A truncation tags messages with `truncationParent` and inserts a marker with
the same `truncationId`; a condensed history carries `condenseParent` and a summary with that `condenseId`. What is sent
is the effective history; removing a marker or summary (a rewind) and cleaning up makes its messages visible again.
Invariants: messages given are never changed, tagged ones are copies; where nothing is hidden the same list comes back,
though an id has been drawn.

Cost: linear in the history; a message is copied only when its tags change.
Not here: writing the summary (`condense.py`); merging and shaping for the wire (`shaping.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec

from streamarena.context.classic import attempt_condense, even_share
from streamarena.context.messages import Block, Message, block_type, content_blocks, text_block
from streamarena.context.texts import marker
from streamarena.context.window import (
    TRUNCATED_FRACTION,
    CondenseResult,
    ContextResult,
    WindowContext,
    allowed_tokens,
    count_content,
    count_message,
)
from streamarena.errors import ConfigurationError

__all__ = [
    "NativePolicy",
    "Truncation",
    "cleanup_after_truncation",
    "effective_history",
    "hide_messages",
    "truncation_notice",
]


def truncation_notice(hidden: int) -> str:
    """Return the one-line text of a truncation marker."""
    return marker("native.notice.truncation", count=hidden)


class Truncation(msgspec.Struct, frozen=True):
    """A history after a truncation: the list, the id drawn for it, and how many messages it hid."""

    messages: Sequence[Message]
    truncation_id: str
    messages_removed: int


def hide_messages(
    messages: Sequence[Message], fraction: float = TRUNCATED_FRACTION, *, truncation_id: str, now: float = 0
) -> Truncation:
    """Hide the oldest visible messages after the first visible one, and leave a marker.

    Args:
        messages: the whole stored history.
        fraction: how much of what is visible after the first goes, rounded down to an even number.
        truncation_id: a unique id, drawn by the caller also where nothing will be hidden.
        now: milliseconds since the epoch, for the marker where the message after it has no time.
    """
    visible = [
        index
        for index, message in enumerate(messages)
        if not message.get("truncationParent") and not message.get("isTruncationMarker")
    ]
    removed = even_share(len(visible), fraction)
    if removed <= 0:
        return Truncation(messages, truncation_id, 0)
    result: list[Message] = list(messages)
    for index in visible[1 : removed + 1]:
        result[index] = {**messages[index], "truncationParent": truncation_id}
    position = visible[removed + 1] if removed + 1 < len(visible) else len(messages)
    kept_time = messages[position].get("ts") if position < len(messages) else None
    note = {
        "role": "user",
        "content": truncation_notice(removed),
        "ts": (now if kept_time is None else kept_time) - 1,
        "isTruncationMarker": True,
        "truncationId": truncation_id,
    }
    result.insert(position, note)
    return Truncation(result, truncation_id, removed)


def effective_history(messages: Sequence[Message]) -> list[Message]:
    """Return the messages that a request may see.

    With a summary: from the last one on, without tool results whose call lies before it, without user messages that
    hold nothing (any more), and without truncated messages whose marker lies in that range. Without one: without
    messages whose summary or marker exists. Tags that point nowhere are ignored.
    """
    last = next((i for i in range(len(messages) - 1, -1, -1) if messages[i].get("isSummary") is True), None)
    if last is None:
        summaries, markers = _existing_ids(messages)
        return [
            message
            for message in messages
            if message.get("condenseParent") not in summaries and message.get("truncationParent") not in markers
        ]
    recent = messages[last:]
    calls = {
        block.get("id")
        for message in recent
        if message.get("role") == "assistant"
        for block in content_blocks(message) or ()
        if block_type(block) == "tool_use" and block.get("id")
    }
    kept = [shown for message in recent if (shown := _without_orphans(message, calls)) is not None]
    _, markers = _existing_ids(kept)
    return [message for message in kept if message.get("truncationParent") not in markers]


def cleanup_after_truncation(messages: Sequence[Message]) -> list[Message]:
    """Remove tags that refer to a summary or marker that is gone, after a rewind or deletion.

    Returns:
        A new list; a message that lost a tag is a copy, the others are shared.
    """
    summaries, markers = _existing_ids(messages)
    existing = {"condenseParent": summaries, "truncationParent": markers}
    cleaned: list[Message] = []
    for message in messages:
        gone = [tag for tag, ids in existing.items() if message.get(tag) and message[tag] not in ids]
        if not gone:
            cleaned.append(message)
            continue
        # A copy without either tag first: an empty tag goes as well, as in the reference.
        copy: dict[str, Any] = {key: value for key, value in message.items() if key not in existing}
        copy.update({tag: message[tag] for tag, ids in existing.items() if message.get(tag) and message[tag] in ids})
        cleaned.append(copy)
    return cleaned


class NativePolicy:
    """The policy named `native`."""

    name = "native"

    async def manage(self, context: WindowContext) -> ContextResult:
        """Condense, or hide the older half of what is visible.

        Raises:
            ConfigurationError: a truncation is due and the context has no `new_id`.
        """
        prev_tokens, warnings, failed, done = await attempt_condense(context)
        if done is not None:
            return done
        failed = failed or CondenseResult(context.messages)
        error, params, details, cost = failed.error, failed.error_params, failed.error_details, failed.cost
        over = prev_tokens > allowed_tokens(context.context_window, context.max_tokens)
        if not over:
            return ContextResult(
                context.messages,
                "unchanged",
                prev_tokens,
                cost=cost,
                error=error,
                error_params=params,
                error_details=details,
                warnings=warnings,
            )
        if context.new_id is None:
            raise ConfigurationError("the native policy needs new_id, a callable that returns unique ids")
        if context.on_event is not None:
            context.on_event("sliding_window_truncation")
        truncation = hide_messages(context.messages, truncation_id=context.new_id(), now=context.now)
        tokens = await count_content(context.count, [text_block(context.system_prompt)])
        for message in truncation.messages:
            if not message.get("truncationParent") and not message.get("isTruncationMarker"):
                tokens += await count_message(context.count, message)
        return ContextResult(
            truncation.messages,
            "truncated",
            prev_tokens,
            cost=cost,
            error=error,
            error_params=params,
            error_details=details,
            messages_removed=truncation.messages_removed,
            truncation_id=truncation.truncation_id,
            new_context_tokens_after_truncation=tokens,
            warnings=warnings,
        )


def _existing_ids(messages: Sequence[Message]) -> tuple[set[object], set[object]]:
    """Return the ids of the summaries and of the truncation markers in a history; empty ids do not count."""
    summaries = {m["condenseId"] for m in messages if m.get("isSummary") and m.get("condenseId")}
    markers = {m["truncationId"] for m in messages if m.get("isTruncationMarker") and m.get("truncationId")}
    return summaries, markers


def _without_orphans(message: Message, calls: set[Any]) -> Message | None:
    """Return a user message without results of unknown calls; None where nothing is left or there was nothing."""
    blocks = content_blocks(message)
    if message.get("role") != "user" or blocks is None:
        return message
    kept: list[Block] = [
        block for block in blocks if block_type(block) != "tool_result" or block.get("tool_use_id") in calls
    ]
    if not kept:
        return None
    return message if len(kept) == len(blocks) else cast(Message, {**message, "content": kept})
