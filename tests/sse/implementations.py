"""Both implementations of the parser, and the ways in which tests read a stream with one."""

from __future__ import annotations

import importlib
import random
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

import pytest

from streamarena import _native
from streamarena.sse import _event_py, _parser_py


class Implementation:
    """One implementation's classes under one name."""

    def __init__(self, name: str, parsers: ModuleType, events: ModuleType) -> None:
        self.name = name
        self.SSEParser = parsers.SSEParser
        self.ServerSentEvent = events.ServerSentEvent


PYTHON = Implementation("py", _parser_py, _event_py)


def compiled() -> Implementation | None:
    """The compiled twin, or None where `streamarena doctor` says why it is not in use."""
    for choice in _native.implementations():
        if choice.module == "streamarena.sse.parser" and choice.compiled:
            twin = importlib.import_module(_native.TWINS[choice.module])
            return Implementation("cy", twin, twin)
    return None


COMPILED = compiled()
WHY_NOT = next(choice.reason for choice in _native.implementations() if choice.module == "streamarena.sse.parser")
BOTH = [
    pytest.param(PYTHON, id="py"),
    pytest.param(
        COMPILED, id="cy", marks=[] if COMPILED else pytest.mark.skip(reason=f"no compiled parser: {WHY_NOT}")
    ),
]


def read(parser: Any, pieces: Iterable[bytes]) -> list[tuple[str, str, str, int | None]]:
    """Feed the pieces and close; return what the events say."""
    events = [event for piece in pieces for event in parser.feed(piece)]
    parser.close()
    return [(event.event, event.data, event.id, event.retry) for event in events]


def single_bytes(data: bytes) -> Iterator[bytes]:
    return (data[index : index + 1] for index in range(len(data)))


def random_pieces(data: bytes, chance: random.Random, longest: int = 40) -> Iterator[bytes]:
    position = 0
    while position < len(data):
        size = chance.randint(0, longest)
        yield data[position : position + size]
        position += size
