"""The template language keeps every character and takes only what it knows as a tag."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamarena.errors import MissingPromptValueError, TemplateError
from streamarena.prompts import compile_template, literal

CASES = [
    ("plain", "a { b } }} c", {}, "a { b } }} c"),
    ("slot", "a {{x}} b", {"x": "1"}, "a 1 b"),
    ("number", "{{n}}", {"n": 7}, "7"),
    ("none-is-empty", "[{{n}}]", {"n": None}, "[]"),
    ("braces-around-a-slot", "{{{x}}}", {"x": "v"}, "{v}"),
    ("value-that-looks-like-a-tag", "{{x}}", {"x": "{{y}}"}, "{{y}}"),
    ("literal-braces", "a {{#braces}}workspace}} b", {}, "a {{workspace}} b"),
    ("then", "{{#if f}}yes{{else}}no{{/if}}", {"f": True}, "yes"),
    ("else", "{{#if f}}yes{{else}}no{{/if}}", {"f": ""}, "no"),
    ("no-else", "a{{#if f}}b{{/if}}c", {"f": False}, "ac"),
    ("not", "{{#if not f}}no{{/if}}", {"f": 0}, "no"),
    ("nested", "{{#if a}}{{#if b}}1{{else}}2{{/if}}{{else}}3{{/if}}", {"a": 1, "b": 0}, "2"),
    ("missing-in-a-branch-not-taken", "{{#if a}}{{x}}{{/if}}.", {"a": False}, "."),
    ("spaces-stay", "  {{x}}\n\n", {"x": "v"}, "  v\n\n"),
]


@pytest.mark.parametrize(("text", "values", "result"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_renders(text, values, result):
    assert compile_template(text).render(values) == result


WRONG = [
    ("unknown-tag", "a\n{{#each x}}", 2),
    ("space-in-a-slot", "{{ x }}", 1),
    ("never-closed", "a\n\n{{#if x}} b", 3),
    ("else-alone", "{{else}}", 1),
    ("close-alone", "a\n{{/if}}", 2),
    ("two-elses", "{{#if x}}\n{{else}}\n{{else}}{{/if}}", 3),
    ("too-deep", "{{#if x}}" * 17, 1),
]


@pytest.mark.parametrize(("text", "line"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_tag_names_file_and_line(text, line):
    with pytest.raises(TemplateError) as caught:
        compile_template(text, file="rules.md")
    assert (caught.value.file, caught.value.line) == ("rules.md", line)


@pytest.mark.parametrize("text", ["{{x}}", "{{#if x}}a{{/if}}"], ids=["parameter", "condition"])
def test_a_missing_value_is_named(text):
    with pytest.raises(MissingPromptValueError) as caught:
        compile_template(text).render({}, key="classic.section.rules")
    assert (caught.value.key, caught.value.name) == ("classic.section.rules", "x")


def test_names_are_listed_in_order_of_appearance():
    template = compile_template("{{b}}{{#if q}}{{a}}{{b}}{{/if}}{{#if not p}}{{/if}}")
    assert template.parameters == ("b", "a")
    assert template.conditions == ("q", "p")


BRACES = st.text(alphabet='{}"#/ifx\n', max_size=40)


@given(BRACES)
def test_any_text_survives_as_a_literal(text):
    assert compile_template(literal(text)).render({}) == text


TAGS = st.sampled_from(["{{x}}", "{{#if f}}", "{{#if not f}}"])


@given(st.lists(st.tuples(BRACES, TAGS), max_size=6), BRACES, st.text())
def test_literals_between_tags_are_kept(pieces, last, value):
    """Whatever stands around tags comes out unchanged, also braces that touch a tag."""
    text, expected = "", ""
    for plain, tag in pieces:
        text += literal(plain) + tag + ("{{/if}}" if tag.startswith("{{#") else "")
        expected += plain + (value if tag == "{{x}}" else "")
    assert compile_template(text + literal(last)).render({"x": value, "f": True}) == expected + last
