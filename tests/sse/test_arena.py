"""With an arena set, the unfinished line lives in the request's memory, and goes back as soon as it is used."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path

import pytest

from streamarena.errors import EventTooLargeError, QuotaExceededError, ScopeClosedError
from streamarena.memory import request_scope
from tests.sse.implementations import random_pieces, read, single_bytes

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "sse_cases.json").read_text("utf-8"))["cases"]


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["name"])
def test_the_events_are_the_same_and_nothing_stays_in_the_arena(implementation, case):
    data = b"".join(base64.b64decode(piece) for piece in case["chunks"])
    for longest in (2, 30, 3000):
        with request_scope() as arena:
            parser = implementation.SSEParser()
            parser.arena = arena
            events = read(parser, random_pieces(data, random.Random(longest), longest))
            assert events == [(event["event"], event["data"], event["id"], event["retry"]) for event in case["events"]]
            assert arena.stats().bytes == 0
        assert arena.stats().escaped == 0


def test_the_unfinished_line_is_in_the_arena(implementation):
    with request_scope() as arena:
        parser = implementation.SSEParser()
        parser.arena = arena
        parser.feed(b"data: a\n\ndata: unfinished")
        assert arena.stats().bytes == len(b"data: unfinished")
        (event,) = parser.feed(b" line\n\n")
        assert event.data == "unfinished line"
        assert arena.stats().bytes == 0
        assert arena.stats().total_bytes == len(b"data: unfinished")


def test_a_line_that_grows_is_moved_a_logarithmic_number_of_times(implementation):
    stream = b"data: " + b"x" * 1_000_000
    with request_scope() as arena:
        parser = implementation.SSEParser()
        parser.arena = arena
        for start in range(0, len(stream), 500):
            parser.feed(stream[start : start + 500])
        assert arena.stats().allocations < 20
        assert arena.stats().total_bytes < 6 * len(stream)
        (event,) = parser.feed(b"\n\n")
        assert event.raw_data == stream[6:]
        assert arena.stats().bytes == 0


def test_an_arena_that_is_full_ends_the_stream_after_the_events_that_came_before(implementation):
    with request_scope(quota=64) as arena:
        parser = implementation.SSEParser()
        parser.arena = arena
        assert [event.data for event in parser.feed(b"data: a\n\ndata: " + b"x" * 100)] == ["a"]
        for _ in range(2):
            with pytest.raises(QuotaExceededError):
                parser.feed(b"\n\n")
        parser.reset(keep_last_event_id=False)
        assert parser.arena is None
        assert [event.data for event in parser.feed(b"data: b\n\n")] == ["b"]


def test_the_limit_of_an_event_holds_in_the_arena_too(implementation):
    for pieces in ([b"data: " + b"x" * 100], single_bytes(b"data: " + b"x" * 100)):
        with request_scope() as arena:
            parser = implementation.SSEParser(max_event_bytes=64)
            parser.arena = arena
            with pytest.raises(EventTooLargeError):
                read(parser, pieces)
            assert arena.stats().bytes == 0


def test_a_scope_that_ended_is_an_error_and_reset_and_close_still_work(implementation):
    for end in ("close", "reset", "feed"):
        with request_scope() as arena:
            parser = implementation.SSEParser()
            parser.arena = arena
            parser.feed(b"data: unfinished line")
        if end == "close":
            assert parser.close() is True
        elif end == "feed":
            with pytest.raises(ScopeClosedError):
                parser.feed(b"\n\n")
        parser.reset(keep_last_event_id=False)
        assert [event.data for event in parser.feed(b"data: b\n\n")] == ["b"]


def test_the_arena_may_change_in_the_middle_of_a_line(implementation):
    parser = implementation.SSEParser()
    parser.feed(b"data: a")
    with request_scope() as arena:
        parser.arena = arena
        assert arena.stats().bytes == len(b"data: a")
        parser.feed(b"b")
        with request_scope() as inner:
            parser.arena = inner
            parser.feed(b"c")
            parser.arena = None
        assert arena.stats().bytes == 0
    assert [event.data for event in parser.feed(b"d\n\n")] == ["abcd"]


def test_a_reconnection_keeps_the_arena_and_another_stream_does_not(implementation):
    with request_scope() as arena:
        parser = implementation.SSEParser()
        parser.arena = arena
        parser.feed(b"data: unfinished")
        parser.reset()
        assert parser.arena is arena
        assert arena.stats().bytes == 0
        parser.feed(b"data: unfinished")
        parser.reset(keep_last_event_id=False)
        assert parser.arena is None
        assert arena.stats().bytes == 0
