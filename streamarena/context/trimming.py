"""Trim any history into any budget, always validly: the one thing that no other library's trimmer promises.

A result keeps to eight rules: it is within the budget by the counter given; every tool call has its result and every
result its call, parallel ones included; system (and pinned) messages stay; the first turn is the user's; order is kept;
texts are unaltered unless that was asked for; it is not empty. Where no such history exists, `CannotFitError` says how
small the smallest is. Messages are shared, never copied; a history that needs nothing comes back as the same object.

Cost: one pass to find calls and results, then counting lazily from the newest message: what does not fit is not
counted, but for the one group at which the walk ends. The counter must be additive over messages.
Not here: mending broken pairs (`repair.py`), the reference's window policies (`manage.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cache
from typing import Final, Literal, TypeAlias, get_args

import msgspec

from streamarena.context._checks import naming_problems
from streamarena.context._selection import Selection, select_both_ends, select_newest
from streamarena.context.messages import Message
from streamarena.context.models import model_info
from streamarena.context.parameters import max_output_tokens
from streamarena.context.texts import notices
from streamarena.context.tokens import TokenCounter
from streamarena.context.tool_results import ClearToolResults, clear_tool_results
from streamarena.context.window import allowed_tokens
from streamarena.errors import CannotFitError, ConfigurationError

__all__ = [
    "Counter",
    "default_counter",
    "model_budget",
    "Pinned",
    "Strategy",
    "SUMMARY_SHARE",
    "SUMMARY_TOKENS",
    "SummaryHook",
    "trim_messages",
    "TrimReport",
    "TrimResult",
]

Counter: TypeAlias = Callable[[Message], int]
"""Counts the tokens of one message; the tokens of a history are the sum."""

Strategy: TypeAlias = Literal["suffix", "middle-out", "clear-tool-results", "summarize"]

Pinned: TypeAlias = "Collection[int] | Callable[[Message], bool]"
"""Messages that must stay: indices (negative ones count from the end), or a function that tells."""

SummaryHook: TypeAlias = Callable[[Sequence[Message]], str]
"""Writes a summary of the messages that were dropped."""

SUMMARY_SHARE: Final = 0.1
SUMMARY_TOKENS: Final = 2000


class TrimReport(msgspec.Struct, frozen=True):
    """What was done and why.

    Attributes:
        budget: tokens allowed. strategy: the one that was used.
        tokens_before: tokens of the history given; None where it was not counted whole.
        exact: whether the counter counts with a real tokenizer; None where it is the caller's own.
        unsound: indices dropped because a call lacks its result or a result its call, among those looked at.
        cleared: how many tool results were replaced. summarized: whether a summary stands in for what was dropped.
        notes: sentences worth showing, such as that the last message did not fit.
    """

    budget: int
    strategy: Strategy
    tokens_before: int | None
    exact: bool | None
    unsound: tuple[int, ...] = ()
    cleared: int = 0
    summarized: bool = False
    notes: tuple[str, ...] = ()


class TrimResult(msgspec.Struct, frozen=True):
    """A history that fits.

    Attributes:
        messages: it; the same object as given where nothing had to change.
        tokens: its size by the counter. dropped: indices of the messages left out.
        report: what was done and why.
    """

    messages: Sequence[Message]
    tokens: int
    dropped: tuple[int, ...]
    report: TrimReport


@cache
def default_counter() -> TokenCounter:
    """Return the counter used where none is given: o200k_base, shared; an estimate without a vocabulary."""
    return TokenCounter()


def model_budget(model: str) -> int:
    """Return how many tokens a history may hold for a model: 90 % of its window less the answer's reserve.

    Args:
        model: an id; an unknown one counts as 128,000 tokens.
    """
    info = model_info(model)
    limit = max_output_tokens(info)
    return int(allowed_tokens(info.context_window, limit if limit and limit > 0 else None))


def trim_messages(
    messages: Sequence[Message],
    *,
    max_tokens: int | None = None,
    model: str | None = None,
    counter: Counter | None = None,
    strategy: Strategy = "suffix",
    pinned: Pinned = (),
    require_last: bool = False,
    clear: ClearToolResults | None = None,
    summarize: SummaryHook | None = None,
) -> TrimResult:
    """Return the best valid part of a history that fits.

    Args:
        messages: OpenAI- or Anthropic-style messages, or Responses items; never changed.
        max_tokens: the budget in tokens.
        model: instead, an id whose window and output limit give it.
        counter: tokens of one message, additive; default `default_counter()`.
        strategy: "suffix" keeps the newest; "middle-out" the oldest and the newest; "clear-tool-results" first empties
            old tool results, then keeps the newest; "summarize" puts a summary in place of what it drops.
        pinned: messages that must stay, with the calls or results that belong to them.
        require_last: also refuse to drop the last message. Without it, a last message larger than the budget goes,
            and a note says so.
        clear: which results "clear-tool-results" may empty; default: all but the last three, above 100,000 tokens.
        summarize: writes the summary for "summarize"; its exceptions pass.

    Raises:
        CannotFitError: no valid history fits; `.smallest` is the size of the smallest, None where there is none at all.
        MalformedMessageError: a message has no shape to work with.
        ConfigurationError: no budget and no model, or "summarize" without a function.
    """
    if max_tokens is None:
        if model is None:
            raise ConfigurationError("trim_messages needs max_tokens or model")
        max_tokens = model_budget(model)
    if strategy not in get_args(Strategy):
        raise ConfigurationError(f"no strategy is called {strategy!r}; there are: {', '.join(get_args(Strategy))}")
    if strategy == "summarize" and summarize is None:
        raise ConfigurationError("the strategy 'summarize' needs summarize, a function that writes the summary")
    count = counter or default_counter()
    with naming_problems(messages):
        cleared = 0
        shown: Sequence[Message] = messages
        if strategy == "clear-tool-results":
            shown, cleared = clear_tool_results(messages, count, max_tokens, clear or ClearToolResults())
        required = _required(shown, pinned, require_last=require_last)
        choose = select_both_ends if strategy == "middle-out" else select_newest
        selection = choose(shown, count, max_tokens, required)
        result = _result(messages, shown, selection, count=count, strategy=strategy, cleared=cleared)
        if summarize is None or strategy != "summarize" or not selection.dropped():
            return result
        return _summarized(shown, count, max_tokens, required, summarize) or _unsummarized(result)


def _required(messages: Sequence[Message], pinned: Pinned, *, require_last: bool) -> Collection[int]:
    """Return the indices of the messages that must stay."""
    if callable(pinned):
        required = {index for index, message in enumerate(messages) if pinned(message)}
    else:
        size = len(messages)
        wrong = [index for index in pinned if not -size <= index < size]
        if wrong:
            raise ConfigurationError(f"pinned messages do not exist: {wrong} of {size}")
        required = {index % size for index in pinned}
    if require_last and messages:
        required.add(len(messages) - 1)
    return required


def _result(
    given: Sequence[Message],
    shown: Sequence[Message],
    selection: Selection,
    *,
    count: Counter,
    strategy: Strategy,
    cleared: int,
) -> TrimResult:
    kept = selection.kept_indices()
    dropped = selection.dropped()
    whole = not dropped
    result = shown if whole else [shown[index] for index in kept]
    notes: list[str] = []
    if given and dropped and dropped[-1] == len(given) - 1 and dropped[-1] not in selection.unsound:
        notes.append("the last message does not fit the budget and was left out")
    if selection.unsound:
        notes.append("messages whose tool calls and results do not pair were left out; repair_messages can mend them")
    report = TrimReport(
        selection.budget,
        strategy,
        selection.total if whole and not cleared else None,
        count.exact if isinstance(count, TokenCounter) else None,
        unsound=tuple(sorted(selection.unsound)),
        cleared=cleared,
        notes=tuple(notes),
    )
    return TrimResult(result, selection.total, dropped, report)


def _unsummarized(result: TrimResult) -> TrimResult:
    note = "no summary was put in: with one, what must stay would not fit the budget"
    report = msgspec.structs.replace(result.report, notes=(*result.report.notes, note))
    return msgspec.structs.replace(result, report=report)


def _summarized(
    messages: Sequence[Message], count: Counter, budget: int, required: Collection[int], summarize: SummaryHook
) -> TrimResult | None:
    """Trim to what leaves room for a summary, have it written, and put it first; None where it does not fit."""
    room = min(SUMMARY_TOKENS, int(budget * SUMMARY_SHARE))
    for _ in range(2):  # a summary that is longer than the room gets its own size once
        try:
            selection = select_newest(messages, count, budget - room, required)
        except CannotFitError:
            return None
        dropped = selection.dropped()
        text = summarize([messages[index] for index in dropped])
        summary: Message = {"role": "user", "content": f"{notices().summary_heading}{text}"}
        size = count(summary)
        if size <= budget - selection.total:
            kept = selection.kept_indices()
            head = [
                index for index in kept if index in selection.systems and index < min(selection.spoken(), default=0)
            ]
            rest = [index for index in kept if index not in set(head)]
            result = [*(messages[i] for i in head), summary, *(messages[i] for i in rest)]
            report = TrimReport(
                budget,
                "summarize",
                None,
                count.exact if isinstance(count, TokenCounter) else None,
                unsound=tuple(sorted(selection.unsound)),
                summarized=True,
            )
            return TrimResult(result, selection.total + size, dropped, report)
        room = size
    return None
