"""The synthetic checkouts and the lists of what they say must belong together (rules: checkout/README.md)."""

from __future__ import annotations

import json
import re
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.prompts.hostile_checkout import write_deeply_nested_template, write_escaping_link, write_large_template

CHECKOUTS = Path(__file__).parent / "checkout"
GENERATIONS = ("classic", "native")

CLASSIC_TOOLS = [
    "read-file", "simple-read-file", "fetch-instructions", "search-files", "list-files",
    "list-code-definition-names", "codebase-search", "apply-diff", "write-to-file", "insert-content",
    "search-and-replace", "edit-file", "generate-image", "browser-action", "execute-command", "use-mcp-tool",
    "access-mcp-resource", "ask-followup-question", "attempt-completion", "switch-mode", "new-task",
    "update-todo-list", "new-rule", "report-bug", "condense", "run-slash-command",
]  # fmt: skip
NATIVE_TOOLS = [
    "read_file", "search_files", "list_files", "codebase_search", "apply_diff", "write_to_file", "generate_image",
    "edit", "search_replace", "edit_file", "apply_patch", "execute_command", "read_command_output",
    "access_mcp_resource", "ask_followup_question", "attempt_completion", "switch_mode", "new_task",
    "update_todo_list", "run_slash_command", "skill",
]  # fmt: skip
RESPONSES = [
    "toolDenied", "toolDeniedWithFeedback", "toolApprovedWithFeedback", "toolError", "rooIgnoreError",
    "noToolsUsed", "tooManyMistakes", "missingToolParameterError", "invalidMcpToolArgumentError", "toolResult",
    "imageBlocks", "formatFilesList", "createPrettyPatch",
]  # fmt: skip

# Files that hold code but no prompt text, beside the broken ones.
SILENT = {
    "classic": {"instructions/instructions.ts", "sections/custom-system-prompt.ts", "sections/index.ts", "types.ts"},
    "native": {"instructions/instructions.ts", "sections/index.ts", "tools/native-tools/index.ts"},
}

# Typed by hand from the rules of ECMAScript: (generation, end of the file name, pattern that one piece must match).
HARD_CASES = {
    "code-point-escape": ("classic", "responses.ts", r"^\N{SHIELD}\N{VARIATION SELECTOR-16}$"),
    "astral-escape": ("classic", "custom-instructions.ts", r"^\N{LOCK}$"),
    "separator-of-join": ("classic", "responses.ts", r"^\nor $"),
    "backslashes": ("classic", "tools/search-files.ts", r"`\\b`, a digit `\\d\+`, .* `\\\$\$`"),
    "escaped-dollar": ("classic", "tools/write-to-file.ts", r'"hello\\nworld",\n  "price": "\$\{amount\}"'),
    "escaped-double-quotes": ("classic", "tools/search-and-replace.ts", '^"true" when A equals a$'),
    "dollar-in-single-quotes": ("classic", "support-prompt.ts", r'^Write one command for: "\$\{userInput\}"\n\Z'),
    "line-continuation": ("classic", "support-prompt.ts", r"^Fold the conversation into .*\n\nWrite[^\n]*\n\Z"),
    "carriage-return-escape": ("classic", "objective.ts", r"invent it\.\r\n   \(A carriage return"),
    "crlf-in-template": ("classic", "objective.ts", r"^====\n\nAIM\n\nYou reach the goal in clear steps\.\n\n1\. Read"),
    "trailing-blanks-and-tabs": ("classic", "sections/rules.ts", r"little:  \n\ta tab may stand first,\tor within"),
    "windows-path": ("classic", "sections/rules.ts", r'"Is C:\\temp\\new the right folder\?"$'),
    "raw": ("native", "tool-use-guidelines.ts", r"you know; \\n here is a backslash and an n, C:\\temp"),
    "raw-keeps-backslashes": ("native", "tool-use-guidelines.ts", r"\\`list_files\\` beats"),
    "hex-and-nul": ("native", "sections/rules.ts", r"A and B are letters, \0 is not one"),
    "escaped-nested": ("native", "create-mcp-server.ts", r"`outer \$\{`inner \$\{x\}`\}`"),
    "third-level": ("native", "create-mcp-server.ts", "^three $"),
    "escaped-single-quote": ("native", "search_replace.ts", r"^What shall be there \(isn't the same\)$"),
    "tagged": ("native", "update_todo_list.ts", r"^\n\tPuts a new .*\n\n\t- \[ \] waits"),
    "crlf-in-nested-template": ("native", "capabilities.ts", r"^\n- Plugged-in servers lend more \([a-z-]+\)\.\n\Z"),
}

# Stands in the source with escapes for its letters A and B.
RESOLVED = " are looked at with care; A and B are letters, "


def expected(generation: str) -> dict[str, Any]:
    return json.loads((CHECKOUTS / generation / "expected.json").read_text(encoding="utf-8"))


def source(generation: str, file: str) -> str:
    return (CHECKOUTS / generation / file).read_bytes().decode("utf-8-sig")


def texts(entry: dict[str, Any]) -> list[str]:
    return [piece["text"] for piece in entry["pieces"] if "text" in piece]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_expected_literal_opens_on_its_line(generation):
    for entry in expected(generation)["texts"]:
        lines = source(generation, entry["file"]).split("\n")
        assert 1 <= entry["line"] <= len(lines), entry
        assert re.search("[\"'`]", lines[entry["line"] - 1]), entry
        assert entry["symbol"], entry


@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_expected_piece_stands_in_its_file_in_order(generation):
    for entry in expected(generation)["texts"]:
        lines = source(generation, entry["file"]).split("\n")[entry["line"] - 1 :]
        rest = "\n".join(lines)
        at = 0
        for piece in entry["pieces"]:
            # What may be written as an escape splits a text into runs that must be there literally.
            runs = re.findall(r"[ !#%&()*+,./0-9:;<=>?@A-Z\[\]^_a-z{|}~-]+", piece["text"]) if "text" in piece else []
            for run in [piece["placeholder"]] if "placeholder" in piece else runs:
                if run == RESOLVED:
                    continue
                found = rest.find(run, at)
                assert found >= 0, (entry["file"], entry["line"], run)
                at = found + len(run)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_pieces_follow_the_rules_of_the_list(generation):
    for entry in expected(generation)["texts"]:
        kinds = [next(iter(piece)) for piece in entry["pieces"]]
        assert "text" in kinds
        assert all(texts(entry)), "an empty text has no piece"
        assert ("text", "text") not in pairwise(kinds)


@pytest.mark.parametrize(("generation", "file", "pattern"), HARD_CASES.values(), ids=HARD_CASES)
def test_hard_cases_agree_with_what_was_typed_by_hand(generation, file, pattern):
    pieces = [
        piece for entry in expected(generation)["texts"] if entry["file"].endswith(file) for piece in texts(entry)
    ]
    assert any(re.search(pattern, piece, re.DOTALL) for piece in pieces)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_file_is_accounted_for(generation):
    root = CHECKOUTS / generation
    listing = expected(generation)
    named = {entry["file"] for entry in listing["texts"]} | {entry["file"] for entry in listing["broken"]}
    silent = {f"src/core/prompts/{name}" for name in SILENT[generation]} | {"src/shared/modes.ts"}
    for path in root.rglob("*"):
        if path.is_file():
            assert path.suffix in {".ts", ".json", ".md"}
            if path.suffix == ".ts":
                assert path.relative_to(root).as_posix() in named | silent
    for file in [*listing["hostile"], *listing["outside_listed_layout"]]:
        assert file in named


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_tree_has_the_tools_responses_and_version_of_its_generation(generation):
    root = CHECKOUTS / generation
    listing = expected(generation)
    folder = root / "src/core/prompts/tools"
    tools = CLASSIC_TOOLS if generation == "classic" else [f"native-tools/{name}" for name in NATIVE_TOOLS]
    assert [name for name in tools if not (folder / f"{name}.ts").is_file()] == []
    responses = source(generation, "src/core/prompts/responses.ts")
    assert [key for key in RESPONSES if f"\t{key}: " not in responses] == []
    assert json.loads((root / "package.json").read_text())["version"] == listing["version"]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_line_ends_and_marks_survived_the_version_control(generation):
    root = CHECKOUTS / generation
    listing = expected(generation)
    for path in root.rglob("*.ts"):
        name, data = path.relative_to(root).as_posix(), path.read_bytes()
        assert (b"\r\n" in data) == (name in listing["crlf_files"]), name
        assert data.startswith(b"\xef\xbb\xbf") == (name in listing["bom_files"]), name


def test_hazards_are_made_in_a_copy_of_a_checkout(tmp_path):
    root = tmp_path / "checkout"
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.copytree(CHECKOUTS / "classic", root)
    assert write_large_template(root).stat().st_size > 1 << 20
    assert write_deeply_nested_template(root, depth=3).read_text().count("`") == 6
    assert not write_escaping_link(root, outside).resolve().is_relative_to(root)
