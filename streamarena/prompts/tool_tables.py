"""Which tools there are and in which groups: the tables of sections 7.2 and 7.3 of the reference behaviour.

Invariants: order matters. A classic catalogue lists tools in the order of the mode's groups and, inside a group, in the
order given here; the always available ones follow. Conditions (`when`) and variants stand in the pack beside the texts.
Not here: texts (`packs/`), choosing (`tools.py`), permission (`modes.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from streamarena.prompts.catalog import Generation

__all__ = ["ALWAYS_AVAILABLE", "OPT_IN", "TOOL_ALIASES", "TOOL_GROUPS", "UNDESCRIBED", "XML_PARAMETERS"]

TOOL_GROUPS: Final[dict[Generation, dict[str, tuple[str, ...]]]] = {
    "classic": {
        "read": (
            "read_file",
            "fetch_instructions",
            "search_files",
            "list_files",
            "list_code_definition_names",
            "codebase_search",
        ),
        "edit": (
            "apply_diff",
            "edit_file",
            "write_to_file",
            "insert_content",
            "search_and_replace",
            "new_rule",
            "generate_image",
        ),
        "browser": ("browser_action",),
        "command": ("execute_command",),
        "mcp": ("use_mcp_tool", "access_mcp_resource"),
        "modes": ("switch_mode", "new_task"),
    },
    "native": {
        "read": ("read_file", "search_files", "list_files", "codebase_search"),
        "edit": (
            "apply_diff",
            "write_to_file",
            "generate_image",
            "edit",
            "search_replace",
            "edit_file",
            "apply_patch",
        ),
        "command": ("execute_command", "read_command_output"),
        "mcp": ("use_mcp_tool", "access_mcp_resource"),
        "modes": ("switch_mode", "new_task"),
    },
}

ALWAYS_AVAILABLE: Final[dict[Generation, tuple[str, ...]]] = {
    "classic": (
        "ask_followup_question",
        "attempt_completion",
        "switch_mode",
        "new_task",
        "report_bug",
        "condense",
        "update_todo_list",
        "run_slash_command",
    ),
    "native": (
        "ask_followup_question",
        "attempt_completion",
        "switch_mode",
        "new_task",
        "update_todo_list",
        "run_slash_command",
        "skill",
    ),
}

# Reached through slash commands; the system prompt does not describe them.
UNDESCRIBED: Final = frozenset({"report_bug", "condense", "new_rule"})

# Offered only where the model's information asks for them.
OPT_IN: Final = frozenset({"edit", "search_replace", "edit_file", "apply_patch"})

TOOL_ALIASES: Final[dict[Generation, dict[str, str]]] = {
    "classic": {},
    "native": {"write_file": "write_to_file", "search_and_replace": "edit"},
}

# The tags that a classic reply may use for parameters; any other is ignored by the parser.
XML_PARAMETERS: Final = (
    *("command", "path", "content", "line_count", "regex", "file_pattern", "recursive", "action", "url", "coordinate"),
    *("text", "server_name", "tool_name", "arguments", "uri", "question", "result", "diff", "mode_slug", "reason"),
    *("line", "mode", "message", "cwd", "follow_up", "task", "size", "search", "replace", "use_regex", "ignore_case"),
    *("title", "description", "target_file", "instructions", "code_edit", "args", "start_line", "end_line", "query"),
    *("todos", "prompt", "image"),
)
