"""The event record: lazy text, JSON typed and untyped, value semantics."""

from __future__ import annotations

import copy
import pickle

import msgspec
import orjson
import pytest


class Delta(msgspec.Struct):
    text: str
    index: int = 0


def test_defaults_are_those_of_the_standard(implementation):
    event = implementation.ServerSentEvent()
    assert (event.raw_data, event.data, event.event, event.id, event.retry) == (b"", "", "message", "", None)


def test_text_replaces_what_is_not_utf8(implementation):
    event = implementation.ServerSentEvent(b"a\xffb\xe2\x82")
    assert event.data == "a\ufffdb\ufffd"
    assert event.raw_data == b"a\xffb\xe2\x82"


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'{"text": "x"}', {"text": "x"}),
        (b"[1, 2.5, null]", [1, 2.5, None]),
        (b'"caf\xc3\xa9"', "caf\u00e9"),
        (b'"caf\xe9"', "caf\ufffd"),
    ],
    ids=["object", "array", "utf8", "latin1"],
)
def test_untyped_json(implementation, raw, value):
    assert implementation.ServerSentEvent(raw).json() == value


def test_typed_json_gives_the_type(implementation):
    assert implementation.ServerSentEvent(b'{"text": "x", "more": 1}').json(Delta) == Delta("x")
    assert implementation.ServerSentEvent(b"[1, 2]").json(list[int]) == [1, 2]
    assert implementation.ServerSentEvent(b"[1]").json(type=list[int]) == [1]


def test_data_that_is_not_json_is_an_error_with_its_place(implementation):
    with pytest.raises(orjson.JSONDecodeError, match="line 1"):
        implementation.ServerSentEvent(b"[DONE]").json()
    with pytest.raises(msgspec.DecodeError):
        implementation.ServerSentEvent(b"[DONE]").json(Delta)
    with pytest.raises(msgspec.ValidationError):
        implementation.ServerSentEvent(b'{"text": 1}').json(Delta)


def test_events_are_values(implementation):
    make = implementation.ServerSentEvent
    event = make(b"x", "ping", "1", 5)
    assert event == make(raw_data=b"x", event="ping", id="1", retry=5)
    assert hash(event) == hash(make(b"x", "ping", "1", 5))
    for other in ((b"y", "ping", "1", 5), (b"x", "pong", "1", 5), (b"x", "ping", "2", 5), (b"x", "ping", "1", None)):
        assert event != make(*other)
    assert event != b"x"
    for again in (pickle.loads(pickle.dumps(event)), copy.copy(event), copy.deepcopy(event)):
        assert again == event
        assert type(again) is type(event)
    assert repr(event) == "ServerSentEvent(raw_data=b'x', event='ping', id='1', retry=5)"


@pytest.mark.parametrize("name", ["raw_data", "event", "id", "retry", "data"])
def test_events_cannot_be_changed(implementation, name):
    event = implementation.ServerSentEvent(b"x")
    with pytest.raises((AttributeError, TypeError)):
        setattr(event, name, "y")


@pytest.mark.parametrize("wrong", [1, "x", None], ids=repr)
def test_data_of_the_wrong_type_is_refused_at_the_latest_when_it_is_read(implementation, wrong):
    with pytest.raises((TypeError, AttributeError)):
        _ = implementation.ServerSentEvent(wrong).data
