"""A prompt pack: a folder with a manifest `pack.toml` and one text file for each entry.

    [pack]
    format = 1
    name = "house-style"
    version = "1.2.0"
    description = "Shorter rules for our own repositories"

    [entries."classic.section.rules"]
    kind = "section"
    parameters = ["workspace"]
    conditions = ["browser"]
    when = ["not native_only"]
    source = "written by us"
    sha256 = "..."

Invariants:
* The text of `a.b.c` stands in `a/b/c.md` (`.json` for the kinds that are data) unless `file` names another one, and
  never outside the pack's folder.
* A file ends with one newline that is not part of the text, so that editors may have their way and every text can be
  stored exactly; line ends are never translated.
* A `sha256` (of the file's bytes) is checked when the text is first read; `parameters` and `conditions` are checked
  against the text when it is first rendered, and all of it by `check`.
* Every error names file and line.

Cost: opening a pack reads the manifest alone; a text is read, decoded and compiled once, when first asked for.
Not here: which pack wins (`catalog.py`), writing packs (`packwriter.py`).
"""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from streamarena.errors import PackError, PromptTooLargeError, UnsafePathError
from streamarena.prompts.template import Template, compile_template

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DATA_KINDS",
    "FORMAT",
    "KINDS",
    "MANIFEST",
    "MAX_ENTRIES",
    "MAX_MANIFEST_BYTES",
    "MAX_TEXT_BYTES",
    "Pack",
    "PromptEntry",
]

FORMAT: Final = 1
MANIFEST: Final = "pack.toml"
MAX_MANIFEST_BYTES: Final = 4 * 2**20
MAX_TEXT_BYTES: Final = 4 * 2**20
MAX_ENTRIES: Final = 10_000

# What an entry is; the kinds in DATA_KINDS are JSON, all others text.
KINDS: Final = frozenset(
    {
        *("section", "fragment", "tool", "tool-schema", "mode", "mode-text", "support", "condense", "feedback"),
        *("notice", "command", "instructions", "environment", "error"),
    }
)
DATA_KINDS: Final = frozenset({"tool-schema", "mode"})

_KEY = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")
_CONDITION = re.compile(r"(?:not )?[A-Za-z_][A-Za-z0-9_]*")
_Shape = TypeVar("_Shape")


class _HeadTable(msgspec.Struct, forbid_unknown_fields=True):
    """The [pack] table."""

    format: int
    name: str
    version: str
    description: str = ""
    source: str = ""
    license: str = ""


class _EntryTable(msgspec.Struct, forbid_unknown_fields=True):
    """One [entries."key"] table."""

    kind: str
    file: str = ""
    parameters: list[str] = []
    conditions: list[str] = []
    when: list[str] = []
    source: str = ""
    sha256: str = ""


class PromptEntry(msgspec.Struct, frozen=True):
    """What a manifest says of one text.

    Attributes:
        key: dotted name; the first part is the generation (`classic`, `native`) or `common`.
        kind: one of `KINDS`.
        other_file: path of the text inside the pack where it is not the one that follows from the key.
        parameters, conditions: names that the text uses in `{{name}}` and `{{#if name}}`.
        when: conditions for the entry as a whole, each `name` or `not name`; all must hold for an assembly to use it.
        source: where the text came from; sha256: of the file's bytes, or empty.
    """

    key: str
    kind: str
    parameters: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    when: tuple[str, ...] = ()
    source: str = ""
    sha256: str = ""
    other_file: str = ""

    @property
    def file(self) -> str:
        """Path of the text inside the pack."""
        return self.other_file or self.key.replace(".", "/") + (".json" if self.kind in DATA_KINDS else ".md")

    def applies(self, flags: Mapping[str, object]) -> bool:
        """Whether all of `when` holds; a flag that is not given counts as false."""
        return all(
            not flags.get(name[4:], False) if name.startswith("not ") else bool(flags.get(name)) for name in self.when
        )


class Pack:
    """One folder of prompts, read lazily; safe to share between threads.

    Args:
        root: the pack's folder.

    Raises:
        PackError: the manifest is missing, is not valid TOML or says something that cannot be.
        PromptTooLargeError: it is larger than `MAX_MANIFEST_BYTES`.
    """

    __slots__ = ("_lock", "_manifest", "_templates", "_texts", "description", "entries", "license", "name", "root",
                 "source", "version")  # fmt: skip

    def __init__(self, root: Path) -> None:
        self.root = root
        self._manifest = root / MANIFEST
        self._lock = threading.Lock()
        self._texts: dict[str, str] = {}
        self._templates: dict[str, Template] = {}
        table = self._read_manifest()
        head = self._convert(table.get("pack", {}), _HeadTable, "[pack]")
        if head.format != FORMAT:
            raise self._error("[pack]", f"pack format {head.format}; this version reads format {FORMAT}")
        self.name = head.name
        self.version = head.version
        self.description = head.description
        self.source = head.source
        self.license = head.license
        self.entries: dict[str, PromptEntry] = self._read_entries(table)

    def text(self, key: str) -> str:
        """Return the text of an entry exactly as it is stored, tags and all.

        Raises:
            PackError: the file is missing, is not UTF-8, or does not match its `sha256`.
            UnsafePathError: it lies outside the pack.
            PromptTooLargeError: it is larger than `MAX_TEXT_BYTES`.
        """
        text = self._texts.get(key)
        if text is None:
            template = self._templates.get(key)
            read = template.plain if template is not None else None
            if read is None:
                read = self._read_text(self.entries[key])
            with self._lock:
                text = self._texts.setdefault(key, read)
        return text

    def template(self, key: str) -> Template:
        """Return the compiled text of an entry.

        Raises:
            TemplateError: a tag in it is wrong.
            PackError: as `text`, or it uses a name that the manifest does not declare.
        """
        template = self._templates.get(key)
        if template is None:
            entry = self.entries[key]
            path = str(self.root / entry.file)
            text = self._texts.get(key) or self._read_text(entry)  # not kept: the template holds all of it
            compiled = compile_template(text, file=path)
            self._check_declared(entry, compiled, text)
            with self._lock:
                template = self._templates.setdefault(key, compiled)
        return template

    def line_of(self, header: str) -> int:
        """Return the 1-based line of the manifest where a table header stands; 1 if it is nowhere."""
        lines = self._manifest.read_text("utf-8").splitlines()
        return next((number for number, line in enumerate(lines, 1) if line.strip().startswith(header)), 1)

    # ------------------------------------------------------------ the manifest

    def _read_manifest(self) -> dict[str, object]:
        import tomllib  # noqa: PLC0415 - costs several milliseconds, and nobody pays before the first pack is opened

        try:
            with self._manifest.open("rb") as file:
                raw = file.read(MAX_MANIFEST_BYTES + 1)
        except OSError as error:
            raise PackError(str(self._manifest), 0, f"cannot be read: {error.strerror}") from error
        if len(raw) > MAX_MANIFEST_BYTES:
            raise PromptTooLargeError(str(self._manifest), MAX_MANIFEST_BYTES, len(raw), "MAX_MANIFEST_BYTES")
        try:
            return tomllib.loads(raw.decode("utf-8"))
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            raise PackError(str(self._manifest), line, "not UTF-8") from error
        except tomllib.TOMLDecodeError as error:
            found = re.search(r"line (\d+)", str(error))
            line = int(found[1]) if found else raw.count(b"\n") + 1
            raise PackError(str(self._manifest), line, f"not TOML: {error}") from error

    def _read_entries(self, table: Mapping[str, object]) -> dict[str, PromptEntry]:
        unknown = set(table) - {"pack", "entries"}
        if unknown:
            name = min(unknown)
            raise self._error(f"[{name}", f"unknown table {name!r}")
        entries = self._convert(table.get("entries", {}), dict[str, object], "[entries")
        if len(entries) > MAX_ENTRIES:
            raise PackError(str(self._manifest), 0, f"{len(entries)} entries; the limit MAX_ENTRIES is {MAX_ENTRIES}")
        names: dict[str, str] = {}  # the same few names stand in hundreds of entries: one object each
        return {key: self._read_entry(key, fields, names) for key, fields in entries.items()}

    def _read_entry(self, key: str, fields: object, names: dict[str, str]) -> PromptEntry:
        header = f'[entries."{key}"]'
        if not _KEY.fullmatch(key):
            raise self._error(header, f"{key!r} is no key: dotted names of letters, digits, '_' and '-'")
        table = self._convert(fields, _EntryTable, header)
        if table.kind not in KINDS:
            raise self._error(header, f"unknown kind {table.kind!r}; known: {', '.join(sorted(KINDS))}")
        for name in (*table.parameters, *table.conditions, *table.when):
            if not _CONDITION.fullmatch(name):
                raise self._error(header, f"{name!r} is no name")
        return PromptEntry(
            key=key,
            kind=names.setdefault(table.kind, table.kind),
            other_file=table.file,
            parameters=tuple(names.setdefault(name, name) for name in table.parameters),
            conditions=tuple(names.setdefault(name, name) for name in table.conditions),
            when=tuple(names.setdefault(name, name) for name in table.when),
            source=table.source,
            sha256=table.sha256,
        )

    def _convert(self, value: object, shape: type[_Shape], header: str) -> _Shape:
        try:
            return msgspec.convert(value, shape)
        except msgspec.ValidationError as error:
            raise self._error(header, f"{header}: {error}") from error

    # ------------------------------------------------------------ the texts

    def _read_text(self, entry: PromptEntry) -> str:
        path = self.root / entry.file
        relative = Path(entry.file)
        if relative.is_absolute() or ".." in relative.parts:
            raise UnsafePathError(entry.file, f"{entry.key} leads out of its pack {self.root}")
        try:
            if not path.resolve(strict=True).is_relative_to(self.root.resolve()):
                raise UnsafePathError(entry.file, f"{entry.key} leads out of its pack {self.root}")
            with path.open("rb") as file:
                raw = file.read(MAX_TEXT_BYTES + 1)
        except OSError as error:
            raise PackError(str(path), 0, f"the text of {entry.key} cannot be read: {error.strerror}") from error
        if len(raw) > MAX_TEXT_BYTES:
            raise PromptTooLargeError(str(path), MAX_TEXT_BYTES, len(raw), "MAX_TEXT_BYTES")
        if entry.sha256 and _sha256(raw) != entry.sha256:
            raise PackError(str(path), 0, f"{entry.key} has changed: its sha256 is not the manifest's")
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise PackError(str(path), raw.count(b"\n", 0, error.start) + 1, f"{entry.key} is not UTF-8") from error
        return text.removesuffix("\n")

    def _check_declared(self, entry: PromptEntry, template: Template, text: str) -> None:
        for field, used, declared in (
            ("parameters", template.parameters, entry.parameters),
            ("conditions", template.conditions, entry.conditions),
        ):
            undeclared = sorted(set(used) - set(declared))
            if undeclared:
                name = undeclared[0]
                tag = "{{" + name + "}}" if field == "parameters" else name + "}}"
                line = text.count("\n", 0, max(text.find(tag), 0)) + 1
                raise PackError(
                    str(self.root / entry.file), line, f"{entry.key} uses {name!r}, which its {field} do not list"
                )
            unused = sorted(set(declared) - set(used))
            if unused:
                raise self._error(f'[entries."{entry.key}"]', f"{entry.key} never uses {unused[0]!r} of its {field}")

    def _error(self, header: str, reason: str) -> PackError:
        return PackError(str(self._manifest), self.line_of(header), reason)


def _sha256(raw: bytes) -> str:
    import hashlib  # noqa: PLC0415 - loads OpenSSL; as with tomllib, nobody pays before the first text is read

    return hashlib.sha256(raw).hexdigest()
