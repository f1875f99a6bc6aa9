"""Condensing: a model writes a summary that stands in for the older part of a history.

Both generations of section 2 of the reference behaviour, and Roo Code 3.28 between them. Classic keeps the last three
messages and puts an assistant summary before them; native starts afresh, hides everything and appends a user summary.
Invariants: on every error the very history that was given comes back, with the error's key, its parameters and the
cost; an attempt that is not due (too short, condensed just now) asks no model.

Cost: one model request; linear copying of the messages that are summarised.
Not here: when to condense (`window.py`), and the prompts' words (`streamarena.prompts`, passed in as `prompts`).
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

import msgspec

from streamarena.context._javascript import trim, truthy
from streamarena.context.messages import Message, as_blocks, text_block
from streamarena.context.shaping import remove_image_blocks
from streamarena.context.texts import Notices, builtin_texts, notices
from streamarena.context.window import CondenseResult, CountTokens, count_content

if TYPE_CHECKING:
    from streamarena.prompts import PromptCatalog

__all__ = [
    "bare_messages",
    "Collected",
    "condense_classic",
    "CondensePrompts",
    "Condenser",
    "CondenseVariant",
    "messages_since_last_summary",
    "MESSAGES_TO_KEEP",
    "Summarizer",
    "SummaryReply",
    "SummaryRequest",
]

MESSAGES_TO_KEEP: Final = 3

CondenseVariant: TypeAlias = Literal["classic", "roo-3.28", "native"]


class SummaryRequest(msgspec.Struct, frozen=True):
    """What the model is asked: a system prompt, messages with role and content only, and metadata for the request."""

    system: str
    messages: Sequence[Message]
    metadata: Mapping[str, Any] | None = None


class SummaryReply(msgspec.Struct, frozen=True):
    """A model's answer: its text, the output tokens that its provider reported (0: not known), cost in US dollars."""

    text: str
    output_tokens: int = 0
    cost: float = 0


Summarizer: TypeAlias = Callable[[SummaryRequest], "Awaitable[str | SummaryReply] | AsyncIterable[Any]"]
"""Asks a model for a summary: a coroutine function, or a function that returns an asynchronous iterable of chunks
(objects with a `kind` as of `streamarena.providers`, or mappings with a `type`: text and usage are looked at)."""


@dataclass(frozen=True, slots=True)
class CondensePrompts:
    """The two long prompts of a generation.

    Attributes:
        system: the system prompt of the summary request.
        instructions: the final user message of the native generation.
    """

    system: str
    instructions: str = ""

    @classmethod
    def load(cls, variant: CondenseVariant = "native", catalog: PromptCatalog | None = None) -> CondensePrompts:
        """Return a generation's prompts from a catalogue; default: the built-in one."""
        texts = catalog or builtin_texts()
        if variant == "native":
            return cls(texts.text("native.condense.system"), texts.text("native.support.CONDENSE"))
        return cls(texts.text("classic.support.CONDENSE"))


@dataclass(frozen=True, slots=True)
class Condenser:
    """What stays the same from one condensing to the next; call `condense(...)` of `summarize_conversation` with it.

    Attributes:
        summarize: asks the main model; None, or what cannot be called, is an invalid handler.
        prompts: the generation's prompts.
        count: counts content blocks, for the size of the new history.
        condensing: asks another model instead (classic only); falls back to `summarize` where it is not callable.
        supports_images: of the main model; False replaces images by a placeholder.
        fold_files: returns sections that outline the files read (native only); may raise, which leaves them out.
        new_id: draws a unique id (native). now: milliseconds since the epoch, where messages lack times.
        notices: the short fixed texts.
        on_event: told "context_condensed" with {automatic, custom_prompt, custom_handler} as an attempt starts.
    """

    summarize: Summarizer | None
    prompts: CondensePrompts
    count: CountTokens
    condensing: Summarizer | None = None
    supports_images: bool | None = True
    fold_files: Callable[[Sequence[str], str], Awaitable[Sequence[str]]] | None = None
    new_id: Callable[[], str] | None = None
    now: float = 0
    notices: Notices = field(default_factory=notices)
    on_event: Callable[[str, Mapping[str, Any]], None] | None = None


def messages_since_last_summary(
    messages: Sequence[Message],
    variant: CondenseVariant = "native",
    *,
    now: float = 0,
    notice: str | None = None,
) -> Sequence[Message]:
    """Return what follows the last summary, itself included (section 2.4).

    Without a summary the same list comes back. "classic" puts a synthetic user message first, "roo-3.28" the original
    first message if that is a user's and one is needed, "native" nothing: its summaries are user messages.

    Args:
        messages: the history.
        variant: whose rule.
        notice: the synthetic message's text; default: the catalogue's.
        now: milliseconds since the epoch, where the first message has no time (or 0).
    """
    last = next((i for i in range(len(messages) - 1, -1, -1) if truthy(messages[i].get("isSummary"))), None)
    if last is None:
        return messages
    since = list(messages[last:])
    if variant == "native" or (variant == "roo-3.28" and since[0].get("role") == "user"):
        return since
    first = messages[0]
    if variant == "roo-3.28" and first.get("role") == "user":
        return [first, *since]
    time = first.get("ts")
    return [
        {"role": "user", "content": notice or notices().continue_from_summary, "ts": time - 1 if time else now},
        *since,
    ]


class Collected(msgspec.Struct):
    """A summary as it comes in; keeps what it has when the stream breaks."""

    text: str = ""
    cost: float = 0
    output_tokens: int = 0
    parts: list[str] = msgspec.field(default_factory=list[str])

    async def ask(self, summarize: Summarizer, request: SummaryRequest) -> None:
        """Ask the model and collect its answer; exceptions pass."""
        answer = summarize(request)
        if inspect.isawaitable(answer):
            reply = await answer
            if isinstance(reply, str):
                self.text = trim(reply)
            else:
                self.text, self.cost, self.output_tokens = trim(reply.text), reply.cost, reply.output_tokens
            return
        async for chunk in answer:
            self._take(chunk)
        self.text = trim("".join(self.parts))

    def _take(self, chunk: Any) -> None:  # noqa: ANN401 - a chunk of any provider
        if isinstance(chunk, Mapping):
            fields = cast(Mapping[str, Any], chunk)
            kind = fields.get("type")
            usage = fields.get("totalCost"), fields.get("outputTokens")
            text = fields.get("text")
        else:
            kind, text = getattr(chunk, "kind", None), getattr(chunk, "text", None)
            usage = getattr(chunk, "total_cost", None), getattr(chunk, "output_tokens", None)
        if kind == "text":
            self.parts.append(str(text))
        elif kind == "usage":  # the last usage chunk counts, also where it says less than the one before
            self.cost, self.output_tokens = usage[0] or 0, usage[1] or 0


async def condense_classic(
    messages: Sequence[Message],
    condenser: Condenser,
    *,
    system_prompt: str,
    prev_context_tokens: float,
    custom_prompt: str | None,
    variant: Literal["classic", "roo-3.28"],
) -> CondenseResult:
    """Condense as the classic generation does (section 2.1); a model's exception passes."""
    texts = condenser.notices
    older, kept = messages[:-MESSAGES_TO_KEEP], messages[-MESSAGES_TO_KEEP:]
    to_summarize = messages_since_last_summary(older, variant, now=condenser.now, notice=texts.continue_from_summary)
    if len(to_summarize) <= 1:
        if len(messages) > MESSAGES_TO_KEEP + 1:
            return CondenseResult(messages, error="condensed_recently")
        params = {
            "prevContextTokens": prev_context_tokens,
            "messageCount": len(messages),
            "minimumMessageCount": MESSAGES_TO_KEEP + 2,
        }
        return CondenseResult(
            messages, error="condense_not_enough_messages", error_params=params if variant == "classic" else {}
        )
    if any(truthy(message.get("isSummary")) for message in kept):
        return CondenseResult(messages, error="condensed_recently")
    warnings: tuple[str, ...] = ()
    handler = condenser.summarize if condenser.condensing is None else condenser.condensing
    if not callable(handler):
        warnings = ("condensing_handler_invalid",)
        handler = condenser.summarize
        if not callable(handler):
            return CondenseResult(messages, error="condense_handler_invalid", warnings=warnings)
    final = {"role": "user", "content": texts.summarize_request}
    system = trim(custom_prompt or "") or condenser.prompts.system
    shown = bare_messages([*to_summarize, final], condenser)
    collected = Collected()
    await collected.ask(handler, SummaryRequest(system, shown))
    if not collected.text:
        return CondenseResult(messages, cost=collected.cost, error="condense_failed", warnings=warnings)
    summary: dict[str, Any] = {"role": "assistant", "content": collected.text, "isSummary": True}
    if "ts" in kept[0]:
        summary["ts"] = kept[0]["ts"]
    counted = [] if collected.output_tokens else [summary]
    blocks = [text_block(system_prompt), *(block for message in [*counted, *kept] for block in as_blocks(message))]
    new_tokens = collected.output_tokens + await count_content(condenser.count, blocks)
    if new_tokens >= prev_context_tokens:
        params = {"prevContextTokens": prev_context_tokens, "newContextTokens": new_tokens}
        return CondenseResult(
            messages,
            cost=collected.cost,
            error="condense_context_grew",
            error_params=params if variant == "classic" else {},
            warnings=warnings,
        )
    head = older if variant == "classic" else messages[:1]
    return CondenseResult([*head, summary, *kept], collected.text, collected.cost, new_tokens, warnings=warnings)


def bare_messages(messages: Sequence[Message], condenser: Condenser) -> list[Message]:
    """Return messages with role and content only, images replaced where the model takes none."""
    shown = remove_image_blocks(messages, condenser.supports_images, condenser.notices.image_placeholder)
    return [{"role": message.get("role"), "content": message.get("content")} for message in shown]
