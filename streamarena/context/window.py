"""The decision that the sliding-window policies share: when a history must shrink, and by what right.

Facts of section 1.1 to 1.3 of the reference behaviour. Arithmetic is in doubles as there: the allowed size may be
negative, a zero window divides to infinity, the percentage compares with "at least", the allowed size with "more than".
An invalid profile threshold falls back to the global percentage and leaves the warning `invalid_profile_threshold`.

Cost: constant, apart from counting the last message once.
Not here: what is done about it (`classic.py`, `native.py`, `condense.py`).
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import msgspec

from streamarena.context._javascript import divide
from streamarena.context.messages import Block, Message, as_blocks, content_blocks, text_block

__all__ = [
    "allowed_tokens",
    "CondenseCall",
    "CondenseResult",
    "ContextResult",
    "count_content",
    "count_last_message",
    "count_message",
    "CountTokens",
    "effective_threshold",
    "FORCED_REDUCTION_PERCENT",
    "MAX_CONDENSE_PERCENT",
    "MAX_WINDOW_RETRIES",
    "MIN_CONDENSE_PERCENT",
    "passes_threshold",
    "RESERVED_TOKENS",
    "TOKEN_BUFFER",
    "TRUNCATED_FRACTION",
    "will_manage_context",
    "WindowContext",
]

TOKEN_BUFFER: Final = 0.1
TRUNCATED_FRACTION: Final = 0.5
RESERVED_TOKENS: Final = 8192
MIN_CONDENSE_PERCENT: Final = 5
MAX_CONDENSE_PERCENT: Final = 100
FORCED_REDUCTION_PERCENT: Final = 75
MAX_WINDOW_RETRIES: Final = 3

CountTokens: TypeAlias = Callable[[Sequence[Block]], "int | Awaitable[int]"]
"""Counts the tokens of content blocks, at once or awaitably; never called with no blocks by this module."""


class CondenseCall(msgspec.Struct, frozen=True):
    """A history to be condensed, and with which settings; None is "not given".

    `automatic` is False when a user asked for it, True when a policy did.
    """

    messages: Sequence[Message]
    system_prompt: str = ""
    prev_context_tokens: float = 0
    automatic: bool = False
    custom_prompt: str | None = None
    metadata: Mapping[str, Any] | None = None
    environment_details: str | None = None
    files_read: Sequence[str] | None = None
    cwd: str | None = None


class CondenseResult(msgspec.Struct, frozen=True):
    """What condensing came to.

    Attributes:
        messages: the new history; the very object that was given where nothing changed.
        summary: the summary's text, "" on an error. cost: US dollars, also of a failed attempt.
        new_context_tokens: tokens that the next request will hold, where the history was condensed.
        error: a key such as "condense_failed"; None or "" for success. error_params: what its text is built from.
        error_details: what the provider's exception carried (message, status, code, response, body).
        condense_id: of the summary message (native only). warnings: names of things worth a look.
    """

    messages: Sequence[Message]
    summary: str = ""
    cost: float = 0
    new_context_tokens: int | None = None
    error: str | None = None
    error_params: Mapping[str, Any] = msgspec.field(default_factory=dict[str, Any])
    error_details: Any = None
    condense_id: str | None = None
    warnings: tuple[str, ...] = ()


class ContextResult(msgspec.Struct, frozen=True):
    """What a window policy did.

    Attributes:
        messages: the history from now on; the same object as before where nothing changed.
        action: what was done. prev_context_tokens: tokens before it, the last message included.
        messages_removed: dropped (classic) or hidden (native); truncation_id, new_context_tokens_after_truncation:
            native only. The rest: see `CondenseResult`.
    """

    messages: Sequence[Message]
    action: Literal["unchanged", "truncated", "condensed"]
    prev_context_tokens: float
    summary: str = ""
    cost: float = 0
    error: str | None = None
    error_params: Mapping[str, Any] = msgspec.field(default_factory=dict[str, Any])
    error_details: Any = None
    new_context_tokens: int | None = None
    condense_id: str | None = None
    messages_removed: int | None = None
    truncation_id: str | None = None
    new_context_tokens_after_truncation: int | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WindowContext:
    """Everything a window policy looks at.

    Attributes:
        messages: the history; its last message is the one about to be sent. Never changed.
        total_tokens: of the previous request as its provider reported them; never includes the last message.
        context_window, max_tokens: tokens; a `max_tokens` of 0 or None reserves 8192.
        count: counts content blocks. system_prompt: counted where a policy needs the new total.
        condense: condenses the history; None: truncate only.
        auto_condense, auto_condense_percent: the user's settings (defaults on and 100).
        profile_thresholds, current_profile_id: percentages by profile; -1 inherits the global one.
        custom_prompt, metadata, environment_details, files_read, cwd: handed to `condense`.
        new_id: draws a unique id (native). now: milliseconds since the epoch, where a message lacks a time.
        on_event: told of "sliding_window_truncation" as it happens.
    """

    messages: Sequence[Message]
    total_tokens: float
    context_window: float
    count: CountTokens
    max_tokens: float | None = None
    system_prompt: str = ""
    condense: Callable[[CondenseCall], Awaitable[CondenseResult]] | None = None
    auto_condense: bool = True
    auto_condense_percent: float = 100
    profile_thresholds: Mapping[str, float] = field(default_factory=dict[str, float])
    current_profile_id: str = "default"
    custom_prompt: str | None = None
    metadata: Mapping[str, Any] | None = None
    environment_details: str | None = None
    files_read: Sequence[str] | None = None
    cwd: str | None = None
    new_id: Callable[[], str] | None = None
    now: float = 0
    on_event: Callable[[str], None] | None = None

    def condense_call(self, prev_context_tokens: float) -> CondenseCall:
        """Return the automatic condensing of this history."""
        return CondenseCall(
            self.messages,
            self.system_prompt,
            prev_context_tokens,
            automatic=True,
            custom_prompt=self.custom_prompt,
            metadata=self.metadata,
            environment_details=self.environment_details,
            files_read=self.files_read,
            cwd=self.cwd,
        )


def allowed_tokens(context_window: float, max_tokens: float | None = None) -> float:
    """Return how many tokens a history may hold: 90 % of the window less what is reserved for the answer.

    A float that may be negative, exactly as the reference computes it.
    """
    return context_window * (1 - TOKEN_BUFFER) - (max_tokens or RESERVED_TOKENS)


def effective_threshold(
    percent: float, profile_thresholds: Mapping[str, float], profile_id: str
) -> tuple[float, tuple[str, ...]]:
    """Return the percentage at which condensing starts, and a warning where the profile's own is invalid."""
    if profile_id not in profile_thresholds:
        return percent, ()
    own: object = profile_thresholds[profile_id]
    if isinstance(own, int | float):
        if own == -1:
            return percent, ()
        if MIN_CONDENSE_PERCENT <= own <= MAX_CONDENSE_PERCENT:
            return own, ()
    return percent, ("invalid_profile_threshold",)


def passes_threshold(prev_tokens: float, context: WindowContext, threshold: float) -> bool:
    """Tell whether an automatic condense is due."""
    percent = divide(100 * prev_tokens, context.context_window)
    return percent >= threshold or prev_tokens > allowed_tokens(context.context_window, context.max_tokens)


def will_manage_context(context: WindowContext, last_message_tokens: float) -> bool:
    """Tell whether a policy would probably act, without counting or doing anything (section 1.5).

    Args:
        context: as for the policy itself; its messages are not looked at.
        last_message_tokens: tokens of the message about to be sent.
    """
    prev_tokens = context.total_tokens + last_message_tokens
    if not context.auto_condense:
        return prev_tokens > allowed_tokens(context.context_window, context.max_tokens)
    threshold, _ = effective_threshold(
        context.auto_condense_percent, context.profile_thresholds, context.current_profile_id
    )
    return passes_threshold(prev_tokens, context, threshold)


async def count_content(count: CountTokens, blocks: Sequence[Block]) -> int:
    """Count content blocks, awaiting the counter where it asks for it; no blocks are 0 tokens."""
    if not blocks:
        return 0
    counted = count(blocks)
    return await counted if inspect.isawaitable(counted) else counted


async def count_last_message(context: WindowContext) -> int:
    """Count the message about to be sent; 0 for an empty history."""
    return await count_content(context.count, as_blocks(context.messages[-1])) if context.messages else 0


async def count_message(count: CountTokens, message: Message) -> int:
    """Count one message's content; content that is neither text nor blocks is 0 tokens."""
    blocks = content_blocks(message)
    if blocks is not None:
        return await count_content(count, blocks)
    content = message.get("content")
    return await count_content(count, [text_block(content)]) if isinstance(content, str) else 0
