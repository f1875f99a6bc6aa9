"""What the parser promises beyond the standard: limits, borrowing, counting, closing, reuse."""

from __future__ import annotations

import array
import random

import pytest

from streamarena.errors import ConfigurationError, EventTooLargeError, StreamClosedError
from streamarena.sse import ParserCounters
from tests.sse.implementations import random_pieces, read, single_bytes

MIXED = b"".join(
    [
        b"\xef\xbb\xbf: hello\r\n\r\n",
        b"id: 1\r\nevent: ping\r\ndata: {}\r\n\r\n",
        b"retry: 10\nretry: x\nunknown: y\n\n",
        b"data: a\ndata\ndata: b\n\n",
        b"id: \x002\n:\ndata: \xff\xe2\x82\n\n",
    ]
    * 3
)


def test_a_borrowed_buffer_may_be_overwritten_after_each_call(implementation):
    parser, buffer, events = implementation.SSEParser(), bytearray(16), []
    stream = b"event: long-event-name\ndata: first\ndata: second\n\ndata: third\n\n"
    for position in range(0, len(stream), 16):
        piece = stream[position : position + 16]
        buffer[: len(piece)] = piece
        with memoryview(buffer)[: len(piece)] as view:
            events += parser.feed(view)
        buffer[:] = b"\xaa" * 16
    buffer.extend(b"resizing fails while anybody holds a view")
    assert [(event.event, event.data) for event in events] == [
        ("long-event-name", "first\nsecond"),
        ("message", "third"),
    ]


@pytest.mark.parametrize(
    "wrap",
    [bytes, bytearray, memoryview, lambda raw: array.array("B", raw), lambda raw: memoryview(raw * 2)[: len(raw)]],
    ids=["bytes", "bytearray", "memoryview", "array", "slice"],
)
def test_feed_takes_any_bytes_like_object(implementation, wrap):
    parser = implementation.SSEParser()
    assert [event.data for event in parser.feed(wrap(b"data: x\n\n"))] == ["x"]


def test_feed_takes_a_view_with_steps(implementation):
    spread = bytes(byte for pair in zip(b"data: x\n\n", b"?" * 9, strict=True) for byte in pair)
    assert [event.data for event in implementation.SSEParser().feed(memoryview(spread)[::2])] == ["x"]


@pytest.mark.parametrize("wrong", ["data: x\n\n", 5, None, [1, 2]], ids=["str", "int", "None", "list"])
def test_feed_refuses_what_is_not_bytes_and_stays_usable(implementation, wrong):
    parser = implementation.SSEParser()
    with pytest.raises(TypeError):
        parser.feed(wrong)
    assert [event.data for event in parser.feed(b"data: x\n\n")] == ["x"]


def test_counters_are_the_same_however_the_bytes_are_cut(implementation):
    chance = random.Random(1)
    for pieces in ([MIXED], single_bytes(MIXED), random_pieces(MIXED, chance)):
        parser = implementation.SSEParser()
        read(parser, pieces)
        # Only the first byte order mark is dropped: the later two make their comments unknown fields.
        assert parser.counters == ParserCounters(bytes=len(MIXED), events=9, comments=4, dropped=11)


# ---------------------------------------------------------------- close and reset


@pytest.mark.parametrize(
    ("stream", "cut"),
    [
        (b"", False),
        (b"data: a\n\n", False),
        (b"data: a\r\r", False),
        (b"data: a\n\n: unfinished comment", False),
        (b"data: a\n\nunknown", False),
        (b"\xef\xbb", False),
        (b"data: a\n", True),
        (b"data: a", True),
        (b"dat", True),
        (b"id: 1\n", True),
        (b"event: x\n", True),
        (b"data: a\n\nid", True),
    ],
    ids=repr,
)
def test_close_says_whether_a_block_was_cut(implementation, stream, cut):
    for pieces in ([stream], single_bytes(stream)):
        parser = implementation.SSEParser()
        for piece in pieces:
            parser.feed(piece)
        assert parser.close() is cut
        assert parser.close() is cut


def test_nothing_can_be_fed_after_close_until_reset(implementation):
    parser = implementation.SSEParser()
    parser.close()
    with pytest.raises(StreamClosedError):
        parser.feed(b"data: x\n\n")
    parser.reset()
    assert len(parser.feed(b"data: x\n\n")) == 1


def test_reset_for_a_reconnection_keeps_id_retry_and_counters(implementation):
    parser = implementation.SSEParser()
    parser.feed(b"id: 7\nretry: 5\ndata: x\n\nid: 8\ndata: unfinished")
    parser.reset()
    assert (parser.last_event_id, parser.retry, parser.counters.events) == ("7", 5, 1)
    assert read(parser, [b"\xef\xbb\xbfdata: y\n\n"]) == [("message", "y", "7", None)]


def test_reset_for_another_stream_forgets_everything(implementation):
    parser = implementation.SSEParser()
    parser.feed(b"id: 7\nretry: 5\ndata: x\n\nid: 8\ndata: unfinished\r")
    parser.reset(keep_last_event_id=False)
    assert (parser.last_event_id, parser.retry, parser.counters) == ("", None, (0, 0, 0, 0))
    assert read(parser, [b"\n", b"data: y\n\n"]) == [("message", "y", "", None)]


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize(
    "stream",
    [
        b"data: " + b"x" * 100 + b"\n\n",
        b"data: xxxxxxx\n" * 10 + b"\n",
        b"data\n" * 30 + b"\n",
        b"event: " + b"x" * 100 + b"\n\n",
        b"id: " + b"x" * 100 + b"\n\n",
        b"retry: " + b"1" * 100 + b"\n\n",
        b"data: " + b"x" * 100,
        b"data: x\nevent: " + b"y" * 50 + b"\ndata: " + b"x" * 50 + b"\n\n",
    ],
    ids=["line", "lines", "empty-lines", "event", "id", "retry", "unfinished", "sum"],
)
def test_an_event_over_the_limit_ends_the_stream_however_it_is_cut(implementation, stream):
    chance = random.Random(3)
    for pieces in ([stream], single_bytes(stream), random_pieces(stream, chance)):
        parser = implementation.SSEParser(max_event_bytes=64)
        with pytest.raises(EventTooLargeError) as caught:
            read(parser, pieces)
        assert caught.value.limit == 64
        assert caught.value.seen > 64
        assert caught.value.setting == "max_event_bytes"
        with pytest.raises(EventTooLargeError):
            parser.feed(b"data: x\n\n")
        with pytest.raises(EventTooLargeError):
            parser.close()
        parser.reset()
        assert [event.data for event in parser.feed(b"data: x\n\n")] == ["x"]


@pytest.mark.parametrize(
    "stream",
    [
        b"data: " + b"x" * 58 + b"\n\n",
        b"data: xxxxxxxx\ndata: xxxxxxxx\ndata: " + b"x" * 28 + b"\n\n",
        b": " + b"x" * 1000 + b"\ndata: x\n\n",
        b"unknown: " + b"x" * 1000 + b"\ndata: x\n\n",
        b"data: x\n\n" * 100,
        b"data: " + b"x" * 52 + b"\nunknown: " + b"y" * 100 + b"\n\n",
    ],
    ids=["line", "lines", "comment", "unknown", "many", "unknown-after-data"],
)
def test_what_is_within_the_limit_or_dropped_is_not_counted(implementation, stream):
    chance = random.Random(4)
    whole = read(implementation.SSEParser(), [stream])
    assert whole
    for pieces in ([stream], single_bytes(stream), random_pieces(stream, chance)):
        assert read(implementation.SSEParser(max_event_bytes=64), pieces) == whole


def test_events_before_the_one_that_is_too_large_are_delivered(implementation):
    parser = implementation.SSEParser(max_event_bytes=64)
    events = parser.feed(b"data: a\n\ndata: b\n\ndata: " + b"x" * 100 + b"\n\ndata: c\n\n")
    assert [event.data for event in events] == ["a", "b"]
    with pytest.raises(EventTooLargeError):
        parser.feed(b"")


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_that_admits_nothing_is_refused(implementation, limit):
    with pytest.raises(ConfigurationError):
        implementation.SSEParser(max_event_bytes=limit)


@pytest.mark.parametrize(
    ("value", "retry"),
    [("1" * 640, int("1" * 640)), ("1" * 641, None), ("0" * 5000 + "7", 7)],
    ids=["640-digits", "641-digits", "leading-zeros"],
)
def test_retry_has_as_many_digits_as_any_interpreter_converts(implementation, value, retry):
    parser = implementation.SSEParser()
    parser.feed(f"retry: {value}\n".encode())
    assert parser.retry == retry


# ---------------------------------------------------------------- comments


@pytest.mark.parametrize("cut", ["whole", "bytes"])
def test_comments_are_reported_when_asked_for(implementation, cut):
    comments = []
    parser = implementation.SSEParser(on_comment=comments.append)
    stream = b": OPENROUTER PROCESSING\n\n:\n:a: b\ndata: x\n:  two\xff\n\n"
    events = read(parser, [stream] if cut == "whole" else single_bytes(stream))
    assert comments == ["OPENROUTER PROCESSING", "", "a: b", " two\ufffd"]
    assert events == [("message", "x", "", None)]


def test_a_comment_that_is_asked_for_has_the_limit_of_an_event(implementation):
    for pieces in ([b":" + b"x" * 100 + b"\n"], single_bytes(b":" + b"x" * 100)):
        parser = implementation.SSEParser(max_event_bytes=64, on_comment=lambda text: None)
        with pytest.raises(EventTooLargeError):
            read(parser, pieces)


def test_an_error_in_the_comment_callback_passes_and_leaves_the_parser_usable(implementation):
    def complain(text):
        raise ValueError(text)

    parser = implementation.SSEParser(on_comment=complain)
    with pytest.raises(ValueError, match="hello"):
        parser.feed(b": hello\ndata: a")
    assert [event.data for event in parser.feed(b"b\n\n")] == ["ab"]


def test_the_comment_callback_may_feed_the_parser(implementation):
    inner = []

    def feed_more(text):
        inner.extend(parser.feed(b"data: inner\n\n") if text == "go" else [])

    parser = implementation.SSEParser(on_comment=feed_more)
    outer = parser.feed(b"data: outer\n\n: go\n\n")
    assert [event.data for event in outer + inner] == ["outer", "inner"]


@pytest.mark.parametrize("line", [b"data: : keepalive", b"data::keepalive", b"data: :"])
def test_lenient_takes_a_comment_wrapped_as_data_for_a_comment(implementation, line):
    stream = line + b"\n\ndata: x\n" + line + b"\ndata: y\n\n"
    for pieces in (lambda: [stream], lambda: single_bytes(stream)):
        comments = []
        lenient = implementation.SSEParser(lenient=True, on_comment=comments.append)
        assert read(lenient, pieces()) == [("message", "x\ny", "", None)]
        assert comments == [line.partition(b":")[2].strip()[1:].decode().strip()] * 2
        quiet = implementation.SSEParser(lenient=True)
        assert read(quiet, pieces()) == [("message", "x\ny", "", None)]
        assert quiet.counters.comments == 2
        assert len(read(implementation.SSEParser(), pieces())) == 2
