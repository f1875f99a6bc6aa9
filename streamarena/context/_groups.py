"""Histories as groups that stand or fall together: a tool call with all its results, or a single message.

Knows three shapes of calls and results: OpenAI chat (`tool_calls`, role `tool`), Anthropic (`tool_use` and
`tool_result` blocks) and items of OpenAI's Responses API (`function_call`, `function_call_output`, and `reasoning`,
which belongs to the item after it). A result answers the latest open call with its id, so ids may be used again.
Invariant: a group is sound if every call in it has its result and every result its call; only sound groups may be sent.

Cost: one pass over the messages; blocks are looked at only where content is a list.
Not here: choosing groups (`trimming.py`) and mending unsound ones (`repair.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from streamarena.context.messages import Message, block_type

__all__ = ["Group", "call_ids", "group_messages", "is_system", "result_ids"]

_SYSTEM: Final = frozenset({"system", "developer"})


@dataclass(slots=True, eq=False)
class Group:
    """Messages that stand or fall together, by their indices in the history."""

    indices: list[int]
    sound: bool = True
    starts_turn: bool = False
    tools: list[str] = field(default_factory=list[str])


def is_system(message: Message) -> bool:
    """Whether a message instructs rather than converses."""
    return message.get("role") in _SYSTEM


def call_ids(message: Message) -> Sequence[str]:
    """Return the ids of the tool calls that a message makes."""
    calls = message.get("tool_calls")
    if calls:
        return [str(call.get("id")) for call in cast(Sequence[Mapping[str, Any]], calls)]
    content = message.get("content")
    if isinstance(content, list):
        if message.get("role") != "assistant":
            return ()
        blocks = cast(Sequence[Mapping[str, Any]], content)
        return [str(block.get("id")) for block in blocks if block_type(block) == "tool_use"]
    return (str(message.get("call_id")),) if message.get("type") == "function_call" else ()


def result_ids(message: Message) -> Sequence[str]:
    """Return the ids of the tool calls that a message answers."""
    role = message.get("role")
    if role == "tool":
        return (str(message.get("tool_call_id")),)
    content = message.get("content")
    if role == "user" and isinstance(content, list):
        blocks = cast(Sequence[Mapping[str, Any]], content)
        return [str(block.get("tool_use_id")) for block in blocks if block_type(block) == "tool_result"]
    return (str(message.get("call_id")),) if message.get("type") == "function_call_output" else ()


def group_messages(messages: Sequence[Message]) -> tuple[list[int], list[Group]]:
    """Return the indices of system messages, and all other messages as groups in the order of their beginnings."""
    systems: list[int] = []
    groups: list[Group] = []
    owner: dict[str, Group] = {}
    reasoning: Group | None = None
    for index, message in enumerate(messages):
        role = message.get("role")
        if role in _SYSTEM:
            systems.append(index)
            continue
        # The usual message first: text, and no call in it.
        if isinstance(message.get("content"), str) and role in {"user", "assistant"} and "tool_calls" not in message:
            group = Group([index], True, role == "user")
            groups.append(group)
            reasoning = None
            continue
        group = _joined(index, message, owner, groups)
        if reasoning is not None:
            _merge(group, reasoning, groups, owner)
        reasoning = group if message.get("type") == "reasoning" else None
    for group in owner.values():
        group.sound = False
    if reasoning is not None:
        reasoning.sound = False
    groups.sort(key=_beginning)
    return systems, groups


def _beginning(group: Group) -> int:
    return group.indices[0]


def _joined(index: int, message: Message, owner: dict[str, Group], groups: list[Group]) -> Group:
    """Put a message into the group whose calls it answers, or into one of its own; note the calls it opens."""
    results = result_ids(message)
    group: Group | None = None
    sound = True
    for result in dict.fromkeys(results):
        called = owner.pop(result, None)
        if called is None:
            sound = False
        elif group is None:
            group = called
        elif group is not called:
            _merge(group, called, groups, owner)
    if len(set(results)) != len(results):
        sound = False
    if group is None:
        group = Group([], True, message.get("role") == "user" and not results)
        groups.append(group)
    group.indices.append(index)
    group.sound = group.sound and sound
    calls = call_ids(message)
    if len(set(calls)) != len(calls):
        group.sound = False
    for call in calls:
        earlier = owner.get(call)
        if earlier is not None:  # an id used again before it was answered: the earlier call will never be
            earlier.sound = False
        owner[call] = group
    return group


def _merge(group: Group, other: Group, groups: list[Group], owner: dict[str, Group]) -> None:
    """Move everything of `other` into `group`; rare, so the list is searched."""
    group.indices = sorted([*group.indices, *other.indices])
    group.sound = group.sound and other.sound
    group.starts_turn = other.starts_turn if other.indices[0] < group.indices[0] else group.starts_turn
    groups.remove(other)
    for call, holder in owner.items():
        if holder is other:
            owner[call] = group
