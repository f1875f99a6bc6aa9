"""Emptying old tool results: the history keeps its shape, the bulk goes.

After Anthropic's context editing (`clear_tool_uses_20250919`): above a trigger, every tool result but those of the most
recent tool uses is replaced by a short text; calls stay, so pairing does. Works on every form of call that `_calls.py`
knows; results that are no text (screenshots, a shell's parts) and the older function calls, which have no ids, stay.
Invariant: only what is replaced is copied; nothing to do returns the same list.

Cost: counts the whole history once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from streamarena.context._calls import call_ids, call_name, is_item, result_ids, text_member
from streamarena.context.messages import Block, Message, block_type, content_blocks
from streamarena.context.texts import TOOL_RESULT_CLEARED

__all__ = ["ClearToolResults", "clear_tool_results"]

_INPUTS = {"function_call": ("arguments", "{}"), "custom_tool_call": ("input", "")}  # of items that can be emptied


@dataclass(frozen=True, slots=True)
class ClearToolResults:
    """Which tool results may be emptied, and when.

    Attributes:
        trigger: tokens of the whole history above which it happens (it also does above the budget). Default 100,000.
        keep: results of that many most recent tool uses stay. Default 3.
        exclude_tools: names of tools whose results always stay.
        clear_inputs: empty the calls' arguments as well.
        placeholder: what stands in for a result.
    """

    trigger: int = 100_000
    keep: int = 3
    exclude_tools: Collection[str] = frozenset()
    clear_inputs: bool = False
    placeholder: str = TOOL_RESULT_CLEARED


def clear_tool_results(
    messages: Sequence[Message], count: Callable[[Message], int], budget: int, rule: ClearToolResults
) -> tuple[Sequence[Message], int]:
    """Return the history with old tool results emptied, and how many were.

    Args:
        messages: the history, never changed.
        count: tokens of one message.
        budget: tokens; above it results are emptied even below the trigger.
        rule: which results.
    """
    if sum(map(count, messages)) <= min(rule.trigger, budget):
        return messages, 0
    names = _tool_names(messages)
    uses = [key for key, name in names.items() if name not in rule.exclude_tools]
    old = set(uses[: max(0, len(uses) - rule.keep)])
    cleared = 0
    result: list[Message] = []
    for message in messages:
        emptied, number = _emptied(message, old, rule)
        cleared += number
        result.append(emptied)
    return (result, cleared) if cleared else (messages, 0)


def _tool_names(messages: Sequence[Message]) -> dict[str, str]:
    """Return the tool's name for each call id, oldest first."""
    names: dict[str, str] = {}
    for message in messages:
        calls: Sequence[Mapping[str, Any]] = message.get("tool_calls") or ()
        for call in calls:
            function: Mapping[str, Any] = call.get("function") or {}
            names[str(call.get("id"))] = str(function.get("name"))
        for block in content_blocks(message) or ():
            if block_type(block) == "tool_use":
                names[str(block.get("id"))] = str(block.get("name"))
        if is_item(message):
            names.update((str(call), call_name(message)) for call in call_ids(message))
    return names


def _emptied(message: Message, old: set[str], rule: ClearToolResults) -> tuple[Message, int]:
    member = text_member(message)
    if member is not None:
        return _replaced(message, member, rule.placeholder) if _answers(message, old) else (message, 0)
    if rule.clear_inputs and is_item(message):
        return _without_item_input(message, old), 0
    if rule.clear_inputs and message.get("tool_calls"):
        return _without_arguments(message, old), 0
    blocks = content_blocks(message)
    if blocks is None:
        return message, 0
    number = 0
    changed: list[Block] = []
    for block in blocks:
        kind = block_type(block)
        if kind == "tool_result" and str(block.get("tool_use_id")) in old:
            block, one = _replaced(block, "content", rule.placeholder)  # noqa: PLW2901 - the block as it is sent
            number += one
        elif kind == "tool_use" and rule.clear_inputs and str(block.get("id")) in old:
            block = {**block, "input": dict[str, Any]()}  # noqa: PLW2901 - the block as it is sent
        changed.append(block)
    unchanged = all(new is block for new, block in zip(changed, blocks, strict=True))
    return (message if unchanged else {**message, "content": changed}), number


def _answers(message: Message, old: set[str]) -> bool:
    return any(str(call) in old for call in result_ids(message))


def _without_item_input(message: Message, old: set[str]) -> Message:
    key, empty = _INPUTS.get(message.get("type") or "", ("", ""))
    if key not in message or not any(str(call) in old for call in call_ids(message)):
        return message
    return {**message, key: empty}


def _replaced(value: Mapping[str, Any], key: str, placeholder: str) -> tuple[Mapping[str, Any], int]:
    return (value, 0) if value.get(key) == placeholder else ({**value, key: placeholder}, 1)


def _without_arguments(message: Message, old: set[str]) -> Message:
    calls = [
        {**call, "function": {**call.get("function", {}), "arguments": "{}"}} if str(call.get("id")) in old else call
        for call in cast(Sequence[Mapping[str, Any]], message["tool_calls"])
    ]
    return {**message, "tool_calls": calls}
