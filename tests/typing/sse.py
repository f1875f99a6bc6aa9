"""What both type checkers must see of the events' interface; never run."""

from __future__ import annotations

from typing import Any, assert_type

import msgspec

from streamarena.memory import Arena
from streamarena.sse import ParserCounters, ServerSentEvent, SSEParser, encode_comment, encode_event


class Shape(msgspec.Struct):
    """Any typed payload."""

    text: str


def feeds(parser: SSEParser, arena: Arena) -> None:
    """The parser takes bytes-like objects and gives events."""
    assert_type(parser.feed(b""), list[ServerSentEvent])
    assert_type(parser.feed(memoryview(b"")), list[ServerSentEvent])
    parser.feed("text")  # type: ignore[arg-type]  # text must be refused # pyright: ignore[reportArgumentType]
    assert_type(parser.close(), bool)
    assert_type(parser.retry, int | None)
    assert_type(parser.last_event_id, str)
    assert_type(parser.counters, ParserCounters)
    assert_type(parser.arena, Arena | None)
    parser.arena = arena
    parser.reset(keep_last_event_id=False)


def reads(event: ServerSentEvent) -> None:
    """An event is read-only, and its JSON has the type that was asked for."""
    assert_type(event.data, str)
    assert_type(event.raw_data, bytes)
    assert_type(event.id, str)
    assert_type(event.json(Shape), Shape)
    assert_type(event.json(list[int]), list[int])
    assert_type(event.json(), Any)
    event.id = "1"  # type: ignore[misc]  # events never change # pyright: ignore[reportAttributeAccessIssue]


def writes() -> None:
    """Encoding gives bytes."""
    assert_type(encode_event("x", event="e", id="1", retry=1), bytes)
    assert_type(encode_comment(), bytes)
