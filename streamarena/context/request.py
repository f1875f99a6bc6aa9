"""One call for clients and middleware: a request body goes in, the body to send and a report come out.

Understands the bodies of OpenAI's chat and Responses APIs and of Anthropic's messages, by their keys. The budget is the
model's window less the output that the body asks for, less what is sent beside the messages (system prompt, tool
definitions), with the reference's 10 % for what counting gets wrong.
Invariants: the body given is never changed; one that needs nothing comes back as the same object; what is sent is valid
(see `trimming.py`); the last message is never dropped unless that was allowed.

Cost: that of `trim_messages`, and one count of the tool definitions, which is cached with their text.
Not here: network, and the policies that need a stored history (`manage.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import msgspec

from streamarena.context._javascript import stringify
from streamarena.context._json import exact_json, exact_json_bytes
from streamarena.context.breakdown import tool_definition_tokens
from streamarena.context.messages import Message, as_blocks
from streamarena.context.models import ModelInfo, ModelRegistry, model_info
from streamarena.context.parameters import max_output_tokens
from streamarena.context.repair import Repair, RepairResult, repair_messages
from streamarena.context.trimming import (
    Pinned,
    Strategy,
    SummaryHook,
    TrimReport,
    TrimResult,
    default_counter,
    trim_messages,
)
from streamarena.context.window import allowed_tokens
from streamarena.errors import CannotFitError

if TYPE_CHECKING:
    from streamarena.context.tokens import TokenCounter
    from streamarena.context.tool_results import ClearToolResults

__all__ = ["PreparedRequest", "RequestReport", "prepare_request", "prepare_request_bytes"]


class RequestReport(msgspec.Struct, frozen=True):
    """What was found and done.

    Attributes:
        model: what is known of the model. api: "chat", "responses", "anthropic", or None for a body that is none.
        budget: tokens that the messages may hold. reserved: tokens kept for the answer.
        fixed_tokens: of what is sent beside the messages: system prompt, instructions, tool definitions.
        tokens: of the messages as sent, without `fixed_tokens`. exact: whether a real tokenizer counted.
        dropped: indices of messages left out, after repairs. repairs: what was mended first.
        trim: the trimming's own report, where there was one. notes: sentences worth showing.
    """

    model: ModelInfo | None
    api: str | None
    budget: int = 0
    reserved: int = 0
    fixed_tokens: int = 0
    tokens: int = 0
    exact: bool = False
    dropped: tuple[int, ...] = ()
    repairs: tuple[Repair, ...] = ()
    trim: TrimReport | None = None
    notes: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether the body to send differs from the one given."""
        return bool(self.dropped or self.repairs or (self.trim and (self.trim.cleared or self.trim.summarized)))


class PreparedRequest(msgspec.Struct, frozen=True):
    """The body to send, the same object where nothing had to change, and the report."""

    body: Mapping[str, Any]
    report: RequestReport


def prepare_request(
    body: Mapping[str, Any],
    *,
    max_input_tokens: int | None = None,
    strategy: Strategy = "suffix",
    counter: TokenCounter | None = None,
    pinned: Pinned = (),
    require_last: bool = True,
    repair: bool = True,
    clear: ClearToolResults | None = None,
    summarize: SummaryHook | None = None,
    registry: ModelRegistry | None = None,
) -> PreparedRequest:
    """Make a request fit its model's window.

    Args:
        body: a JSON body with `messages`, or with `input` as a list of items. Any other body comes back as it is.
        max_input_tokens: the budget for messages, system prompt and tools together, instead of the model's window.
        strategy: see `trim_messages`.
        counter: counts tokens; default: the shared one, which estimates where there is no vocabulary.
        pinned: messages that must stay, after repairs.
        require_last: refuse to drop the last message.
        repair: mend tool calls and results that do not pair before trimming; otherwise they are left out.
        clear: see `trim_messages`.
        summarize: see `trim_messages`.
        registry: models; default: the shipped ones.

    Raises:
        CannotFitError: what must stay is larger than the window; `.smallest` counts what is beside the messages too.
        MalformedMessageError: a message has no shape to work with.
    """
    shape = _shape(body)
    if shape is None:
        return PreparedRequest(body, RequestReport(None, None, notes=("this body holds no list of messages",)))
    api, key = shape
    count = counter or default_counter()
    info = model_info(str(body.get("model", "")), registry=registry)
    fixed = _fixed_tokens(body, count)
    reserved = _reserved(body, info)
    allowed = int(allowed_tokens(info.context_window, reserved)) if max_input_tokens is None else max_input_tokens
    messages = cast(Sequence[Message], body[key])
    mended = repair_messages(messages) if repair else RepairResult(messages, ())
    trimmed = _trimmed(
        mended.messages,
        allowed,
        fixed,
        counter=count,
        strategy=strategy,
        pinned=pinned,
        require_last=require_last,
        clear=clear,
        summarize=summarize,
    )
    report = RequestReport(info, api, allowed - fixed, reserved, fixed, exact=count.exact, repairs=mended.repairs)
    if max_input_tokens is None and not info.known:
        report = msgspec.structs.replace(
            report, notes=(f"the model is not known; its window is taken as {info.context_window} tokens",)
        )
    return _finished(body, key, trimmed, report)


def _trimmed(messages: Sequence[Message], allowed: int, fixed: int, **options: Any) -> TrimResult:  # noqa: ANN401 - those of trim_messages
    """Trim to what is left beside the fixed tokens; an error speaks of both together, as the caller's budget does."""
    try:
        return trim_messages(messages, max_tokens=allowed - fixed, **options)
    except CannotFitError as error:
        raise CannotFitError(allowed, None if error.smallest is None else error.smallest + fixed) from error


def _finished(body: Mapping[str, Any], key: str, trimmed: TrimResult, report: RequestReport) -> PreparedRequest:
    notes = (*report.notes, *trimmed.report.notes)
    if not report.exact:
        notes += ("tokens are estimated as a quarter of the bytes: no vocabulary was found",)
    report = msgspec.structs.replace(
        report, tokens=trimmed.tokens, dropped=trimmed.dropped, trim=trimmed.report, notes=notes
    )
    if trimmed.messages is body[key]:
        return PreparedRequest(body, report)
    return PreparedRequest({**body, key: list(trimmed.messages)}, report)


def prepare_request_bytes(data: bytes, **options: Any) -> tuple[bytes, RequestReport]:  # noqa: ANN401 - those of prepare_request
    """Do the same for a body as bytes, for middleware: bytes that need nothing come back as the same object.

    A body that had to change is written anew, compactly; every number and text that was kept is the one given.

    Args:
        data: the body; what is not a JSON object passes through.
        options: the keywords of `prepare_request`.

    Raises:
        CannotFitError, MalformedMessageError: as `prepare_request`.
    """
    try:
        body = exact_json(data)
    except ValueError:
        return data, RequestReport(None, None, notes=("this body is not JSON",))
    if not isinstance(body, dict):
        return data, RequestReport(None, None, notes=("this body is not a JSON object",))
    given = cast("dict[str, Any]", body)
    prepared = prepare_request(given, **options)
    return (data if prepared.body is given else exact_json_bytes(prepared.body)), prepared.report


def _shape(body: Mapping[str, Any]) -> tuple[str, str] | None:
    """Tell which API a body is for and where its messages are."""
    if _is_messages(body.get("messages")):
        anthropic = "system" in body or "anthropic_version" in body or "claude" in str(body.get("model", ""))
        return ("anthropic" if anthropic else "chat"), "messages"
    return ("responses", "input") if _is_messages(body.get("input")) else None


def _is_messages(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in cast(Sequence[Any], value))


def _fixed_tokens(body: Mapping[str, Any], count: TokenCounter) -> int:
    total = 0
    for key in ("system", "instructions"):
        value = body.get(key)
        if value:
            total += count.raw_blocks(as_blocks({"content": value}), tools=True)
    for key in ("response_format", "functions", "text"):
        if body.get(key):
            total += count.count_text(stringify(body[key]))
    tools = body.get("tools")
    return total + tool_definition_tokens(cast(Sequence[Any], tools) if isinstance(tools, list) else (), count)


def _reserved(body: Mapping[str, Any], info: ModelInfo) -> int:
    """Return the output tokens to keep free: what the body asks for, else the model's, else the usual reserve."""
    for key in ("max_completion_tokens", "max_output_tokens", "max_tokens"):
        asked = body.get(key)
        if isinstance(asked, int) and not isinstance(asked, bool) and asked > 0:
            return asked
    limit = max_output_tokens(info)
    return limit if limit and limit > 0 else 8192
