"""Mend a history whose tool calls and results do not pair, so that any provider accepts it.

What is mended: a result whose call is missing goes (with its message, where nothing else is in it); a second result for
the same call goes; a call without a result gets a synthetic one; results that do not stand right after their call are
moved there, in the order of the calls. Texts are kept as they are.
Invariants: repairing twice is repairing once; a history that is in order comes back as the same object; afterwards
every call has exactly its result and every result its call.

Cost: two passes over the messages. Works on OpenAI- and Anthropic-style messages and on Responses items.
Not here: making a history fit (`trimming.py`), the reference's own mending of one message (`pairing.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from streamarena.context._groups import call_ids, result_ids
from streamarena.context.messages import Block, Message, as_blocks, block_type, content_blocks
from streamarena.context.texts import notices

__all__ = ["Repair", "RepairKind", "RepairResult", "repair_messages"]

RepairKind: TypeAlias = Literal["orphan-result", "duplicate-result", "missing-result", "moved-result", "repeated-call"]


@dataclass(frozen=True, slots=True)
class Repair:
    """One thing that was mended: what, at which index of the history given, and for which call."""

    kind: RepairKind
    index: int
    call_id: str


@dataclass(frozen=True, slots=True)
class RepairResult:
    """A history in order, the same object where it was so already, and what was mended."""

    messages: Sequence[Message]
    repairs: tuple[Repair, ...]


def repair_messages(messages: Sequence[Message], *, missing_text: str | None = None) -> RepairResult:
    """Return the history with every call followed by exactly its result.

    Args:
        messages: the history, never changed.
        missing_text: content of the synthetic results; calls at the very end get one too. Default: the catalogue's.
    """
    plan = _Plan(messages)
    if plan.in_order():
        return RepairResult(messages, ())
    text = notices().tool_interrupted if missing_text is None else missing_text
    result: list[Message] = []
    index = 0
    while index < len(messages):
        calls = plan.calls.get(index, ())
        message = _without_results(messages[index])
        if message is not None:
            result.append(plan.with_own_calls(message))
        if calls:
            index = _answer(plan, index, calls, result, text)
        index += 1
    return RepairResult(result, tuple(plan.repairs))


class _Plan:
    """Which message answers which call, and what is wrong."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.messages = messages
        self.calls: dict[int, Sequence[str]] = {}
        self.answers: dict[tuple[int, str], tuple[int, Any]] = {}
        self.repairs: list[Repair] = []
        waiting: dict[str, int] = {}
        answered: set[str] = set()
        for index, message in enumerate(messages):
            for call, result in _results(message):
                caller = waiting.pop(call, None)
                if caller is not None:
                    self.answers[caller, call] = index, result
                    answered.add(call)
                else:
                    self.repairs.append(
                        Repair("duplicate-result" if call in answered else "orphan-result", index, call)
                    )
            calls = call_ids(message)
            if calls:
                self.calls[index] = tuple(dict.fromkeys(calls))
                if len(self.calls[index]) != len(calls):
                    self.repairs.extend(Repair("repeated-call", index, call) for call in _repeated(calls))
                waiting.update(dict.fromkeys(calls, index))
                answered.difference_update(calls)
        self._find_missing_and_moved()

    def _find_missing_and_moved(self) -> None:
        for index, calls in self.calls.items():
            for call in calls:
                if (index, call) not in self.answers:
                    self.repairs.append(Repair("missing-result", index, call))
            if self._scattered(index, calls):
                places = {self.answers[index, call][0] for call in calls if (index, call) in self.answers}
                self.repairs.extend(Repair("moved-result", place, "") for place in sorted(places))
        self.repairs.sort(key=lambda repair: repair.index)

    def _scattered(self, index: int, calls: Sequence[str]) -> bool:
        """Whether the results that exist do not stand right after their call, first and in order."""
        message = self.messages[index]
        if message.get("type") == "function_call":  # Responses items may stand apart
            return False
        found = [call for call in calls if (index, call) in self.answers]
        if message.get("tool_calls"):
            return [self.answers[index, call][0] for call in found] != list(range(index + 1, index + 1 + len(found)))
        if any(self.answers[index, call][0] != index + 1 for call in found):
            return True
        following = content_blocks(self.messages[index + 1]) if found else None
        leading = [block.get("tool_use_id") for block in (following or ())[: len(found)]]
        return bool(found) and leading != found

    def in_order(self) -> bool:
        return not self.repairs

    def with_own_calls(self, message: Message) -> Message:
        """Return a calling message without calls whose id it has used already."""
        calls = call_ids(message)
        if len(set(calls)) == len(calls):
            return message
        seen: set[Any] = set()
        if message.get("tool_calls"):
            return {**message, "tool_calls": [c for c in message["tool_calls"] if _first_time(c.get("id"), seen)]}
        blocks = [
            block
            for block in content_blocks(message) or ()
            if block_type(block) != "tool_use" or _first_time(block.get("id"), seen)
        ]
        return {**message, "content": blocks}


def _first_time(call: Any, seen: set[Any]) -> bool:  # noqa: ANN401 - an id as it was given
    new = call not in seen
    seen.add(call)
    return new


def _repeated(calls: Sequence[str]) -> list[str]:
    seen: set[str] = set()
    return [call for call in calls if not _first_time(call, seen)]


def _results(message: Message) -> list[tuple[Any, Any]]:
    """Return (call id, the result itself) of every result in a message: a block, or the whole message."""
    blocks = content_blocks(message)
    if message.get("role") == "user" and blocks is not None:
        return [(b.get("tool_use_id"), b) for b in blocks if block_type(b) == "tool_result"]
    return [(call, message) for call in result_ids(message)]


def _without_results(message: Message) -> Message | None:
    """Return a message without the tool results in it; None where it is nothing else."""
    blocks = content_blocks(message)
    if message.get("role") != "user" or blocks is None:
        return None if result_ids(message) else message
    kept = [block for block in blocks if block_type(block) != "tool_result"]
    if len(kept) == len(blocks):
        return message
    return {**message, "content": kept} if kept else None


def _answer(plan: _Plan, index: int, calls: Sequence[str], result: list[Message], missing_text: str) -> int:
    """Put the results of a message's calls after it; return the index of the last message that was used up."""
    message = plan.messages[index]
    if message.get("type") == "function_call":
        known = plan.answers.get((index, calls[0]))
        missing_item = {"type": "function_call_output", "call_id": calls[0], "output": missing_text}
        result.append(known[1] if known else missing_item)
        return index
    if message.get("tool_calls"):
        for call in calls:
            known = plan.answers.get((index, call))
            result.append(known[1] if known else {"role": "tool", "tool_call_id": call, "content": missing_text})
        return index
    blocks: list[Block] = []
    for call in calls:
        known = plan.answers.get((index, call))
        missing: Mapping[str, Any] = {"type": "tool_result", "tool_use_id": call, "content": missing_text}
        blocks.append(known[1] if known else missing)
    following = plan.messages[index + 1] if index + 1 < len(plan.messages) else None
    if following is None or following.get("role") != "user":
        result.append({"role": "user", "content": blocks})
        return index
    rest = _without_results(following)
    others = as_blocks(rest) if rest is not None else ()
    content = [*blocks, *others]
    same = content_blocks(following)
    unchanged = (
        same is not None and len(same) == len(content) and all(a is b for a, b in zip(same, content, strict=True))
    )
    result.append(following if unchanged else {**following, "content": content})
    return index + 1
