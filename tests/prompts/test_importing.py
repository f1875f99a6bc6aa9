"""A checkout becomes a pack without losing a character, and nothing of it is ever run.

The checkouts and the lists of what they say were written before the importer, from the specification alone
(checkout/README.md).
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from streamarena.errors import MissingExtraError, PackError, PromptTooLargeError
from streamarena.prompts import (
    Pack,
    PromptCatalog,
    PromptSettings,
    SupportPrompts,
    builtin_catalog,
    builtin_modes,
    packwriter,
    system_prompt,
    tool_definitions,
)
from streamarena.prompts.importing import REPORT, import_checkout, parsing
from streamarena.prompts.importing.composing import MAX_TERMS
from streamarena.prompts.importing.literals import MAX_DEPTH, MAX_LITERALS
from tests.prompts.hostile_checkout import (
    write_deeply_nested_template,
    write_doubling_constants,
    write_escaping_link,
    write_large_template,
    write_long_concatenation,
    write_nested_conditions,
)

CHECKOUTS = Path(__file__).parent / "checkout"
GENERATIONS = ("classic", "native")

# Literals that are kept although the list leaves them out: defaults that name a variant. Too much loses nothing.
ALSO_KEPT = {
    "classic": {("src/core/prompts/system.ts", "en"), ("src/core/prompts/tools/apply-diff.ts", "full")},
    "native": {("src/core/prompts/responses.ts", "native")},
}


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """Both checkouts, imported once: generation -> (report, pack folder)."""
    root = tmp_path_factory.mktemp("imported")
    return {name: (import_checkout(CHECKOUTS / name, root / name), root / name) for name in GENERATIONS}


def expected(generation):
    return json.loads((CHECKOUTS / generation / "expected.json").read_text("utf-8"))


def pieces(entry):
    return tuple(next(iter(piece.items())) for piece in entry)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_text_is_found_with_its_place_name_and_pieces(imported, generation):
    report, _ = imported[generation]
    wanted = Counter((e["file"], e["line"], e["symbol"], pieces(e["pieces"])) for e in expected(generation)["texts"])
    found = Counter((item.file, item.line, item.symbol, pieces(item.pieces)) for item in report.literals)
    assert not wanted - found
    assert {(file, parts[0][1]) for file, _, _, parts in found - wanted} == ALSO_KEPT[generation]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_character_comes_back_out_of_the_pack(imported, generation):
    """The stored entry, rendered with each placeholder's own source text, is the literal again."""
    report, folder = imported[generation]
    pack = Pack(folder)
    for item in report.literals:
        written = "".join(value for _, value in pieces(item.pieces))
        assert pack.template(item.key).render(item.names, key=item.key) == written


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_report_is_written_beside_the_pack(imported, generation):
    report, folder = imported[generation]
    stored = json.loads((folder / REPORT).read_text("utf-8"))
    assert stored["generation"] == generation == report.generation
    assert stored["version"] == expected(generation)["version"]
    assert len(stored["literals"]) == len(report.literals) > 250


@pytest.mark.parametrize("generation", GENERATIONS)
def test_broken_files_are_named_and_nothing_in_them_is_used(imported, generation):
    report, _ = imported[generation]
    for broken in expected(generation)["broken"]:
        assert any(p.file == broken["file"] and p.line == broken["line"] for p in report.problems)
        assert not [item for item in report.literals if item.file == broken["file"]]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_modes_are_those_of_the_checkout(imported, generation):
    catalog = PromptCatalog(imported=[imported[generation][1]])
    modes = {mode.slug: mode for mode in builtin_modes(catalog, generation)}
    for entry in expected(generation)["modes"]:
        groups = [[g.name, g.file_regex] if g.file_regex else g.name for g in modes[entry["slug"]].groups]
        assert groups == entry["groups"]
        assert modes[entry["slug"]].role.startswith("You are ")
    assert all(catalog.origin(f"{generation}.mode.{slug}.role").layer == "imported" for slug in modes)


def test_native_tools_have_the_schemas_of_the_checkout(imported):
    catalog = PromptCatalog(imported=[imported["native"][1]])
    for entry in expected("native")["tools"]:
        key = f"native.tool.{entry['name']}"
        assert catalog.origin(key).layer == "imported", key
        table = json.loads(catalog.template(key).render(dict.fromkeys(("images", "new_task_requires_todos"), False)))
        assert table["parameters"]["required"] == entry["required"]
        assert list(table["parameters"]["properties"]) == entry["properties"]
        assert table["strict"] is (entry["strict"] is True)
        assert all(value["description"] for value in table["parameters"]["properties"].values())


def test_conditions_and_placeholders_of_a_tool_become_those_of_the_assembly(imported):
    catalog = PromptCatalog(imported=[imported["classic"][1]])
    template = catalog.template("classic.tool.read_file")
    assert set(template.conditions) == {"several_reads", "partial_reads"}
    assert set(template.parameters) == {"workspace", "max_reads"}
    text = template.render({"several_reads": True, "partial_reads": True, "workspace": "/w", "max_reads": 3})
    assert "- path: (required) from /w\n  - line_range: (optional)" in text
    assert "(3 at most)" in text
    assert "several files a call are switched off" in template.render(
        {**dict.fromkeys(template.parameters, ""), "several_reads": False, "partial_reads": False}
    )


def test_functions_of_a_file_are_followed(imported):
    rules = PromptCatalog(imported=[imported["classic"][1]]).template("classic.section.rules")
    values = {"workspace": "/w", "editing": "(editing)", "index": False, "browser": False}
    text = rules.render(values)
    assert '- Commands are joined with "&&", never with ";".\n- First, search' in text
    assert "- **Unknown code is asked about" in rules.render({**values, "index": True})
    assert "A literal ${HOME} in a script" in text


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_prompt_is_assembled_from_what_was_imported(imported, generation):
    catalog = PromptCatalog(imported=[imported[generation][1]])
    assert catalog.check() == []
    settings = PromptSettings(generation=generation, workspace="/w", index=True, browser=True)
    text = system_prompt(settings, catalog)
    assert text != system_prompt(settings)
    assert "MARKDOWN HABITS" in text if generation == "classic" else "You are Nativus" in text
    mode = builtin_modes(catalog, generation)[1]
    if generation == "native":
        assert "hands back numbered lines" in tool_definitions(catalog, settings, mode)[0].description


def test_support_prompts_take_their_parameters(imported):
    catalog = PromptCatalog(imported=[imported["classic"][1]])
    text = SupportPrompts("classic", catalog).terminal_generate(
        "list", operating_system="Linux", current_directory="/w", shell="sh"
    )
    assert text.startswith('Write one command for: "list"\nSystem: Linux, shell: sh, folder: /w\n')


@pytest.mark.parametrize("generation", GENERATIONS)
def test_what_needs_a_human_is_listed_with_file_and_line(imported, generation):
    report, _ = imported[generation]
    assert report.unmapped
    for key in report.unmapped:
        assert any(problem.line and key.removeprefix("unmapped.") in problem.reason for problem in report.problems)
    source = {p.file: (CHECKOUTS / generation / p.file).read_text("utf-8").count("\n") + 1 for p in report.problems}
    assert all(0 < problem.line <= source[problem.file] for problem in report.problems)
    assert report.problems == sorted(report.problems, key=lambda p: (p.file, p.line))


@pytest.mark.parametrize("generation", GENERATIONS)
def test_unmapped_texts_never_win_over_ours(imported, generation):
    report, folder = imported[generation]
    catalog = PromptCatalog(imported=[folder])
    for key in report.unmapped:
        ours = key.removeprefix("unmapped.")
        assert ours not in catalog or catalog.origin(ours).layer == "builtin"


def test_nothing_of_a_checkout_is_executed(tmp_path, monkeypatch):
    marker = tmp_path / "marker"
    monkeypatch.setenv("SYNTHETIC_CHECKOUT_MARKER", str(marker))
    monkeypatch.chdir(tmp_path)
    for forbidden in (subprocess, socket):
        monkeypatch.setattr(forbidden, "Popen" if forbidden is subprocess else "socket", _refuse)
    for generation in GENERATIONS:
        report = import_checkout(CHECKOUTS / generation, tmp_path / generation)
        assert any(item.file in expected(generation)["hostile"] for item in report.literals)
    assert not marker.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(GENERATIONS)


def _refuse(*args, **kwargs):
    raise AssertionError("the importer started something")


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(CHECKOUTS / "classic", tmp_path / "checkout")
    return tmp_path / "checkout"


def test_a_link_out_of_the_checkout_is_refused_and_named(copy, tmp_path):
    (tmp_path / "outside").mkdir()
    link = write_escaping_link(copy, tmp_path / "outside")
    report = import_checkout(copy, tmp_path / "pack")
    assert not [item for item in report.literals if "lies outside" in str(item.pieces)]
    assert [p.file for p in report.problems if "outside of" in p.reason] == [link.relative_to(copy).as_posix()]


def test_a_template_of_a_megabyte_survives(copy, tmp_path):
    write_large_template(copy)
    report = import_checkout(copy, tmp_path / "pack")
    (item,) = [item for item in report.literals if item.symbol == "largeSection"]
    assert Pack(tmp_path / "pack").text(item.key) == item.pieces[0]["text"]
    assert len(item.pieces[0]["text"]) == 2**20


def test_deep_nesting_costs_no_recursion(copy, tmp_path):
    write_deeply_nested_template(copy, depth=400)
    report = import_checkout(copy, tmp_path / "pack")
    deep = [item for item in report.literals if item.symbol == "deepSection"]
    assert len(deep) == 401
    assert [value for _, value in pieces(deep[-1].pieces)] == ["b"]


def about(report, path):
    return [problem.reason for problem in report.problems if problem.file.endswith(path.name)]


def test_a_concatenation_of_very_many_terms_is_left_to_a_human(copy, tmp_path):
    path = write_long_concatenation(copy, 20_000)
    report = import_checkout(copy, tmp_path / "pack")
    assert about(report, path) == [f"nested deeper than {MAX_DEPTH} levels; nothing of this file was read"]
    assert not [item for item in report.literals if item.file.endswith(path.name)]


def test_a_long_concatenation_below_the_limit_keeps_every_term(copy, tmp_path):
    path = write_long_concatenation(copy, 1_500)
    report = import_checkout(copy, tmp_path / "pack")
    ours = [item for item in report.literals if item.file.endswith(path.name)]
    assert [item.pieces[0]["text"] for item in ours] == [str(number) for number in range(1_500)]
    assert len({item.key for item in ours}) == 1_500


def test_a_file_of_very_many_texts_is_left_to_a_human(copy, tmp_path):
    path = copy / "src/core/prompts/sections/many.ts"
    texts = '"a",' * (MAX_LITERALS + 1)
    path.write_text(f"export const many = [{texts}]\n")
    report = import_checkout(copy, tmp_path / "pack")
    assert about(report, path) == [f"more than {MAX_LITERALS} texts; nothing of this file was read"]


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        pytest.param(write_doubling_constants, f"more than {MAX_TERMS} terms", id="constants"),
        pytest.param(lambda root: write_nested_conditions(root, 20), "conditions that come to more", id="conditions"),
        pytest.param(lambda root: write_nested_conditions(root, 900), "not understood", id="many conditions"),
    ],
)
def test_a_small_text_that_comes_to_a_huge_one_is_left_to_a_human(copy, tmp_path, write, reason):
    path = write(copy)
    report = import_checkout(copy, tmp_path / "pack")
    assert [told for told in about(report, path) if reason in told]
    assert "unmapped.classic.section.objective" in report.unmapped
    assert sum(file.stat().st_size for file in (tmp_path / "pack").rglob("*") if file.is_file()) < 16 * 2**20


def test_nothing_is_written_for_more_than_a_pack_can_hold(copy, tmp_path, monkeypatch):
    monkeypatch.setattr(packwriter, "MAX_MANIFEST_BYTES", 10_000)
    with pytest.raises(PromptTooLargeError, match="MAX_MANIFEST_BYTES"):
        import_checkout(copy, tmp_path / "pack")
    monkeypatch.setattr(packwriter, "MAX_ENTRIES", 10)
    with pytest.raises(PackError, match="at most 10"):
        import_checkout(copy, tmp_path / "pack")
    assert not (tmp_path / "pack").exists()


def test_crossed_line_ends_and_marks_are_kept_as_ecmascript_has_them(copy, tmp_path):
    path = copy / "src/core/prompts/sections/line-ends.ts"
    path.write_bytes(b"\xef\xbb\xbfexport const a = `one\r\ntwo\rthree\\r\\n`\r\nexport const b = '\\ud83d\\ude00'\r\n")
    (copy / "src/core/prompts/sections/lone.ts").write_text("export const c = 'x\\ud83d'\n")
    report = import_checkout(copy, tmp_path / "pack")
    texts = {item.symbol: item.pieces[0]["text"] for item in report.literals if item.file.endswith("line-ends.ts")}
    assert texts == {"a": "one\ntwo\nthree\r\n", "b": "\N{GRINNING FACE}"}
    assert [(p.line, p.reason) for p in report.problems if p.file.endswith("lone.ts")] == [
        (1, "half of a surrogate pair stands alone")
    ]


def test_a_folder_that_is_no_checkout_is_refused(tmp_path):
    with pytest.raises(PackError, match="no checkout"):
        import_checkout(tmp_path, tmp_path / "pack")
    assert not (tmp_path / "pack").exists()


def test_a_folder_that_holds_something_is_not_written_to(tmp_path):
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "mine.md").write_text("mine")
    with pytest.raises(PackError, match="not empty"):
        import_checkout(CHECKOUTS / "classic", tmp_path / "pack")
    import_checkout(CHECKOUTS / "classic", tmp_path / "pack", overwrite=True)
    assert (tmp_path / "pack" / "mine.md").read_text() == "mine"


def test_without_the_parser_the_extra_is_named(tmp_path, monkeypatch):
    parsing._parser.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "tree_sitter", None)
    with pytest.raises(MissingExtraError, match=r"streamarena\[import\]"):
        import_checkout(CHECKOUTS / "classic", tmp_path / "pack")
    parsing._parser.cache_clear()


def test_our_own_texts_are_none_of_the_checkouts(imported):
    """Guards the direction of the import: what we ship does not come from a checkout."""
    ours = {builtin_catalog().text(key) for key in builtin_catalog()}
    for report, folder in imported.values():
        pack = Pack(folder)
        theirs = {pack.text(item.key) for item in report.literals}
        assert not {text for text in theirs & ours if len(text) > 40}
