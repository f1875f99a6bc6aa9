"""Both implementations agree on generated streams, at every cut that hypothesis can think of."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import sse_agreement

NAMES = [b"data", b"event", b"id", b"retry", b"unknown", b"Data", b"dat", b"datax", b":", b": ", b" ", b"\0", b"007"]
LINE_ENDS = [b"\n", b"\n\n", b"\r", b"\r\n", b"\r\r", b"\n\r"]
LINES = [b"data: {}\n\n", b"event: x\ndata: y\n\n", b"data: : keep\n", b"data::\n", b"id: 1\n", b"retry: 5\n", b": c\n"]
BYTES = [b"\xef", b"\xef\xbb", b"\xef\xbb\xbf", b"\xff", b"\xe2\x80\xa8", b"\xc2\x85", b"\x0b\x0c", b"x" * 30]
PARTS = st.sampled_from(NAMES + LINE_ENDS + LINES + BYTES) | st.binary(max_size=6)
STREAMS = st.lists(PARTS, max_size=25).map(b"".join)


@settings(max_examples=1500, deadline=None)
@given(flags=st.integers(0, 31), seed=st.integers(0, 255), stream=STREAMS)
def test_same_outcome_on_both_parsers_at_any_cut(flags, seed, stream):
    sse_agreement.check(bytes([flags, seed]) + stream)


@settings(max_examples=1000, deadline=None)
@given(stream=STREAMS, places=st.lists(st.integers(0, 400), max_size=12), flags=st.integers(0, 31))
def test_same_outcome_at_cuts_that_are_drawn_with_the_stream(stream, places, flags):
    options = {
        "max_event_bytes": sse_agreement.LIMITS[flags & 7],
        "lenient": bool(flags & 8),
        "comments": bool(flags & 16),
    }
    edges = sorted({min(place, len(stream)) for place in places} | {0, len(stream)})
    pieces = [stream[start:stop] for start, stop in pairwise(edges)]
    expected = sse_agreement.outcome(sse_agreement.PYTHON, [stream], **options)
    for implementation in sse_agreement.IMPLEMENTATIONS:
        assert sse_agreement.outcome(implementation, pieces, **options) == expected
