"""Support prompts, slash commands, instructions and environment details put the caller's values where they belong."""

from __future__ import annotations

import pytest

from streamarena.errors import UnknownPromptError
from streamarena.prompts import (
    ClockReading,
    Diagnostic,
    Environment,
    SupportPrompts,
    Terminal,
    Todo,
    ToolServer,
    builtin_catalog,
    builtin_modes,
    environment_details,
    expand_slash_command,
    fetch_instructions,
    parse_todos,
    task_resumption,
    todo_reminder,
    workflow_command,
)
from streamarena.prompts.support import SUPPORT_PARAMETERS
from tests.prompts import inventory as inv

PLACE = {"file_path": "a.py", "start_line": 3, "end_line": 9}
SUPPORT = SupportPrompts()


def every_support_prompt(prompts):
    code = "print('${x} {{y}}')"
    return {
        "ENHANCE": prompts.enhance("U"),
        "CONDENSE": prompts.condense(),
        "EXPLAIN": prompts.explain(code, **PLACE, user_input="U"),
        "FIX": prompts.fix(code, **PLACE, user_input="U", diagnostics=[Diagnostic("bad", "lint", "E1")]),
        "IMPROVE": prompts.improve(code, **PLACE, user_input="U"),
        "ADD_TO_CONTEXT": prompts.add_to_context(code, **PLACE),
        "TERMINAL_ADD_TO_CONTEXT": prompts.terminal_add_to_context("ls", user_input="U"),
        "TERMINAL_FIX": prompts.terminal_fix("sl", user_input="U"),
        "TERMINAL_EXPLAIN": prompts.terminal_explain("ls -la", user_input="U"),
        "TERMINAL_GENERATE": prompts.terminal_generate(
            "U", operating_system="Linux", current_directory="/w", shell="sh"
        ),
        "NEW_TASK": prompts.new_task("U"),
        "COMMIT_MESSAGE": prompts.commit_message("diff --git", custom_instructions="In German."),
    }


def test_every_support_prompt_has_a_typed_function_and_keeps_values_as_they_are():
    texts = every_support_prompt(SUPPORT)
    assert set(texts) == set(SUPPORT_PARAMETERS) == set(inv.SUPPORT)
    for key in ("EXPLAIN", "FIX", "IMPROVE", "ADD_TO_CONTEXT"):
        assert "a.py:3-9" in texts[key]
        assert "```\nprint('${x} {{y}}')\n```" in texts[key]
    assert "Problems reported for this code:\n- [lint] bad (E1)" in texts["FIX"]
    assert texts["NEW_TASK"] == "U"
    assert "In German." in texts["COMMIT_MESSAGE"]
    assert "These come before everything" not in SUPPORT.commit_message("x")


def test_missing_parameters_are_empty_and_unknown_keys_an_error():
    assert SUPPORT.create("EXPLAIN", {}).startswith("Explain this code from :-\n")
    with pytest.raises(UnknownPromptError):
        SUPPORT.create("SING", {})


def test_diagnostics_have_a_default_source_and_optional_code():
    text = SUPPORT.create("FIX", {}, [Diagnostic("one"), Diagnostic("two", "ts", 7)])
    assert "- [Error] one\n- [ts] two (7)\n" in text


def test_a_users_own_text_wins_and_takes_the_same_names():
    mine = SupportPrompts(overrides={"EXPLAIN": "${filePath}|${selectedText}|${nothing}|${diagnosticText}$", "FIX": ""})
    assert mine.explain("${userInput}", **PLACE, user_input="U") == "a.py|${userInput}||$"
    assert mine.fix("x", **PLACE) == SUPPORT.fix("x", **PLACE)


def test_generations_differ_in_the_condense_prompt_alone():
    classic, native = every_support_prompt(SUPPORT), every_support_prompt(SupportPrompts("native"))
    assert [key for key in classic if classic[key] != native[key]] == ["CONDENSE"]


@pytest.mark.parametrize("name", inv.COMMANDS_BYTES)
def test_a_slash_command_wraps_its_instructions_and_the_users_words(name):
    text = expand_slash_command(name, "about the parser")
    assert text.startswith("<explicit_instructions type=")
    assert text.endswith("<user_message>\nabout the parser\n</user_message>")
    assert "<user_message>" not in expand_slash_command(name)
    assert "{{" not in text


def test_slash_commands_name_the_folder_of_the_assistant():
    assert ".kilocode/rules/" in expand_slash_command("newrule")
    assert ".roo/rules/" in expand_slash_command("newrule", generation="native")
    assert ".mine/rules/" in expand_slash_command("newrule", config_directory=".mine")


def test_unknown_commands_and_workflows():
    with pytest.raises(UnknownPromptError):
        expand_slash_command("dance")
    assert workflow_command("release", "1. Tag.", "2.0") == (
        '<explicit_instructions type="release">\n1. Tag.\n</explicit_instructions>\n'
        "<user_message>\n2.0\n</user_message>"
    )


def test_instructions_on_request():
    text = fetch_instructions(
        "create_mcp_server",
        settings_path="/s.json",
        servers_path="/servers",
        servers=[ToolServer("w"), ToolServer("off", connected=False)],
    )
    assert "/s.json" in text
    assert "cd /servers" in text
    assert "connected at present: w." in text
    modes = fetch_instructions("create_mode", custom_modes_path="/m.yaml", generation="native")
    assert "'/m.yaml'" in modes
    assert "'.roomodes'" in modes
    assert "create_mode" in fetch_instructions("fly")
    assert (
        "create_mcp_server" not in fetch_instructions("create_mcp_server", server_creation=False).partition("for:")[2]
    )


MODE = builtin_modes(builtin_catalog(), "classic")[1]
FULL = Environment(
    mode=MODE,
    model="m-1",
    visible_files=[f"v{number}" for number in range(250)],
    open_tabs=[f"t{number}" for number in range(30)],
    recently_modified=["r.py"],
    terminals=[
        Terminal(1, "/w", (("make dev", "ready"),)),
        Terminal(2, "/w/api", (("pytest", "ok"), ("ls", "")), active=False),
    ],
    clock=ClockReading("2026-11-20T12:00:00Z", "Europe/Berlin", "+1:00"),
    git_status="## main",
    cost=0.125,
    workspace="/w",
    file_list="a.py",
    todos=[Todo("Write | test", "completed"), Todo("Run it", "in_progress"), Todo("Ship")],
)


@pytest.mark.parametrize("generation", inv.GENERATIONS)
def test_environment_details_come_in_the_order_of_the_reference(generation):
    text = environment_details(FULL, generation)
    assert text.startswith("<environment_details>\n# VSCode Visible Files\nv0\n")
    assert text.endswith("</environment_details>")
    heads = [line for line in text.splitlines() if line.startswith("# ") or line == "REMINDERS"]
    assert heads == [
        *("# VSCode Visible Files", "# VSCode Open Tabs", "# Recently Modified Files", "# Actively Running Terminals"),
        *("# Inactive Terminals with Completed Process Output", "# Current Time"),
        *(["# Git Status"] if generation == "native" else []),
        *("# Current Cost", "# Current Mode", "# Current Workspace Directory (/w) Files", "REMINDERS"),
    ]
    assert "v199" in text
    assert "v200" not in text
    assert "t19" in text
    assert "t20" not in text
    assert "### Original command: `make dev`\n### New Output\nready" in text
    assert "### Command: `ls`\n" in text
    assert "$0.12" in text or "$0.13" in text
    assert "<slug>code</slug>\n<name>Code</name>\n<model>m-1</model>" in text


def test_empty_sections_are_told_in_classic_and_left_out_in_native():
    empty = Environment(mode=MODE, todos=[])
    classic, native = environment_details(empty), environment_details(empty, "native")
    assert "# VSCode Visible Files\n(No files are visible)" in classic
    assert "# VSCode Open Tabs\n(No tabs are open)" in classic
    assert "VSCode" not in native
    for text in (classic, native):
        assert "# Recently Modified" not in text
        assert "# Current Cost" not in text
        assert "Files\n" not in text.replace("Visible Files\n", "")
        assert "You have not made a list of steps" in text


def test_the_file_list_says_why_it_is_missing():
    desktop = Environment(mode=MODE, file_list="x", workspace_is_desktop=True)
    off = Environment(mode=MODE, file_list="x", max_workspace_files=0)
    assert "Desktop are not listed" in environment_details(desktop)
    assert "switched off" in environment_details(off)


def test_power_steering_repeats_role_and_instructions_in_classic():
    debug = builtin_modes(builtin_catalog(), "classic")[3]
    steering = Environment(mode=debug, power_steering=True)
    assert f"<role>{debug.role}</role>\n<custom_instructions>" in environment_details(steering)
    assert "<role>" not in environment_details(steering, "native")


def test_the_reminder_is_a_table_whose_cells_cannot_break_it():
    text = todo_reminder([Todo("a | b\nc", "completed"), Todo("d")])
    assert "| 1 | a \\| b c | Completed |\n| 2 | d | Pending |" in text
    assert "table" not in todo_reminder([])


CHECKLIST = "[x] done\n- [ ] open\n  [-] going \n[~] going too\n[X] Done\nnot a step\n[ ]\n"


def test_checklists_are_read_leniently():
    assert [(todo.content, todo.status) for todo in parse_todos(CHECKLIST)] == [
        ("done", "completed"),
        ("open", "pending"),
        ("going", "in_progress"),
        ("going too", "in_progress"),
        ("Done", "completed"),
    ]


ELAPSED = [
    (10, "just now"),
    (60, "1 minute ago"),
    (59 * 60, "59 minutes ago"),
    (3600, "1 hour ago"),
    (90_000, "1 day ago"),
    (300_000, "3 days ago"),
]


@pytest.mark.parametrize(("seconds", "words"), ELAPSED, ids=[words for _, words in ELAPSED])
def test_resumption_tells_how_long_ago(seconds, words):
    text = task_resumption(seconds)
    assert text.startswith(f"[TASK RESUMPTION] Work on this task stopped {words} and")
    assert "<user_message>" not in text


def test_resumption_takes_the_users_words_along():
    assert "<user_message>\nfaster\n</user_message>" in task_resumption(5, "faster")
