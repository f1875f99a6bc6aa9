"""The prompt catalogue and its assembly (floor 1).

Texts live in packs (`pack.py`), packs in layers (`catalog.py`); our own pack is `packs/builtin`. From a catalogue come
system prompts (`assembly.py`), tools (`tools.py`, `tool_formats.py`), support prompts, feedback for the model,
environment details and slash commands. Importing this package reads no file: the built-in catalogue is opened on first
use.
"""

from streamarena.prompts.assembly import custom_instructions, prompt_sections, settings_mode, system_prompt
from streamarena.prompts.catalog import Generation, Origin, PromptCatalog, builtin_catalog
from streamarena.prompts.commands import expand_slash_command, fetch_instructions, task_resumption, workflow_command
from streamarena.prompts.custom_modes import parse_modes, read_custom_modes
from streamarena.prompts.environment import (
    ClockReading,
    Environment,
    Terminal,
    Todo,
    environment_details,
    parse_todos,
    todo_reminder,
)
from streamarena.prompts.formatter import ResponseFormatter
from streamarena.prompts.instructions import InstructionLayers, RuleBlock, read_file_override, read_instructions
from streamarena.prompts.layers import PackFolders, find_packs
from streamarena.prompts.modes import (
    GroupRule,
    Mode,
    ModeOverride,
    all_modes,
    builtin_modes,
    check_tool,
    is_tool_allowed,
    select_mode,
)
from streamarena.prompts.pack import Pack, PromptEntry
from streamarena.prompts.settings import PromptSettings, Resource, ServerTool, Skill, ToolServer
from streamarena.prompts.support import Diagnostic, SupportPrompts
from streamarena.prompts.template import PromptValue, Template, compile_template, literal
from streamarena.prompts.tool_formats import ToolFormat, format_tools, server_tool_name, server_tools
from streamarena.prompts.tools import ToolDefinition, available_tools, tool_catalogue, tool_definitions

__all__ = [
    "system_prompt",
    "PromptSettings",
    "PromptCatalog",
    "builtin_catalog",
    "Generation",
    "prompt_sections",
    "custom_instructions",
    "settings_mode",
    "ToolServer",
    "ServerTool",
    "Resource",
    "Skill",
    "Mode",
    "GroupRule",
    "ModeOverride",
    "builtin_modes",
    "all_modes",
    "select_mode",
    "is_tool_allowed",
    "check_tool",
    "parse_modes",
    "read_custom_modes",
    "InstructionLayers",
    "RuleBlock",
    "read_instructions",
    "read_file_override",
    "ToolDefinition",
    "ToolFormat",
    "available_tools",
    "tool_catalogue",
    "tool_definitions",
    "server_tools",
    "server_tool_name",
    "format_tools",
    "SupportPrompts",
    "Diagnostic",
    "ResponseFormatter",
    "Environment",
    "Terminal",
    "ClockReading",
    "Todo",
    "environment_details",
    "todo_reminder",
    "parse_todos",
    "expand_slash_command",
    "workflow_command",
    "fetch_instructions",
    "task_resumption",
    "Origin",
    "find_packs",
    "PackFolders",
    "Pack",
    "PromptEntry",
    "PromptValue",
    "Template",
    "compile_template",
    "literal",
]
