"""What a mode may do is decided as the reference decides it."""

from __future__ import annotations

import pytest

from streamarena.errors import FileRestrictionError, PackError, ToolNotAllowedError
from streamarena.prompts import (
    GroupRule,
    Mode,
    ModeOverride,
    PromptCatalog,
    all_modes,
    builtin_catalog,
    builtin_modes,
    check_tool,
    is_tool_allowed,
    parse_modes,
    read_custom_modes,
    select_mode,
)

CLASSIC = {mode.slug: mode for mode in builtin_modes(builtin_catalog(), "classic")}
NATIVE = {mode.slug: mode for mode in builtin_modes(builtin_catalog(), "native")}

ALLOWED = [
    ("architect reads", "architect", "read_file", {}, True),
    ("architect runs nothing", "architect", "execute_command", {}, False),
    ("ask edits nothing", "ask", "write_to_file", {"path": "a.md", "content": "x"}, False),
    ("code edits", "code", "apply_diff", {"path": "a.py", "diff": "x"}, True),
    ("orchestrator delegates", "orchestrator", "new_task", {}, True),
    ("orchestrator reads nothing", "orchestrator", "read_file", {}, False),
    ("always available", "orchestrator", "attempt_completion", {}, True),
    ("unknown tool", "code", "launch_rocket", {}, False),
    ("architect writes markdown", "architect", "write_to_file", {"path": "plan.md", "content": "x"}, True),
    ("not an edit yet", "architect", "write_to_file", {"path": "app.js"}, True),
    ("several files", "architect", "apply_diff", {"args": "<path>a.md</path>..<path>b.md</path>"}, True),
]


@pytest.mark.parametrize(
    ("mode", "tool", "parameters", "allowed"), [c[1:] for c in ALLOWED], ids=[c[0] for c in ALLOWED]
)
def test_classic_permissions(mode, tool, parameters, allowed):
    assert is_tool_allowed(tool, CLASSIC[mode], "classic", parameters=parameters) is allowed
    if not allowed:
        with pytest.raises(ToolNotAllowedError):
            check_tool(tool, CLASSIC[mode], "classic", parameters=parameters)


REFUSED = [
    ("content", "classic", "write_to_file", {"path": "app.js", "content": "x"}, "app.js"),
    ("diff", "classic", "apply_diff", {"path": "app.js", "diff": "x"}, "app.js"),
    ("line", "classic", "insert_content", {"path": "app.js", "line": "1"}, "app.js"),
    ("one of several", "classic", "apply_diff", {"args": "<file><path>a.md</path></file><path> b.js </path>"}, "b.js"),
    ("merged edit", "classic", "edit_file", {"target_file": "app.js", "code_edit": "x"}, "app.js"),
    ("native edit", "native", "edit", {"file_path": "app.js", "new_string": "x"}, "app.js"),
    ("alias", "native", "search_and_replace", {"file_path": "app.js", "old_string": "x"}, "app.js"),
    (
        "patch",
        "native",
        "apply_patch",
        {"patch": "*** Begin Patch\n*** Update File: a.md\n*** Move to: a.js\n"},
        "a.js",
    ),
]


@pytest.mark.parametrize(("generation", "tool", "call", "path"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED])
def test_a_restricted_mode_names_the_file_it_may_not_edit(generation, tool, call, path):
    mode = (CLASSIC if generation == "classic" else NATIVE)["architect"]
    with pytest.raises(FileRestrictionError) as caught:
        is_tool_allowed(tool, mode, generation, parameters=call)
    assert (caught.value.path, caught.value.pattern, caught.value.mode) == (path, r"\.md$", "architect")
    assert caught.value.description == "Markdown files only"


def test_a_requirement_that_is_false_takes_a_tool_away():
    requirements = {"apply_diff": False}
    assert not is_tool_allowed("apply_diff", CLASSIC["code"], "classic", requirements=requirements)
    assert is_tool_allowed("write_to_file", CLASSIC["code"], "classic", requirements=requirements)


def test_tools_of_servers_belong_to_the_group_mcp():
    assert is_tool_allowed("mcp--weather--forecast", NATIVE["ask"], "native")
    assert not is_tool_allowed("mcp--weather--forecast", NATIVE["orchestrator"], "native")


def test_a_custom_mode_wins_as_a_whole_and_an_override_field_by_field():
    catalog = builtin_catalog()
    override = ModeOverride("code", role="You are terse.")
    changed = select_mode("code", catalog, "classic", overrides=[override])
    assert changed.role == "You are terse."
    assert changed.groups == CLASSIC["code"].groups
    assert changed.when_to_use == CLASSIC["code"].when_to_use
    mine = Mode("code", "Mine", "Role.", source="global")
    project = Mode("code", "Ours", "Role.", source="project")
    assert select_mode("code", catalog, "classic", [mine, project], [override]).name == "Ours"
    assert [mode.slug for mode in all_modes(catalog, "classic", [project])] == list(CLASSIC)


def test_a_pack_may_change_and_add_modes(tmp_path, pack_of):
    root = pack_of({"classic.mode.code": '{"slug": "code", "name": "Kode", "groups": ["read"]}'}, kind="mode")
    modes = builtin_modes(PromptCatalog(user=[root]), "classic")
    assert [mode.slug for mode in modes] == list(CLASSIC)
    assert (modes[1].name, modes[1].role) == ("Kode", CLASSIC["code"].role)
    broken = pack_of({"classic.mode.code": '{"slug": 3}'}, "broken", kind="mode")
    with pytest.raises(PackError, match="describes no mode"):
        builtin_modes(PromptCatalog(user=[broken]), "classic")


YAML = """
customModes:
  - slug: docs-writer
    name: Docs Writer
    roleDefinition: >-
      You write
      documentation.
    groups:
      - read
      - - edit
        - fileRegex: \\.(md|mdx)$
          description: Documentation files
    customInstructions: Keep examples runnable.
  - slug: poet
    name: Poet
    roleDefinition: You write verse.
    groups: []
"""


def test_custom_modes_are_read_from_yaml():
    docs, poet = parse_modes(YAML, source="project")
    assert docs.role == "You write documentation."
    assert docs.groups == (GroupRule("read"), GroupRule("edit", r"\.(md|mdx)$", "Documentation files"))
    assert (docs.instructions, docs.source) == ("Keep examples runnable.", "project")
    assert poet.groups == ()


ONE = "customModes:\n  - slug: {slug}\n    name: A\n    roleDefinition: x\n    groups: {groups}\n"
BAD = [
    ("not-yaml", "customModes: [", 1),
    ("no-list", "modes: []", 1),
    ("no-role", "customModes:\n  - slug: a\n    name: A\n    groups: []\n", 2),
    ("bad-slug", ONE.format(slug="a b", groups="[]"), 2),
    ("unknown-group", "\n" + ONE.format(slug="a", groups="[fly]"), 3),
    ("group-twice", ONE.format(slug="a", groups="[read, read]"), 2),
    ("bad-pattern", ONE.format(slug="a", groups="[[edit, {fileRegex: '('}]]"), 2),
    ("slug-twice", ONE.format(slug="a", groups="[]") + ONE.format(slug="a", groups="[]").partition("\n")[2], 6),
]


@pytest.mark.parametrize(("text", "line"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_a_wrong_definition_names_file_and_line(text, line):
    with pytest.raises(PackError) as caught:
        parse_modes(text, file="modes.yaml")
    assert caught.value.file == "modes.yaml"
    assert caught.value.line == line


def test_yaml_builds_plain_data_only(tmp_path):
    with pytest.raises(PackError, match="not YAML"):
        parse_modes(f"customModes: !!python/object/apply:os.mkdir ['{tmp_path}/made']")
    assert not (tmp_path / "made").exists()


def test_the_project_wins_over_the_global_file(tmp_path):
    project, home = tmp_path / "project", tmp_path / "home"
    project.mkdir()
    home.mkdir()
    (home / "custom_modes.yaml").write_text(YAML)
    (project / ".kilocodemodes").write_text(ONE.format(slug="poet", groups="[]").replace("name: A", "name: Bard"))
    modes = read_custom_modes(workspace=project, global_file=home / "custom_modes.yaml")
    assert [(mode.slug, mode.name, mode.source) for mode in modes] == [
        ("poet", "Bard", "project"),
        ("docs-writer", "Docs Writer", "global"),
    ]
    assert read_custom_modes(workspace=tmp_path, generation="native") == ()
