"""Native tools, in the shape that each provider takes, and the tools of servers under names that providers accept."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamarena.errors import PackError
from streamarena.prompts import (
    PromptCatalog,
    PromptSettings,
    ServerTool,
    Skill,
    ToolServer,
    available_tools,
    builtin_catalog,
    builtin_modes,
    format_tools,
    server_tool_name,
    server_tools,
    tool_definitions,
)
from streamarena.prompts.tool_formats import parse_server_tool_name, same_tool_name, strict_schema
from tests.prompts import inventory as inv

SETTINGS = PromptSettings(generation="native")
MODES = {mode.slug: mode for mode in builtin_modes(builtin_catalog(), "native")}
ALL = replace(
    SETTINGS,
    index=True,
    image_generation=True,
    run_slash_command=True,
    skills=(Skill("s", "d", "l"),),
    servers=(ToolServer("w", resources=()),),
    included_tools=("edit", "search_replace", "edit_file", "apply_patch"),
)


def definitions(made=SETTINGS, mode="code"):
    return tool_definitions(builtin_catalog(), made, MODES[mode])


def named(made=SETTINGS, mode="code"):
    return [tool.name for tool in definitions(made, mode)]


def test_tools_of_the_code_mode():
    assert named() == [
        *("read_file", "search_files", "list_files", "apply_diff", "write_to_file", "execute_command"),
        *("read_command_output", "ask_followup_question", "attempt_completion", "switch_mode", "new_task"),
        "update_todo_list",
    ]


def test_everything_switched_on_gives_every_tool_but_the_one_that_needs_resources():
    assert {*named(ALL)} == {*inv.NATIVE_TOOLS} - {"access_mcp_resource"}


SWITCHES = [
    ("opt-in stays in its group", {"included_tools": ("edit",)}, "ask", "edit", False),
    ("opt-in", {"included_tools": ("edit",)}, "code", "edit", True),
    ("excluded by the model", {"excluded_tools": ("apply_diff",)}, "code", "apply_diff", False),
    ("disabled by the user", {"disabled_tools": ("execute_command",)}, "code", "execute_command", False),
    ("no list of steps", {"todo_list": False}, "code", "update_todo_list", False),
    ("no edits when asking", {}, "ask", "write_to_file", False),
]


@pytest.mark.parametrize(("change", "mode", "tool", "there"), [c[1:] for c in SWITCHES], ids=[c[0] for c in SWITCHES])
def test_switches_of_tools(change, mode, tool, there):
    assert (tool in named(replace(SETTINGS, **change), mode)) is there


def test_definitions_of_all_tools_take_about_twenty_kilobytes():
    made = format_tools(definitions(ALL), "openai-chat")
    size = len(json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode())
    assert 15_000 < size < 25_000


def test_a_condition_changes_a_schema():
    texts = [
        next(tool for tool in definitions(replace(SETTINGS, new_task_requires_todos=state)) if tool.name == "new_task")
        for state in (True, False)
    ]
    required, optional = (json.dumps(tool.parameters["properties"]["todos"]) for tool in texts)
    assert "must be given here" in required
    assert "null for none" in optional


@pytest.mark.parametrize("to", ["openai-chat", "openai-responses", "anthropic", "gemini"])
def test_every_format_names_describes_and_types_every_tool(to):
    tools = definitions(ALL)
    made = format_tools(tools, to)
    flat = {
        "openai-chat": lambda: [item["function"] for item in made],
        "openai-responses": lambda: made,
        "anthropic": lambda: made,
        "gemini": lambda: made[0]["functionDeclarations"],
    }[to]()
    assert [item["name"] for item in flat] == [tool.name for tool in tools]
    assert all(item["description"] for item in flat)
    assert all(item["input_schema" if to == "anthropic" else "parameters"]["type"] == "object" for item in flat)
    assert format_tools([], to) == []


def test_strict_tools_require_every_property_at_every_level():
    schema = {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"type": "object", "properties": {"b": {}}}}},
    }
    made = strict_schema(schema)
    assert made["required"] == ["a"]
    assert made["properties"]["a"]["items"] == {
        "type": "object",
        "properties": {"b": {}},
        "required": ["b"],
        "additionalProperties": False,
    }
    assert "required" not in schema
    openai = {item["function"]["name"]: item["function"] for item in format_tools(definitions(ALL), "openai-chat")}
    assert openai["read_file"]["strict"] is True
    assert openai["apply_diff"]["strict"] is False


def test_gemini_gets_no_lists_of_types_and_no_closed_objects():
    text = json.dumps(format_tools(definitions(ALL), "gemini"))
    assert "additionalProperties" not in text
    assert "null]" not in text
    assert not re.search(r'"type": \[', text)
    declarations = {item["name"]: item for item in format_tools(definitions(ALL), "gemini")[0]["functionDeclarations"]}
    read = declarations["read_file"]["parameters"]
    assert read["required"] == ["path"]
    assert read["properties"]["mode"] == {
        "type": "string",
        "nullable": True,
        "description": read["properties"]["mode"]["description"],
        "enum": ["slice", "indentation"],
    }


def test_a_property_that_is_called_like_a_keyword_survives_gemini():
    tool = definitions()[0]
    schema = {"type": "object", "properties": {"type": {"type": "string"}, "enum": {"type": ["integer", "null"]}}}
    (made,) = format_tools([replace(tool, parameters=schema)], "gemini")[0]["functionDeclarations"]
    assert made["parameters"]["properties"] == {
        "type": {"type": "string"},
        "enum": {"type": "integer", "nullable": True},
    }


NAMES = [
    ("plain", "weather", "forecast", "mcp--weather--forecast"),
    ("blanks", "my server", "get it", "mcp--my_server--get_it"),
    ("signs", "a.b/c!", "täg", "mcp--abc--tg"),
    ("long", "s" * 40, "t" * 40, "mcp--" + "s" * 40 + "--" + "t" * 17),
]


@pytest.mark.parametrize(("server", "tool", "name"), [case[1:] for case in NAMES], ids=[case[0] for case in NAMES])
def test_names_of_server_tools(server, tool, name):
    assert server_tool_name(server, tool) == name
    assert len(name) <= 64


@given(st.text(max_size=80), st.text(max_size=80))
def test_a_server_tool_always_has_a_name_that_providers_accept(server, tool):
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", server_tool_name(server, tool))


def test_names_are_read_back_and_compared_with_dashes_and_underscores_as_one():
    assert parse_server_tool_name("mcp--weather--get--it") == ("weather", "get--it")
    assert parse_server_tool_name("read_file") is None
    assert parse_server_tool_name("mcp----x") is None
    assert same_tool_name("mcp--a-b--c", "mcp--a_b--c")


def test_server_tools_keep_their_schema_and_are_never_strict():
    server = ToolServer(
        "w", (ServerTool("a", "A", '{"type":"object"}'), ServerTool("b", enabled=False), ServerTool("c"))
    )
    first, second = server_tools([server, ToolServer("off", (ServerTool("x"),), connected=False)])
    assert (first.name, first.parameters, first.strict) == ("mcp--w--a", {"type": "object"}, False)
    assert second.parameters == {"type": "object", "properties": {}}
    with pytest.raises(PackError, match="not JSON"):
        server_tools([ToolServer("w", (ServerTool("a", "A", "{"),))])
    with pytest.raises(PackError, match="no object"):
        server_tools([ToolServer("w", (ServerTool("a", "A", "[]"),))])


def test_values_are_escaped_inside_json(pack_of):
    text = '{"name": "read_file", "description": "In {{workspace}}", "parameters": {"type": "object"}}'
    catalog = PromptCatalog(user=[pack_of({"native.tool.read_file": text}, kind="tool-schema")])
    (tool,) = tool_definitions(catalog, replace(SETTINGS, workspace='C:\\a"b\n'), MODES["ask"])[:1]
    assert tool.description == 'In C:\\a"b\n'
    broken = PromptCatalog(user=[pack_of({"native.tool.read_file": "[]"}, "broken", kind="tool-schema")])
    with pytest.raises(PackError, match="no tool schema"):
        tool_definitions(broken, SETTINGS, MODES["ask"])


def test_slash_command_tools_are_not_described_in_the_prompt():
    mode = builtin_modes(builtin_catalog(), "classic")[1]
    tools = available_tools(builtin_catalog(), PromptSettings(fast_apply=True), mode)
    assert not {"new_rule", "report_bug", "condense"} & {*tools}
