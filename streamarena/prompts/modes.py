"""Modes: the role that the model plays, the tools it may use, and the files it may edit.

A mode is chosen by its slug: a custom mode of that slug as a whole, else the built-in one with the user's overrides of
single fields, else the first built-in mode. Built-in modes are data of the catalogue (`classic.mode.code` and the texts
beside it), so a pack may change them or add others.

Permission rules (section 7.3 of the reference behaviour): tools that are always available pass; a tool whose
requirement is false does not; otherwise one of the mode's groups must hold the tool; and a group with a file pattern
lets an edit pass only where every path it names matches. The pattern is checked only when the call really edits,
which is when one of `EDIT_PARAMETERS` is present, so that half-streamed calls are not refused too early.
Cost: a check is one pass over the mode's groups. Patterns are compiled once and kept by `re`.
Not here: reading `custom_modes.yaml` (`custom_modes.py`), the tables of tools (`tools.py`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from streamarena.errors import FileRestrictionError, PackError, ToolNotAllowedError
from streamarena.prompts.tool_tables import ALWAYS_AVAILABLE, TOOL_ALIASES, TOOL_GROUPS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streamarena.prompts.catalog import Generation, PromptCatalog

__all__ = [
    "EDIT_PARAMETERS",
    "GroupRule",
    "Mode",
    "ModeOverride",
    "ModeSource",
    "all_modes",
    "builtin_modes",
    "check_tool",
    "is_tool_allowed",
    "select_mode",
]

ModeSource: TypeAlias = Literal["builtin", "global", "project"]

# Only a call that carries one of these changes a file; without them a path is not judged yet. The first line is the
# reference's list; the second closes what it leaves open: native edits, merged edits and images.
EDIT_PARAMETERS: Final = (
    *("diff", "content", "operations", "search", "replace", "args", "line"),
    *("old_string", "new_string", "patch", "code_edit", "prompt"),
)
_FIRST_SENTENCE = re.compile(r"[^.]*\.?")


class GroupRule(msgspec.Struct, frozen=True):
    """A group of tools that a mode has.

    Attributes:
        name: `read`, `edit`, `browser`, `command`, `mcp`.
        file_regex: for `edit`, what a path must contain a match of; empty for every file.
        description: the mode's words for that pattern.
    """

    name: str
    file_regex: str = ""
    description: str = ""


class Mode(msgspec.Struct, frozen=True):
    """One mode.

    Attributes:
        slug: letters, digits, hyphens; name: what users see.
        role: the beginning of the system prompt; when_to_use, description, instructions: may be empty.
        groups: which tools it has.
    """

    slug: str
    name: str
    role: str
    groups: tuple[GroupRule, ...] = ()
    when_to_use: str = ""
    description: str = ""
    instructions: str = ""
    source: ModeSource = "builtin"

    def has_group(self, name: str) -> bool:
        """Whether the mode has a group, restricted or not."""
        return any(group.name == name for group in self.groups)

    @property
    def summary(self) -> str:
        """When to use it; without that, the first sentence of its role."""
        return self.when_to_use or _FIRST_SENTENCE.match(self.role)[0].strip()  # type: ignore[index] # always matches


class ModeOverride(msgspec.Struct, frozen=True):
    """The user's changes to single fields of a built-in mode; None leaves a field as it is."""

    slug: str
    role: str | None = None
    instructions: str | None = None
    when_to_use: str | None = None
    description: str | None = None


class _GroupTable(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    file_regex: str = ""
    description: str = ""


class _ModeTable(msgspec.Struct, forbid_unknown_fields=True):
    slug: str
    name: str
    groups: list[str | _GroupTable] = []


def builtin_modes(catalog: PromptCatalog, generation: Generation) -> tuple[Mode, ...]:
    """Return the modes of a generation in the catalogue's order; the first is the default.

    Raises:
        PackError: a pack describes a mode wrongly.
    """
    prefix = f"{generation}.mode."
    keys = [key for key in catalog.keys(prefix) if catalog.entry(key).kind == "mode"]
    return tuple(_builtin_mode(catalog, generation, key) for key in keys)


def all_modes(
    catalog: PromptCatalog, generation: Generation, custom: Sequence[Mode] = (), overrides: Sequence[ModeOverride] = ()
) -> tuple[Mode, ...]:
    """Return the built-in modes, replaced or overridden where the user says so, then the other custom ones.

    Args:
        catalog: where the built-in modes are.
        generation: whose modes.
        custom: a mode of the project wins over a global one of the same slug.
        overrides: ignored for modes that a custom one replaces.
    """
    chosen: dict[str, Mode] = {}
    for mode in custom:
        if mode.slug not in chosen or mode.source == "project":
            chosen[mode.slug] = mode
    changes = {override.slug: override for override in overrides}
    builtin = [
        chosen.pop(mode.slug) if mode.slug in chosen else _override(mode, changes.get(mode.slug))
        for mode in builtin_modes(catalog, generation)
    ]
    return (*builtin, *chosen.values())


def select_mode(
    slug: str,
    catalog: PromptCatalog,
    generation: Generation,
    custom: Sequence[Mode] = (),
    overrides: Sequence[ModeOverride] = (),
) -> Mode:
    """Return the mode of a slug; for an unknown slug the default mode."""
    modes = all_modes(catalog, generation, custom, overrides)
    return next((mode for mode in modes if mode.slug == slug), modes[0])


def is_tool_allowed(
    tool: str,
    mode: Mode,
    generation: Generation,
    *,
    requirements: Mapping[str, bool] | None = None,
    parameters: Mapping[str, object] | None = None,
) -> bool:
    """Whether a mode may make this call.

    Args:
        tool: name or alias; tools of servers (`mcp--...`) belong to the group `mcp`.
        mode: the mode that asks.
        generation: whose table of groups holds.
        requirements: tools with a condition outside the mode, such as `{"apply_diff": diff_enabled}`.
        parameters: of the call; paths in them are judged where the group has a pattern.

    Raises:
        FileRestrictionError: the mode has the tool, but not for that file.
    """
    name = TOOL_ALIASES[generation].get(tool, tool)
    if name in ALWAYS_AVAILABLE[generation]:
        return True
    if requirements is not None and requirements.get(name) is False:
        return False
    tables = TOOL_GROUPS[generation]
    for group in mode.groups:
        if name not in tables.get(group.name, ()) and not (group.name == "mcp" and name.startswith("mcp--")):
            continue
        if group.name == "edit" and group.file_regex:
            _check_paths(tool, mode, group, parameters or {})
        return True
    return False


def check_tool(
    tool: str,
    mode: Mode,
    generation: Generation,
    *,
    requirements: Mapping[str, bool] | None = None,
    parameters: Mapping[str, object] | None = None,
) -> None:
    """Refuse a call that the mode may not make; arguments as for `is_tool_allowed`.

    Raises:
        ToolNotAllowedError: the mode does not have the tool.
        FileRestrictionError: it has it, but not for that file.
    """
    if not is_tool_allowed(tool, mode, generation, requirements=requirements, parameters=parameters):
        raise ToolNotAllowedError(tool, mode.slug)


def _check_paths(tool: str, mode: Mode, group: GroupRule, parameters: Mapping[str, object]) -> None:
    if not any(parameters.get(name) for name in EDIT_PARAMETERS):
        return
    for path in _paths(parameters):
        if re.search(group.file_regex, path) is None:
            raise FileRestrictionError(tool, mode.slug, group.file_regex, group.description or None, path)


def _paths(parameters: Mapping[str, object]) -> list[str]:
    """Every path that an edit names: plain parameters, and the files inside `args` or a patch."""
    names = ("path", "file_path", "target_file")
    paths = [value for name in names if isinstance(value := parameters.get(name), str) and value]
    args, patch = parameters.get("args"), parameters.get("patch")
    if isinstance(args, str):
        paths += [path.strip() for path in re.findall(r"<path>([^<]*)</path>", args) if path.strip()]
    if isinstance(patch, str):
        headers = r"^\*\*\* (?:(?:Add|Delete|Update) File|Move to): (.+)$"
        paths += [path.strip() for path in re.findall(headers, patch, re.MULTILINE)]
    return paths


def _override(mode: Mode, change: ModeOverride | None) -> Mode:
    if change is None:
        return mode
    fields = ("role", "instructions", "when_to_use", "description")
    return msgspec.structs.replace(
        mode, **{name: value for name in fields if (value := getattr(change, name)) is not None}
    )


def _builtin_mode(catalog: PromptCatalog, generation: Generation, key: str) -> Mode:
    try:
        table = msgspec.json.decode(catalog.text(key), type=_ModeTable)
    except msgspec.DecodeError as error:
        raise PackError(str(catalog.origin(key).path), 1, f"{key} describes no mode: {error}") from error
    texts = {name: _optional(catalog, f"mode.{table.slug}.{name}", generation) for name in _TEXTS}
    groups = [
        GroupRule(item) if isinstance(item, str) else GroupRule(item.name, item.file_regex, item.description)
        for item in table.groups
    ]
    return Mode(
        slug=table.slug,
        name=table.name,
        role=texts["role"],
        groups=tuple(groups),
        when_to_use=texts["when"],
        description=texts["description"],
        instructions=texts["instructions"],
    )


_TEXTS: Final = ("role", "when", "description", "instructions")


def _optional(catalog: PromptCatalog, name: str, generation: Generation) -> str:
    return catalog.render(catalog.find(name, generation)) if catalog.has(name, generation) else ""
