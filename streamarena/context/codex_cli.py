"""The Codex CLI's ways with output and history: byte budgets, compaction, and the pairing it insists on.

Behaviour of section 1.9 of the reference: (a) the older head-and-tail cut by bytes and lines, (b) the newer cut of the
middle by bytes or tokens, (c) compaction into initial context, newest user messages and a summary, (d) the invariants
of a history before each request. Sizes are UTF-8 bytes; a token is four of them, rounded up.
Invariants: a cut never divides a character; text within its limit comes back unchanged.

Cost: linear in the text or the items.
Not here: retries and their pauses: `compact_history` tells what happened and its caller decides.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import msgspec
import orjson

from streamarena.context._calls import call_ids, result_ids
from streamarena.context.overflow import is_context_window_error
from streamarena.context.repair import repair_messages
from streamarena.context.texts import marker, notices
from streamarena.errors import ContextError

if TYPE_CHECKING:
    from streamarena.context.messages import Message

__all__ = [
    "approximate_tokens",
    "auto_compact_limit",
    "BYTES_PER_TOKEN",
    "compact_history",
    "compacted_items",
    "Compaction",
    "DEFAULT_POLICY",
    "ENCRYPTED_OVERHEAD",
    "estimate_item_tokens",
    "format_tool_output",
    "INLINE_IMAGE_BYTES",
    "MAX_IMAGE_PATCHES",
    "normalize_items",
    "OLD_HEAD_BYTES",
    "OLD_HEAD_LINES",
    "OLD_OUTPUT_BYTES",
    "OLD_OUTPUT_LINES",
    "PATCH_PIXELS",
    "SERIALIZATION_ALLOWANCE",
    "truncate_head_tail",
    "truncate_items",
    "truncate_middle",
    "TruncationPolicy",
    "USER_MESSAGE_TOKENS",
]

BYTES_PER_TOKEN: Final = 4
OLD_OUTPUT_BYTES: Final = 10 * 1024
OLD_OUTPUT_LINES: Final = 256
OLD_HEAD_BYTES: Final = 5 * 1024
OLD_HEAD_LINES: Final = 128
USER_MESSAGE_TOKENS: Final = 20_000
SERIALIZATION_ALLOWANCE: Final = 1.2
INLINE_IMAGE_BYTES: Final = 7373
MAX_IMAGE_PATCHES: Final = 10_000
PATCH_PIXELS: Final = 32
ENCRYPTED_OVERHEAD: Final = 650


def approximate_tokens(text: str) -> int:
    """Return a quarter of the text's bytes, rounded up."""
    return -(-len(_bytes(text)) // BYTES_PER_TOKEN)


class TruncationPolicy(msgspec.Struct, frozen=True):
    """How much of a tool's output is kept: so many bytes, or so many tokens of four bytes."""

    mode: Literal["bytes", "tokens"]
    limit: int

    @property
    def byte_budget(self) -> int:
        """The budget in bytes."""
        return self.limit if self.mode == "bytes" else self.limit * BYTES_PER_TOKEN

    def for_recording(self) -> TruncationPolicy:
        """Return the policy for an output as it is recorded: a fifth more, for what serialising adds."""
        return TruncationPolicy(self.mode, int(-(-self.limit * 12 // 10)))


DEFAULT_POLICY: Final = TruncationPolicy("bytes", 10_000)


def truncate_middle(text: str, policy: TruncationPolicy = DEFAULT_POLICY) -> str:
    """Cut the middle out of a text so that its two ends together have the budget; the marker comes on top.

    Args:
        text: the text.
        policy: the budget; half of it, rounded down, is the start's. A budget of 0 leaves only the marker.
    """
    data = _bytes(text)
    budget = policy.byte_budget
    if len(data) <= budget:
        return text
    left = budget // 2
    head = data[: _boundary_before(data, left)]
    tail = data[_boundary_after(data, len(data) - (budget - left)) :]
    if policy.mode == "tokens":
        removed = len(data) - len(head) - len(tail)
        note = marker("tokens_truncated", count=-(-removed // BYTES_PER_TOKEN))
    else:
        kept = len(_text(head)) + len(_text(tail))
        note = marker("chars_truncated", count=len(text) - kept)
    return f"{_text(head)}{note}{_text(tail)}"


def format_tool_output(text: str, policy: TruncationPolicy = DEFAULT_POLICY) -> str:
    """Return a tool's output cut as `truncate_middle` does, with a header that says how large it was."""
    if len(_bytes(text)) <= policy.byte_budget:
        return text
    lines = text.count("\n") + (not text.endswith("\n"))
    header = marker("output_truncated_header", tokens=approximate_tokens(text), lines=lines)
    return f"{header}\n{marker('total_output_lines', count=lines)}\n\n{truncate_middle(text, policy)}"


def truncate_head_tail(text: str, *, timed_out_after: float | None = None) -> str:
    """Cut a tool's output as the older versions did: 128 lines of head, 128 of tail, 10 KiB in all.

    Args:
        text: the output.
        timed_out_after: milliseconds, where the command was stopped; said in front.
    """
    if timed_out_after is not None:
        text = f"command timed out after {timed_out_after:g} milliseconds\n{text}"
    lines = text.splitlines(keepends=True)
    data = _bytes(text)
    if len(data) <= OLD_OUTPUT_BYTES and len(lines) <= OLD_OUTPUT_LINES:
        return text
    total = len(lines)
    head_lines = min(OLD_HEAD_LINES, total)
    tail_lines = min(OLD_OUTPUT_LINES - OLD_HEAD_LINES, total - head_lines)
    head = _bytes("".join(lines[:head_lines]))
    head = head[: _boundary_before(head, OLD_HEAD_BYTES)]
    omitted = total - head_lines - tail_lines
    note = marker("lines_head_tail_omitted", omitted=omitted, total=total) if omitted else ""
    joint = f"\n{note}\n\n" if note else ""
    room = max(0, OLD_OUTPUT_BYTES - len(head) - len(_bytes(joint)))
    tail = _bytes("".join(lines[total - tail_lines :])) if tail_lines else data[len(head) :]
    tail = tail[_boundary_after(tail, max(0, len(tail) - room)) :] if room else b""
    prefix = marker("total_output_lines", count=total)
    return f"{prefix}\n\n{_text(head)}{joint}{_text(tail)}"


def truncate_items(items: Sequence[Message], budget: int = OLD_OUTPUT_BYTES) -> list[Message]:
    """Cut the texts of a list of content items to one budget in bytes; what finds no room is counted at the end.

    Args:
        items: content items; those without a `text` stay as they are.
        budget: bytes for all texts together.
    """
    kept: list[Message] = []
    omitted = 0
    for item in items:
        text = item.get("text")
        if not isinstance(text, str):
            kept.append(item)
            continue
        size = len(_bytes(text))
        if size <= budget:
            kept.append(item)
        elif budget > 0:
            data = _bytes(text)
            kept.append({**item, "text": _text(data[: _boundary_before(data, budget)])})
        else:
            omitted += 1
        budget = max(0, budget - size)
    if omitted:
        kept.append({"type": "input_text", "text": marker("text_items_omitted", count=omitted)})
    return kept


def auto_compact_limit(context_window: int, configured: int | None = None) -> int:
    """Return the tokens at which a history is compacted: nine tenths of the window, or less where configured."""
    ceiling = context_window * 9 // 10
    return ceiling if configured is None else min(configured, ceiling)


def estimate_item_tokens(item: Message) -> int:
    """Return the estimated tokens of a history item: its JSON in bytes, divided by four.

    Inline images count 7,373 bytes instead of their payload, or a token for each 32-pixel patch where the item says
    `detail: original` and its `width` and `height`; encrypted reasoning counts three quarters less 650 bytes.
    """
    if item.get("type") in {"reasoning", "compaction"} and isinstance(item.get("encrypted_content"), str):
        return max(0, len(item["encrypted_content"]) * 3 // 4 - ENCRYPTED_OVERHEAD) // BYTES_PER_TOKEN
    data = len(orjson.dumps(item, default=str))
    patches = 0
    for image in _inline_images(item):
        url = image.get("image_url")
        payload = len(str(url)) if isinstance(url, str) else len(str(cast("dict[str, Any]", url or {}).get("url", "")))
        data -= payload
        if image.get("detail") == "original" and image.get("width") and image.get("height"):
            across = -(-int(image["width"]) // PATCH_PIXELS) * -(-int(image["height"]) // PATCH_PIXELS)
            patches += min(across, MAX_IMAGE_PATCHES)
        else:
            data += INLINE_IMAGE_BYTES
    return max(0, data) // BYTES_PER_TOKEN + patches


def normalize_items(items: Sequence[Message], *, supports_images: bool = True) -> list[Message]:
    """Return a history that keeps the invariants: every call has an output, every output a call, images only if seen.

    Args:
        items: messages of any style, or Responses items, never changed. A call without an output gets a synthetic one
            right after it (`repair_messages`); an output without a call goes.
        supports_images: False replaces images by a placeholder text.
    """
    mended = repair_messages(items, missing_text=notices().call_aborted).messages
    return [item if supports_images else _without_images(item) for item in mended]


class Compaction(msgspec.Struct, frozen=True):
    """A compacted history, the summary's text, and how many of the oldest items had to go to have it written."""

    items: list[Message]
    summary: str
    trimmed: int


async def compact_history(
    items: Sequence[Message],
    ask: Callable[[Sequence[Message]], Awaitable[str]],
    *,
    prompt: str,
    summary_prefix: str,
    initial: Sequence[Message] = (),
) -> Compaction:
    """Have a history summarised and replace it (section 1.9 c).

    Args:
        items: the history.
        ask: sends items to the model and returns the text of its answer. Where it raises an error that means "context
            window exceeded", the oldest item goes, with its paired call or output, and it is asked again; other
            errors and cancellation pass.
        prompt: the compaction prompt, added as a user message.
        summary_prefix: what every summary begins with; also tells earlier summaries from user messages.
        initial: the initial context that opens the new history.

    Raises:
        ContextError: even a single item is too much for the window.
    """
    asked: list[Message] = list(items)
    trimmed = 0
    while True:
        try:
            text = await ask([*normalize_items(asked), {"role": "user", "content": prompt}])
            break
        except Exception as error:
            if not is_context_window_error(error):
                raise
            if len(asked) <= 1:
                raise ContextError("the context window is full: even one item cannot be summarised") from error
            gone = {*call_ids(asked[0]), *result_ids(asked[0])}
            before = len(asked)
            asked = [item for item in asked[1:] if not gone & {*call_ids(item), *result_ids(item)}]
            trimmed += before - len(asked)
    return Compaction(compacted_items(items, text, summary_prefix=summary_prefix, initial=initial), text, trimmed)


def compacted_items(
    items: Sequence[Message],
    summary: str,
    *,
    summary_prefix: str,
    initial: Sequence[Message] = (),
    user_tokens: int = USER_MESSAGE_TOKENS,
) -> list[Message]:
    """Return the history after a compaction: initial context, newest user messages that fit, the summary.

    Args:
        items: the old history.
        summary: the model's text; empty: a fixed text says that there is none.
        summary_prefix: what the summary's message begins with; messages that begin so are earlier summaries.
        initial: the initial context.
        user_tokens: for user messages; the first from the end that does not fit is cut in its middle, and is the last.
    """
    kept: list[Message] = []
    remaining = user_tokens
    for item in reversed(items):
        text = _user_text(item)
        if text is None or text.startswith(summary_prefix):
            continue
        if remaining <= 0:
            break
        size = approximate_tokens(text)
        if size > remaining:
            kept.append({"role": "user", "content": truncate_middle(text, TruncationPolicy("tokens", remaining))})
            break
        kept.append({"role": "user", "content": text})
        remaining -= size
    closing = f"{summary_prefix}\n{summary or notices().no_summary}"
    return [*initial, *reversed(kept), {"role": "user", "content": closing}]


def _user_text(item: Message) -> str | None:
    if item.get("role") != "user":
        return None
    content = item.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    parts = [str(part.get("text", "")) for part in cast("list[Message]", content) if "text" in part]
    return "".join(parts) if parts else None


def _inline_images(item: Message) -> list[dict[str, Any]]:
    content = item.get("content")
    parts = cast("list[dict[str, Any]]", content) if isinstance(content, list) else []
    images = [part for part in parts if part.get("type") in {"input_image", "image_url"}]
    return [image for image in images if _address(image).startswith("data:")]


def _address(image: dict[str, Any]) -> str:
    url = image.get("image_url")
    return str(cast("dict[str, Any]", url).get("url", "")) if isinstance(url, dict) else str(url or "")


def _without_images(item: Message) -> Message:
    content = item.get("content")
    if not isinstance(content, list):
        return item
    parts = cast("list[Message]", content)
    if all(part.get("type") not in {"input_image", "image_url", "image"} for part in parts):
        return item
    text = {"type": "input_text", "text": notices().image_placeholder}
    shown = [text if part.get("type") in {"input_image", "image_url", "image"} else part for part in parts]
    return {**item, "content": shown}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _boundary_before(data: bytes, position: int) -> int:
    """Return the last character boundary at or before a position."""
    position = min(position, len(data))
    while 0 < position < len(data) and data[position] & 0xC0 == 0x80:
        position -= 1
    return position


def _boundary_after(data: bytes, position: int) -> int:
    """Return the first character boundary at or after a position."""
    while 0 < position < len(data) and data[position] & 0xC0 == 0x80:
        position += 1
    return position
