"""The inventory of the reference assistant as data: every prompt, tool, parameter and text of sections 5.8-5.11 and 7.

Written out from the specification, not from the pack: what the pack lacks shows as a missing key.
"""

from __future__ import annotations

GENERATIONS = ("classic", "native")

# ---------------------------------------------------------------- 7.1: sections in order

SECTIONS = {
    "classic": [
        *("markdown-formatting", "tool-use", "tools", "tool-use-guidelines", "mcp-servers", "capabilities", "modes"),
        *("rules", "system-info", "objective", "custom-instructions"),
    ],
    "native": [
        *("markdown-formatting", "tool-use", "tool-use-guidelines", "capabilities", "modes", "skills", "rules"),
        *("system-info", "objective", "custom-instructions"),
    ],
}

# Header of each section that has one; the two with "#" belong to the section before them.
HEADERS = {
    "markdown-formatting": "====\n\nMARKDOWN RULES\n\n",
    "tool-use": "====\n\nTOOL USE\n\n",
    "tools": "# Tools\n\n",
    "tool-use-guidelines": "# Tool Use Guidelines\n\n",
    "mcp-servers": "====\n\nMCP SERVERS\n\n",
    "capabilities": "====\n\nCAPABILITIES\n\n",
    "modes": "====\n\nMODES\n\n",
    "skills": "====\n\nAVAILABLE SKILLS\n\n",
    "rules": "====\n\nRULES\n\n",
    "system-info": "====\n\nSYSTEM INFORMATION\n\n",
    "objective": "====\n\nOBJECTIVE\n\n",
    "custom-instructions": "====\n\nUSER'S CUSTOM INSTRUCTIONS\n\n",
}

# Bytes of literal text in the reference; ours are of the same order.
SECTION_BYTES = {
    "classic": {
        "markdown-formatting": 333,
        "tool-use": 728,
        "tool-use-guidelines": 3592,
        "mcp-servers": 1913,
        "capabilities": 2090,
        "modes": 724,
        "rules": 9010,
        "system-info": 1446,
        "objective": 2085,
    },
    "native": {
        "markdown-formatting": 330,
        "tool-use": 370,
        "tool-use-guidelines": 1150,
        "capabilities": 2000,
        "skills": 2500,
        "rules": 8400,
        "system-info": 1446,
        "objective": 2000,
    },
}

# Conditions that change a section.
SECTION_CONDITIONS = {
    "classic.section.tool-use-guidelines": {"index"},
    "classic.section.mcp-servers": {"server_creation"},
    "classic.section.capabilities": {"browser", "index", "fast_apply", "diff", "servers"},
    "classic.section.rules": {"index", "browser"},
    "classic.section.objective": {"index"},
    "native.section.tool-use-guidelines": {"index"},
    "native.section.capabilities": {"index", "servers"},
    "native.section.rules": {"index", "stealth"},
    "native.section.objective": {"index"},
}

# ---------------------------------------------------------------- 7.2: tools; parameter -> required

CLASSIC_TOOLS: dict[str, dict[str, bool]] = {
    "read_file": {"args": True, "path": True, "line_range": False},
    "fetch_instructions": {"task": True},
    "search_files": {"path": True, "regex": True, "file_pattern": False},
    "list_files": {"path": True, "recursive": False},
    "list_code_definition_names": {"path": True},
    "codebase_search": {"query": True, "path": False},
    "apply_diff": {"path": True, "diff": True},
    "write_to_file": {"path": True, "content": True, "line_count": True},
    "insert_content": {"path": True, "line": True, "content": True},
    "search_and_replace": {
        "path": True,
        "search": True,
        "replace": True,
        "start_line": False,
        "end_line": False,
        "use_regex": False,
        "ignore_case": False,
    },
    "edit_file": {"target_file": True, "instructions": True, "code_edit": True},
    "generate_image": {"prompt": True, "path": True, "image": False},
    "browser_action": {"action": True, "url": False, "coordinate": False, "size": False, "text": False},
    "execute_command": {"command": True, "cwd": False},
    "use_mcp_tool": {"server_name": True, "tool_name": True, "arguments": True},
    "access_mcp_resource": {"server_name": True, "uri": True},
    "ask_followup_question": {"question": True, "follow_up": True},
    "attempt_completion": {"result": True},
    "switch_mode": {"mode_slug": True, "reason": False},
    "new_task": {"mode": True, "message": True, "todos": False},
    "update_todo_list": {"todos": True},
    "new_rule": {"path": True, "content": True},
    "report_bug": {"title": True, "description": True},
    "condense": {"message": True},
    "run_slash_command": {"command": True, "args": False},
}

CLASSIC_VARIANTS = {"read_file.single_file": {"path"}, "apply_diff.multi_file_diff": {"args", "content", "start_line"}}

BROWSER_ACTIONS = ["launch", "hover", "click", "type", "resize", "scroll_down", "scroll_up", "close"]

CLASSIC_TOOL_BYTES = {
    "read_file": 1763,
    "read_file.single_file": 569,
    "fetch_instructions": 500,
    "search_files": 1002,
    "list_files": 916,
    "list_code_definition_names": 993,
    "codebase_search": 895,
    "apply_diff": 2600,
    "write_to_file": 1719,
    "insert_content": 1027,
    "search_and_replace": 1440,
    "edit_file": 3307,
    "generate_image": 1740,
    "browser_action": 4124,
    "execute_command": 1538,
    "use_mcp_tool": 900,
    "access_mcp_resource": 676,
    "ask_followup_question": 1029,
    "attempt_completion": 1310,
    "switch_mode": 649,
    "new_task": 700,
    "update_todo_list": 2914,
    "run_slash_command": 979,
}

# (required, optional or nullable, strict)
NATIVE_TOOLS: dict[str, tuple[set[str], set[str], bool]] = {
    "read_file": ({"path"}, {"mode", "offset", "limit", "indentation"}, True),
    "search_files": ({"path", "regex"}, {"file_pattern"}, True),
    "list_files": ({"path", "recursive"}, set(), True),
    "codebase_search": ({"query"}, {"path"}, True),
    "apply_diff": ({"path", "diff"}, set(), False),
    "write_to_file": ({"path", "content"}, set(), True),
    "generate_image": ({"prompt", "path"}, {"image"}, True),
    "edit": ({"file_path", "old_string", "new_string"}, {"replace_all"}, False),
    "search_replace": ({"file_path", "old_string", "new_string"}, set(), False),
    "edit_file": ({"file_path", "old_string", "new_string"}, {"expected_replacements"}, False),
    "apply_patch": ({"patch"}, set(), False),
    "execute_command": ({"command"}, {"cwd", "timeout"}, True),
    "read_command_output": ({"artifact_id"}, {"search", "offset", "limit"}, True),
    "access_mcp_resource": ({"server_name", "uri"}, set(), True),
    "ask_followup_question": ({"question", "follow_up"}, set(), True),
    "attempt_completion": ({"result"}, set(), True),
    "switch_mode": ({"mode_slug", "reason"}, set(), True),
    "new_task": ({"mode", "message"}, {"todos"}, True),
    "update_todo_list": ({"todos"}, set(), True),
    "run_slash_command": ({"command"}, {"args"}, True),
    "skill": ({"skill"}, {"args"}, True),
}

INDENTATION_FIELDS = {"anchor_line", "max_levels", "include_siblings", "include_header", "max_lines"}

XML_PARAMETERS = [
    *("command", "path", "content", "line_count", "regex", "file_pattern", "recursive", "action", "url", "coordinate"),
    *("text", "server_name", "tool_name", "arguments", "uri", "question", "result", "diff", "mode_slug", "reason"),
    *("line", "mode", "message", "cwd", "follow_up", "task", "size", "search", "replace", "use_regex", "ignore_case"),
    *("title", "description", "target_file", "instructions", "code_edit", "args", "start_line", "end_line", "query"),
    *("todos", "prompt", "image"),
]

# ---------------------------------------------------------------- 7.3: modes; groups, and bytes of four texts

MODES = {
    "classic": {
        "architect": ["read", "edit", "browser", "mcp"],
        "code": ["read", "edit", "browser", "command", "mcp"],
        "ask": ["read", "browser", "mcp"],
        "debug": ["read", "edit", "browser", "command", "mcp"],
        "orchestrator": [],
    },
    "native": {
        "architect": ["read", "edit", "mcp"],
        "code": ["read", "edit", "command", "mcp"],
        "ask": ["read", "mcp"],
        "debug": ["read", "edit", "command", "mcp"],
        "orchestrator": [],
    },
}
MODE_TEXT_BYTES = {
    "architect": {"role": 310, "when": 233, "description": 37, "instructions": 1616},
    "code": {"role": 158, "when": 203, "description": 32},
    "ask": {"role": 171, "when": 229, "description": 28, "instructions": 255},
    "debug": {"role": 107, "when": 223, "description": 32, "instructions": 228},
    "orchestrator": {"role": 340, "when": 248, "description": 38, "instructions": 2051},
}

# ---------------------------------------------------------------- 7.4: headings of the instruction layers

INSTRUCTION_LAYERS = [
    *("language", "global_instructions", "mode_instructions", "rules", "rule_file", "ignore_rules", "agents_rules"),
    *("global_rules", "local_rules"),
]

# ---------------------------------------------------------------- 7.5: environment details

ENVIRONMENT = [
    *("visible_files", "open_tabs", "recently_modified", "active_terminals", "active_terminal", "inactive_terminals"),
    *("inactive_terminal", "terminal_command", "time", "git", "cost", "mode", "files", "files_desktop", "files_off"),
    *("todo_table", "todo_row", "todo_none", "details"),
]

# ---------------------------------------------------------------- 7.6: support prompts, condensing, commands

_CODE = {"filePath", "startLine", "endLine", "selectedText"}
SUPPORT = {
    "ENHANCE": {"userInput"},
    "CONDENSE": set(),
    "EXPLAIN": {*_CODE, "userInput"},
    "FIX": {*_CODE, "userInput", "diagnosticText"},
    "IMPROVE": {*_CODE, "userInput"},
    "ADD_TO_CONTEXT": _CODE,
    "TERMINAL_ADD_TO_CONTEXT": {"userInput", "terminalContent"},
    "TERMINAL_FIX": {"userInput", "terminalContent"},
    "TERMINAL_EXPLAIN": {"userInput", "terminalContent"},
    "TERMINAL_GENERATE": {"userInput", "operatingSystem", "currentDirectory", "shell"},
    "NEW_TASK": {"userInput"},
    "COMMIT_MESSAGE": {"customInstructions", "gitContext"},
}
SUPPORT_BYTES = {
    "ENHANCE": 190,
    "EXPLAIN": 324,
    "FIX": 326,
    "IMPROVE": 365,
    "ADD_TO_CONTEXT": 69,
    "TERMINAL_ADD_TO_CONTEXT": 64,
    "TERMINAL_FIX": 188,
    "TERMINAL_EXPLAIN": 185,
    "TERMINAL_GENERATE": 466,
    "NEW_TASK": 13,
    "COMMIT_MESSAGE": 2729,
}
CONDENSE_HEADINGS = {
    "classic": [
        *("1. Previous Conversation", "2. Current Work", "3. Key Technical Concepts"),
        *("4. Relevant Files and Code", "5. Problem Solving", "6. Pending Tasks and Next Steps"),
    ],
    "native": [
        *("1. Primary Request and Intent", "2. Key Technical Concepts", "3. Files and Code Sections"),
        *("4. Errors and fixes", "5. Problem Solving", "6. All user messages", "7. Pending Tasks", "8. Current Work"),
        "9. Optional Next Step",
    ],
}
CONDENSE_BYTES = {"classic.support.CONDENSE": 2574, "native.support.CONDENSE": 5653, "native.condense.system": 750}
CONDENSE_TEXTS = {
    "classic": ["condense.request", "condense.continue"],
    "native": [
        *("condense.system", "condense.deferred", "condense.heading", "condense.workflows", "condense.folded_file"),
        *("condense.folded_file_cut", "condense.tool_use", "condense.tool_result", "condense.image"),
    ],
}
COMMANDS_BYTES = {"newtask": 2586, "newrule": 4105, "reportbug": 1666, "smol": 3491}
INSTRUCTIONS_BYTES = {"create_mcp_server": 12216, "create_mode": 3357}

# ---------------------------------------------------------------- 5.11 and 7.7: formatter and canned texts

FORMATTER = [
    *("toolDenied", "toolDeniedWithFeedback", "toolApprovedWithFeedback", "toolError", "rooIgnoreError", "noToolsUsed"),
    *("tooManyMistakes", "missingToolParameterError", "lineCountTruncationError", "invalidMcpToolArgumentError"),
    *("unknownMcpToolError", "unknownMcpServerError", "toolResult", "imageBlocks", "formatFilesList"),
    *("createPrettyPatch", "duplicateFileReadNotice", "contextTruncationNotice", "condense"),
]
CANNED = {
    "tool skipped": "feedback.toolSkipped",
    "tool interrupted": "feedback.toolRejectedPartially",
    "tool use reminder": "feedback.toolUseReminder",
    "repetition limit": "feedback.repetitionLimit",
    "tool returned nothing": "feedback.emptyToolResult",
    "mode restriction": "feedback.modeRestriction",
    "file restriction": "feedback.fileRestriction",
    "unknown tool": "feedback.unknownTool",
    "command timeout": "feedback.commandTimeout",
    "working directory missing": "feedback.workingDirectoryMissing",
    "command result": "feedback.commandResult",
    "exit code": "feedback.commandExitCode",
    "exit code not zero": "feedback.commandFailed",
    "ended by a signal": "feedback.commandSignal",
    "exit code unknown": "feedback.commandUnknownExit",
    "command still running": "feedback.commandStillRunning",
    "user edits applied": "feedback.userEditsApplied",
    "new problems after saving": "feedback.newProblems",
    "MCP output too long": "notice.mcp_output_too_long",
    "diff: no match": "feedback.diffNoMatch",
    "diff: no blocks": "feedback.diffNoBlocks",
    "diff: malformed": "feedback.diffMalformed",
    "diff: identical": "feedback.diffIdentical",
    "diff: line range": "feedback.diffInvalidRange",
    "diff: some blocks failed": "feedback.diffPartFailed",
    "new_task confirmation": "feedback.newTaskCreated",
    "new_task result": "feedback.newTaskResult",
    "switch_mode confirmation": "feedback.modeSwitched",
    "follow-up answer": "feedback.followUpAnswer",
    "task wrapper": "feedback.userMessageTask",
    "feedback wrapper": "feedback.userMessageFeedback",
    "user message wrapper": "feedback.userMessage",
    "open todos": "feedback.openTodos",
    "todo reminder": "environment.todo_table",
    "task resumption": "notice.task_resumption",
    "elapsed time": "notice.elapsed",
    "interrupted tool on resume": "notice.resume_interrupted_tool",
    "interrupted by user": "notice.interrupted_by_user",
    "interrupted by API error": "notice.interrupted_by_api_error",
    "interrupted by a tool's result": "notice.interrupted_by_tool_result",
    "assistant failure": "notice.assistant_failure",
    "result missing": "notice.result_missing",
    "tool interrupted on pairing": "notice.tool_interrupted",
    "image placeholder": "notice.image_placeholder",
    "file: definitions only": "notice.definitions_only",
    "file: first lines": "notice.max_lines",
    "file: truncated": "notice.file_truncated",
    "file: too large": "notice.file_read_blocked",
    "file: binary": "notice.binary_file",
    "file: budget": "notice.file_budget",
    "image too large": "notice.image_too_large",
    "images too large together": "notice.images_total_too_large",
    "list of files cut": "notice.files_limit",
    "no files": "notice.no_files",
    "search cut": "notice.search_limit",
    "search line cut": "notice.search_line_cut",
    "output: characters left out": "notice.characters_omitted",
    "output: lines left out": "notice.lines_omitted",
    "output: bytes left out": "notice.bytes_omitted",
    "output: line repeated": "notice.line_repeated",
    "output: kept aside": "notice.output_spilled",
    "skill loaded": "feedback.skillLoaded",
    "auto-approval limit": "feedback.approvalLimit",
}
CANNED_BY_GENERATION = {
    "classic": {"already used tool": "feedback.alreadyUsedTool", "tool result heading": "feedback.toolResultHeading"},
    "native": {"truncation marker": "notice.truncation"},
}
REMINDER_BYTES = {"classic": 500, "native": 350}

# i18n keys that reach the model or the user: (name, generation or None for both)
ERRORS = [
    ("condense_failed", None),
    ("condense_not_enough_messages", None),
    ("condensed_recently", None),
    ("condense_handler_invalid", None),
    ("condense_context_grew", "classic"),
    ("condense_api_failed", "native"),
    ("toolRepetitionLimitReached", None),
    ("codebaseSearch_approval", None),
    ("unknownToolError", None),
    ("newTask_policy_restriction", None),
    ("mistake_limit_guidance", None),
    ("gemini_generate_stream", None),
    ("gemini_sources", None),
    ("command_timeout", None),
    ("message_not_found", None),
    ("model_no_tools_used", None),
    ("model_no_assistant_messages", None),
]
READ_FILE_NOTES = ["notice.lines_range", "notice.definitions_marker", "notice.max_lines_marker"]
