"""Where an event of each wire API carries the answer's text, and which runs of text end with it: one small reader each.

A run is what a client joins into one text: a choice, a content block, a candidate. Reasoning, refusals and arguments of
tool calls are no text here. Events that repeat a run's text whole (Responses) are told apart: they add nothing.

Invariant: an event of any other shape has no places and ends nothing. Costs a look at a few members of a parsed event.
Not here: changing anything (`rewriting.py`).

Sources: as for the decoders of `streamarena.providers`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any, Final, NamedTuple

from streamarena.providers.json_values import is_array, is_object
from streamarena.relay.texts.json_spans import Path  # noqa: TC001 - annotations stay readable at run time

__all__ = ["EVERY_RUN", "READERS", "Place", "RunEnd"]


class Place(NamedTuple):
    """Text in an event.

    Attributes:
        run: what it belongs to. path: where it stands. text: itself.
        whole: whether it repeats all of the run, instead of adding to it.
    """

    run: Hashable
    path: Path
    text: str
    whole: bool = False


class RunEnd(NamedTuple):
    """With this event a run is complete: `EVERY_RUN` for all of them."""

    run: Hashable


EVERY_RUN: Final = "every run"

_Found = Iterator[Place | RunEnd]


def _chat(event: dict[str, Any]) -> _Found:
    if event.get("error"):
        yield RunEnd(EVERY_RUN)
    choices = event.get("choices")
    for position, choice in enumerate(choices if is_array(choices) else ()):
        if not is_object(choice):
            continue
        run = choice.get("index", 0)
        delta = choice.get("delta")
        if is_object(delta):
            if isinstance(delta.get("content"), str):
                yield Place(run, ("choices", position, "delta", "content"), delta["content"])
            if delta.get("tool_calls"):
                yield RunEnd(run)
        elif isinstance(choice.get("text"), str):  # the completions endpoint
            yield Place(run, ("choices", position, "text"), choice["text"])
        if choice.get("finish_reason"):
            yield RunEnd(run)


def _responses(event: dict[str, Any]) -> _Found:
    kind = event.get("type")
    run = (event.get("output_index", 0), event.get("content_index", 0))
    if kind == "response.output_text.delta":
        if isinstance(event.get("delta"), str):
            yield Place(run, ("delta",), event["delta"])
    elif kind == "response.output_text.done":
        yield RunEnd(run)
        if isinstance(event.get("text"), str):
            yield Place(run, ("text",), event["text"], whole=True)
    elif kind in ("response.content_part.added", "response.content_part.done"):
        yield from _text_parts([event.get("part")], ("part",), listed=False)
    elif kind in ("response.output_item.added", "response.output_item.done"):
        yield from _items([event.get("item")], ("item",), listed=False)
    elif kind in _CONCLUDING:
        yield RunEnd(EVERY_RUN)
        response = event.get("response")
        output = response.get("output") if is_object(response) else None
        yield from _items(output if is_array(output) else [], ("response", "output"), listed=True)


_CONCLUDING: Final = frozenset(
    {"response.completed", "response.incomplete", "response.failed", "response.cancelled", "error", "response.error"}
)


def _items(items: list[Any], path: Path, *, listed: bool) -> _Found:
    for position, item in enumerate(items):
        content = item.get("content") if is_object(item) and item.get("type") == "message" else None
        if is_array(content):
            yield from _text_parts(content, (*path, position, "content") if listed else (*path, "content"), listed=True)


def _text_parts(parts: list[Any], path: Path, *, listed: bool) -> _Found:
    for position, part in enumerate(parts):
        if is_object(part) and part.get("type") == "output_text" and isinstance(part.get("text"), str):
            yield Place(None, (*path, position, "text") if listed else (*path, "text"), part["text"], whole=True)


def _anthropic(event: dict[str, Any]) -> _Found:
    kind, run = event.get("type"), event.get("index", 0)
    for name, types in (("delta", ("text_delta",)), ("content_block", ("text",))):
        part = event.get(name)
        if is_object(part) and part.get("type") in types and isinstance(part.get("text"), str):
            yield Place(run, (name, "text"), part["text"])
    if kind == "content_block_stop":
        yield RunEnd(run)
    elif kind in ("message_stop", "error"):
        yield RunEnd(EVERY_RUN)


def _gemini(event: dict[str, Any]) -> _Found:
    if event.get("error"):
        yield RunEnd(EVERY_RUN)
    candidates = event.get("candidates")
    for position, candidate in enumerate(candidates if is_array(candidates) else ()):
        if not is_object(candidate):
            continue
        run = candidate.get("index", 0)
        content = candidate.get("content")
        parts = content.get("parts") if is_object(content) else None
        for number, part in enumerate(parts if is_array(parts) else ()):
            if is_object(part) and isinstance(part.get("text"), str) and not part.get("thought"):
                yield Place(run, ("candidates", position, "content", "parts", number, "text"), part["text"])
        if candidate.get("finishReason"):
            yield RunEnd(run)


def _ollama(event: dict[str, Any]) -> _Found:
    message = event.get("message")
    if is_object(message) and isinstance(message.get("content"), str):
        yield Place(0, ("message", "content"), message["content"])
    elif isinstance(event.get("response"), str):
        yield Place(0, ("response",), event["response"])
    if event.get("done") or event.get("error"):
        yield RunEnd(EVERY_RUN)


READERS: Final[dict[str, Callable[[dict[str, Any]], _Found]]] = {
    "openai-chat": _chat,
    "openai-responses": _responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "ollama": _ollama,
}
"""By wire API. A run's end comes behind the run's last text, and where the end brings a whole text, before that."""
