"""What a system prompt depends on, as one frozen value.

Invariants: every record here is immutable and hashable, so a rendered prompt can be remembered by its settings; nothing
here reads a file, the clock or the environment. What comes from files (rules, custom modes) is read beforehand with
`prompts.instructions` and `prompts.modes` and handed in.
Defaults are those of the reference assistant: diffs and the todo list on, the browser, index and experiments off.
Cost: hashing is linear in the number of fields; strings cache their own hash.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

# Imported for real, so that msgspec.convert and other readers of annotations can build settings from plain data.
import msgspec

from streamarena.prompts.catalog import Generation  # noqa: TC001 - see above
from streamarena.prompts.instructions import InstructionLayers
from streamarena.prompts.modes import Mode, ModeOverride  # noqa: TC001 - see above

__all__ = ["PromptSettings", "Resource", "ServerTool", "SINGLE_FILE_MODELS", "Skill", "ToolServer"]

# Models that get the read_file variant for one file at a time (matched inside the model's id).
SINGLE_FILE_MODELS: Final = ("grok-code-fast-1",)


class ServerTool(msgspec.Struct, frozen=True):
    """A tool of a tool server.

    Attributes:
        name: as the server calls it; description: the server's words.
        schema: its input schema as JSON text, or empty; enabled: whether it is offered to the model.
    """

    name: str
    description: str = ""
    schema: str = ""
    enabled: bool = True


class Resource(msgspec.Struct, frozen=True):
    """A resource, or a template for resources, of a tool server."""

    uri: str
    name: str = ""
    description: str = ""


class ToolServer(msgspec.Struct, frozen=True):
    """A server that speaks the Model Context Protocol.

    Attributes:
        name: as configured; command: the command line of a local server, shown to the model.
        instructions: what the server says about itself; connected: others are left out of the prompt.
    """

    name: str
    tools: tuple[ServerTool, ...] = ()
    templates: tuple[Resource, ...] = ()
    resources: tuple[Resource, ...] = ()
    command: str = ""
    instructions: str = ""
    connected: bool = True


class Skill(msgspec.Struct, frozen=True):
    """A set of instructions that is loaded on demand (native).

    Attributes:
        name, description: what the model chooses by; location: the path of its file.
        modes: slugs of the modes that have it; empty for all.
    """

    name: str
    description: str
    location: str
    modes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSettings:
    """Everything that decides what a system prompt says.

    Attributes:
        generation: `classic` (tools as XML, described in the prompt) or `native` (function calling).
        mode: slug of the mode; an unknown one means the first built-in mode.
        workspace, home, operating_system, shell: of the machine that the tools run on.
        model: the model's id; decides between variants of tools.
        browser: the model sees images and the browser tool is on (classic); images: it sees images.
        viewport: the browser's window, `WIDTHxHEIGHT` in pixels.
        index: the code index is enabled, configured and complete.
        diff: editing by diffs; multi_file_diff: by one diff for several files; fast_apply: by a merging model instead.
        partial_reads: whether files may be read by line ranges; max_reads: files in one read_file call.
        todo_list, new_task_requires_todos, image_generation, run_slash_command: switches of single tools.
        servers: tool servers, or None where there is no hub at all; server_creation: may new ones be written?
        custom_modes, mode_overrides: see `prompts.modes`; instructions: see `prompts.instructions`.
        file_override: text that replaces everything between role and custom instructions (classic), with the
            placeholders `{{workspace}} {{mode}} {{language}} {{shell}} {{operatingSystem}}`.
        skills, stealth: native only; stealth asks the model to keep its vendor to itself.
        included_tools, excluded_tools: what the model's information opts into, or out of (native).
        disabled_tools: what the user has switched off (native).
        config_directory: the assistant's folder in a workspace, shown to the model; empty for the generation's own.
        extra: further values by name, for texts of your own packs.
    """

    generation: Generation = "classic"
    mode: str = "code"
    workspace: str = "."
    home: str = ""
    operating_system: str = "Linux"
    shell: str = "/bin/bash"
    model: str = ""
    browser: bool = False
    images: bool = False
    viewport: str = "900x600"
    index: bool = False
    diff: bool = True
    multi_file_diff: bool = False
    fast_apply: bool = False
    partial_reads: bool = False
    max_reads: int = 5
    todo_list: bool = True
    new_task_requires_todos: bool = False
    image_generation: bool = False
    run_slash_command: bool = False
    servers: tuple[ToolServer, ...] | None = None
    server_creation: bool = True
    custom_modes: tuple[Mode, ...] = ()
    mode_overrides: tuple[ModeOverride, ...] = ()
    instructions: InstructionLayers = field(default_factory=InstructionLayers)
    file_override: str = ""
    skills: tuple[Skill, ...] = ()
    stealth: bool = False
    included_tools: tuple[str, ...] = ()
    excluded_tools: tuple[str, ...] = ()
    disabled_tools: tuple[str, ...] = ()
    config_directory: str = ""
    extra: tuple[tuple[str, str | bool], ...] = ()

    @property
    def connected_servers(self) -> tuple[ToolServer, ...]:
        """The servers that the model can use now."""
        return tuple(server for server in self.servers or () if server.connected)

    @property
    def single_file_read(self) -> bool:
        """Whether read_file takes one plain path."""
        return any(name in self.model for name in SINGLE_FILE_MODELS)
