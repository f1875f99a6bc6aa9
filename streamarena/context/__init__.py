"""Context windows: models, tokens, histories, trimming, condensing, output limits (floor 1).

Start with `prepare_request` (a request body in, the body to send and a report out), `trim_messages` (any history into
any budget, always valid) or `manage_context` (the reference assistant's decisions). Nothing here does network I/O,
reads a clock or draws random ids: times, ids and counting callables are passed in.

Names are imported when they are first used (PEP 562): a program that only looks models up loads nothing else.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from streamarena.context.breakdown import Breakdown, MessageShare, break_down
    from streamarena.context.classic import truncate_conversation
    from streamarena.context.cline import ClineWindow, cline_window
    from streamarena.context.cline_edits import ClineContextManager, ClineRequest
    from streamarena.context.codex_cli import TruncationPolicy, compact_history, truncate_middle
    from streamarena.context.condense import CondensePrompts, Condenser, SummaryReply, SummaryRequest
    from streamarena.context.file_blocks import read_block
    from streamarena.context.file_reads import limit_lines, read_budget, read_slice, read_with_budget
    from streamarena.context.history import HistorySnapshot, MessageHistory
    from streamarena.context.manage import (
        condense_error_text,
        manage_context,
        recover_from_overflow,
        summarize_conversation,
    )
    from streamarena.context.messages import Block, Message
    from streamarena.context.models import ModelInfo, ModelRegistry, model_info
    from streamarena.context.native import cleanup_after_truncation, effective_history, hide_messages
    from streamarena.context.output import compress_terminal_output, truncate_output
    from streamarena.context.overflow import is_context_window_error, retry_delay
    from streamarena.context.parameters import (
        CostReport,
        ModelParameters,
        OutputSettings,
        TokenUsage,
        max_output_tokens,
        model_parameters,
        request_cost,
    )
    from streamarena.context.policies import ClinePolicy, CodexCliPolicy, WindowPolicy, window_policy
    from streamarena.context.repair import RepairResult, repair_messages
    from streamarena.context.repetition import MistakeCounter, ToolRepetitionDetector
    from streamarena.context.request import PreparedRequest, RequestReport, prepare_request, prepare_request_bytes
    from streamarena.context.tokens import TokenCounter, estimate_tokens
    from streamarena.context.tool_results import ClearToolResults
    from streamarena.context.trimming import TrimReport, TrimResult, trim_messages
    from streamarena.context.window import (
        CondenseCall,
        CondenseResult,
        ContextResult,
        WindowContext,
        will_manage_context,
    )
    from streamarena.errors import CannotFitError, HistoryTooLongError

__all__ = [
    "prepare_request",
    "prepare_request_bytes",
    "PreparedRequest",
    "RequestReport",
    "trim_messages",
    "TrimResult",
    "TrimReport",
    "CannotFitError",
    "ClearToolResults",
    "repair_messages",
    "RepairResult",
    "MessageHistory",
    "HistorySnapshot",
    "HistoryTooLongError",
    "manage_context",
    "recover_from_overflow",
    "summarize_conversation",
    "will_manage_context",
    "condense_error_text",
    "window_policy",
    "WindowPolicy",
    "ClinePolicy",
    "CodexCliPolicy",
    "WindowContext",
    "ContextResult",
    "Condenser",
    "CondensePrompts",
    "CondenseCall",
    "CondenseResult",
    "SummaryReply",
    "SummaryRequest",
    "ClineContextManager",
    "ClineRequest",
    "ClineWindow",
    "cline_window",
    "compact_history",
    "truncate_middle",
    "TruncationPolicy",
    "truncate_conversation",
    "hide_messages",
    "effective_history",
    "cleanup_after_truncation",
    "model_info",
    "ModelInfo",
    "ModelRegistry",
    "max_output_tokens",
    "model_parameters",
    "ModelParameters",
    "OutputSettings",
    "request_cost",
    "CostReport",
    "TokenUsage",
    "TokenCounter",
    "estimate_tokens",
    "break_down",
    "Breakdown",
    "MessageShare",
    "limit_lines",
    "read_block",
    "read_budget",
    "read_slice",
    "read_with_budget",
    "truncate_output",
    "compress_terminal_output",
    "ToolRepetitionDetector",
    "MistakeCounter",
    "is_context_window_error",
    "retry_delay",
    "Block",
    "Message",
]

_MODULES: Final[dict[str, tuple[str, ...]]] = {
    "streamarena.context.breakdown": (
        "Breakdown",
        "MessageShare",
        "break_down",
    ),
    "streamarena.context.classic": ("truncate_conversation",),
    "streamarena.context.cline": (
        "ClineWindow",
        "cline_window",
    ),
    "streamarena.context.cline_edits": (
        "ClineContextManager",
        "ClineRequest",
    ),
    "streamarena.context.codex_cli": (
        "TruncationPolicy",
        "compact_history",
        "truncate_middle",
    ),
    "streamarena.context.condense": (
        "CondensePrompts",
        "Condenser",
        "SummaryReply",
        "SummaryRequest",
    ),
    "streamarena.context.history": (
        "HistorySnapshot",
        "MessageHistory",
    ),
    "streamarena.context.manage": (
        "manage_context",
        "recover_from_overflow",
        "summarize_conversation",
        "condense_error_text",
    ),
    "streamarena.context.policies": ("ClinePolicy", "CodexCliPolicy", "WindowPolicy", "window_policy"),
    "streamarena.context.file_blocks": ("read_block",),
    "streamarena.context.file_reads": ("limit_lines", "read_budget", "read_slice", "read_with_budget"),
    "streamarena.context.messages": (
        "Block",
        "Message",
    ),
    "streamarena.context.models": (
        "ModelInfo",
        "ModelRegistry",
        "model_info",
    ),
    "streamarena.context.native": (
        "cleanup_after_truncation",
        "effective_history",
        "hide_messages",
    ),
    "streamarena.context.output": (
        "compress_terminal_output",
        "truncate_output",
    ),
    "streamarena.context.overflow": (
        "is_context_window_error",
        "retry_delay",
    ),
    "streamarena.context.parameters": (
        "CostReport",
        "ModelParameters",
        "OutputSettings",
        "TokenUsage",
        "max_output_tokens",
        "model_parameters",
        "request_cost",
    ),
    "streamarena.context.repair": (
        "RepairResult",
        "repair_messages",
    ),
    "streamarena.context.repetition": (
        "MistakeCounter",
        "ToolRepetitionDetector",
    ),
    "streamarena.context.request": (
        "PreparedRequest",
        "RequestReport",
        "prepare_request",
        "prepare_request_bytes",
    ),
    "streamarena.context.tokens": (
        "TokenCounter",
        "estimate_tokens",
    ),
    "streamarena.context.tool_results": ("ClearToolResults",),
    "streamarena.context.trimming": (
        "TrimReport",
        "TrimResult",
        "trim_messages",
    ),
    "streamarena.context.window": (
        "CondenseCall",
        "CondenseResult",
        "ContextResult",
        "WindowContext",
        "will_manage_context",
    ),
    "streamarena.errors": (
        "CannotFitError",
        "HistoryTooLongError",
    ),
}
_MODULE_OF: Final = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
