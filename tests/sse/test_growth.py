"""Time grows with the bytes fed and no faster; memory does not grow with what is thrown away."""

from __future__ import annotations

import time
import tracemalloc

import pytest

PIECE = 4096


def comment_lines(size):
    return b": keep-alive, but never a blank line\n" * (size // 37)


def data_lines(size):
    return b"data: x\n" * (size // 8)


def one_line(size):
    return b"data: " + b"x" * size


def one_comment(size):
    return b":" + b"x" * size


def blank_lines(size):
    return b"\r\n" * (size // 2)


def small_events(size):
    return b"data: x\n\n" * (size // 9)


SHAPES = [comment_lines, data_lines, one_line, one_comment, blank_lines, small_events]


def feed_all(parser, stream, piece=PIECE):
    view = memoryview(stream)
    return sum(len(parser.feed(view[start : start + piece])) for start in range(0, len(view), piece))


def cpu_seconds(parser, stream, piece):
    best = float("inf")
    for _ in range(3):
        parser.reset(keep_last_event_id=False)
        start = time.process_time()
        feed_all(parser, stream, piece)
        best = min(best, time.process_time() - start)
    return best


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
@pytest.mark.parametrize(
    ("piece", "small", "large"), [(4096, 500_000, 8_000_000), (7, 20_000, 320_000)], ids=["4k", "7"]
)
def test_sixteen_times_the_bytes_take_about_sixteen_times_the_work(implementation, shape, piece, small, large):
    parser = implementation.SSEParser()
    # A parser that copies its tail at each piece would be at 256: the bound leaves a factor of four for a busy machine.
    for _ in range(5):
        ratio = cpu_seconds(parser, shape(large), piece) / max(cpu_seconds(parser, shape(small), piece), 0.0005)
        if ratio < 64:
            return
    pytest.fail(f"{ratio:.0f} times the work for 16 times the bytes")


@pytest.mark.parametrize("shape", [comment_lines, one_comment, blank_lines], ids=lambda shape: shape.__name__)
def test_what_is_thrown_away_takes_no_memory(implementation, shape):
    stream = shape(2_000_000)
    parser = implementation.SSEParser()
    tracemalloc.start()
    try:
        assert feed_all(parser, stream) == 0
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 32 * PIECE


def test_a_long_line_is_held_about_once(implementation):
    stream = one_line(4_000_000)
    parser = implementation.SSEParser()
    tracemalloc.start()
    try:
        feed_all(parser, stream)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(stream) <= held < 2.1 * len(stream)
    assert peak < 4 * len(stream)
    parser.reset(keep_last_event_id=False)
    assert parser.feed(b"data: x\n\n")[0].data == "x"


def test_a_large_event_is_whole(implementation):
    parser = implementation.SSEParser()
    assert feed_all(parser, one_line(8_000_000)) == 0
    (event,) = parser.feed(b"\n\n")
    assert event.raw_data == b"x" * 8_000_000
