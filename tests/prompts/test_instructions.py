"""Instruction files are found where the reference looks, in its order, and read without leaving their roots."""

from __future__ import annotations

import os

import pytest

from streamarena.errors import PackError, PromptTooLargeError, UnsafePathError
from streamarena.prompts import instructions as module
from streamarena.prompts import read_file_override, read_instructions
from streamarena.prompts.instructions import EXCLUDED


@pytest.fixture
def places(tmp_path):
    """A workspace and a home directory, and a function that writes files below them."""
    for name in ("work", "home", "outside"):
        (tmp_path / name).mkdir()

    def write(path, text="text"):
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    return tmp_path / "work", tmp_path / "home", write


def rules(places, generation="classic", **options):
    work, home, _ = places
    return [
        (block.kind, block.path) for block in read_instructions(work, "code", generation, home=home, **options).rules
    ]


def test_layers_come_in_order_global_before_project(places):
    _, _, write = places
    for path in (
        *("work/.kilocode/rules-code/b.md", "home/.kilocode/rules-code/a.md", "work/.kilocode/rules/z.md"),
        *("home/.kilocode/rules/y.md", "work/AGENTS.md", "work/.kilocodeignore"),
    ):
        write(path)
    assert rules(places) == [
        ("mode", "~/.kilocode/rules-code/a.md"),
        ("mode", ".kilocode/rules-code/b.md"),
        ("ignore", ".kilocodeignore"),
        ("agents", "AGENTS.md"),
        ("general", "~/.kilocode/rules/y.md"),
        ("general", ".kilocode/rules/z.md"),
    ]


def test_older_single_files_count_only_without_directories(places):
    _, _, write = places
    write("work/.kilocoderules-code")
    write("work/.roorules")
    write("work/.clinerules")
    assert rules(places) == [("mode", ".kilocoderules-code"), ("general", ".roorules")]
    write("work/.kilocoderules")
    write("work/.kilocode/rules-code/a.md")
    assert rules(places) == [("mode", ".kilocode/rules-code/a.md"), ("general", ".kilocoderules")]


def test_native_has_its_own_names_and_local_agent_rules(places):
    _, _, write = places
    for path in ("work/.roo/rules/a.md", "work/.clinerules-code", "work/AGENTS.local.md", "work/.rooignore"):
        write(path)
    assert rules(places, "native") == [
        ("mode", ".clinerules-code"),
        ("ignore", ".rooignore"),
        ("agents", "AGENTS.local.md"),
        ("general", ".roo/rules/a.md"),
    ]
    assert ("agents", "AGENTS.local.md") not in rules(places)


def test_agent_rules_fall_back_and_can_be_switched_off(places):
    _, _, write = places
    write("work/AGENT.md")
    assert rules(places) == [("agents", "AGENT.md")]
    write("work/AGENTS.md")
    assert rules(places) == [("agents", "AGENTS.md")]
    assert rules(places, use_agents=False) == []


def test_agent_rules_of_subfolders_on_request(places):
    _, _, write = places
    for path in ("work/AGENTS.md", "work/api/AGENTS.md", "work/node_modules/x/AGENTS.md", "work/.git/AGENTS.md"):
        write(path)
    assert rules(places, "native") == [("agents", "AGENTS.md")]
    assert rules(places, "native", subfolders=True) == [("agents", "AGENTS.md"), ("agents", "api/AGENTS.md")]


def test_files_are_sorted_by_lower_cased_base_name_across_folders(places):
    _, _, write = places
    for path in ("Zeta.md", "sub/alpha.md", "sub/deep/Mid.md", "beta.md"):
        write(f"work/.kilocode/rules/{path}")
    assert [path.rpartition("/")[2] for _, path in rules(places)] == ["alpha.md", "beta.md", "Mid.md", "Zeta.md"]


def test_excluded_binary_and_empty_files_are_skipped(places):
    work, _, write = places
    for pattern in EXCLUDED:
        write(f"work/.kilocode/rules/{pattern.replace('*', 'x')}")
    write("work/.kilocode/rules/empty.md", " \n")
    (work / ".kilocode/rules/picture.md").write_bytes(b"\x89PNG\0")
    write("work/.kilocode/rules/kept.md")
    assert rules(places) == [("general", ".kilocode/rules/kept.md")]


def test_switches_split_rules_and_leave_files_out(places):
    _, _, write = places
    for path in ("home/.kilocode/rules/g.md", "work/.kilocode/rules/l.md", "work/.kilocode/rules/off.md"):
        write(path)
    toggles = {".kilocode/rules/off.md": False}
    assert rules(places, toggles=toggles) == [
        ("global", "~/.kilocode/rules/g.md"),
        ("local", ".kilocode/rules/l.md"),
    ]


def test_depth_is_limited_to_five_folders(places):
    _, _, write = places
    write("work/.kilocode/rules/1/2/3/4/5/in.md")
    write("work/.kilocode/rules/1/2/3/4/5/6/out.md")
    assert [path for _, path in rules(places)] == [".kilocode/rules/1/2/3/4/5/in.md"]


def link(path, target):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def test_links_inside_the_roots_are_followed_and_loops_end(places):
    work, _, write = places
    write("work/docs/shared.md", "shared")
    link(work / ".kilocode/rules/linked.md", work / "docs/shared.md")
    link(work / ".kilocode/rules/loop", work / ".kilocode/rules")
    link(work / "AGENTS.md", work / "docs/shared.md")
    assert rules(places) == [("agents", "AGENTS.md"), ("general", ".kilocode/rules/linked.md")]


UNSAFE = [("file", "rules/secret.md", "secret.md"), ("folder", "rules", ""), ("agents", "../AGENTS.md", "secret.md")]


@pytest.mark.parametrize(("place", "target"), [case[1:] for case in UNSAFE], ids=[case[0] for case in UNSAFE])
def test_a_link_out_of_the_roots_is_refused_by_name(places, place, target):
    work, _, write = places
    write("outside/secret.md", "password")
    link(work / ".kilocode" / place, work.parent / "outside" / target)
    with pytest.raises(UnsafePathError, match="outside of"):
        rules(places)
    problems = []
    assert rules(places, on_problem=problems.append) == []
    assert [type(problem) for problem in problems] == [UnsafePathError]
    assert rules(places, extra_roots=[work.parent / "outside"])


def test_too_many_links_in_a_row_are_refused(places):
    work, _, write = places
    write("work/0.md")
    for number in range(1, 8):
        link(work / f"{number}.md", work / f"{number - 1}.md")
    link(work / "AGENTS.md", work / "4.md")
    assert rules(places) == [("agents", "AGENTS.md")]
    (work / "AGENTS.md").unlink()
    link(work / "AGENTS.md", work / "7.md")
    with pytest.raises(UnsafePathError, match="more than 5 links"):
        rules(places)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_refused_and_never_waited_for(places):
    work, _, _ = places
    os.mkfifo(work / "AGENTS.md")
    with pytest.raises(UnsafePathError, match="not a plain file"):
        rules(places)


def test_sizes_and_encodings_are_named(places, monkeypatch):
    work, _, write = places
    write("work/AGENTS.md", "x" * 50)
    with pytest.raises(PromptTooLargeError, match="max_file_bytes"):
        rules(places, max_file_bytes=40)
    write("work/.kilocode/rules/a.md", "y" * 50)
    with pytest.raises(PromptTooLargeError, match="max_total_bytes"):
        rules(places, max_total_bytes=60)
    (work / "AGENTS.md").write_bytes(b"one\n\xff")
    with pytest.raises(PackError, match="not UTF-8") as caught:
        rules(places)
    assert caught.value.line == 2
    monkeypatch.setattr(module, "MAX_RULE_FILES", 1)
    write("work/AGENTS.md")
    write("work/.kilocode/rules/b.md")
    with pytest.raises(PackError, match="2 files; the limit MAX_RULE_FILES is 1"):
        rules(places)


@pytest.mark.parametrize("mode", ["../secret", "a/b", "", "."])
def test_a_slug_that_is_a_path_is_refused(places, mode):
    with pytest.raises(PackError, match="no slug"):
        read_instructions(places[0], mode, "classic")
    with pytest.raises(PackError, match="no slug"):
        read_file_override(places[0], mode)


def test_the_file_override_is_trimmed_and_absent_without_content(places):
    work, _, write = places
    assert read_file_override(work, "code") == ""
    write("work/.kilocode/system-prompt-code", "  Mine.\n")
    assert read_file_override(work, "code") == "Mine."
