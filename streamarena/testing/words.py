"""Seeded text that varies, one token at a time, and arguments that fit a tool's schema.

Invariants: the same `random.Random` state gives the same text; no two neighbouring tokens of a long text are the same
by design; some words hold characters of two, three and four bytes, so that reads may split them.
Cost: one draw of the source for 32 tokens. Not here: a tokenizer; a token is a word with its leading space.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson

from streamarena.providers.json_values import is_array, is_object

__all__ = ["split_tokens", "tool_arguments", "words"]

_TEXT: Final = """
a the one each every this that some no any our its their another and or but so while since where when as if than
stream token buffer socket scope arena window prompt model answer question reader writer loop task queue pool
page line word byte letter number river bridge garden window harbour market kitchen mountain engine signal
lantern compass ladder mirror needle orchard paper pebble pocket quarry ribbon saddle shelter spindle station
thread timber tunnel valley vessel village wagon whistle winter summer morning evening copper silver amber ivory
scarlet violet moves holds opens closes carries counts waits turns falls rises keeps sends reads writes finds
leaves brings takes begins ends returns follows crosses measures gathers borrows releases remembers forgets
repeats answers asks slowly quickly quietly plainly often never always seldom almost nearly exactly again
together apart early late small large narrow wide short long quiet bright dark cold warm empty full open even
odd steady honest patient under over between beyond beside within without before after across around against
along near toward upon café naïve façade señor über jalapeño Zürich Ångström crème piñata 東京 水 光 сеть поток ροή
שלום 🙂 🚀
"""
_WORDS: Final = tuple(_TEXT.split())
_BLOCK: Final = 32
_SENTENCE: Final = 12


def words(source: random.Random) -> Iterator[str]:
    """Yield words for ever, each with its leading space, in sentences."""
    count = 0
    while True:
        for word in source.choices(_WORDS, k=_BLOCK):
            first = count % _SENTENCE == 0
            count += 1
            end = "." if count % _SENTENCE == 0 else ""
            yield f"{'' if count == 1 else ' '}{word.capitalize() if first else word}{end}"


def split_tokens(text: str) -> list[str]:
    """Split a text into tokens whose concatenation is the text."""
    return re.findall(r"\s*\S+|\s+$", text) or ([text] if text else [])


def tool_arguments(schema: dict[str, Any], source: random.Random) -> str:
    """Return JSON text of an object that fits the usual parts of a JSON schema: types, enums, arrays, objects."""
    return orjson.dumps(_value(schema | {"type": "object"}, source, 0)).decode()


def _value(schema: object, source: random.Random, depth: int) -> object:
    """Make a value for one schema; beyond four levels it is a string."""
    if not is_object(schema):
        return "word"
    choices = schema.get("enum")
    if is_array(choices) and choices:
        return source.choice(choices)
    named = schema.get("type", "string")
    kind = str(named[0] if is_array(named) and named else named).lower()
    if kind == "object" and depth < _DEPTH:
        properties = schema.get("properties")
        parts = properties if is_object(properties) else {}
        return {name: _value(part, source, depth + 1) for name, part in parts.items()}
    if kind == "array" and depth < _DEPTH:
        return [_value(schema.get("items"), source, depth + 1) for _ in range(2)]
    if kind in _SIMPLE:
        return _SIMPLE[kind](source)
    return " ".join(source.choices(_WORDS, k=3))


_DEPTH: Final = 4

_SIMPLE: Final[dict[str, Callable[[random.Random], object]]] = {
    "boolean": lambda source: source.random() < 0.5,
    "integer": lambda source: source.randrange(100),
    "number": lambda source: round(source.uniform(0, 100), 2),
    "null": lambda source: None,  # noqa: ARG005 - one signature for all
}
