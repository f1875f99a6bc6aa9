"""Output limits: previews of bytes, JavaScript's code units, and nothing quadratic in hostile output."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamarena.context._javascript import divide, from_utf16, number_text, stringify, trim, truthy, utf16
from streamarena.context.output import (
    OutputPreview,
    compress_terminal_output,
    fold_repeated_lines,
    process_backspaces,
    process_carriage_returns,
    truncate_output,
)
from streamarena.context.texts import marker


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(2, 60))
def test_a_preview_has_the_head_and_the_tail_and_spills_everything(pieces, limit):
    spilled = []
    preview = OutputPreview(limit, spilled.append)
    for piece in pieces:
        preview.feed(piece)
    whole = b"".join(pieces)
    assert preview.total == len(whole)
    assert len(preview._head) + len(preview._tail) <= limit
    if len(whole) <= limit:
        assert not spilled
        assert preview.text() == whole.decode("utf-8", "replace")
    else:
        assert b"".join(spilled) == whole
        assert bytes(preview._head) == whole[: limit // 2]
        assert bytes(preview._tail) == whole[len(whole) - (limit - limit // 2) :]
        assert marker("bytes_omitted", count=len(whole) - limit) in preview.text()


@given(st.text(st.sampled_from("ab\b\n🙂"), max_size=80))
def test_backspaces_delete_one_unit_each(text):
    expected = []
    for unit in utf16(text):
        if unit != "\b":
            expected.append(unit)
        elif expected:
            expected.pop()
    assert utf16(process_backspaces(text)) == "".join(expected)


@given(st.text(st.sampled_from("ab\r\n"), max_size=80))
def test_carriage_returns_overwrite_from_the_start(text):
    lines = []
    for line in text.split("\n"):
        shown = ""
        for segment in line.split("\r"):
            shown = segment + shown[len(segment) :]
        lines.append(shown)
    assert process_carriage_returns(text) == "\n".join(lines)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text",
    [
        "x" * 500_000 + "\ra" * 250_000,
        "x" * 500_000 + "\by" * 250_000,
        "x\b" * 500_000,
        "\n" * 1_000_000,
        "ab\n" * 300_000,
    ],
    ids=["overwrites", "backspaces", "spinner", "newlines", "repeats"],
)
def test_a_megabyte_of_hostile_output_is_no_trouble(text):
    assert len(compress_terminal_output(text)) <= 50_100


@given(st.text(st.sampled_from("ab\n\r\x0b\x85\u2028🙂"), max_size=60))
def test_only_newlines_end_lines(text):
    folded = fold_repeated_lines(text, notice=lambda copies: "x" * 10_000)
    assert folded == text


@given(st.text(max_size=60), st.integers(0, 30), st.integers(0, 30))
def test_what_is_within_its_limits_is_the_same_object(text, lines, characters):
    done = truncate_output(text, lines, characters)
    over = (characters and len(utf16(text)) > characters) or (lines and text.count("\n") + 1 > lines)
    assert (done is text) == (not over)


@given(st.text())
def test_code_units_go_there_and_back(text):
    units = utf16(text)
    assert len(units) == len(text.encode("utf-16-le", "surrogatepass")) // 2
    assert from_utf16(units) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"), (-0.0, "0"), (0.1, "0.1"), (1e21, "1e+21"), (123456789012345680000, "123456789012345680000"),
        (1e-7, "1e-7"), (1.5e-9, "1.5e-9"), (0.000001, "0.000001"), (100, "100"), (float("nan"), "NaN"),
        (float("inf"), "Infinity"), (10**400, "Infinity"), (-12.5, "-12.5"), (5e-324, "5e-324"), (True, "true"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_javascript_writes_them(value, text):
    assert number_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "10": 2, "9": 3}, '{"9":3,"10":2,"b":1}'),
        ([None, True, 1.0, "é\u2028\x07\ud800"], '[null,true,1,"é\u2028\\u0007\\ud800"]'),
        ({"a": [], "b": {}}, '{"a":[],"b":{}}'),
        (float("nan"), "null"),
    ],
)
def test_json_is_written_as_javascript_writes_it(value, text):
    assert stringify(value) == text


def test_small_rules_of_javascript():
    assert trim("\ufeff a\x85 \u00a0") == "a\x85"
    assert divide(1, 0) == float("inf")
    assert divide(0, 0) != divide(0, 0)
    assert [truthy(v) for v in ({}, [], 0, "", float("nan"), None, "0", 1)] == [True, True, *[False] * 4, True, True]
