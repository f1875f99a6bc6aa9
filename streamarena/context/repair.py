"""Mend a history whose tool calls and results do not pair, so that any provider accepts it.

What is mended: a result whose call is missing goes (with its message, where nothing else is in it); a second result for
the same call goes; a call without a result gets a synthetic one, or goes where none can be made up (a screenshot, a
consent); reasoning whose item is missing goes; results that do not stand right after their call are moved there, in the
order of the calls, but for items of the Responses API, which may stand apart. Texts are kept as they are.
Invariants: repairing twice is repairing once; a history that is in order comes back as the same object; afterwards
every call has exactly its result and every result its call.

Cost: two passes over the messages. Works on every form of call that `_calls.py` knows.
Not here: making a history fit (`trimming.py`), the reference's own mending of one message (`pairing.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from streamarena.context._calls import call_ids, completes_reasoning, is_item, result_ids, synthetic_result
from streamarena.context._checks import naming_problems
from streamarena.context.messages import Block, Message, as_blocks, block_type, content_blocks
from streamarena.context.texts import notices

__all__ = ["Repair", "RepairKind", "RepairResult", "repair_messages"]

RepairKind: TypeAlias = Literal[
    "orphan-result",
    "duplicate-result",
    "missing-result",
    "dropped-call",
    "moved-result",
    "repeated-call",
    "orphan-reasoning",
]


class Repair(msgspec.Struct, frozen=True):
    """One thing that was mended: what, at which index of the history given, and for which call (its id or name)."""

    kind: RepairKind
    index: int
    call_id: str


class RepairResult(msgspec.Struct, frozen=True):
    """A history in order, the same object where it was so already, and what was mended."""

    messages: Sequence[Message]
    repairs: tuple[Repair, ...]


def repair_messages(messages: Sequence[Message], *, missing_text: str | None = None) -> RepairResult:
    """Return the history with every call followed by exactly its result.

    Args:
        messages: the history, never changed.
        missing_text: content of the synthetic results; calls at the very end get one too. Default: the catalogue's.

    Raises:
        MalformedMessageError: a message has no shape to work with.
    """
    with naming_problems(messages):
        return _repaired(messages, missing_text)


def _repaired(messages: Sequence[Message], missing_text: str | None) -> RepairResult:
    plan = _Plan(messages)
    if plan.in_order():
        return RepairResult(messages, ())
    text = notices().tool_interrupted if missing_text is None else missing_text
    result: list[Message] = []
    index = 0
    while index < len(messages):
        message = messages[index]
        if index in plan.standing:
            result.append(message)
        elif index not in plan.gone:
            calls = plan.calls.get(index, ())
            rest = _without_results(message)
            if rest is not None:
                result.append(plan.with_own_calls(rest))
            if calls:
                index = _answer(plan, index, calls, result, text)
        index += 1
    return RepairResult(result, tuple(plan.repairs))


class _Plan:
    """Which message answers which call, and what is wrong."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.messages = messages
        self.calls: dict[int, Sequence[Any]] = {}
        self.answers: dict[tuple[int, Any], tuple[int, Any]] = {}
        self.standing: set[int] = set()  # results that answer an item, and stay where they are
        self.gone: set[int] = set()  # items that nothing can answer, and their reasoning
        self.repairs: list[Repair] = []
        waiting: dict[Any, int] = {}
        answered: set[Any] = set()
        for index, message in enumerate(messages):
            for call, result in _results(message):
                caller = waiting.get(call)
                if caller is not None and _by_messages(messages[caller]) == (result is message):
                    del waiting[call]
                    self.answers[caller, call] = index, result
                    answered.add(call)
                    if is_item(messages[caller]):
                        self.standing.add(index)
                else:
                    self._note("duplicate-result" if call in answered else "orphan-result", index, call)
            calls = call_ids(message)
            if calls:
                self.calls[index] = tuple(dict.fromkeys(calls))
                if len(self.calls[index]) != len(calls):
                    for call in _repeated(calls):
                        self._note("repeated-call", index, call)
                waiting.update(dict.fromkeys(calls, index))
                answered.difference_update(calls)
        self._find_missing_and_moved()

    def _find_missing_and_moved(self) -> None:
        for index, calls in self.calls.items():
            for call in calls:
                if (index, call) not in self.answers:
                    self._miss(index, call)
            if self._scattered(index, calls):
                places = {self.answers[index, call][0] for call in calls if (index, call) in self.answers}
                for place in sorted(places):
                    self._note("moved-result", place, "")
        self._drop_reasoning()
        self.repairs.sort(key=lambda repair: repair.index)

    def _note(self, kind: RepairKind, index: int, call: Any) -> None:  # noqa: ANN401 - an id as it was given
        self.repairs.append(Repair(kind, index, str(call)))

    def _miss(self, index: int, call: Any) -> None:  # noqa: ANN401 - an id as it was given
        """Note a call without a result; one that nothing can answer goes, and what only led to it."""
        message = self.messages[index]
        if not is_item(message) or synthetic_result(message, call, "") is not None:
            self._note("missing-result", index, call)
            return
        self._note("dropped-call", index, call)
        self.gone.add(index)

    def _drop_reasoning(self) -> None:
        """Drop reasoning whose own item is missing or was dropped; walks back, so that a run of it goes as one."""
        following: Message = {"role": "user"}
        for index in range(len(self.messages) - 1, -1, -1):
            message = self.messages[index]
            if message.get("type") == "reasoning" and not completes_reasoning(following):
                self._note("orphan-reasoning", index, message.get("id") or "")
                self.gone.add(index)
            elif index not in self.gone:
                following = message

    def _scattered(self, index: int, calls: Sequence[Any]) -> bool:
        """Whether the results that exist do not stand right after their call, first and in order."""
        message = self.messages[index]
        if is_item(message):
            return False
        found = [call for call in calls if (index, call) in self.answers]
        if _by_messages(message):
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


def _by_messages(message: Message) -> bool:
    """Whether the results of a message's calls are messages of their own, as in OpenAI's APIs, rather than blocks."""
    return is_item(message) or bool(message.get("tool_calls") or message.get("function_call"))


def _first_time(call: Any, seen: set[Any]) -> bool:  # noqa: ANN401 - an id as it was given
    new = call not in seen
    seen.add(call)
    return new


def _repeated(calls: Sequence[Any]) -> list[Any]:
    seen: set[Any] = set()
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


def _answer(plan: _Plan, index: int, calls: Sequence[Any], result: list[Message], missing_text: str) -> int:
    """Put the results of a message's calls after it; return the index of the last message that was used up."""
    message = plan.messages[index]
    if _by_messages(message):
        for call in calls:
            place, known = plan.answers.get((index, call), (-1, None))
            answer = synthetic_result(message, call, missing_text) if known is None else known
            if answer is not None and place not in plan.standing:
                result.append(answer)
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
