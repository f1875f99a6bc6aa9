"""The tap reads every wire however it is cut, keeps what is worth knowing, and never harms what passes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamarena.errors import BodyTooLargeError, ConfigurationError, TooManyEventsError
from streamarena.memory import MemoryManager, default_manager, request_scope
from streamarena.relay import tap
from streamarena.relay.limits import StreamLimits
from streamarena.relay.tap import StreamTap
from tests.relay.streams import APIS, content_type, cut, stream_of
from tests.sse.implementations import BOTH

SSE = "text/event-stream; charset=utf-8"


@pytest.fixture(autouse=True, scope="module", params=BOTH)
def parser(request):
    """Every test reads with either twin of the parser."""
    kept, tap.SSEParser = tap.SSEParser, request.param.SSEParser
    default_manager().request_pool.clear()
    yield
    tap.SSEParser = kept
    default_manager().request_pool.clear()


def read(pieces: list[bytes], kind: str = SSE, **options: object) -> StreamTap:
    """A tap that has read these pieces to their end."""
    with request_scope() as arena:
        watched = StreamTap(kind, arena, **options)
        for piece in pieces:
            watched.feed(piece)
        watched.finish()
    return watched


@pytest.mark.parametrize("known", [True, False], ids=["api given", "api detected"])
@pytest.mark.parametrize("api", APIS)
def test_every_wire_is_read(api, known):
    seen = read(stream_of(api), content_type(api), api=api if known else None).summary()
    assert (seen.api, seen.finish_reason, seen.complete, seen.problems) == (api, "stop", True, 0)
    assert (seen.usage.input_tokens, seen.usage.output_tokens) == (7, 5)
    assert seen.bytes == len(b"".join(stream_of(api)))
    assert seen.model in {"m-1", None}
    assert seen.gaps.count == 4
    assert 0 <= seen.first_event_seconds <= seen.first_content_seconds <= seen.seconds


@given(st.sampled_from(APIS), st.lists(st.integers(0, 10_000), max_size=20), st.booleans())
def test_cuts_do_not_matter(api, places, as_view):
    body = b"".join(stream_of(api))
    pieces = cut(body, places)
    whole = read([body], content_type(api)).summary()
    seen = read([memoryview(p) if as_view else p for p in pieces], content_type(api)).summary()
    same = ("api", "model", "bytes", "events", "usage", "finish_reason", "complete", "problems")
    assert [getattr(seen, name) for name in same] == [getattr(whole, name) for name in same]


def test_a_role_only_chunk_is_no_content():
    start = b'data: {"id":"1","choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n'
    seen = read([start])
    assert (seen.events, seen.first_content_at, seen.api) == (1, None, "openai-chat")


def test_an_error_inside_the_stream_is_kept():
    seen = read([b'data: {"error":{"message":"no","type":"server_error","code":"x"}}\n\n'], api="openai-chat")
    assert (seen.error.message, seen.error.type, seen.error.code) == ("no", "server_error", "x")


@pytest.mark.parametrize(
    ("body", "boundary"),
    [
        (b"", True),
        (b"data: x", False),
        (b"data: x\n", False),
        (b"data: x\r\n", False),
        (b"data: x\r", False),
        (b"data: x\n\n", True),
        (b"data: x\r\n\r\n", True),
        (b"data: x\r\r", True),
        (b"data: x\r\n\r", True),
        (b"data: x\n\r\n", True),
        (b"data: x\r\r\n", True),
        (b"data: x\n\nd", False),
        (b": ping\n\n", True),
        (b"\n", True),
    ],
)
def test_boundaries_are_known_whatever_the_line_ends_and_cuts(body, boundary):
    for size in (1, 2, 3, len(body) or 1):
        assert read([body[i : i + size] for i in range(0, len(body), size)]).at_boundary is boundary


def test_a_line_is_a_boundary_of_ndjson():
    assert read([b'{"a":1}\n'], "application/x-ndjson").at_boundary
    assert not read([b'{"a":1}'], "application/x-ndjson").at_boundary


@pytest.mark.parametrize(
    ("pieces", "kind"),
    [
        ([b"<html>", b"</html>"], SSE),
        ([b'{"a": 1}'], SSE),
        ([b"data: {broken\n\n"] * 40, SSE),
        ([b"data: [1]\n\n"] * 40, SSE),
        ([b"not json\n"] * 40, "application/x-ndjson"),
    ],
    ids=["page", "json", "broken json", "array", "noisy lines"],
)
def test_what_cannot_be_read_is_counted_and_harms_nothing(pieces, kind):
    seen = read(pieces, kind, api="openai-chat").summary()
    assert seen.bytes == sum(map(len, pieces))
    assert seen.problems > 0
    assert seen.first_problem
    assert seen.first_content_seconds is not None


def test_an_event_of_a_wire_that_nobody_knows_is_content():
    seen = read([b"data: tick\n\n"] * 20 + [b"data:\n\n"]).summary()
    assert (seen.api, seen.complete, seen.problems, seen.events, seen.gaps.count) == (None, None, 0, 21, 19)


def test_an_event_too_large_to_hold_makes_the_tap_blind_and_nothing_else():
    pieces = [b"data: " + b"x" * 50, b"y" * 100, b"\n\n"]
    seen = read(pieces, limits=StreamLimits(event_bytes=100)).summary()
    assert (seen.blind, seen.bytes, seen.first_problem) == (True, 158, "EventTooLargeError")


def test_limits_are_named():
    with pytest.raises(BodyTooLargeError, match=r"StreamLimits\.stream_bytes"):
        read([b"data: 1\n\n"] * 3, limits=StreamLimits(stream_bytes=20))
    with pytest.raises(TooManyEventsError, match=r"StreamLimits\.events"):
        read([b"data: 1\n\n"] * 3, limits=StreamLimits(events=2))


@pytest.mark.parametrize("name", ["stream_bytes", "events", "event_bytes"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "9"])
def test_wrong_limits_are_refused(name, value):
    with pytest.raises(ConfigurationError, match=name):
        StreamLimits(**{name: value})


def test_what_was_leased_goes_back_also_after_a_break_inside_an_event():
    manager = MemoryManager()
    for _ in range(50):
        with manager.request_scope() as arena:
            watched = StreamTap(SSE, arena, manager=manager)
            watched.feed(stream_of("openai-chat")[0])
            watched.feed(b'data: {"cho')
    stats = manager.stats()
    assert stats.outstanding == 0
    assert sum(pool.misses for pool in stats.pools) == 2
