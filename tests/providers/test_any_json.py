"""Whatever JSON comes, no decoder raises anything but its own error, and nothing follows an error."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamarena.errors import DecodeError
from streamarena.providers import WIRES, Accumulator, decoder_for
from tests.providers.wire import event, events_of, vector_cases

LEAVES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=4)
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)
BY_WIRE = {
    wire: [events_of(case) for _, case in vector_cases() if case["api"] == wire and not case.get("raises")]
    for wire in WIRES
}


def places(value, path=()):
    """Yield the path of every member of a JSON value."""
    yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield from places(member, (*path, key))


def put(value, path, replacement):
    """Return the value with one member replaced."""
    if not path:
        return replacement
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(value[path[0]], path[1:], replacement)
    return copy


@pytest.mark.parametrize("api", WIRES)
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_wrong_member_anywhere_never_kills_a_stream(api, data):
    events = data.draw(st.sampled_from(BY_WIRE[api]))
    number = data.draw(st.integers(0, len(events) - 1))
    try:
        body = json.loads(events[number].raw_data)
    except ValueError:
        body = {}
    path = data.draw(st.sampled_from(list(places(body))))
    changed = put(body, path, data.draw(ANYTHING))
    decoder, accumulator, ended = decoder_for(api, think_tag=None), Accumulator(api), False
    try:
        for at, original in enumerate(events):
            chunks = decoder.decode(event(changed, original.event) if at == number else original)
            assert not (ended and chunks), "chunks after an error"
            accumulator.extend(chunks)
            ended = ended or any(chunk.kind == "error" for chunk in chunks)
        accumulator.extend(decoder.finish())
    except DecodeError:
        # Only an event that is no object at all, or a stream that begins as nobody's, is refused.
        assert not isinstance(changed, dict) or number == 0 or not path
    json.dumps(accumulator.message())


@pytest.mark.parametrize("api", WIRES)
@settings(max_examples=60, deadline=None)
@given(raw=st.binary(max_size=40) | ANYTHING.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_chunks_or_a_decode_error(api, raw):
    decoder, refused = decoder_for(api), None
    try:
        decoder.decode(event(raw))
        decoder.decode(event(raw, "error"))
    except DecodeError as error:
        refused = error
    assert refused is None or refused.body in raw


@pytest.mark.parametrize("api", WIRES)
def test_deep_nesting_is_a_decode_error_or_nothing(api):
    decoder = decoder_for(api)
    with pytest.raises(DecodeError):
        decoder.decode(event(b'{"x":' * 100_000))
