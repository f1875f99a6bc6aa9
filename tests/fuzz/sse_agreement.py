"""Whatever the bytes and however they are cut: the same outcome, on both parsers, in the parser's memory or an arena's.

The first byte of a fuzz input holds settings, the second the seed of the cuts, the rest is the stream. The first line
above is the invariant; `check` proves it for one input, and raises AssertionError where it does not hold.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import Any

from streamarena.errors import EventTooLargeError
from streamarena.memory import Arena
from tests.sse.implementations import COMPILED, PYTHON, random_pieces, single_bytes

IMPLEMENTATIONS = [PYTHON, COMPILED] if COMPILED else [PYTHON]
LIMITS = (16 * 2**20, 1, 7, 8, 9, 16, 40, 300)


def check(data: bytes) -> None:
    """Prove the invariant for one fuzz input."""
    flags, seed, stream = data[0] if data else 0, data[1] if len(data) > 1 else 0, data[2:]
    settings = {"max_event_bytes": LIMITS[flags & 7], "lenient": bool(flags & 8), "comments": bool(flags & 16)}
    expected = outcome(PYTHON, [stream], **settings)
    for implementation in IMPLEMENTATIONS:
        for in_arena in (False, True):
            for name, pieces in cuts(stream, seed):
                found = outcome(implementation, pieces, in_arena=in_arena, **settings)
                assert found == expected, (implementation.name, in_arena, name, settings, stream, found, expected)


def cuts(stream: bytes, seed: int) -> Iterator[tuple[str, Iterable[bytes]]]:
    yield "whole", [stream]
    yield (
        "single bytes",
        single_bytes(stream[:5000]) if len(stream) <= 5000 else random_pieces(stream, random.Random(1), 50),
    )
    yield "random", random_pieces(stream, random.Random(seed), 1 + seed)
    middle = len(stream) * seed // 256
    yield "once", [stream[:middle], stream[middle:]]


def outcome(
    implementation: Any,
    pieces: Iterable[bytes],
    *,
    max_event_bytes: int,
    lenient: bool,
    comments: bool,
    in_arena: bool = False,
) -> dict[str, Any]:
    """Everything that may not depend on the cut."""
    heard: list[str] = []
    parser = implementation.SSEParser(max_event_bytes, lenient=lenient, on_comment=heard.append if comments else None)
    arena = Arena()
    if in_arena:
        parser.arena = arena
    events: list[Any] = []
    cut = counters = None
    events_fit = False
    try:
        for piece in pieces:
            events += parser.feed(bytearray(piece) if len(piece) % 2 else piece)
        cut, counters = parser.close(), parser.counters
    except EventTooLargeError as error:
        cut = f"an event passed {error.limit} bytes"
        events_fit = error.seen <= max_event_bytes
    assert not events_fit
    assert arena.stats().bytes == 0
    arena.close()
    assert arena.stats().escaped == 0
    return {
        "events": [(event.raw_data, event.data, event.event, event.id, event.retry) for event in events],
        "last_event_id": parser.last_event_id,
        "retry": parser.retry,
        "comments": heard,
        "cut": cut,
        "counters": counters,
    }
