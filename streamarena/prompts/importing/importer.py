"""A local checkout of the assistant becomes a prompt pack: every literal exactly, and ready entries where possible.

What is written: (1) under `source.<generation>.…` every literal of a prompt, character by character, with its
placeholders; (2) under the keys of the catalogue (`classic.section.rules`, …) the texts that could be composed and that
need only values which the assembly has; (3) under `unmapped.…` the texts that were composed but need something else;
(4) `import-report.json`, which says of each literal where it stood and lists, with file and line, what needs a human.

Invariants: nothing of the checkout is executed; only regular files inside it are read, each up to `MAX_SOURCE_BYTES`;
files with a syntax error or past a limit are reported and left out; nothing is written before the whole pack is known
to be within the limits of one; what is written is read back and compared before success is reported.
Cost: one parse of each file of the layout, some hundreds.
Not here: fetching a checkout.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from streamarena.errors import PackError, PromptError, TemplateError
from streamarena.prompts.catalog import Generation, builtin_catalog
from streamarena.prompts.importing.composing import snake_case
from streamarena.prompts.importing.literals import MAX_LITERALS, Literal, SourceLimitError, literals
from streamarena.prompts.importing.locales import locale_literals, locale_source
from streamarena.prompts.importing.mapping import Candidate, locale_candidates, source_candidates
from streamarena.prompts.importing.parsing import parse
from streamarena.prompts.modes import Mode
from streamarena.prompts.pack import MANIFEST, MAX_TEXT_BYTES, Pack, PromptEntry
from streamarena.prompts.packwriter import entry_for, manifest_of, write_manifest, write_text
from streamarena.prompts.safe_files import read_safely
from streamarena.prompts.settings import PromptSettings
from streamarena.prompts.template import literal as escaped
from streamarena.prompts.tools import prompt_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["MAX_FILES", "MAX_SOURCE_BYTES", "REPORT", "ImportReport", "ImportedLiteral", "Problem", "import_checkout"]

MAX_SOURCE_BYTES: Final = 8 * 2**20
MAX_FILES: Final = 5_000
REPORT: Final = "import-report.json"

# Where prompts stand in a checkout; folders are searched for .ts files.
_FOLDERS: Final = ("src/core/prompts", "src/core/diff/strategies")
_FILES: Final = (
    "src/shared/support-prompt.ts",
    "src/shared/modes.ts",
    "packages/types/src/mode.ts",
    "src/core/condense/index.ts",
)
_LOCALES: Final = ("src/i18n/locales/en/common.json", "src/i18n/locales/en/tools.json")
_SKIPPED_FOLDERS: Final = frozenset({"__tests__", "__snapshots__", "node_modules"})


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that needs a human: file and 1-based line in the checkout (0: the file as a whole), and why."""

    file: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class ImportedLiteral:
    """A literal and where it went.

    Attributes:
        key: its entry; file, line, symbol: where it stood; pieces: `{"text": …}` and `{"placeholder": …}` in order.
        names: which placeholder name of the entry stands for which expression.
    """

    key: str
    file: str
    line: int
    symbol: str
    pieces: tuple[dict[str, str], ...]
    names: dict[str, str]


@dataclass
class ImportReport:
    """What an import has done.

    Attributes:
        generation, version: of the checkout; files: how many were read.
        literals: every text; mapped: keys of the catalogue that were written; unmapped: composed, but not usable yet.
        problems: what needs a human, in the order of files and lines.
    """

    generation: Generation
    version: str
    files: int = 0
    literals: list[ImportedLiteral] = field(default_factory=list[ImportedLiteral])
    mapped: list[str] = field(default_factory=list[str])
    unmapped: list[str] = field(default_factory=list[str])
    problems: list[Problem] = field(default_factory=list[Problem])


class _Package(msgspec.Struct):
    version: str = ""


def import_checkout(
    checkout: Path, output: Path, *, generation: Generation | None = None, name: str = "", overwrite: bool = False
) -> ImportReport:
    """Read a checkout and write a pack.

    Args:
        checkout: the root of the working tree.
        output: the folder of the new pack; must not hold anything yet.
        generation: None finds it out from the layout.
        name: of the pack; default: from generation and version.
        overwrite: write into a folder that holds something.

    Raises:
        PackError: there are no prompts in `checkout`, more than a pack can hold, or `output` is not empty.
        PromptTooLargeError: the manifest would be too large; as with PackError, nothing was written.
        MissingExtraError: tree-sitter is not installed.
        PromptError: what was written does not read back the same.
    """
    if output.exists() and any(output.iterdir()) and not overwrite:
        raise PackError(str(output), 0, "is not empty; choose another folder, or allow overwriting")
    found = generation or _generation(checkout)
    report = ImportReport(found, _version(checkout))
    texts, candidates = _read(checkout, report)
    if not texts:
        raise PackError(str(checkout), 0, "holds no prompts: not a checkout of the assistant, or all files are broken")
    entries = _literal_entries(texts, report, output) | _mapped_entries(candidates, report, output)
    head = {
        "name": name or f"imported-{found}-{report.version or 'unknown'}",
        "version": report.version or "0",
        "description": f"Imported from a checkout ({found})",
        "source": "imported with: streamarena prompts import",
    }
    listed = [entry for entry, _ in entries.values()]
    manifest_of(output, head, listed)
    for entry, text in entries.values():
        write_text(output, entry, text)
    write_manifest(output, head, listed)
    report.problems.sort(key=lambda problem: (problem.file, problem.line))
    (output / REPORT).write_text(json.dumps(asdict(report), indent=1, ensure_ascii=False) + "\n", "utf-8")
    _verify(output, entries)
    return report


# ---------------------------------------------------------------- reading


def _generation(checkout: Path) -> Generation:
    tools = checkout / "src/core/prompts/tools"
    if (tools / "read-file.ts").is_file():
        return "classic"
    if (tools / "native-tools").is_dir():
        return "native"
    raise PackError(str(checkout), 0, "is no checkout of the assistant: src/core/prompts/tools has no tools")


def _version(checkout: Path) -> str:
    for place in ("src/package.json", "package.json"):
        text = read_safely(checkout / place, (checkout,), limit=MAX_SOURCE_BYTES)
        try:
            version = msgspec.json.decode(text, type=_Package).version if text else ""
        except msgspec.DecodeError:
            continue  # an unreadable package.json only costs the version
        if version:
            return version
    return ""


def _read(checkout: Path, report: ImportReport) -> tuple[list[Literal], list[Candidate]]:
    texts: list[Literal] = []
    candidates: list[Candidate] = []
    for file in _sources(checkout, report):
        try:
            text = read_safely(checkout / file, (checkout,), limit=MAX_SOURCE_BYTES)
        except PromptError as error:
            report.problems.append(Problem(file, 0, str(error)))
            continue
        if text is None:
            continue
        report.files += 1
        is_locale = file in _LOCALES
        source = locale_source(file, text.encode()) if is_locale else parse(file, text.encode())
        if line := source.broken_line():
            report.problems.append(Problem(file, line, "a syntax error; nothing of this file was read"))
            continue
        try:
            found = locale_literals(source) if is_locale else literals(source)
            if len(found) > MAX_LITERALS:
                raise SourceLimitError(0, f"more than {MAX_LITERALS} texts")
        except SourceLimitError as error:
            reason = f"{error.reason}; nothing of this file was read"
            report.problems.append(Problem(file, error.line, reason))
            continue
        texts += found
        offered = (
            locale_candidates(found, report.generation) if is_locale else source_candidates(source, report.generation)
        )
        candidates += offered
    return texts, candidates


def _sources(checkout: Path, report: ImportReport) -> Iterator[str]:
    count = 0
    for file in (*_walk(checkout), *_FILES, *_LOCALES):
        if not (checkout / file).is_symlink() and not (checkout / file).is_file():
            continue
        count += 1
        if count > MAX_FILES:
            report.problems.append(Problem(file, 0, f"more than {MAX_FILES} files; the rest was not read"))
            return
        yield file


def _walk(checkout: Path) -> Iterator[str]:
    for folder in _FOLDERS:
        for root, names, files in os.walk(checkout / folder):
            names[:] = sorted(name for name in names if name not in _SKIPPED_FOLDERS)
            for file in sorted(files):
                if file.endswith(".ts") and not file.endswith((".spec.ts", ".test.ts", ".d.ts")):
                    yield (Path(root) / file).relative_to(checkout).as_posix()


# ---------------------------------------------------------------- entries


_Entries = dict[str, tuple[PromptEntry, str]]


def _literal_entries(texts: Iterable[Literal], report: ImportReport, output: Path) -> _Entries:
    entries: _Entries = {}
    same: Counter[str] = Counter()
    for item in texts:
        if item.problem:
            report.problems.append(Problem(item.file, item.line, item.problem))
            continue
        text, names = _template(item)
        if _too_large(item.file, item.line, text, report):
            continue
        key = _literal_key(item, report.generation, entries, same)
        source = f"{item.file}:{item.line} {item.symbol}"
        entries[key] = entry_for(output, key, "fragment", text, source=source), text
        pieces = tuple({"text" if piece.is_text else "placeholder": piece.value} for piece in item.pieces)
        report.literals.append(ImportedLiteral(key, item.file, item.line, item.symbol, pieces, names))
    return entries


def _template(item: Literal) -> tuple[str, dict[str, str]]:
    out: list[str] = []
    names: dict[str, str] = {}
    for piece in item.pieces:
        if piece.is_text:
            out.append(escaped(piece.value))
            continue
        base = snake_case(piece.value)[:40].strip("_")
        name, number = base, 1
        while names.get(name, piece.value) != piece.value:
            number += 1
            name = f"{base}_{number}"
        names[name] = piece.value
        out.append("{{" + name + "}}")
    return "".join(out), names


def _too_large(file: str, line: int, text: str, report: ImportReport) -> bool:
    """Tell whether a text is larger than a pack's may be, and list it if so."""
    if len(text) < MAX_TEXT_BYTES // 4 or len(text.encode()) < MAX_TEXT_BYTES:
        return False
    report.problems.append(Problem(file, line, f"a text of more than {MAX_TEXT_BYTES} bytes; it was left out"))
    return True


def _literal_key(item: Literal, generation: Generation, taken: _Entries, same: Counter[str]) -> str:
    """Return the key of a literal; the second and further ones of a place are numbered."""
    file = _slug(re.sub(r"\.(ts|json)$", "", item.file))
    base = f"source.{generation}.{file}.{_slug(item.symbol)[:80]}-{item.line}"
    while True:
        same[base] += 1
        key = base if same[base] == 1 else f"{base}-{same[base]}"
        if key not in taken:
            return key


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-") or "text"


def _mapped_entries(candidates: Iterable[Candidate], report: ImportReport, output: Path) -> _Entries:
    known = set(prompt_values(PromptSettings(), Mode("code", "Code", "")))
    catalog = builtin_catalog()
    entries: _Entries = {}
    for item in candidates:
        report.problems += [Problem(item.file, note.line, f"{item.key}: {note.reason}") for note in item.notes]
        if _too_large(item.file, item.line, item.text, report):
            continue
        ours = _ours(item.key)
        allowed = known | _SECTION_NAMES.get(item.key.partition(".")[2], set())
        when: tuple[str, ...] = ()
        if ours:
            entry = catalog.entry(ours)
            allowed = allowed | {*entry.parameters, *entry.conditions}
            when = entry.when
        source = f"{item.file}:{item.line}"
        try:
            made = entry_for(output, item.key, item.kind, item.text, when=when, source=source)
        except TemplateError as error:
            report.problems.append(Problem(item.file, item.line, f"{item.key}: {error.reason}"))
            continue
        unknown = sorted({*made.parameters, *made.conditions} - allowed)
        if unknown or any("step by step" in note.reason for note in item.notes):
            key = f"unmapped.{item.key}"
            made = entry_for(output, key, item.kind, item.text, when=when, source=source)
            report.unmapped.append(key)
            if unknown:
                reason = f"{item.key} needs {', '.join(unknown)}, which the assembly does not have"
                report.problems.append(Problem(item.file, item.line, reason))
        else:
            report.mapped.append(item.key)
        entries[made.key] = made, item.text
    return entries


# Values that the assembly composes for one section.
_SECTION_NAMES: Final[dict[str, set[str]]] = {
    "section.modes": {"modes"},
    "section.mcp-servers": {"servers"},
    "section.skills": {"skills"},
    "section.rules": {"editing", "chain", "shell_note", "confidentiality"},
}


def _ours(key: str) -> str:
    """Our own entry that an imported one replaces, or ""."""
    catalog = builtin_catalog()
    generation, _, name = key.partition(".")
    for candidate in (f"{generation}.{name}", f"common.{name}"):
        if candidate in catalog:
            return candidate
    return ""


def _verify(output: Path, entries: _Entries) -> None:
    pack = Pack(output)
    for key, (_, text) in entries.items():
        if pack.text(key) != text:
            raise PackError(str(output / MANIFEST), 0, f"{key} does not read back as it was written")
        pack.template(key)
