"""What the user-interface store says of tokens: how full the context was at the last request, and sums over a task.

Arithmetic of section 1.4 of the reference behaviour. The store is a list of `{type, say, text, ...}`; usage stands as
JSON in the text of `api_req_started` (completed by a later `api_req_finished`), and a condense leaves its own number.
Invariants: the first message never counts; JSON that cannot be read is skipped; nothing is changed.

Cost: `context_tokens` walks back from the end and stops at the first number; `usage_totals` reads everything once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import msgspec

if TYPE_CHECKING:
    from streamarena.context.messages import Message
    from streamarena.context.parameters import Generation

__all__ = ["UsageTotals", "context_tokens", "usage_totals"]


class UsageTotals(msgspec.Struct, frozen=True):
    """Sums over a task: tokens in, out, written to and read from caches, US dollars; and the context's size now."""

    tokens_in: float = 0
    tokens_out: float = 0
    cache_writes: float = 0
    cache_reads: float = 0
    cost: float = 0
    context_tokens: float = 0


def context_tokens(ui_messages: Sequence[Message], *, generation: Generation = "native") -> float:
    """Return how many tokens the last request held, its answer included; 0 where none has been made.

    Args:
        ui_messages: the store, the task itself first.
        generation: "classic" adds cache tokens for requests of the Anthropic protocol; "native" counts them as part of
            the input already.
    """
    finished: Mapping[str, Any] = {}
    for index in range(len(ui_messages) - 1, 0, -1):
        message = ui_messages[index]
        if message.get("type") != "say":
            continue
        match message.get("say"):
            case "api_req_finished":
                finished = _fields(message)
                continue
            case "api_req_started":
                tokens = _request_tokens({**_fields(message), **finished}, generation)
                finished = {}
            case "condense_context":
                condensed: Mapping[str, Any] = message.get("contextCondense") or {}
                tokens = _number(condensed.get("newContextTokens"))
            case _:
                continue
        if tokens:
            return tokens
    return 0


def usage_totals(ui_messages: Sequence[Message], *, generation: Generation = "native") -> UsageTotals:
    """Return what a task has used so far; numbers that are missing or not numbers count as 0.

    Args:
        ui_messages: the store, the task itself first.
        generation: whose rule for the size of the context.
    """
    sums = dict.fromkeys(("tokensIn", "tokensOut", "cacheWrites", "cacheReads", "cost"), 0.0)
    for fields in _reported(ui_messages):
        for name in sums:
            sums[name] += _number(fields.get(name))
    return UsageTotals(
        sums["tokensIn"],
        sums["tokensOut"],
        sums["cacheWrites"],
        sums["cacheReads"],
        sums["cost"],
        context_tokens(ui_messages, generation=generation),
    )


def _reported(ui_messages: Sequence[Message]) -> list[Mapping[str, Any]]:
    """Return the fields of each request, those of its end laid over those of its start, and each condense's cost."""
    reported: list[Mapping[str, Any]] = []
    open_request: int | None = None
    for message in ui_messages[1:]:
        if message.get("type") != "say":
            continue
        match message.get("say"):
            case "api_req_started":
                open_request = len(reported)
                reported.append(_fields(message))
            case "api_req_finished" if open_request is not None:
                reported[open_request] = {**reported[open_request], **_fields(message)}
                open_request = None
            case "condense_context":
                condensed: Mapping[str, Any] = message.get("contextCondense") or {}
                reported.append({"cost": condensed.get("cost")})
            case _:
                continue
    return reported


def _request_tokens(fields: Mapping[str, Any], generation: Generation) -> float:
    names = ["tokensIn", "tokensOut"]
    if generation == "classic" and fields.get("apiProtocol") == "anthropic":
        names += ["cacheWrites", "cacheReads"]
    return sum(_number(fields.get(name)) for name in names)


def _fields(message: Message) -> Mapping[str, Any]:
    text = message.get("text")
    if not isinstance(text, str) or not text:
        return {}
    try:
        parsed = json.loads(text, parse_constant=_refuse)
    except ValueError:
        return {}
    return cast(Mapping[str, Any], parsed) if isinstance(parsed, dict) else {}


def _refuse(name: str) -> None:
    """Refuse NaN and the infinities, which Python's reader would take and JSON does not have."""
    raise ValueError(name)


def _number(value: object) -> float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else 0
