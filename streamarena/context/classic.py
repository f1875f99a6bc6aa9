"""The classic window policy: condense if that is on and due, else drop the older half.

Behaviour of section 1.2 and 1.3 (Kilo Code 4.88, Roo Code 3.28). Truncation is destructive: the first message stays, an
even number after it goes, and the result is a new list even where that number is 0. When nothing is due the very list
that was given comes back: callers tell "unchanged" by identity.

Cost: one slice of the history.
Not here: the condition itself (`window.py`), the non-destructive successor (`native.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from streamarena.context.window import (
    TRUNCATED_FRACTION,
    CondenseResult,
    ContextResult,
    WindowContext,
    allowed_tokens,
    count_last_message,
    effective_threshold,
    passes_threshold,
)

if TYPE_CHECKING:
    from streamarena.context.messages import Message

__all__ = ["attempt_condense", "ClassicPolicy", "even_share", "truncate_conversation"]


def even_share(count: int, fraction: float) -> int:
    """Return the share of `count` messages after the first that goes: rounded down, then to an even number."""
    return math.trunc(math.floor((count - 1) * fraction) / 2) * 2


def truncate_conversation(
    messages: Sequence[Message], fraction: float = TRUNCATED_FRACTION, *, on_event: Callable[[str], None] | None = None
) -> list[Message]:
    """Drop the oldest messages after the first.

    Args:
        messages: the history.
        fraction: how much of what follows the first message goes; rounded down to an even number so that user and
            assistant keep alternating.
        on_event: told "sliding_window_truncation", also when nothing goes.

    Returns:
        A new list that shares the kept messages.
    """
    if on_event is not None:
        on_event("sliding_window_truncation")
    return [*messages[:1], *messages[even_share(len(messages), fraction) + 1 :]]


class ClassicPolicy:
    """The policy named `classic`."""

    name = "classic"

    async def manage(self, context: WindowContext) -> ContextResult:
        """Condense or truncate as the classic generation does; see section 1.3 for the order of decisions."""
        prev_tokens, warnings, failed, done = await attempt_condense(context)
        if done is not None:
            return done
        failed = failed or CondenseResult(context.messages)
        error, params, cost = failed.error, failed.error_params, failed.cost
        if prev_tokens > allowed_tokens(context.context_window, context.max_tokens):
            kept = truncate_conversation(context.messages, on_event=context.on_event)
            return ContextResult(
                kept,
                "truncated",
                prev_tokens,
                cost=cost,
                error=error,
                error_params=params,
                messages_removed=len(context.messages) - len(kept),
                warnings=warnings,
            )
        return ContextResult(
            context.messages, "unchanged", prev_tokens, cost=cost, error=error, error_params=params, warnings=warnings
        )


async def attempt_condense(
    context: WindowContext,
) -> tuple[float, tuple[str, ...], CondenseResult | None, ContextResult | None]:
    """Do what both generations do first: count, compare, and condense where that is on and due.

    Returns:
        The tokens in use, warnings, the failed attempt if there was one, and the final result if condensing succeeded.
    """
    prev_tokens = context.total_tokens + await count_last_message(context)
    threshold, warnings = effective_threshold(
        context.auto_condense_percent, context.profile_thresholds, context.current_profile_id
    )
    condense = context.condense
    if not context.auto_condense or condense is None or not passes_threshold(prev_tokens, context, threshold):
        return prev_tokens, warnings, None, None
    outcome = await condense(context.condense_call(prev_tokens))
    warnings += outcome.warnings
    if outcome.error:
        return prev_tokens, warnings, outcome, None
    done = ContextResult(
        outcome.messages,
        "condensed",
        prev_tokens,
        summary=outcome.summary,
        cost=outcome.cost,
        error=outcome.error,
        error_details=outcome.error_details,
        new_context_tokens=outcome.new_context_tokens,
        condense_id=outcome.condense_id,
        warnings=warnings,
    )
    return prev_tokens, warnings, None, done
