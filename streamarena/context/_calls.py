"""Which messages make tool calls and which answer them, in every form that a history may have, as tables.

Known forms: OpenAI chat (`tool_calls` and role `tool`; the older `function_call` and role `function`), Anthropic
(`tool_use` and `tool_result` blocks), and those items of OpenAI's Responses API that the caller answers: functions,
custom tools, shells, patches, computer use, tool search, approvals. Items with their own result in them pair with none.
Invariant: a call and its result have the same id here; the older function calls have none, so their name stands in.

Cost: a few look-ups for each message. Not here: which belongs to which (`_groups.py`), and mending (`repair.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias, cast

from streamarena.context.messages import Message, block_type

__all__ = [
    "CALL_ITEMS",
    "RESULT_ITEMS",
    "LegacyCall",
    "call_ids",
    "call_name",
    "completes_reasoning",
    "is_item",
    "result_ids",
    "synthetic_result",
    "text_member",
]


class LegacyCall(NamedTuple):
    """Stands for the id that an older function call does not have."""

    name: str

    def __str__(self) -> str:
        return self.name


class _ItemKind(NamedTuple):
    """A kind of call in a Responses history: where its id is, and what a result of it looks like."""

    result: str
    id_keys: tuple[str, ...] = ("call_id",)
    result_keys: tuple[str, ...] = ("call_id",)
    answer: Callable[[str], Mapping[str, Any]] | None = None


def _output(text: str) -> Mapping[str, Any]:
    return {"output": text}


def _failed_patch(text: str) -> Mapping[str, Any]:
    return {"status": "failed", "output": text}


def _shell_output(text: str) -> Mapping[str, Any]:
    return {"output": [{"stdout": "", "stderr": text, "outcome": {"type": "exit", "exit_code": 1}}]}


# Nobody can make up a screenshot, a list of tools or a consent: such a call goes where its answer is missing.
CALL_ITEMS: Final[Mapping[str, _ItemKind]] = {
    "function_call": _ItemKind("function_call_output", answer=_output),
    "custom_tool_call": _ItemKind("custom_tool_call_output", answer=_output),
    "local_shell_call": _ItemKind("local_shell_call_output", ("call_id", "id"), ("call_id", "id"), answer=_output),
    "shell_call": _ItemKind("shell_call_output", answer=_shell_output),
    "apply_patch_call": _ItemKind("apply_patch_call_output", answer=_failed_patch),
    "computer_call": _ItemKind("computer_call_output"),
    "tool_search_call": _ItemKind("tool_search_output"),
    "mcp_approval_request": _ItemKind("mcp_approval_response", ("id",), ("approval_request_id",)),
}
RESULT_ITEMS: Final[Mapping[str, tuple[str, ...]]] = {kind.result: kind.result_keys for kind in CALL_ITEMS.values()}

_TEXT_RESULTS: Final = frozenset(kind.result for kind in CALL_ITEMS.values() if kind.answer in {_output, _failed_patch})

Identity: TypeAlias = Any
"""An id as it was given, or a `LegacyCall`."""


def call_ids(message: Message) -> Sequence[Identity]:
    """Return the ids of the tool calls that a message makes and that somebody else answers."""
    kind = CALL_ITEMS.get(message.get("type") or "")
    if kind is not None:
        return _id_of(message, kind.id_keys)
    calls = message.get("tool_calls")
    legacy = message.get("function_call")
    found: list[Identity] = [call.get("id") for call in cast(Sequence[Mapping[str, Any]], calls)] if calls else []
    if legacy:
        found.append(LegacyCall(str(legacy.get("name"))))
    content = message.get("content")
    if isinstance(content, list) and message.get("role") == "assistant":
        blocks = cast(Sequence[Mapping[str, Any]], content)
        found += [block.get("id") for block in blocks if block_type(block) == "tool_use"]
    return found


def result_ids(message: Message) -> Sequence[Identity]:
    """Return the ids of the tool calls that a message answers."""
    role = message.get("role")
    if role == "tool":
        return (message.get("tool_call_id"),)
    if role == "function":
        return (LegacyCall(str(message.get("name"))),)
    content = message.get("content")
    if role == "user" and isinstance(content, list):
        blocks = cast(Sequence[Mapping[str, Any]], content)
        return [block.get("tool_use_id") for block in blocks if block_type(block) == "tool_result"]
    keys = RESULT_ITEMS.get(message.get("type") or "")
    return () if keys is None else _id_of(message, keys)


def is_item(message: Message) -> bool:
    """Tell whether a message is a call item of the Responses API, whose result may stand apart from it."""
    return message.get("type") in CALL_ITEMS


def completes_reasoning(message: Message) -> bool:
    """Tell whether a message may be what the reasoning before it led to: the model's own words or a call."""
    return message.get("role", "assistant") == "assistant" and not result_ids(message)


def call_name(message: Message) -> str:
    """Return the name of the tool that a call item calls; its type where the tool has no other name."""
    return str(message.get("name") or message.get("type"))


def text_member(message: Message) -> str | None:
    """Return the member of a whole-message result that holds its text; None for any other message."""
    if message.get("role") in {"tool", "function"}:
        return "content"
    return "output" if message.get("type") in _TEXT_RESULTS else None


def synthetic_result(message: Message, call: Identity, text: str) -> Message | None:
    """Return a result that says `text` for one call of a message of OpenAI's style; None where none can be made up."""
    kind = CALL_ITEMS.get(message.get("type") or "")
    if kind is None:
        if isinstance(call, LegacyCall):
            return {"role": "function", "name": call.name, "content": text}
        return {"role": "tool", "tool_call_id": call, "content": text}
    if kind.answer is None:
        return None
    key = kind.result_keys[0] if message.get(kind.result_keys[0]) is not None else kind.id_keys[-1]
    return {"type": kind.result, key: call, **kind.answer(text)}


def _id_of(message: Message, keys: Sequence[str]) -> Sequence[Identity]:
    """Return the first id that is there, without any one that is None; nothing for what the provider ran itself."""
    if message.get("execution") == "server":
        return ()
    return (next((message[key] for key in keys if message.get(key) is not None), None),)
