"""Writing packs: a manifest from entries, and a manifest brought up to date with the texts beside it.

Invariants: what is written is read back the same, character for character; the order of entries is kept; a refresh
adds texts it finds and takes the names and hashes from the texts, and never drops an entry whose text is missing
(`check` reports that one).
Cost: every text of the pack is read once.
Not here: importing from another source (`prompts/importing`).
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

import msgspec

from streamarena.errors import PackError, PromptTooLargeError
from streamarena.prompts.pack import DATA_KINDS, FORMAT, MANIFEST, MAX_ENTRIES, MAX_MANIFEST_BYTES, Pack, PromptEntry
from streamarena.prompts.template import compile_template

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["entry_for", "manifest_of", "refresh_pack", "write_manifest", "write_text"]

# The kind of a new text, by the second part of its key (`classic.<area>.name`).
_KIND_OF_AREA: Final = {
    "section": "section",
    "fragment": "fragment",
    "tool": "tool",
    "support": "support",
    "condense": "condense",
    "feedback": "feedback",
    "notice": "notice",
    "command": "command",
    "instructions": "instructions",
    "environment": "environment",
    "error": "error",
    "mode": "mode-text",
}
_DATA_KIND_OF_AREA: Final = {"tool": "tool-schema", "mode": "mode"}
_SUFFIXES: Final = (".md", ".json")


def entry_for(
    root: Path, key: str, kind: str, text: str, *, when: tuple[str, ...] = (), source: str = ""
) -> PromptEntry:
    """Return the entry that describes `text`, with the names and the hash taken from it.

    Raises:
        TemplateError: the text has a wrong tag.
    """
    file = key.replace(".", "/") + (".json" if kind in DATA_KINDS else ".md")
    template = compile_template(text, file=str(root / file))
    return PromptEntry(
        key=key,
        kind=kind,
        parameters=template.parameters,
        conditions=template.conditions,
        when=when,
        source=source,
        sha256=hashlib.sha256(_stored(text)).hexdigest(),
    )


def write_text(root: Path, entry: PromptEntry, text: str) -> None:
    """Store a text exactly, with one newline after it."""
    path = root / entry.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_stored(text))


def write_manifest(root: Path, head: Mapping[str, str], entries: Iterable[PromptEntry]) -> None:
    """Write `pack.toml`.

    Args:
        root: the pack's folder; made if it is not there.
        head: name, version and, if known, description, source and license.
        entries: in the order they shall have.

    Raises:
        PackError, PromptTooLargeError: as `manifest_of`; nothing was written.
    """
    content = manifest_of(root, head, entries)
    root.mkdir(parents=True, exist_ok=True)
    (root / MANIFEST).write_bytes(content)


def manifest_of(root: Path, head: Mapping[str, str], entries: Iterable[PromptEntry]) -> bytes:
    """Return what `write_manifest` writes.

    Raises:
        PackError: there are more than `MAX_ENTRIES`.
        PromptTooLargeError: it would be larger than `MAX_MANIFEST_BYTES`.
    """
    entries = list(entries)
    if len(entries) > MAX_ENTRIES:
        raise PackError(str(root / MANIFEST), 0, f"{len(entries)} entries; a pack holds at most {MAX_ENTRIES}")
    lines = ["[pack]", f"format = {FORMAT}"]
    lines += [f"{name} = {_quoted(value)}" for name, value in head.items() if value]
    for entry in entries:
        lines += ["", f'[entries."{entry.key}"]', f"kind = {_quoted(entry.kind)}"]
        if entry.other_file:
            lines.append(f"file = {_quoted(entry.other_file)}")
        for name, values in (("parameters", entry.parameters), ("conditions", entry.conditions), ("when", entry.when)):
            if values:
                lines.append(f"{name} = [{', '.join(_quoted(value) for value in values)}]")
        for name, value in (("source", entry.source), ("sha256", entry.sha256)):
            if value:
                lines.append(f"{name} = {_quoted(value)}")
    content = ("\n".join(lines) + "\n").encode()
    if len(content) > MAX_MANIFEST_BYTES:
        raise PromptTooLargeError(str(root / MANIFEST), MAX_MANIFEST_BYTES, len(content), "MAX_MANIFEST_BYTES")
    return content


def refresh_pack(root: Path) -> list[str]:
    """Bring a manifest up to date with the texts in its folder; return what changed, one line each.

    Raises:
        PackError: the manifest cannot be read, or a new file's folders say no kind.
        TemplateError: a text has a wrong tag.
    """
    pack = Pack(root)
    changed: list[str] = []
    entries: list[PromptEntry] = []
    listed = {entry.file for entry in pack.entries.values()}
    for key, old in pack.entries.items():
        path = root / old.file
        if not path.is_file():
            entries.append(old)
            continue
        made = entry_for(root, key, old.kind, _read(path), when=old.when, source=old.source)
        new = msgspec.structs.replace(made, other_file=old.other_file)
        if new != old:
            changed.append(f"changed {key}")
        entries.append(new)
    for path in sorted(path for path in root.rglob("*") if path.suffix in _SUFFIXES and path.is_file()):
        relative = path.relative_to(root)
        if relative.as_posix() in listed:
            continue
        key = ".".join(relative.with_suffix("").parts)
        entries.append(entry_for(root, key, _kind_of(relative), _read(path)))
        changed.append(f"added {key}")
    if changed:
        head = {"name": pack.name, "version": pack.version, "description": pack.description}
        write_manifest(root, {**head, "source": pack.source, "license": pack.license}, entries)
    return changed


def _kind_of(relative: Path) -> str:
    area = relative.parts[1] if len(relative.parts) > 2 else ""
    kind = (_DATA_KIND_OF_AREA if relative.suffix == ".json" else _KIND_OF_AREA).get(area)
    if kind is None:
        raise PackError(
            str(relative), 0, "its folders say no kind; expected <generation>/<area>/..., or list it in the manifest"
        )
    return kind


def _read(path: Path) -> str:
    return path.read_bytes().decode("utf-8").removesuffix("\n")


def _stored(text: str) -> bytes:
    return (text + "\n").encode("utf-8")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
