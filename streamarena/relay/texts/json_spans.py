"""Where a value stands in JSON bytes, so that it alone can be replaced and every other byte stays as it was.

Invariant: the bytes are valid JSON (somebody parsed them), and the path leads to a value; where a name stands twice in
an object the last one counts, as for parsers. Costs one walk over the bytes up to the value, done only for events that
are changed. Not here: parsing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, TypeAlias

import orjson

from streamarena.providers.encoders.parts import dump

__all__ = ["Path", "replace_values", "span_of"]

Path: TypeAlias = tuple[str | int, ...]

_SPACE: Final = re.compile(rb"[ \t\r\n]*")
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SCALAR: Final = re.compile(rb"[^,\]}\s]+")
_INSIDE: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


def replace_values(data: bytes, values: Sequence[tuple[Path, str]]) -> bytes:
    """Return the JSON with strings in the place of these values.

    Args:
        data: valid JSON.
        values: paths (names and indices) and what is to stand there; no path leads through another's value.
    """
    spans = sorted((*span_of(data, path), value) for path, value in values)
    pieces: list[bytes] = []
    position = 0
    for start, end, value in spans:
        pieces += (data[position:start], dump(value))
        position = end
    return b"".join((*pieces, data[position:]))


def span_of(data: bytes, path: Path) -> tuple[int, int]:
    """Return where a value begins and ends.

    Raises:
        KeyError: the path leads nowhere.
    """
    start = _after_space(data, 0)
    for step in path:
        start = _member(data, start, step) if isinstance(step, str) else _element(data, start, step)
    return start, _end_of(data, start)


def _after_space(data: bytes, at: int) -> int:
    found = _SPACE.match(data, at)
    return at if found is None else found.end()


def _member(data: bytes, at: int, name: str) -> int:
    """Return where an object's member begins."""
    found = -1
    at = _after_space(data, at + 1)
    while data[at : at + 1] == b'"':
        end = _end_of(data, at)
        is_it = orjson.loads(data[at:end]) == name
        at = _after_space(data, _after_space(data, end) + 1)  # behind the colon
        if is_it:
            found = at
        at = _after_space(data, _end_of(data, at))
        if data[at : at + 1] == b",":
            at = _after_space(data, at + 1)
    if found < 0:
        raise KeyError(name)
    return found


def _element(data: bytes, at: int, index: int) -> int:
    """Return where an array's element begins."""
    at = _after_space(data, at + 1)
    for _ in range(index):
        at = _after_space(data, _end_of(data, at))
        if data[at : at + 1] != b",":
            raise KeyError(index)
        at = _after_space(data, at + 1)
    return at


def _end_of(data: bytes, at: int) -> int:
    """Return where the value that begins here ends."""
    if data[at : at + 1] not in (b"{", b"["):
        found = (_STRING if data[at : at + 1] == b'"' else _SCALAR).match(data, at)
        if found is None:
            raise KeyError(at)
        return found.end()
    depth = 0
    for token in _INSIDE.finditer(data, at):
        mark = token[0][:1]
        depth += (mark in b"{[") - (mark in b"}]") if mark != b'"' else 0
        if depth == 0:
            return token.end()
    raise KeyError(at)
