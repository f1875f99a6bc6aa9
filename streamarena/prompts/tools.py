"""Which tools a mode offers under given settings, and how they are described to the model.

Classic tools are texts of the system prompt; native tools are JSON schemas for the provider's function calling.
Order and deletions follow section 7.2 of the reference behaviour: the groups of the mode in order, then the tools that
are always available; then every tool goes whose `when` in the catalogue does not hold.
A tool may have variants: `classic.tool.read_file.single_file` is used instead of `classic.tool.read_file` when the
value `single_file` is true.

Cost: one pass over about thirty names; texts and parsed schemas are shared. `tool_definitions` builds new outer
objects, so a caller may add to them, around shared schemas, which must not be changed.
Not here: wire formats (`tool_formats.py`), permission to call (`modes.py`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from streamarena.errors import PackError
from streamarena.prompts.instructions import LAYOUTS
from streamarena.prompts.tool_tables import ALWAYS_AVAILABLE, OPT_IN, TOOL_GROUPS, UNDESCRIBED

if TYPE_CHECKING:
    from streamarena.prompts.catalog import PromptCatalog
    from streamarena.prompts.modes import Mode
    from streamarena.prompts.settings import PromptSettings
    from streamarena.prompts.template import PromptValue

__all__ = ["ToolDefinition", "available_tools", "prompt_values", "tool_catalogue", "tool_definitions", "tool_text"]

_VARIANTS: Final = ("single_file", "multi_file_diff")


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """A tool for function calling.

    Attributes:
        name: at most 64 characters of letters, digits, `_` and `-`; description: for the model.
        parameters: its JSON schema; strict: whether every property is required and nothing else allowed.
    """

    name: str
    description: str
    parameters: dict[str, object]
    strict: bool = False


class _SchemaTable(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    description: str
    parameters: dict[str, object]
    strict: bool = False


def prompt_values(settings: PromptSettings, mode: Mode) -> dict[str, PromptValue]:
    """Return the values that texts of a system prompt may use, by name."""
    servers = settings.connected_servers
    has_servers = mode.has_group("mcp") and bool(servers)
    return {
        "workspace": settings.workspace,
        "home": settings.home,
        "operating_system": settings.operating_system,
        "shell": settings.shell,
        "viewport": settings.viewport,
        "max_reads": settings.max_reads,
        "browser": settings.browser,
        "images": settings.images,
        "index": settings.index,
        "diff": settings.diff,
        "multi_file_diff": settings.multi_file_diff,
        "fast_apply": settings.fast_apply,
        "partial_reads": settings.partial_reads,
        "single_file": settings.single_file_read,
        "several_reads": settings.max_reads > 1,
        "todo_list": settings.todo_list,
        "new_task_requires_todos": settings.new_task_requires_todos,
        "image_generation": settings.image_generation,
        "run_slash_command": settings.run_slash_command,
        "tool_hub": settings.servers is not None,
        "servers": has_servers,
        "resources": any(server.resources or server.templates for server in servers),
        "server_creation": settings.server_creation,
        "skills": any(not skill.modes or mode.slug in skill.modes for skill in settings.skills),
        "stealth": settings.stealth,
        "config_directory": settings.config_directory or LAYOUTS[settings.generation].directory,
        **dict(settings.extra),
    }


def available_tools(
    catalog: PromptCatalog, settings: PromptSettings, mode: Mode, values: dict[str, PromptValue] | None = None
) -> tuple[str, ...]:
    """Return the names of the tools that are described to the model, in order.

    Args:
        catalog: says which tools there are and when.
        settings: the switches.
        mode: says which groups.
        values: of `prompt_values`, if they are at hand.
    """
    values = prompt_values(settings, mode) if values is None else values
    generation = settings.generation
    tables = TOOL_GROUPS[generation]
    names: dict[str, None] = {}
    for group in mode.groups:
        names.update(dict.fromkeys(tables.get(group.name, ())))
    names.update(dict.fromkeys(ALWAYS_AVAILABLE[generation]))
    if generation == "native":
        included = {*settings.included_tools}
        dropped = {*settings.excluded_tools, *settings.disabled_tools, *(OPT_IN - included), "use_mcp_tool"}
    else:
        dropped = set(UNDESCRIBED)
    return tuple(
        name
        for name in names
        if name not in dropped
        and f"{generation}.tool.{name}" in catalog
        and catalog.entry(f"{generation}.tool.{name}").applies(values)
    )


def tool_text(catalog: PromptCatalog, name: str, values: dict[str, PromptValue]) -> str:
    """Return the description of a classic tool, in the variant that the values ask for.

    Raises:
        UnknownPromptError: the catalogue does not describe that tool.
    """
    key = f"classic.tool.{name}"
    for variant in _VARIANTS:
        if values.get(variant) and f"{key}.{variant}" in catalog:
            key = f"{key}.{variant}"
            break
    return catalog.template(key).render(values, key=key)


def tool_catalogue(catalog: PromptCatalog, settings: PromptSettings, mode: Mode) -> str:
    """Return the section "# Tools" of a classic prompt."""
    values = prompt_values(settings, mode)
    texts = [tool_text(catalog, name, values) for name in available_tools(catalog, settings, mode, values)]
    return catalog.render(catalog.find("section.tools", "classic"), tools="\n\n".join(texts))


def tool_definitions(catalog: PromptCatalog, settings: PromptSettings, mode: Mode) -> list[ToolDefinition]:
    """Return the native tools of a mode, without those of tool servers (`tool_formats.server_tools`).

    Raises:
        PackError: a pack's schema is not one.
    """
    values = prompt_values(settings, mode)
    keys = [f"native.tool.{name}" for name in available_tools(catalog, settings, mode, values)]
    return [_definition(catalog, key, values) for key in keys]


def _definition(catalog: PromptCatalog, key: str, values: dict[str, PromptValue]) -> ToolDefinition:
    template = catalog.template(key)
    used = {*template.parameters, *template.conditions}
    # Values stand inside JSON strings, so they are escaped as such.
    escaped = {
        name: json.dumps(value, ensure_ascii=False)[1:-1] if isinstance(value, str) else value
        for name, value in values.items()
        if name in used
    }
    try:
        table = msgspec.json.decode(template.render(escaped, key=key), type=_SchemaTable)
    except msgspec.DecodeError as error:
        raise PackError(str(catalog.origin(key).path), 1, f"{key} is no tool schema: {error}") from error
    return ToolDefinition(table.name, table.description, table.parameters, table.strict)
