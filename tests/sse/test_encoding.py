"""What is encoded is read back the same, and no value can leave its field."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamarena.errors import InvalidFieldError, StreamArenaError
from streamarena.sse import SSEParser, encode_comment, encode_event

one_line = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=20)


@pytest.mark.parametrize(
    ("arguments", "options", "wire"),
    [
        (("hello",), {}, b"data: hello\n\n"),
        ((b"hello",), {}, b"data: hello\n\n"),
        ((memoryview(b"hello"),), {}, b"data: hello\n\n"),
        (("",), {}, b"data: \n\n"),
        ((), {}, b"\n"),
        ((), {"retry": 5, "id": "1"}, b"id: 1\nretry: 5\n\n"),
        (("a",), {"event": "ping", "id": "1", "retry": 0}, b"event: ping\nid: 1\nretry: 0\ndata: a\n\n"),
        (("a\nb\r\nc\rd\n",), {}, b"data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"),
        (("x\ud83d\ude00y\ud83d",), {}, "data: x\U0001f600y\ufffd\n\n".encode()),
    ],
    ids=["str", "bytes", "view", "empty", "none", "no-data", "all", "line-ends", "surrogates"],
)
def test_wire_form(arguments, options, wire):
    assert encode_event(*arguments, **options) == wire


@pytest.mark.parametrize(
    "options",
    [{"event": "a\ndata: b"}, {"event": "a\r"}, {"id": "1\n"}, {"id": "1\r"}, {"id": "1\0"}, {"retry": -1}],
    ids=repr,
)
def test_a_value_that_would_leave_its_field_is_refused(options):
    with pytest.raises(InvalidFieldError) as caught:
        encode_event("x", **options)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, StreamArenaError)
    assert caught.value.field == next(iter(options))


@given(
    data=st.one_of(st.text(), st.binary()),
    event=st.none() | one_line,
    event_id=st.none() | one_line,
    retry=st.none() | st.integers(0, 2**70),
)
def test_reading_back_gives_the_same_with_line_ends_as_lf(data, event, event_id, retry):
    parser = SSEParser()
    (read,) = parser.feed(encode_event(data, event=event, id=event_id, retry=retry))
    whole = isinstance(data, bytes)
    raw = data if whole else data.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
    assert read.raw_data == raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert (read.event, read.id, read.retry) == (event or "message", event_id or "", retry)
    assert parser.close() is False


@pytest.mark.parametrize("text", ["", "hello", "two\nlines\r\nthree", "data: x\n\ndata: y"])
def test_a_comment_dispatches_nothing_and_is_read_as_it_was_written(text):
    comments = []
    parser = SSEParser(on_comment=comments.append)
    assert parser.feed(encode_comment(text)) == []
    assert "\n".join(comments) == text.replace("\r\n", "\n")
