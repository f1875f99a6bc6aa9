"""`streamarena prompts` as a user runs it, in this process: output, exit codes, files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from streamarena.cli.main import group
from streamarena.prompts import PromptSettings, builtin_catalog, find_packs, system_prompt

CHECKOUT = Path(__file__).parent / "checkout" / "native"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command in an empty folder, with an empty configuration."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")

    def call(*words, code=0):
        result = CliRunner().invoke(group, ["prompts", *words], catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result

    return call


def test_list_names_entries_of_a_kind(run):
    lines = run("list", "native.", "--kind", "tool-schema").stdout.splitlines()
    assert len(lines) == 21
    assert lines[0].split()[:3] == ["native.tool.read_file", "tool-schema", "builtin"]


def test_show_prints_the_text_and_tells_the_rest_aside(run):
    result = run("show", "native.notice.truncation")
    assert result.stdout == builtin_catalog().text("native.notice.truncation") + "\n"
    assert "parameters: count" in result.stderr
    assert "did you mean" in run("show", "native.notice.truncatoin", code=2).stderr


def test_render_prints_what_the_library_renders(run):
    made = PromptSettings(workspace="/w", home="/", mode="debug", index=True, diff=False)
    result = run("render", "--mode", "debug", "--with", "index", "--without", "diff", "--workspace", "/w")
    assert result.stdout == system_prompt(made) + "\n"
    assert run("render", "common.notice.lines_omitted", "count=3").stdout == "[...3 lines left out...]\n"
    run("render", "common.notice.lines_omitted", "three", code=2)


def test_render_refuses_modes_and_values_that_do_not_exist(run):
    for words in (("render", "--mode", "nope"), ("stats", "--mode", "nope")):
        message = run(*words, code=2).stderr
        assert "'nope'" in message
        assert "code, " in message
    assert "it takes count" in run("render", "common.notice.lines_omitted", "count=3", "cuont=4", code=2).stderr


def test_render_prints_tools_in_a_format(run):
    tools = json.loads(run("render", "--tools", "anthropic", "--with", "servers").stdout)
    assert {"read_file", "mcp--weather--forecast"} <= {tool["name"] for tool in tools}


def test_stats_add_up(run):
    lines = run("stats", "--with", "index").stdout.splitlines()
    sections = lines[1 : next(n for n, line in enumerate(lines) if line.startswith("together"))]
    total = int(lines[len(sections) + 1].split()[1])
    assert sum(int(line.split()[1]) for line in sections) == total > 1000
    assert any(line.split()[:2] == ["without", "index"] and int(line.split()[2]) < 0 for line in lines)
    native = run("stats", "--generation", "native").stdout
    assert "12 tool definitions" in native


def test_check_names_what_is_wrong_and_write_mends_a_manifest(run, pack_of):
    root = pack_of({"classic.section.rules": "x"})
    run("check", str(root))
    (root / "classic/section/rules.md").write_text("changed {{name}}\n")
    assert "sha256" in run("check", str(root), code=1).stderr
    assert "changed classic.section.rules" in run("check", str(root), "--write").stdout
    (root / "pack.toml").write_text("[pack\n")
    assert "pack.toml:1" in run("check", str(root), code=2).stderr


def test_diff_shows_what_a_pack_changes(run, pack_of):
    root = pack_of({"common.notice.no_files": "Nothing."})
    result = run("diff", "--pack", str(root))
    assert "-No files found.\n+Nothing.\n" in result.stdout
    assert run("diff", "common.notice.no_files").stdout == ""


def test_an_imported_pack_is_found_again_and_loses_to_the_users_own(run, tmp_path, pack_of):
    result = run("import", str(CHECKOUT), "--name", "mine")
    assert "unfinished.ts:4: a syntax error" in result.stdout
    assert "need a human" in result.stderr
    folders = find_packs(tmp_path / "config/streamarena", tmp_path / "work")
    assert [path.name for path in folders.imported] == ["mine"]
    assert run("show", "native.mode.code.role").stdout == "You are Nativus, a maker of programs.\n"
    assert "software engineer" in run("show", "--builtin-only", "common.mode.code.role").stdout
    project = tmp_path / "work/.streamarena/prompts"
    project.parent.mkdir()
    pack_of({"native.mode.code.role": "Ours."}).rename(project)
    assert run("show", "native.mode.code.role").stdout == "Ours.\n"
    assert "not empty" in run("import", str(CHECKOUT), "--name", "mine", code=2).stderr
    run("import", str(CHECKOUT), "--name", "mine", "--force")
