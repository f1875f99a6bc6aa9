"""A system prompt stands together as the reference assembles it, and costs one copy for any number of requests."""

from __future__ import annotations

import threading
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamarena.errors import MissingPromptValueError
from streamarena.prompts import (
    GroupRule,
    InstructionLayers,
    Mode,
    PromptCatalog,
    PromptSettings,
    Resource,
    RuleBlock,
    ServerTool,
    Skill,
    ToolServer,
    builtin_catalog,
    prompt_sections,
    system_prompt,
)
from streamarena.prompts.file_lists import LOCK
from tests.prompts import inventory as inv

CLASSIC = PromptSettings(workspace="/home/ana/shop", home="/home/ana")
NATIVE = replace(CLASSIC, generation="native")
SERVER = ToolServer(
    "weather",
    tools=(
        ServerTool("forecast", "Weather for a city", '{"type":"object","properties":{"city":{"type":"string"}}}'),
        ServerTool("hidden", "Not offered", enabled=False),
    ),
    templates=(Resource("weather://{city}", "City", "Now"),),
    resources=(Resource("weather://stations", "Stations", "All of them"),),
    command="node weather.js",
    instructions="Ask for one city at a time.",
)


def names(made):
    return [name for name, _ in prompt_sections(made)]


@pytest.mark.parametrize("base", [CLASSIC, NATIVE], ids=["classic", "native"])
def test_sections_come_in_order_separated_by_one_blank_line(base):
    sections = prompt_sections(base)
    wanted = ["role", *inv.SECTIONS[base.generation]]
    assert [name for name, _ in sections] == [name for name in wanted if name not in {"skills", "custom-instructions"}]
    assert system_prompt(base) == "\n\n".join(text for _, text in sections)
    heads = [text for name, text in sections[1:] if name not in {"tools", "tool-use-guidelines", "mcp-servers"}]
    assert all(text.startswith("====\n\n") for text in heads)


def test_an_empty_section_leaves_its_blank_line():
    text = system_prompt(CLASSIC)
    assert "MCP SERVERS" not in text
    assert "decide what you do next.\n\n\n\n====\n\nCAPABILITIES" in text


def test_no_placeholder_and_no_tag_is_left_in_any_mode():
    for base in (CLASSIC, NATIVE):
        for mode in inv.MODES[base.generation]:
            text = system_prompt(replace(base, mode=mode, servers=(SERVER,), index=True, browser=True))
            assert "{{" not in text


def test_the_mode_decides_role_tools_and_instructions():
    code, ask = (system_prompt(replace(CLASSIC, mode=slug)) for slug in ("code", "ask"))
    assert code.startswith("You are a software engineer")
    assert "## write_to_file" in code
    assert "## execute_command" in code
    assert "## write_to_file" not in ask
    assert "Mode-specific Instructions:\nYou may read and analyse code" in ask
    assert "USER'S CUSTOM INSTRUCTIONS" not in code


def test_an_unknown_mode_means_the_first_one():
    assert system_prompt(replace(CLASSIC, mode="gone")) == system_prompt(replace(CLASSIC, mode="architect"))


CONDITIONS = [
    ("browser", {"browser": True}, "## browser_action", "The window measures **900x600** pixels"),
    ("index", {"index": True}, "## codebase_search", "7. Nothing has happened until"),
    ("no-diff", {"diff": False}, "and write_to_file for new files", "edit itself with write_to_file,"),
    ("multi-file-diff", {"multi_file_diff": True}, "one or more files exactly", "<start_line>14</start_line>"),
    ("fast-apply", {"fast_apply": True}, "## edit_file", "All edits, to new and existing files alike"),
    ("partial-reads", {"partial_reads": True}, "<line_range>1-60</line_range>", "by line ranges; several ranges"),
    ("one-read", {"max_reads": 1}, "Read one file.", "Several files cannot be read in one call"),
    ("single-file-model", {"model": "xai/grok-code-fast-1"}, "<read_file>\n<path>path of the file", "## read_file"),
    ("todos-for-tasks", {"new_task_requires_todos": True}, "- todos: (required) the steps of the new task", "<todos>"),
    ("image", {"image_generation": True}, "## generate_image", "A flat icon of a paper crane"),
    ("slash", {"run_slash_command": True}, "## run_slash_command", "release-notes"),
]


@pytest.mark.parametrize(("change", "one", "other"), [c[1:] for c in CONDITIONS], ids=[c[0] for c in CONDITIONS])
def test_a_setting_changes_what_the_prompt_says(change, one, other):
    plain, changed = system_prompt(CLASSIC), system_prompt(replace(CLASSIC, **change))
    assert one in changed
    assert other in changed
    assert one not in plain or other not in plain


GONE = [
    ("fast-apply", {"fast_apply": True}, ["apply_diff", "write_to_file", "insert_content", "search_and_replace"]),
    ("no-diff", {"diff": False}, ["apply_diff"]),
    ("no-todos", {"todo_list": False}, ["update_todo_list"]),
]


@pytest.mark.parametrize(("change", "tools"), [c[1:] for c in GONE], ids=[c[0] for c in GONE])
def test_a_setting_takes_tools_away(change, tools):
    text = system_prompt(replace(CLASSIC, **change))
    assert not [name for name in tools if f"## {name}\n" in text]


def test_tools_come_in_the_order_of_groups_then_the_ones_that_are_always_there():
    text = system_prompt(replace(CLASSIC, servers=(SERVER,), index=True, browser=True))
    found = [line[3:] for line in text.splitlines() if line.startswith("## ") and line[3:] in inv.CLASSIC_TOOLS]
    assert found == [
        *("read_file", "fetch_instructions", "search_files", "list_files", "list_code_definition_names"),
        *("codebase_search", "apply_diff", "write_to_file", "insert_content", "search_and_replace", "browser_action"),
        *("execute_command", "use_mcp_tool", "access_mcp_resource", "ask_followup_question", "attempt_completion"),
        *("switch_mode", "new_task", "update_todo_list"),
    ]


def test_servers_are_listed_with_what_they_offer():
    text = system_prompt(replace(CLASSIC, servers=(SERVER, ToolServer("off", connected=False))))
    assert "## weather (`node weather.js`)\n\n### Instructions\nAsk for one city at a time." in text
    assert '- forecast: Weather for a city\n    Input Schema:\n\t\t{\n\t\t  "type": "object"' in text
    assert "- weather://{city} (City): Now" in text
    assert "- weather://stations (Stations): All of them" in text
    assert "hidden" not in text
    assert "## off" not in text
    assert "create_mcp_server" in text
    assert "create_mcp_server" not in system_prompt(replace(CLASSIC, servers=(SERVER,), server_creation=False))


def test_servers_need_the_group_of_the_mode():
    assert "MCP SERVERS" not in system_prompt(replace(CLASSIC, mode="orchestrator", servers=(SERVER,))).replace(
        "in MCP SERVERS", ""
    )


def test_skills_are_escaped_and_limited_to_their_modes():
    skills = (Skill("a&b", "for <all>", "/s/a"), Skill("c", "code only", "/s/c", modes=("code",)))
    text = system_prompt(replace(NATIVE, mode="ask", skills=skills))
    assert "<name>a&amp;b</name>\n    <description>for &lt;all&gt;</description>" in text
    assert "/s/c" not in text
    assert "AVAILABLE SKILLS" not in system_prompt(replace(NATIVE, mode="ask", skills=skills[1:]))


SHELLS = [("/bin/zsh", "&&", ""), ("pwsh.exe", ";", "$LASTEXITCODE"), ("C:\\cmd.exe", "&&", "cd /d")]


@pytest.mark.parametrize(("shell", "operator", "note"), SHELLS, ids=["posix", "powershell", "cmd"])
def test_native_rules_name_the_operator_of_the_shell(shell, operator, note):
    text = system_prompt(replace(NATIVE, shell=shell))
    assert f"`cd services/api {operator} make test`" in text
    assert note in text


def test_stealth_asks_for_silence_about_the_vendor():
    assert "VENDOR CONFIDENTIALITY" in system_prompt(replace(NATIVE, stealth=True))
    assert "VENDOR CONFIDENTIALITY" not in system_prompt(NATIVE)


LAYERS = InstructionLayers(
    language="Deutsch",
    language_code="de",
    global_instructions="Be brief.",
    rules=(
        RuleBlock("mode", ".kilocode/rules-code/a.md", "mode rule"),
        RuleBlock("ignore", ".kilocodeignore", "secrets/"),
        RuleBlock("agents", "AGENTS.md", "agent rule"),
        RuleBlock("general", ".kilocode/rules/b.md", "general rule"),
    ),
)


def test_custom_instructions_come_last_in_their_order():
    text = system_prompt(replace(CLASSIC, mode="debug", instructions=LAYERS))
    last = text[text.index("====\n\nUSER'S CUSTOM INSTRUCTIONS") :]
    places = [
        last.index(piece)
        for piece in (
            "Language Preference:\nThink and write in Deutsch (de).",
            "Global Instructions:\nBe brief.",
            "Mode-specific Instructions:\nDo not repair",
            "Rules:\n\n# Rules from .kilocode/rules-code/a.md:\nmode rule",
            "# .kilocodeignore\n\n",
            "# Agent Rules Standard (AGENTS.md):\nagent rule",
            "# Rules from .kilocode/rules/b.md:\ngeneral rule",
        )
    ]
    assert places == sorted(places)
    assert f"with {LOCK}." in last
    assert "secrets/\n.kilocodeignore" in last


def test_rules_under_switches_have_two_headings():
    rules = (RuleBlock("local", "l.md", "here"), RuleBlock("global", "~/g.md", "everywhere"))
    text = system_prompt(replace(CLASSIC, instructions=InstructionLayers(rules=rules)))
    assert "# Global Rules:\n# Rules from ~/g.md:\neverywhere\n\n# Local Rules:\n# Rules from l.md:\nhere" in text


def test_a_file_override_replaces_all_sections_between_role_and_instructions():
    text = "In {{workspace}}, mode {{mode}}, {{shell}} on {{operatingSystem}}, {{language}}, {{other}}"
    made = replace(CLASSIC, file_override=text, instructions=LAYERS)
    role, override, last = system_prompt(made).split("\n\n", 2)
    assert role.startswith("You are a software engineer")
    assert override == "In /home/ana/shop, mode code, /bin/bash on Linux, de, {{other}}"
    assert last.startswith("====\n\nUSER'S CUSTOM INSTRUCTIONS")
    assert names(replace(NATIVE, file_override=text))[1] == "markdown-formatting"


def test_custom_modes_join_the_list_and_replace_built_in_ones():
    mine = Mode("code", "Mine", "You are mine.", (GroupRule("read"),), when_to_use="Always.", source="project")
    other = Mode("poet", "Poet", "You write verse. Nothing else.", source="global")
    text = system_prompt(replace(CLASSIC, custom_modes=(mine, other)))
    assert text.startswith("You are mine.")
    assert '  * "Mine" mode (code) - Always.' in text
    assert '  * "Poet" mode (poet) - You write verse.' in text
    assert "## write_to_file" not in text


def test_equal_settings_share_one_prompt_for_a_thousand_requests():
    catalog = PromptCatalog()
    first = system_prompt(replace(CLASSIC), catalog)
    assert all(system_prompt(replace(CLASSIC), catalog) is first for _ in range(1000))
    assert (catalog.hits, catalog.misses) == (1000, 1)
    assert system_prompt(replace(CLASSIC, index=True), catalog) is not first


def test_eight_threads_get_the_same_object():
    catalog = PromptCatalog()
    barrier, found = threading.Barrier(8), []

    def ask():
        barrier.wait()
        found.append(system_prompt(replace(CLASSIC), catalog))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(text) for text in found}) == 1


def test_a_pack_may_ask_for_values_of_its_own(pack_of):
    pack = pack_of({"classic.section.rules": "====\n\nRULES\n\nTeam {{team}}.{{#if strict}} Strictly.{{/if}}"})
    catalog = PromptCatalog(project=[pack])
    with pytest.raises(MissingPromptValueError) as caught:
        system_prompt(CLASSIC, catalog)
    assert (caught.value.key, caught.value.name) == ("classic.section.rules", "team")
    made = replace(CLASSIC, extra=(("team", "Blue"), ("strict", True)))
    assert "Team Blue. Strictly." in system_prompt(made, catalog)


FLAGS = ("browser", "index", "diff", "multi_file_diff", "fast_apply", "partial_reads", "todo_list", "images",
         "new_task_requires_todos", "image_generation", "run_slash_command", "server_creation", "stealth")  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    flags=st.fixed_dictionaries({name: st.booleans() for name in FLAGS}),
    generation=st.sampled_from(inv.GENERATIONS),
    mode=st.sampled_from(list(inv.MODES["classic"])),
    servers=st.sampled_from([None, (), (SERVER,)]),
)
def test_any_settings_give_a_complete_prompt(flags, generation, mode, servers):
    made = replace(CLASSIC, generation=generation, mode=mode, servers=servers, **flags)
    text = system_prompt(made)
    assert "OBJECTIVE" in text
    assert "{{" not in text
    assert "\n\n\n\n\n" not in text


def test_texts_of_the_catalogue_are_shared_and_not_copied_by_catalogues():
    assert PromptCatalog().text("classic.section.rules") is builtin_catalog().text("classic.section.rules")


def test_settings_can_be_read_from_plain_data():
    table = {"mode": "ask", "custom_modes": [{"slug": "x", "name": "X", "role": "R.", "groups": [{"name": "read"}]}]}
    made = msgspec.convert(table, PromptSettings)
    assert made == PromptSettings(mode="ask", custom_modes=(Mode("x", "X", "R.", (GroupRule("read"),)),))
    assert made.instructions == InstructionLayers()
