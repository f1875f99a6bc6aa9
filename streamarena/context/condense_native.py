"""Condensing in the native generation: a fresh start from a user summary, everything before it hidden but kept.

Behaviour of section 2.3 of the reference (Roo Code 3.52). Tool blocks become text for the summary request, so that the
provider needs no tool definitions; a call that has no result yet gets a synthetic one. Exceptions of the model become
the error `condense_api_failed` with what the exception carried. Cancellation passes: it is no `Exception`.

Cost: one model request; linear in the messages; every message without a `condenseParent` is copied once to carry it.
Not here: the classic generation (`condense.py`) and outlining files (`fold_files` is passed in).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from streamarena.context._javascript import entries, member_text, stringify, text_of, trim, truthy
from streamarena.context.condense import (
    Collected,
    Condenser,
    SummaryRequest,
    bare_messages,
    messages_since_last_summary,
)
from streamarena.context.messages import Block, Message, block_type, content_blocks, text_block
from streamarena.context.texts import builtin_texts
from streamarena.context.window import CondenseCall, CondenseResult, count_content
from streamarena.errors import ConfigurationError

__all__ = [
    "command_blocks",
    "condense_native",
    "fold_sections",
    "FOLDED_CHARACTERS",
    "FOLDED_LEAST",
    "FOLDED_SUFFIX_ROOM",
    "tool_result_text",
    "tool_use_text",
]

FOLDED_CHARACTERS: Final = 50_000
FOLDED_SUFFIX_ROOM: Final = 100
FOLDED_LEAST: Final = 200
_REMINDER_END: Final = "\n</system-reminder>"
_ERROR_FIELDS: Final = ("status", "code", "response", "body")


async def condense_native(messages: Sequence[Message], condenser: Condenser, call: CondenseCall) -> CondenseResult:
    """Condense as the native generation does.

    Args:
        messages: the stored history.
        condenser: the model, prompts and hooks.
        call: the settings of this attempt; its own messages are not looked at.

    Raises:
        ConfigurationError: the condenser has no `new_id`.
    """
    refused = _not_due(messages)
    if refused is not None:
        return CondenseResult(messages, error=refused)
    if not callable(condenser.summarize):
        return CondenseResult(messages, error="condense_handler_invalid")
    if condenser.new_id is None:
        raise ConfigurationError("condensing in the native generation needs new_id, a callable that returns unique ids")
    collected = Collected()
    request = _request(messages, condenser, call)
    try:
        await collected.ask(condenser.summarize, request)
    except Exception as error:  # noqa: BLE001 - whatever the model's client raises becomes the reference's error
        return CondenseResult(
            messages,
            cost=collected.cost,
            error="condense_api_failed",
            error_params={"message": _error_message(error)},
            error_details=_error_details(error),
        )
    if not collected.text:
        return CondenseResult(messages, cost=collected.cost, error="condense_failed")
    blocks, warnings = await _summary_blocks(collected.text, messages, condenser, call)
    condense_id = condenser.new_id()
    last_time = messages[-1].get("ts")
    summary: Message = {
        "role": "user",
        "content": blocks,
        "ts": (condenser.now if last_time is None else last_time) + 1,
        "isSummary": True,
        "condenseId": condense_id,
    }
    hidden = [m if m.get("condenseParent") else {**m, "condenseParent": condense_id} for m in messages]
    tokens = await count_content(condenser.count, [text_block(call.system_prompt), *blocks])
    tools = (call.metadata or {}).get("tools")
    if isinstance(tools, list) and tools:
        tokens += await count_content(condenser.count, [text_block(stringify(tools))])
    return CondenseResult(
        [*hidden, summary],
        collected.text,
        collected.cost,
        tokens,
        condense_id=condense_id,
        warnings=warnings,
    )


def _not_due(messages: Sequence[Message]) -> str | None:
    to_summarize = messages_since_last_summary(messages, "native")
    if len(to_summarize) <= 1:
        return "condense_not_enough_messages" if len(messages) <= 1 else "condensed_recently"
    recent = any(truthy(message.get("isSummary")) for message in to_summarize)
    return "condensed_recently" if recent and len(to_summarize) <= 2 else None


def _request(messages: Sequence[Message], condenser: Condenser, call: CondenseCall) -> SummaryRequest:
    instructions = trim(call.custom_prompt or "") or condenser.prompts.instructions
    shown = list(messages_since_last_summary(messages, "native"))
    waiting = _unanswered_calls(shown)
    if waiting:
        deferred = condenser.notices.condense_deferred
        results = [{"type": "tool_result", "tool_use_id": tool_id, "content": deferred} for tool_id in waiting]
        shown.append({"role": "user", "content": results})
    shown.append({"role": "user", "content": instructions})
    as_text = [{**message, "content": _tools_as_text(message)} for message in bare_messages(shown, condenser)]
    return SummaryRequest(condenser.prompts.system, as_text, call.metadata)


def _unanswered_calls(messages: Sequence[Message]) -> list[Any]:
    calls: dict[Any, None] = {}
    answered: set[Any] = set()
    for message in messages:
        for block in content_blocks(message) or ():
            if message.get("role") == "assistant" and block_type(block) == "tool_use":
                calls[block.get("id")] = None
            elif message.get("role") == "user" and block_type(block) == "tool_result":
                answered.add(block.get("tool_use_id"))
    return [tool_id for tool_id in calls if tool_id not in answered]


def _tools_as_text(message: Message) -> Any:  # noqa: ANN401 - content of a message
    blocks = content_blocks(message)
    if blocks is None:
        return message.get("content")
    texts = {"tool_use": tool_use_text, "tool_result": tool_result_text}
    return [text_block(texts[kind](block)) if (kind := block_type(block) or "") in texts else block for block in blocks]


def tool_use_text(block: Block) -> str:
    """Return a tool call as text: a bracketed head, then one `key: value` line for each argument."""
    given = block.get("input")
    if isinstance(given, Mapping):
        lines = [f"{key}: {_argument(value)}" for key, value in entries(cast(Mapping[str, Any], given))]
    elif isinstance(given, list | tuple):
        lines = [f"{index}: {_argument(value)}" for index, value in enumerate(cast(Sequence[Any], given))]
    else:
        lines = [member_text(block, "input")]
    return f"[Tool Use: {member_text(block, 'name')}]\n" + "\n".join(lines)


def _argument(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return stringify(value, 2) if isinstance(value, Mapping | list | tuple) else text_of(value)


def tool_result_text(block: Block) -> str:
    """Return a tool result as text: a bracketed head, then its texts, with `[Image]` or `[type]` for other blocks."""
    head = f"[Tool Result{' (Error)' if truthy(block.get('is_error')) else ''}]"
    content = block.get("content")
    if isinstance(content, str):
        return f"{head}\n{content}"
    if not isinstance(content, list | tuple):
        return head
    return f"{head}\n" + "\n".join(_result_part(part) for part in cast(Sequence[Block], content))


def _result_part(part: Block) -> str:
    kind = block_type(part)
    if kind == "text":
        text = part.get("text")
        return "" if text is None else text_of(text)
    return "[Image]" if kind == "image" else f"[{member_text(part, 'type')}]"


def command_blocks(message: Message) -> str:
    """Return the `<command ...>...</command>` blocks of a message, one under the other; linear in its text."""
    blocks = content_blocks(message)
    content = message.get("content")
    if blocks is not None:
        text = "\n".join(text_of(block.get("text") or "") for block in blocks if block_type(block) == "text")
    elif isinstance(content, str):
        text = content
    else:
        return ""
    found: list[str] = []
    position = text.find("<command")
    while position >= 0:
        opened = text.find(">", position + len("<command"))
        closed = text.find("</command>", opened + 1) if opened >= 0 else -1
        if closed < 0:
            break
        end = closed + len("</command>")
        found.append(text[position:end])
        position = text.find("<command", end)
    return "\n".join(found)


async def _summary_blocks(
    summary: str, messages: Sequence[Message], condenser: Condenser, call: CondenseCall
) -> tuple[list[Block], tuple[str, ...]]:
    notices = condenser.notices
    warnings: tuple[str, ...] = ()
    blocks = [text_block(f"{notices.summary_heading}{summary}")]
    commands = command_blocks(messages[0])
    if commands:
        blocks.append(text_block(f"{notices.workflows_opening}{commands}{notices.workflows_closing}"))
    if call.files_read and call.cwd and condenser.fold_files is not None:
        try:
            sections = await condenser.fold_files(call.files_read, call.cwd)
        except Exception:  # noqa: BLE001 - outlines are a help, not a need; the warning says that they are missing
            sections, warnings = (), ("folded_files_failed",)
        blocks.extend(text_block(section) for section in sections if trim(section))
    if call.automatic and call.environment_details and trim(call.environment_details):
        blocks.append(text_block(call.environment_details))
    return blocks, warnings


def fold_sections(outlines: Sequence[tuple[str, str]], *, limit: int = FOLDED_CHARACTERS) -> list[str]:
    """Wrap outlines of files as sections for a summary, within a number of characters in all.

    Args:
        outlines: pairs of path and outline, in order; empty outlines are left out.
        limit: characters of all sections together. One that does not fit is cut to what remains less 100, with a
            suffix that says so, unless fewer than 200 characters remain; nothing follows it.
    """
    catalog = builtin_texts()
    sections: list[str] = []
    used = 0
    for path, outline in outlines:
        if not outline:
            continue
        section = catalog.render("native.condense.folded_file", path=path, content=outline)
        remaining = limit - used
        if len(section) > remaining:
            if remaining >= FOLDED_LEAST:
                cut = catalog.text("native.condense.folded_file_cut")
                sections.append(section[: remaining - FOLDED_SUFFIX_ROOM] + cut + _REMINDER_END)
            break
        sections.append(section)
        used += len(section)
    return sections


def _error_message(error: BaseException) -> str:
    message = getattr(error, "message", None)
    return message if isinstance(message, str) else str(error)


def _error_details(error: BaseException) -> dict[str, Any]:
    details: dict[str, Any] = {"message": _error_message(error)}
    for name in _ERROR_FIELDS:
        value = getattr(error, name, None)
        if value:
            details[name] = value
    return details
