"""The two calls that most programs need of the reference behaviour: manage a history's window, and condense it now.

`manage_context` picks a policy by name and lets it decide; `summarize_conversation` is condensing by hand (section
2.2); `recover_from_overflow` is the reactive path of section 1.6, after a provider has refused a request as too long.
Invariant: histories are never changed in place; "unchanged" is the same object.

Cost: that of the policy; with cached counts a decision over 100 messages takes microseconds.
Not here: the decision (`window.py`, `classic.py`, `native.py`) and trimming to a given budget (`trimming.py`).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from streamarena.context._checks import naming_problems
from streamarena.context._javascript import trim
from streamarena.context.condense import Condenser, CondenseVariant, condense_classic
from streamarena.context.condense_native import condense_native
from streamarena.context.policies import PolicyName, WindowPolicy, window_policy
from streamarena.context.texts import builtin_texts
from streamarena.context.window import (
    FORCED_REDUCTION_PERCENT,
    MAX_WINDOW_RETRIES,
    CondenseCall,
    CondenseResult,
    ContextResult,
    WindowContext,
)

__all__ = ["condense_error_text", "manage_context", "recover_from_overflow", "summarize_conversation"]

_CAPITAL: Final = re.compile("([A-Z])")  # the reference writes messageCount, the catalogue message_count


async def manage_context(
    context: WindowContext, *, policy: PolicyName | WindowPolicy = "native", condenser: Condenser | None = None
) -> ContextResult:
    """Bring a history into its window if that is due (section 1.3).

    Args:
        context: the history and everything the decision needs.
        policy: a name ("cline" and "codex-cli" then begin without what they would have kept), or a policy object.
        condenser: the model that writes summaries; used where the context has no `condense` of its own.

    Returns:
        The history from now on and what was done. A failed condense is in `error`, and truncation follows it if the
        history is too long. Exceptions of the model pass in the classic generation.

    Raises:
        MalformedMessageError: a message has no shape to work with.
    """
    chosen = window_policy(policy) if isinstance(policy, str) else policy
    if condenser is not None and context.condense is None:
        variant: CondenseVariant = "classic" if chosen.name == "classic" else "native"

        async def condense(call: CondenseCall) -> CondenseResult:
            return await summarize_conversation(call, condenser, variant=variant)

        context = replace(context, condense=condense)
    with naming_problems(context.messages):
        return await chosen.manage(context)


async def summarize_conversation(
    call: CondenseCall, condenser: Condenser, *, variant: CondenseVariant = "native"
) -> CondenseResult:
    """Condense a history now (section 2), whether or not it is due.

    Args:
        call: the history and settings.
        condenser: the model, prompts and hooks.
        variant: whose rules.

    Returns:
        The new history, or the one given and the error's key.
    """
    if condenser.on_event is not None:
        facts = {
            "automatic": call.automatic,
            "custom_prompt": bool(trim(call.custom_prompt or "")),
            "custom_handler": condenser.condensing is not None,
        }
        condenser.on_event("context_condensed", facts)
    if variant == "native":
        return await condense_native(call.messages, condenser, call)
    return await condense_classic(
        call.messages,
        condenser,
        system_prompt=call.system_prompt,
        prev_context_tokens=call.prev_context_tokens,
        custom_prompt=call.custom_prompt,
        variant=variant,
    )


async def recover_from_overflow(
    context: WindowContext,
    *,
    attempt: int,
    policy: PolicyName | WindowPolicy = "native",
    condenser: Condenser | None = None,
) -> ContextResult | None:
    """Shrink a history that a provider has just refused as too long; the caller then retries (section 1.6).

    Condensing is forced on from 75 % of the window, without a custom prompt; a profile's own threshold still wins. That
    may come to nothing where `total_tokens` is small: the result's `messages` are then the same object.

    Args:
        context: as for `manage_context`.
        attempt: how many retries have been made, from 0.
        policy: the policy.
        condenser: the model that writes summaries.

    Returns:
        What was done; None after three retries: give up.
    """
    if attempt >= MAX_WINDOW_RETRIES:
        return None
    forced = replace(context, auto_condense=True, auto_condense_percent=FORCED_REDUCTION_PERCENT, custom_prompt=None)
    return await manage_context(forced, policy=policy, condenser=condenser)


def condense_error_text(result: CondenseResult | ContextResult, *, variant: CondenseVariant = "native") -> str:
    """Return a condense error as a sentence for the user, from the catalogue; "" where there is no error.

    Args:
        result: of `summarize_conversation` or `manage_context`.
        variant: whose words.
    """
    if not result.error:
        return ""
    texts = builtin_texts()
    key = texts.find(f"error.{result.error}", "native" if variant == "native" else "classic")
    values = {_CAPITAL.sub(r"_\1", name).lower(): value for name, value in result.error_params.items()}
    return texts.render(key, **{name: values.get(name) for name in texts.entry(key).parameters})
