"""Modes that users and projects define in YAML: `custom_modes.yaml` and `.kilocodemodes` or `.roomodes`.

Invariants: files are read safely (`safe_files.py`) and parsed with the safe loader, which builds plain data only; a
project's mode replaces a global one of the same slug; every defect names the file and the line of the mode.
Cost: one parse a file, of at most 1 MiB. The parser (PyYAML) is the extra `modes` and is imported on first use.
Not here: which mode wins over which (`modes.all_modes`).
"""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from streamarena.errors import MissingExtraError, PackError
from streamarena.prompts.instructions import LAYOUTS
from streamarena.prompts.modes import GroupRule, Mode, ModeSource
from streamarena.prompts.safe_files import read_safely

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from streamarena.prompts.catalog import Generation

__all__ = ["MAX_MODES", "MAX_MODES_BYTES", "parse_modes", "read_custom_modes"]

MAX_MODES_BYTES: Final = 2**20
MAX_MODES: Final = 200
_GROUPS: Final = ("read", "edit", "browser", "command", "mcp", "modes")


class _ModeTable(msgspec.Struct, rename="camel"):
    slug: str
    name: str
    role_definition: str
    groups: list[str | list[object]]
    when_to_use: str | None = None
    description: str | None = None
    custom_instructions: str | None = None


class _Restriction(msgspec.Struct, rename="camel"):
    file_regex: str = ""
    description: str = ""


def read_custom_modes(
    *, workspace: Path | None = None, global_file: Path | None = None, generation: Generation = "classic"
) -> tuple[Mode, ...]:
    """Return the modes of the project, then those of the global file that the project does not replace.

    Args:
        workspace: where the project's file lies, named by the generation's layout; None for none.
        global_file: the user's file; a file that is not there defines nothing.
        generation: decides the name of the project's file.

    Raises:
        PackError: a file defines a mode wrongly; names file and line.
        PromptError: a file is unsafe, too large or not UTF-8.
        MissingExtraError: PyYAML is not installed and there is a file to parse.
    """
    found: dict[str, Mode] = {}
    places: list[tuple[Path, Path, ModeSource]] = []
    if workspace is not None:
        places.append((workspace / LAYOUTS[generation].modes_file, workspace, "project"))
    if global_file is not None:
        places.append((global_file, global_file.parent, "global"))
    for path, root, source in places:
        text = read_safely(path, (root,), limit=MAX_MODES_BYTES)
        for mode in parse_modes(text, file=str(path), source=source) if text else ():
            found.setdefault(mode.slug, mode)
    return tuple(found.values())


def parse_modes(text: str, *, file: str = "custom_modes.yaml", source: ModeSource = "global") -> tuple[Mode, ...]:
    """Return the modes that a YAML (or JSON) text defines under `customModes`.

    Raises:
        PackError: the text is not YAML, or a mode lacks a field, repeats a slug or names an unknown group.
        MissingExtraError: PyYAML is not installed.
    """
    tables, lines = _load(text, file)
    if len(tables) > MAX_MODES:
        raise PackError(file, 0, f"{len(tables)} modes; the limit MAX_MODES is {MAX_MODES}")
    modes: dict[str, Mode] = {}
    for table, line in zip(tables, lines, strict=True):
        mode = _mode(table, file, line, source)
        if mode.slug in modes:
            raise PackError(file, line, f"mode {mode.slug!r} is defined twice")
        modes[mode.slug] = mode
    return tuple(modes.values())


def _load(text: str, file: str) -> tuple[Sequence[object], list[int]]:
    """Parse the text; return the mode tables and the line that each begins on."""
    yaml = _yaml()
    try:
        data: object = yaml.safe_load(text)
        root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise PackError(file, line, f"not YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise PackError(file, 0, f"not YAML: {error}") from error
    if data is None:
        return [], []
    if not isinstance(data, dict) or "customModes" not in data:
        raise PackError(file, 1, "expected a mapping with the key customModes")
    tables: object = cast("dict[object, object]", data)["customModes"] or []
    if not isinstance(tables, list):
        raise PackError(file, 1, "customModes is no list")
    nodes: Any = next(value for key, value in root.value if key.value == "customModes")
    return cast("list[object]", tables), [node.start_mark.line + 1 for node in nodes.value]


def _yaml() -> Any:  # noqa: ANN401 - a library without types of its own, and optional
    try:
        return importlib.import_module("yaml")
    except ImportError as error:
        raise MissingExtraError("PyYAML", "modes", "reading custom modes") from error


def _mode(table: object, file: str, line: int, source: ModeSource) -> Mode:
    try:
        fields = msgspec.convert(table, _ModeTable)
    except msgspec.ValidationError as error:
        raise PackError(file, line, f"a mode is not as it should be: {error}") from error
    if not re.fullmatch(r"[a-zA-Z0-9-]+", fields.slug):
        raise PackError(file, line, f"{fields.slug!r} is no slug: letters, digits and hyphens")
    for name, value in (("name", fields.name), ("roleDefinition", fields.role_definition)):
        if not value.strip():
            raise PackError(file, line, f"mode {fields.slug!r} has an empty {name}")
    groups = tuple(_group(item, fields.slug, file, line) for item in fields.groups)
    names = [group.name for group in groups]
    if len(set(names)) < len(names):
        raise PackError(file, line, f"mode {fields.slug!r} names a group twice")
    return Mode(
        slug=fields.slug,
        name=fields.name,
        role=fields.role_definition.strip(),
        groups=groups,
        when_to_use=(fields.when_to_use or "").strip(),
        description=(fields.description or "").strip(),
        instructions=(fields.custom_instructions or "").strip(),
        source=source,
    )


def _group(item: str | list[object], slug: str, file: str, line: int) -> GroupRule:
    parts: list[object] = [item] if isinstance(item, str) else item
    name = parts[0] if parts else None
    if name not in _GROUPS or len(parts) > 2:
        raise PackError(file, line, f"mode {slug!r}: {name!r} is no group; known: {', '.join(_GROUPS)}")
    restriction = _Restriction()
    if len(parts) == 2:
        try:
            restriction = msgspec.convert(parts[1], _Restriction)
            re.compile(restriction.file_regex)
        except (msgspec.ValidationError, re.error) as error:
            raise PackError(file, line, f"mode {slug!r}: the restriction of {name!r} is wrong: {error}") from error
    return GroupRule(str(name), restriction.file_regex, restriction.description)
