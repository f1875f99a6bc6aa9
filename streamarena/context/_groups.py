"""Histories as groups that stand or fall together: a tool call with all its results, or a single message.

Calls and results are those of `_calls.py`; a `reasoning` item of the Responses API belongs to the item after it. A
result answers the latest open call with its id, so ids may be used again.
Invariant: a group is sound if every call in it has its result and every result its call; only sound groups may be sent.

Cost: one pass over the messages; blocks are looked at only where content is a list.
Not here: choosing groups (`trimming.py`) and mending unsound ones (`repair.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from streamarena.context._calls import call_ids, completes_reasoning, result_ids

if TYPE_CHECKING:
    from streamarena.context.messages import Message

__all__ = ["Group", "group_messages", "system_indices"]

_SYSTEM: Final = frozenset({"system", "developer"})
_SPEAKERS: Final = frozenset({"user", "assistant"})
_PLAIN: Final = frozenset({str, type(None)})


class Group:
    """Messages that stand or fall together.

    Attributes:
        indices: of its messages in the history, ascending. sound: whether calls and results pair.
        starts_turn: whether it begins with a user's words.
        cost: tokens, once somebody has counted them. kept: whether a selection keeps it.
    """

    __slots__ = ("cost", "indices", "kept", "sound", "starts_turn")

    def __init__(self, indices: list[int], starts_turn: bool = False, sound: bool = True) -> None:
        self.indices = indices
        self.starts_turn = starts_turn
        self.sound = sound
        self.cost: int | None = None
        self.kept = False


def system_indices(messages: Sequence[Message]) -> list[int]:
    """Return the indices of the messages that instruct rather than converse."""
    return [index for index, message in enumerate(messages) if message.get("role") in _SYSTEM]


def group_messages(messages: Sequence[Message], start: int = 0) -> list[Group]:
    """Return the messages from `start` on as groups, in the order of their beginnings; without system messages."""
    state = _Grouping()
    groups, owner = state.groups, state.owner
    for index, message in enumerate(messages[start:] if start else messages, start):
        role = message.get("role")
        if role in _SYSTEM:
            continue
        # The usual kinds first, without a function call: an OpenAI-style result of an open call, a call, and words.
        if state.reasoning is None:
            if role == "tool":
                called = owner.pop(message.get("tool_call_id"), None)
                if called is not None:
                    called.indices.append(index)
                    continue
            elif role in _SPEAKERS and type(message.get("content")) in _PLAIN and "function_call" not in message:
                group = Group([index], role == "user")
                groups.append(group)
                for call in message.get("tool_calls") or ():
                    state.open_call(call.get("id"), group)
                continue
        state.join(index, message)
    return state.finished()


class _Grouping:
    """Groups in the making: the calls that are open, by id, and a reasoning item that waits for what it belongs to."""

    def __init__(self) -> None:
        self.groups: list[Group] = []
        self.owner: dict[Any, Group] = {}
        self.reasoning: Group | None = None
        self._merged = False

    def join(self, index: int, message: Message) -> None:
        """Put a message into the group whose calls it answers, or into one of its own; note the calls it opens."""
        results = result_ids(message)
        group: Group | None = None
        sound = len(set(results)) == len(results)
        for result in dict.fromkeys(results):
            called = self.owner.pop(result, None)
            if called is None:
                sound = False
            elif group is None:
                group = called
            elif group is not called:
                self.merge(group, called)
        if group is None:
            group = Group([], message.get("role") == "user" and not results)
            self.groups.append(group)
        group.indices.append(index)
        group.sound = group.sound and sound
        for call in call_ids(message):
            self.open_call(call, group)
        if self.reasoning is not None:
            if completes_reasoning(message):
                self.merge(group, self.reasoning)
            else:
                self.reasoning.sound = False
        self.reasoning = group if message.get("type") == "reasoning" else None

    def open_call(self, call: Any, group: Group) -> None:  # noqa: ANN401 - an id as it was given
        """Note a call; one with the same id that is still open will never be answered, in the same message too."""
        earlier = self.owner.get(call)
        if earlier is not None:
            earlier.sound = False
        self.owner[call] = group

    def merge(self, group: Group, other: Group) -> None:
        """Move everything of `other` into `group`; rare, so the list is searched from its end."""
        group.starts_turn = other.starts_turn if other.indices[0] < group.indices[0] else group.starts_turn
        group.indices = sorted([*group.indices, *other.indices])
        group.sound = group.sound and other.sound
        for position in range(len(self.groups) - 1, -1, -1):
            if self.groups[position] is other:
                del self.groups[position]
                break
        for call, holder in self.owner.items():
            if holder is other:
                self.owner[call] = group
        self._merged = True

    def finished(self) -> list[Group]:
        """Return the groups in order; what is still open is not sound."""
        for group in self.owner.values():
            group.sound = False
        if self.reasoning is not None:
            self.reasoning.sound = False
        if self._merged:
            self.groups.sort(key=lambda group: group.indices[0])
        return self.groups
