"""JSON that is still coming has a value at every point, the same at any cut, and is exact at its end."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamarena.providers.partial_json import PartialJSON

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def parsed(text, size):
    parser = PartialJSON()
    for start in range(0, len(text), size):
        parser.feed(text[start : start + size])
        _ = parser.value  # reading in between must not matter
    return parser


@settings(max_examples=150)
@given(value=VALUES, ascii_only=st.booleans(), indent=st.sampled_from([None, 1]), size=st.integers(1, 9))
def test_a_whole_text_is_its_value_at_any_cut(value, ascii_only, indent, size):
    text = json.dumps([value], ensure_ascii=ascii_only, indent=indent)
    parser = parsed(text, size)
    assert parser.malformed is None
    assert parser.complete
    assert parser.value == json.loads(text)


def grows(before, after):
    """Tell whether one value can be the beginning of another."""
    if isinstance(before, dict) and isinstance(after, dict):
        return all(key in after and grows(part, after[key]) for key, part in before.items())
    if isinstance(before, list) and isinstance(after, list):
        return len(before) <= len(after) and all(grows(a, b) for a, b in zip(before, after, strict=False))
    if isinstance(before, str) and isinstance(after, str):
        return after.startswith(before.removesuffix("\ufffd"))
    if isinstance(before, (int, float)) and isinstance(after, (int, float)) and not isinstance(after, bool):
        return True  # digits may follow, and an exponent
    return before == after


@settings(max_examples=100)
@given(value=VALUES)
def test_what_was_shown_only_grows(value):
    parser, before = PartialJSON(), []
    for char in json.dumps([value]):
        parser.feed(char)
        now = copy.deepcopy(parser.value)
        assert grows(before, now), (before, now)
        before = now


@settings(max_examples=300)
@given(text=st.text(alphabet="{}[]:,\"\\ \n0123-.eEtrufalsn'x", max_size=14), size=st.integers(1, 5))
def test_it_agrees_with_the_standard_library_on_what_is_json(text, size):
    parser = parsed(text + " ", size)
    try:
        expected = json.loads(text, strict=False)
    except ValueError:
        assert not parser.complete
    else:
        assert parser.malformed is None
        assert parser.complete
        assert parser.value == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("{", {}),
        ('{"a', {}),
        ('{"a"', {}),
        ('{"a":', {}),
        ('{"a": "x', {"a": "x"}),
        ('{"a": "x\\', {"a": "x"}),
        ('{"a": "x\\u00', {"a": "x"}),
        ('{"a": "x\\ud83d', {"a": "x"}),
        ('{"a": "x\\ud83d"', {"a": "x\ufffd"}),
        ('{"a": "\\ud83d\\ude00', {"a": "😀"}),
        ('{"a": "\\ude00', {"a": "\ufffd"}),
        ('{"a": t', {"a": True}),
        ('{"a": nul', {"a": None}),
        ('{"a": -', {}),
        ('{"a": 1', {"a": 1}),
        ('{"a": 1.', {"a": 1}),
        ('{"a": 1.5e', {"a": 1.5}),
        ('{"a": [1, 2', {"a": [1, 2]}),
        ('{"a": [1,', {"a": [1]}),
        ('{"a": ["x", "y', {"a": ["x", "y"]}),
        ('{"a": [[], {"b": f', {"a": [[], {"b": False}]}),
        ('{"a": 1, "a": 2', {"a": 2}),
        ('"raw\nline', "raw\nline"),
    ],
)
@pytest.mark.parametrize("size", [1, 100])
def test_what_has_come_so_far(text, value, size):
    parser = parsed(text, size)
    assert parser.malformed is None
    assert not parser.complete
    assert parser.value == value


@pytest.mark.parametrize(
    ("text", "value", "place"),
    [
        ('{"a": 1, }', {"a": 1}, 9),
        ("[1 2]", [1], 3),
        ('{"a": 01}', {}, 8),
        ('{"a": nope}', {}, 10),
        ('{"a": "\\x"}', {"a": ""}, 8),
        ('{"a": "\\uzzzz"}', {"a": ""}, 12),
        ("[1}", [1], 2),
        ("] ", None, 0),
        ("{} x", {}, 3),
        ("[@]", [], 1),
        ("[1, 2x]", [1], 6),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_malformed_text_keeps_the_last_good_value(text, value, place, size):
    parser = parsed(text, size)
    assert f"character {place})" in parser.malformed
    assert parser.value == value
    assert not parser.complete
    parser.feed("[1, 2, 3]")
    assert parser.value == value


def test_depth_and_digits_are_limited():
    deep = PartialJSON(max_depth=3)
    deep.feed("[[[[")
    assert "max_depth" in deep.malformed
    assert deep.value == [[[]]]
    long = PartialJSON()
    long.feed("[" + "1" * 5000 + "]")
    assert long.malformed is not None


def test_every_character_is_looked_at_once():
    parser = PartialJSON()
    parser.feed('{"a": "')
    for _ in range(200_000):
        parser.feed("abcdefgh")
    assert len(parser._pieces) == 200_000  # one append a piece, and no joining on the way
    parser.feed('"}')
    assert parser.complete
    assert len(parser.value["a"]) == 1_600_000
