"""What is wrong with a message that cannot be handled, as a sentence that names the message.

Nothing is checked beforehand: the usual history is in order and must not pay for the others. Where handling one fails,
`naming_problems` looks for the reason and puts its own error in place of Python's; what it cannot explain passes.

Cost: nothing on success but entering a block; one pass over the messages after a failure.
Not here: whether calls and results pair (`repair.py`); a provider's own rules.
"""

from __future__ import annotations

from collections.abc import Generator, Hashable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, cast

from streamarena.errors import MalformedMessageError

__all__ = ["MAX_DEPTH", "check_messages", "naming_problems"]

MAX_DEPTH: Final = 200  # levels of objects and lists within each other; far beyond any API's own limit

_ID_KEYS: Final = ("id", "call_id", "tool_call_id", "tool_use_id", "approval_request_id")


@contextmanager
def naming_problems(messages: Sequence[Any]) -> Generator[None]:
    """Turn a failure over malformed messages into an error that says which one and why.

    Raises:
        MalformedMessageError: a message has a shape that nothing here can handle.
    """
    try:
        yield
    except (TypeError, AttributeError, KeyError, ValueError, RecursionError) as error:
        try:
            check_messages(messages)
        except MalformedMessageError as named:
            raise named from error
        raise


def check_messages(messages: object) -> None:
    """Look at the shape of every message.

    Raises:
        MalformedMessageError: with the first problem found.
    """
    if not isinstance(messages, Sequence) or isinstance(messages, str | bytes):
        raise MalformedMessageError(None, f"messages are a list, not {_kind(messages)}")
    for index, message in enumerate(cast(Sequence[object], messages)):
        problem = _problem(message)
        if problem is not None:
            raise MalformedMessageError(index, problem)


def _problem(message: object) -> str | None:
    if not isinstance(message, Mapping):
        return f"a message is an object, not {_kind(message)}"
    fields = cast(Mapping[str, Any], message)
    if _too_deep(fields):
        return f"it is nested deeper than {MAX_DEPTH} levels"
    wrong = _wrong_names(fields, "")
    if wrong is not None:
        return wrong
    content = fields.get("content")
    if isinstance(content, list | tuple):
        return _wrong_blocks(cast(Sequence[object], content)) or _wrong_calls(fields)
    if content is not None and not isinstance(content, str):
        return f"content is a text or a list of blocks, not {_kind(content)}"
    return _wrong_calls(fields)


def _wrong_names(fields: Mapping[str, Any], where: str) -> str | None:
    """Return what is wrong with what tells kinds and ids apart."""
    for key in ("role", "type"):
        if not isinstance(fields.get(key), str | None):
            return f"{where}{key} is a text, not {_kind(fields[key])}"
    for key in _ID_KEYS:
        if not isinstance(fields.get(key), Hashable) or isinstance(fields.get(key), tuple):
            return f"{where}{key} is a text, not {_kind(fields[key])}"
    return None


def _wrong_blocks(blocks: Sequence[object]) -> str | None:
    for position, block in enumerate(blocks):
        where = f"content[{position}]"
        if not isinstance(block, Mapping):
            return f"{where} is an object, not {_kind(block)}"
        fields = cast(Mapping[str, Any], block)
        wrong = _wrong_names(fields, f"{where}.")
        if wrong is not None:
            return wrong
        if not isinstance(fields.get("text"), str | None):
            return f"{where}.text is a text, not {_kind(fields['text'])}"
        if not isinstance(fields.get("source"), Mapping | None):
            return f"{where}.source is an object, not {_kind(fields['source'])}"
    return None


def _wrong_calls(fields: Mapping[str, Any]) -> str | None:
    legacy = fields.get("function_call")
    if legacy and not isinstance(legacy, Mapping):
        return f"function_call is an object, not {_kind(legacy)}"
    calls = fields.get("tool_calls")
    if not calls:
        return None
    if not isinstance(calls, list | tuple):
        return f"tool_calls are a list, not {_kind(calls)}"
    for position, call in enumerate(cast(Sequence[object], calls)):
        where = f"tool_calls[{position}]"
        if not isinstance(call, Mapping):
            return f"{where} is an object, not {_kind(call)}"
        named = cast(Mapping[str, Any], call)
        wrong = _wrong_names(named, f"{where}.")
        if wrong is not None:
            return wrong
        for key in ("function", "custom"):
            if named.get(key) and not isinstance(named[key], Mapping):
                return f"{where}.{key} is an object, not {_kind(named[key])}"
    return None


def _too_deep(value: object) -> bool:
    """Whether a value has more levels than allowed; level by level, without recursion."""
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _parts(outer) if isinstance(inner, Mapping | list | tuple)]
        if not level:
            return False
    return True


def _parts(value: object) -> Sequence[object]:
    """Return what is directly inside an object or a list; nothing for any other value."""
    if isinstance(value, Mapping):
        inside: Sequence[object] = list(cast(Mapping[str, object], value).values())
    elif isinstance(value, list | tuple):
        inside = cast(Sequence[object], value)
    else:
        inside = ()
    return inside


_KINDS: Final[dict[type, str]] = {
    type(None): "null",
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "a list",
    tuple: "a list",
    dict: "an object",
}


def _kind(value: object) -> str:
    return _KINDS.get(value.__class__, value.__class__.__name__)
