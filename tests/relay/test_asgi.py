"""Header fields: one of a name and never two, and what keeps proxies from holding a stream back."""

from __future__ import annotations

import pytest

from streamarena.relay.asgi import field, media_type, replaced, stream_headers, without

FIELDS = [(b"Content-Type", b"Text/Event-Stream; charset=utf-8"), (b"x", b"1"), (b"X", b"2")]


def test_names_are_compared_without_case():
    assert field(FIELDS, b"x") == "1"
    assert field(FIELDS, b"y") is None
    assert media_type(FIELDS) == "text/event-stream"
    assert without(FIELDS, b"x") == FIELDS[:1]


def test_a_replaced_field_is_there_once():
    assert replaced(FIELDS, b"x", "3") == [*FIELDS[:1], (b"x", b"3")]
    assert len(FIELDS) == 3


def test_a_value_cannot_become_a_field_of_its_own():
    assert replaced([], b"x", "a\r\nset-cookie: b\0") == [(b"x", b"a  set-cookie: b ")]
    assert replaced([], b"x", "é€") == [(b"x", b"\xe9?")]


@pytest.mark.parametrize(
    ("said", "becomes"),
    [
        ([], "no-cache, no-transform"),
        (["no-store"], "no-store, no-cache, no-transform"),
        (["No-Cache"], "No-Cache, no-transform"),
        (["private", "max-age=3"], "private, no-cache, no-transform"),
    ],
    ids=["none", "other", "same", "two fields"],
)
def test_cache_control_keeps_its_directives(said, becomes):
    fields = stream_headers([(b"cache-control", value.encode()) for value in said])
    assert [value.decode() for name, value in fields if name == b"cache-control"] == [becomes]


def test_a_stream_has_no_length_and_is_not_buffered():
    fields = stream_headers([(b"Content-Length", b"9"), (b"X-Accel-Buffering", b"yes")])
    assert field(fields, b"content-length") is None
    assert [value for name, value in fields if name.lower() == b"x-accel-buffering"] == [b"no"]
