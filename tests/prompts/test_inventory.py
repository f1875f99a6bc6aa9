"""Nothing is missing: the reference's inventory is walked key by key, and counted."""

from __future__ import annotations

import json
import re

import pytest

from streamarena.prompts import builtin_catalog
from streamarena.prompts.assembly import SECTIONS
from streamarena.prompts.formatter import FORMATTER_METHODS, ResponseFormatter
from streamarena.prompts.modes import builtin_modes
from streamarena.prompts.support import SUPPORT_PARAMETERS
from streamarena.prompts.template import Template
from streamarena.prompts.tool_tables import ALWAYS_AVAILABLE, OPT_IN, TOOL_ALIASES, TOOL_GROUPS, XML_PARAMETERS
from tests.prompts import inventory as inv

CATALOG = builtin_catalog()


def keys_by_section() -> dict[str, list[str]]:
    """Every key that the inventory asks for, under the section of the specification that names it."""
    find = CATALOG.find
    found: dict[str, list[str]] = {"7.1 sections": [], "5.11 and 7.7 feedback": []}
    for generation in inv.GENERATIONS:
        found["7.1 sections"] += [find(f"section.{name}", generation) for name in inv.SECTIONS[generation]]
        canned = {**inv.CANNED, **inv.CANNED_BY_GENERATION[generation]}
        found["5.11 and 7.7 feedback"] += [find(name, generation) for name in canned.values()]
    found["7.2 classic tools"] = [f"classic.tool.{name}" for name in (*inv.CLASSIC_TOOLS, *inv.CLASSIC_VARIANTS)]
    found["7.2 native tools"] = [f"native.tool.{name}" for name in inv.NATIVE_TOOLS]
    found["7.3 modes"] = [
        key
        for generation in inv.GENERATIONS
        for slug in inv.MODES[generation]
        for key in [
            f"{generation}.mode.{slug}",
            *(find(f"mode.{slug}.{text}", generation) for text in inv.MODE_TEXT_BYTES[slug]),
        ]
    ]
    found["7.4 instruction layers"] = [
        find(f"fragment.{name}", generation) for generation in inv.GENERATIONS for name in inv.INSTRUCTION_LAYERS
    ]
    found["7.5 environment"] = [
        find(f"environment.{name}", generation) for generation in inv.GENERATIONS for name in inv.ENVIRONMENT
    ]
    found["7.6 support"] = [find(f"support.{key}", g) for g in inv.GENERATIONS for key in inv.SUPPORT]
    found["7.6 condense"] = [find(name, g) for g in inv.GENERATIONS for name in inv.CONDENSE_TEXTS[g]]
    found["7.6 commands"] = [find(f"command.{name}", "classic") for name in inv.COMMANDS_BYTES]
    found["7.6 instructions"] = [find(f"instructions.{name}", "classic") for name in inv.INSTRUCTIONS_BYTES]
    found["7.7 and 2.5 errors"] = [find(f"error.{name}", g or "classic") for name, g in inv.ERRORS]
    found["5.8 file notes"] = [find(name, "classic") for name in inv.READ_FILE_NOTES]
    return {section: list(dict.fromkeys(keys)) for section, keys in found.items()}


def test_every_key_of_the_inventory_is_there(capsys):
    sections = keys_by_section()
    missing = [key for keys in sections.values() for key in keys if key not in CATALOG]
    assert not missing
    assert all(CATALOG.text(key).strip() for keys in sections.values() for key in keys)
    with capsys.disabled():
        print("\nprompt inventory, keys by section of the specification:")
        for section, keys in sections.items():
            print(f"  {section:28} {len(keys):4}")
        print(f"  {'together':28} {len({key for keys in sections.values() for key in keys}):4} of {len(CATALOG)}")


@pytest.mark.parametrize("generation", inv.GENERATIONS)
def test_sections_stand_in_the_order_of_the_reference(generation):
    assert list(SECTIONS[generation]) == ["role", *inv.SECTIONS[generation]]


@pytest.mark.parametrize(
    ("generation", "name"), [(g, name) for g in inv.GENERATIONS for name in inv.SECTIONS[g]], ids=lambda v: v
)
def test_a_section_begins_with_its_header(generation, name):
    assert CATALOG.text(CATALOG.find(f"section.{name}", generation)).startswith(inv.HEADERS[name])


@pytest.mark.parametrize(("key", "conditions"), inv.SECTION_CONDITIONS.items(), ids=inv.SECTION_CONDITIONS)
def test_a_section_depends_on_what_the_reference_says(key, conditions):
    assert conditions <= set(CATALOG.entry(key).conditions)


@pytest.mark.parametrize(("name", "parameters"), inv.CLASSIC_TOOLS.items(), ids=inv.CLASSIC_TOOLS)
def test_a_classic_tool_names_each_of_its_parameters_as_required_or_not(name, parameters):
    text = everything(CATALOG.template(f"classic.tool.{name}"))
    assert text.startswith(f"## {name}\n")
    assert f"<{name}>" in text
    assert f"</{name}>" in text
    for parameter, required in parameters.items():
        assert f"<{parameter}>" in text, parameter
        listed = re.search(rf"^\s*- {parameter}: (.*)$", text, re.MULTILINE)
        assert listed, f"{parameter} is not in the list of parameters"
        if name == "search_and_replace":  # lists them under two headings
            assert (listed.start() < text.index("Optional parameters:")) is required
        elif parameter != "args" and not (name == "browser_action" and not required) and parameter != "todos":
            assert listed[1].startswith("(required" if required else "(optional"), parameter


@pytest.mark.parametrize(("name", "parameters"), inv.CLASSIC_VARIANTS.items(), ids=inv.CLASSIC_VARIANTS)
def test_a_variant_names_its_parameters(name, parameters):
    text = everything(CATALOG.template(f"classic.tool.{name}"))
    assert all(f"- {parameter}: " in text and f"<{parameter}>" in text for parameter in parameters)


def test_every_parameter_in_a_classic_tool_is_one_the_parser_knows():
    assert list(XML_PARAMETERS) == inv.XML_PARAMETERS
    inner = {"file", "diff", "suggest", "line_range", "start_line", "content"}  # inside args and follow_up
    for name in inv.CLASSIC_TOOLS:
        text = CATALOG.text(f"classic.tool.{name}")
        calls = re.findall(rf"<{name}>\n(.*?)</{name}>", text, re.DOTALL)
        used = {tag for call in calls for tag in re.findall(r"^\s*<([a-z_]+)>", call, re.MULTILINE)}
        assert used <= {*XML_PARAMETERS, *inner}, name


def test_every_browser_action_is_described():
    text = CATALOG.text("classic.tool.browser_action")
    assert re.findall(r"^    \* ([a-z_]+): ", text, re.MULTILINE) == inv.BROWSER_ACTIONS


@pytest.mark.parametrize(("name", "spec"), inv.NATIVE_TOOLS.items(), ids=inv.NATIVE_TOOLS)
def test_a_native_tool_has_the_schema_of_the_reference(name, spec):
    required, optional, strict = spec
    table = json.loads(everything(CATALOG.template(f"native.tool.{name}")))
    schema = table["parameters"]
    assert table["name"] == name
    assert table["strict"] is strict
    assert set(schema["properties"]) == required | optional
    assert set(schema["required"]) == (required | optional if strict else required)
    assert schema["additionalProperties"] is False
    assert all(item["description"] for item in schema["properties"].values())
    for parameter in optional if strict else ():
        assert "null" in schema["properties"][parameter]["type"], parameter
    for parameter in required:
        assert "null" not in schema["properties"][parameter]["type"], parameter


def test_the_details_of_two_native_schemas():
    read = json.loads(CATALOG.text("native.tool.read_file"))["parameters"]["properties"]
    assert set(read["indentation"]["properties"]) == inv.INDENTATION_FIELDS
    assert read["mode"]["enum"] == ["slice", "indentation", None]
    ask = json.loads(CATALOG.text("native.tool.ask_followup_question"))["parameters"]["properties"]["follow_up"]
    assert (ask["minItems"], ask["maxItems"]) == (1, 4)
    assert set(ask["items"]["properties"]) == {"text", "mode"}


def test_groups_and_aliases_are_those_of_the_reference():
    classic = TOOL_GROUPS["classic"]
    assert classic["edit"][:3] == ("apply_diff", "edit_file", "write_to_file")
    assert classic["edit"][3:] == ("insert_content", "search_and_replace", "new_rule", "generate_image")
    everywhere = {name for names in classic.values() for name in names} | {*ALWAYS_AVAILABLE["classic"]}
    assert everywhere == set(inv.CLASSIC_TOOLS)
    native = {name for names in TOOL_GROUPS["native"].values() for name in names} | {*ALWAYS_AVAILABLE["native"]}
    assert native - {"use_mcp_tool"} == set(inv.NATIVE_TOOLS)
    assert {"edit", "search_replace", "edit_file", "apply_patch"} == OPT_IN
    assert TOOL_ALIASES["native"] == {"write_file": "write_to_file", "search_and_replace": "edit"}


@pytest.mark.parametrize("generation", inv.GENERATIONS)
def test_modes_have_the_groups_of_the_reference_in_its_order(generation):
    modes = builtin_modes(CATALOG, generation)
    assert {mode.slug: [group.name for group in mode.groups] for mode in modes} == inv.MODES[generation]
    assert [mode.slug for mode in modes] == list(inv.MODES[generation])
    assert [group.file_regex for group in modes[0].groups if group.name == "edit"] == [r"\.md$"]
    assert all(mode.role and mode.when_to_use and mode.description for mode in modes)
    assert not modes[1].instructions


@pytest.mark.parametrize(("key", "parameters"), inv.SUPPORT.items(), ids=inv.SUPPORT)
def test_a_support_prompt_takes_the_parameters_of_the_reference(key, parameters):
    assert set(SUPPORT_PARAMETERS[key]) == parameters
    assert set(CATALOG.entry(CATALOG.find(f"support.{key}", "classic")).parameters) == parameters


@pytest.mark.parametrize("generation", inv.GENERATIONS)
def test_condense_prompts_have_their_headings_in_order(generation):
    text = CATALOG.text(f"{generation}.support.CONDENSE")
    places = [text.find(f"{heading}:") for heading in inv.CONDENSE_HEADINGS[generation]]
    assert -1 not in places
    assert places == sorted(places)
    assert ("Context:" in text) == (generation == "classic")
    assert ("<analysis>" in text and "<summary>" in text) == (generation == "native")


def test_the_slash_command_smol_asks_for_the_classic_headings():
    text = CATALOG.text("common.command.smol")
    assert all(heading in text for heading in inv.CONDENSE_HEADINGS["classic"])


@pytest.mark.parametrize("key", inv.FORMATTER)
def test_the_formatter_has_a_method_for_every_key(key):
    assert set(FORMATTER_METHODS) == set(inv.FORMATTER)
    assert callable(getattr(ResponseFormatter, FORMATTER_METHODS[key]))


def sizes():
    for generation, table in inv.SECTION_BYTES.items():
        yield from ((f"{generation}.section.{name}", size) for name, size in table.items())
        yield f"{generation}.feedback.toolUseReminder", inv.REMINDER_BYTES[generation]
    yield from ((f"classic.tool.{name}", size) for name, size in inv.CLASSIC_TOOL_BYTES.items())
    for slug, table in inv.MODE_TEXT_BYTES.items():
        yield from ((f"common.mode.{slug}.{name}", size) for name, size in table.items())
    yield from ((f"common.support.{name}", size) for name, size in inv.SUPPORT_BYTES.items())
    yield from inv.CONDENSE_BYTES.items()
    yield from ((f"common.command.{name}", size) for name, size in inv.COMMANDS_BYTES.items())
    yield from ((f"common.instructions.{name}", size) for name, size in inv.INSTRUCTIONS_BYTES.items())


@pytest.mark.parametrize(("key", "size"), [*sizes()], ids=str)
def test_a_text_is_of_the_size_of_the_reference(key, size):
    """Between two fifths and nine fifths of the reference's bytes of literal text, both branches counted."""
    text = CATALOG.text(key)
    if ".support." not in key:  # there the reference's figures count the placeholders
        text = re.sub(r"\{\{[^}]*\}\}", "", text)
    extra = len(CATALOG.text("classic.fragment.editing")) if key == "classic.section.rules" else 0
    assert 0.4 * size <= len(text.encode()) + extra <= 1.8 * size + 40


def everything(template: Template) -> str:
    """The text with all conditions true and every placeholder named."""
    names = {**dict.fromkeys(template.conditions, True), **{name: f"[{name}]" for name in template.parameters}}
    return template.render(names)
