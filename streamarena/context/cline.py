"""Cline's window policy: drop a middle range of whole turns, after trying to drop repeated file contents first.

Behaviour of section 1.8 of the reference (Cline 3.59): the first two messages always stay, what is dropped is one range
that starts at index 2 and grows. The stored history is never changed; edits (replaced file contents, notices) are kept
beside it with a time, so that a rewind can take them back.
Invariant: in what is sent, every call is followed by exactly its results, in the order of the calls.

Cost: linear in the history for each request; texts are looked at only when the window is nearly full.
Not here: condensing by a model (`condense.py` serves that), and finding repeated files (`cline_edits.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from streamarena.context.messages import Block, Message, block_type, content_blocks
from streamarena.context.texts import notices

__all__ = [
    "cline_messages",
    "cline_window",
    "ClineWindow",
    "DEFAULT_HEADROOM",
    "DEFAULT_WINDOW",
    "DeletedRange",
    "FIRST_DROPPED",
    "Keep",
    "next_truncation_range",
    "should_compact",
]

Keep: TypeAlias = Literal["none", "lastTwo", "half", "quarter"]
DeletedRange: TypeAlias = tuple[int, int]
"""First and last index of what is left out, both included."""

_HEADROOM: Final = {64_000: 27_000, 128_000: 30_000, 200_000: 40_000}
DEFAULT_HEADROOM: Final = 40_000
DEFAULT_WINDOW: Final = 128_000
FIRST_DROPPED: Final = 2


@dataclass(frozen=True, slots=True)
class ClineWindow:
    """A context window and the largest request that should be sent into it, in tokens."""

    context_window: float
    max_allowed_size: float


def cline_window(context_window: float | None, *, model_id: str = "", openai_compatible: bool = False) -> ClineWindow:
    """Return the window to plan with and how much of it to use.

    Args:
        context_window: of the model; None and 0 mean 128,000.
        model_id: an OpenAI-compatible endpoint with "deepseek" in it always counts as 128,000.
        openai_compatible: whether the model is reached through such an endpoint.
    """
    window = context_window or DEFAULT_WINDOW
    if openai_compatible and "deepseek" in model_id.lower():
        window = DEFAULT_WINDOW
    headroom = _HEADROOM.get(int(window)) if window == int(window) else None
    allowed = window - headroom if headroom else max(window - DEFAULT_HEADROOM, window * 0.8)
    return ClineWindow(window, allowed)


def should_compact(previous_total: float, window: ClineWindow, threshold: float | None = None) -> bool:
    """Tell whether the previous request's total means that a summary is due (automatic condensing on).

    Args:
        previous_total: tokens of the previous request, input, output and cache.
        window: the window.
        threshold: a share of the window from 0 to 1 that may lower the limit.
    """
    limit = window.max_allowed_size
    if threshold:
        limit = min(math.floor(window.context_window * threshold), limit)
    return previous_total >= limit


def next_truncation_range(
    messages: Sequence[Message], deleted: DeletedRange | None = None, keep: Keep = "half"
) -> DeletedRange:
    """Return the range to leave out next.

    Args:
        messages: the whole history.
        deleted: the range left out until now.
        keep: how much of what follows it stays. The range ends before a user message, as far as one step back does it.
    """
    start = deleted[1] + 1 if deleted is not None else FIRST_DROPPED
    rest = len(messages) - start
    match keep:
        case "none":
            removed = max(rest, 0)
        case "lastTwo":
            removed = max(rest - 2, 0)
        case "half":
            removed = rest // 4 * 2
        case "quarter":
            removed = math.floor(rest * 3 / 4 / 2) * 2
    end = start + removed - 1
    if 0 <= end < len(messages) and messages[end].get("role") != "assistant":
        end -= 1
    return FIRST_DROPPED, end


def cline_messages(
    messages: Sequence[Message], deleted: DeletedRange | None = None, *, missing_text: str | None = None
) -> list[Message]:
    """Return what is sent: the first two messages, what follows the range, and every call with its results.

    Args:
        messages: the whole history, never changed.
        deleted: the range to leave out.
        missing_text: content of a result that had to be made up; default: the catalogue's.
    """
    if len(messages) <= 1:
        return list(messages)
    start = deleted[1] + 1 if deleted is not None else FIRST_DROPPED
    shown = [*messages[:FIRST_DROPPED], *messages[start:]]
    if start > FIRST_DROPPED < len(shown):
        blocks = content_blocks(shown[FIRST_DROPPED])
        if shown[FIRST_DROPPED].get("role") == "user" and blocks is not None and any(map(_is_result, blocks)):
            kept = [block for block in blocks if not _is_result(block)]
            shown[FIRST_DROPPED] = {**shown[FIRST_DROPPED], "content": kept}
    _pair_results(shown, notices().result_missing if missing_text is None else missing_text)
    return shown


def _is_result(block: Block) -> bool:
    return block_type(block) == "tool_result"


def _pair_results(messages: list[Message], missing_text: str) -> None:
    """Put the results of each call first in the user message after it, in the order of the calls; in place."""
    for index in range(len(messages) - 1):
        following = messages[index + 1]
        if messages[index].get("role") != "assistant" or following.get("role") != "user":
            continue
        calls = [
            block["id"]
            for block in content_blocks(messages[index]) or ()
            if block_type(block) == "tool_use" and block.get("id")
        ]
        if not calls:
            continue
        blocks = content_blocks(following)
        if blocks is None:
            # The reference empties a text in place, which shows wherever else the same message stands in the list.
            emptied: Message = {**following, "content": []}
            messages[:] = [emptied if message is following else message for message in messages]
            following, blocks = emptied, ()
        paired = _paired(blocks, calls, missing_text)
        if paired is not None:
            messages[index + 1] = {**following, "content": paired}


def _paired(blocks: Sequence[Block], calls: Sequence[Any], missing_text: str) -> list[Block] | None:
    """Return the content with its results in order; None where it is so already."""
    results = {block["tool_use_id"]: block for block in blocks if _is_result(block) and block.get("tool_use_id")}
    others = [block for block in blocks if not (_is_result(block) and block.get("tool_use_id"))]
    leading = blocks[: len(calls)]
    in_order = all(_is_result(b) and b.get("tool_use_id") == c for b, c in zip(leading, calls, strict=False))
    if in_order and len(leading) >= len(results) and all(call in results for call in calls):
        return None
    missing: dict[str, Any] = {"type": "tool_result", "content": missing_text}
    return [*(results.get(call) or {**missing, "tool_use_id": call} for call in calls), *others]
