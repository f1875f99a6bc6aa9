"""Slash commands, instructions on request, and the beginning of a resumed task.

A slash command replaces the user's `/name rest` by a wrapper of explicit instructions and the rest; workflows of a
project become commands in the same way. Instructions for creating modes and tool servers are long, so the model
fetches them when a task needs them.

Invariants: built-in names win over workflows of the same name. Cost: one rendering a call.
Not here: finding the command in a message, reading workflow files, the clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streamarena.errors import UnknownPromptError
from streamarena.prompts.catalog import Generation, PromptCatalog, builtin_catalog
from streamarena.prompts.instructions import LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamarena.prompts.settings import ToolServer

__all__ = [
    "INSTRUCTION_TASKS",
    "SLASH_COMMANDS",
    "expand_slash_command",
    "fetch_instructions",
    "task_resumption",
    "workflow_command",
]

SLASH_COMMANDS: Final = ("newtask", "newrule", "reportbug", "smol")
INSTRUCTION_TASKS: Final = ("create_mcp_server", "create_mode")


def expand_slash_command(
    name: str,
    user_input: str = "",
    *,
    generation: Generation = "classic",
    catalog: PromptCatalog | None = None,
    config_directory: str = "",
) -> str:
    """Return what a slash command puts in place of itself.

    Args:
        name: without the slash.
        user_input: what the user wrote along with it.
        generation: decides the default of `config_directory`.
        catalog: default: our own texts.
        config_directory: the assistant's folder in a workspace.

    Raises:
        UnknownPromptError: there is no such command.
    """
    catalog = builtin_catalog() if catalog is None else catalog
    if not catalog.has(f"command.{name}", generation):
        raise UnknownPromptError(f"command.{name}", SLASH_COMMANDS)
    folder = config_directory or LAYOUTS[generation].directory
    key = catalog.find(f"command.{name}", generation)
    return _wrapped(catalog, generation, catalog.render(key, config_directory=folder), user_input)


def workflow_command(
    name: str,
    instructions: str,
    user_input: str = "",
    *,
    generation: Generation = "classic",
    catalog: PromptCatalog | None = None,
) -> str:
    """Return what a workflow of the project puts in place of its command."""
    catalog = builtin_catalog() if catalog is None else catalog
    key = catalog.find("command.workflow", generation)
    return _wrapped(catalog, generation, catalog.render(key, name=name, instructions=instructions), user_input)


def fetch_instructions(
    task: str,
    *,
    generation: Generation = "classic",
    catalog: PromptCatalog | None = None,
    settings_path: str = "",
    servers_path: str = "",
    custom_modes_path: str = "",
    servers: Sequence[ToolServer] = (),
    server_creation: bool = True,
) -> str:
    """Return the instructions for a task, or a text that names the tasks that have some.

    Args:
        task: `create_mcp_server` or `create_mode`.
        generation: decides the name of the project's modes file.
        catalog: default: our own texts.
        settings_path: the file that makes tool servers known.
        servers_path: the directory for new servers.
        custom_modes_path: the global file of modes.
        servers: those that are connected.
        server_creation: whether new servers may be written.
    """
    catalog = builtin_catalog() if catalog is None else catalog
    known = [name for name in INSTRUCTION_TASKS if server_creation or name != "create_mcp_server"]
    if task not in known:
        key = catalog.find("instructions.unknown", generation)
        return catalog.render(key, task=task, known=", ".join(known))
    return catalog.render(
        catalog.find(f"instructions.{task}", generation),
        settings_path=settings_path,
        servers_path=servers_path,
        custom_modes_path=custom_modes_path,
        project_modes_file=LAYOUTS[generation].modes_file,
        connected_servers=", ".join(server.name for server in servers if server.connected),
    )


def task_resumption(
    seconds: float,
    user_text: str = "",
    *,
    generation: Generation = "classic",
    catalog: PromptCatalog | None = None,
) -> str:
    """Return the text with which an interrupted task begins again.

    Args:
        seconds: since the last message, as the caller measured them.
        user_text: what the user adds.
        generation: whose texts.
        catalog: default: our own texts.
    """
    catalog = builtin_catalog() if catalog is None else catalog
    counts = {"days": int(seconds // 86_400), "hours": int(seconds // 3600), "minutes": int(seconds // 60)}
    several = {f"many_{name}": count > 1 for name, count in counts.items()}
    elapsed = catalog.render(catalog.find("notice.elapsed", generation), **counts, **several)
    return catalog.render(
        catalog.find("notice.task_resumption", generation), elapsed=elapsed, user_text=user_text.strip()
    )


def _wrapped(catalog: PromptCatalog, generation: Generation, instructions: str, user_input: str) -> str:
    key = catalog.find("command.wrapper", generation)
    return catalog.render(key, instructions=instructions, user_input=user_input.strip())
