"""Bodies become events by their content type and first bytes, however they are cut, and within limits."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamarena.errors import (
    ConfigurationError,
    DecodeError,
    EventTooLargeError,
    MissingExtraError,
    StreamClosedError,
    UnexpectedContentError,
)
from streamarena.providers import LineFramer, eventstream, framer_for, framing_of, last_events
from streamarena.providers.eventstream import EventStreamFramer
from streamarena.sse import SSEParser


def message(payload, **headers):
    """Build one binary message after Amazon's description of the encoding; header values are strings (type 7)."""
    head = b"".join(
        bytes([len(name)]) + name + b"\x07" + struct.pack(">H", len(value)) + value
        for name, value in ((f":{key.replace('_', '-')}".encode(), text.encode()) for key, text in headers.items())
    )
    lengths = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    body = lengths + struct.pack(">I", zlib.crc32(lengths)) + head + payload
    return body + struct.pack(">I", zlib.crc32(body))


BINARY = message(b"{}", message_type="event", event_type="messageStart")


@pytest.mark.parametrize(
    ("content_type", "first_bytes", "api", "framing"),
    [
        pytest.param("text/event-stream; charset=utf-8", b"", None, "sse", id="sse-by-type"),
        pytest.param("TEXT/Event-Stream", b'data: {"a"', None, "sse", id="type-without-case"),
        pytest.param(None, b"data: x", None, "sse", id="sse-by-bytes"),
        pytest.param("text/plain", b": hello\n", None, "sse", id="comment-first"),
        pytest.param(None, b"\xef\xbb\xbfdata", None, "sse", id="byte-order-mark-first"),
        pytest.param(None, b"\r\n\r\nevent: x", None, "sse", id="blank-lines-first"),
        pytest.param(None, b"", None, "sse", id="nothing-known"),
        pytest.param(None, b"", "ollama", "ndjson", id="nothing-known-but-the-api"),
        pytest.param("application/x-ndjson", b'{"model"', None, "ndjson", id="ndjson-by-type"),
        pytest.param("application/json", b'{"model"', "ollama", "ndjson", id="ollama-behind-a-proxy"),
        pytest.param("application/vnd.amazon.eventstream", b"", None, "eventstream", id="binary-by-type"),
        pytest.param("application/octet-stream", BINARY, None, "eventstream", id="binary-by-checksum"),
    ],
)
def test_framing_is_decided_by_type_and_first_bytes(content_type, first_bytes, api, framing):
    assert framing_of(content_type, first_bytes, api) == framing


@pytest.mark.parametrize(
    ("content_type", "first_bytes", "seen"),
    [
        pytest.param("text/html; charset=utf-8", b"<!doctype html>", "markup", id="page"),
        pytest.param("text/html", b"", "markup", id="page-not-read-yet"),
        pytest.param("text/event-stream", b"<html>", "markup", id="page-with-a-false-label"),
        pytest.param("application/json", b'{"error": "no"}', "one JSON value", id="json-body"),
        pytest.param("text/event-stream", b'{"error": "no"}', "one JSON value", id="json-with-a-false-label"),
        pytest.param("application/json", b'[{"candidates"', "alt=sse", id="gemini-without-alt-sse"),
        pytest.param(None, b"upstream timed out", "neither", id="plain-words"),
    ],
)
def test_what_is_no_stream_is_refused_and_shown(content_type, first_bytes, seen):
    with pytest.raises(UnexpectedContentError, match=seen) as caught:
        framer_for(content_type, first_bytes)
    assert caught.value.body == first_bytes


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("text/event-stream", SSEParser),
        ("application/x-ndjson", LineFramer),
        ("application/vnd.amazon.eventstream", EventStreamFramer),
    ],
)
def test_framer_fits_the_framing_and_has_the_limit(content_type, kind):
    framer = framer_for(content_type, max_event_bytes=64)
    assert isinstance(framer, kind)
    oversize = message(b"x" * 200) if kind is EventStreamFramer else b"data: " + b"x" * 200
    with pytest.raises(EventTooLargeError):
        framer.feed(oversize)


BODIES = {
    "ndjson": (
        LineFramer,
        b'{"a":1}\r\n\n  \n{"b":"\xc3\xa9"}\n{"c":3}',
        [("message", b'{"a":1}'), ("message", '{"b":"é"}'.encode()), ("message", b'{"c":3}')],
    ),
    "eventstream": (
        lambda: framer_for("application/vnd.amazon.eventstream"),
        message(b'{"p":1}', message_type="event", event_type="contentBlockDelta")
        + message(b'{"message":"slow down"}', message_type="exception", exception_type="throttlingException")
        + message(b"", message_type="error", error_code="500", error_message="broke"),
        [
            ("contentBlockDelta", b'{"p":1}'),
            ("throttlingException", b'{"message":"slow down"}'),
            ("error", b'{"message":"broke","code":"500"}'),
        ],
    ),
}


@pytest.mark.parametrize("name", BODIES)
@settings(max_examples=50)
@given(cuts=st.lists(st.integers(0, 400), max_size=12))
def test_the_cut_never_matters(name, cuts):
    make, body, expected = BODIES[name]
    framer, seen, start = make(), [], 0
    for stop in [*sorted(min(cut, len(body)) for cut in cuts), len(body)]:
        seen += framer.feed(bytearray(body[start:stop]))
        start = stop
    seen += last_events(framer)
    assert [(event.event, event.raw_data) for event in seen] == expected
    assert framer.close() is False


@pytest.mark.parametrize("name", BODIES)
def test_a_cut_event_is_told_and_dropped(name):
    make, body, _ = BODIES[name]
    framer = make()
    framer.feed(body[:-2])
    assert framer.close() is True
    with pytest.raises(StreamClosedError):
        framer.feed(b"x")
    framer.reset()
    assert [event.raw_data for event in framer.feed(body)]


def test_lines_before_one_that_is_too_large_are_delivered_first():
    framer = LineFramer(max_event_bytes=8)
    assert [event.raw_data for event in framer.feed(b'{"a":1}\n{"much":"longer"}\n')] == [b'{"a":1}']
    for _ in range(2):
        with pytest.raises(EventTooLargeError) as caught:
            framer.feed(b"\n")
    assert caught.value.setting == "max_event_bytes"


def test_a_line_in_many_pieces_is_joined_once():
    framer = LineFramer()
    for _ in range(20_000):
        assert framer.feed(b"x" * 10) == []
    [event] = framer.feed(b"\n")
    assert len(event.raw_data) == 200_000


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda body: b"\x01" + body[1:], id="length"),
        pytest.param(lambda body: body[:-6] + b"\xff" + body[-5:], id="payload"),
        pytest.param(lambda body: b"HTTP/1.1 502 Bad Gateway", id="no-message"),
    ],
)
def test_damaged_binary_messages_are_an_error_after_the_good_ones(damage):
    good = message(b'{"p":1}', message_type="event", event_type="messageStart")
    framer = framer_for("application/vnd.amazon.eventstream")
    assert len(framer.feed(good + damage(good))) == 1
    with pytest.raises(DecodeError):
        framer.feed(b"")


def test_without_botocore_the_extra_is_named(monkeypatch):
    def refuse(name):
        raise ImportError(name)

    monkeypatch.setattr(eventstream.importlib, "import_module", refuse)
    with pytest.raises(MissingExtraError, match=r"streamarena\[bedrock\]"):
        framer_for("application/vnd.amazon.eventstream")


def test_a_limit_of_nothing_is_refused():
    with pytest.raises(ConfigurationError):
        LineFramer(max_event_bytes=0)
