"""Context windows: models, tokens, histories, trimming, condensing, output limits (floor 1).

Start with `prepare_request` (a request body in, the body to send and a report out), `trim_messages` (any history into
any budget, always valid) or `manage_context` (the reference assistant's decisions). Nothing here does network I/O,
reads a clock or draws random ids: times, ids and counting callables are passed in.
"""

from streamarena.context.breakdown import Breakdown, MessageShare, break_down
from streamarena.context.classic import truncate_conversation
from streamarena.context.cline import ClineWindow, cline_window
from streamarena.context.cline_edits import ClineContextManager, ClineRequest
from streamarena.context.codex_cli import TruncationPolicy, compact_history, truncate_middle
from streamarena.context.condense import CondensePrompts, Condenser, SummaryReply, SummaryRequest
from streamarena.context.history import HistorySnapshot, MessageHistory
from streamarena.context.manage import manage_context, recover_from_overflow, summarize_conversation, window_policy
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
from streamarena.context.repair import RepairResult, repair_messages
from streamarena.context.repetition import MistakeCounter, ToolRepetitionDetector
from streamarena.context.request import PreparedRequest, RequestReport, prepare_request, prepare_request_bytes
from streamarena.context.tokens import TokenCounter, estimate_tokens
from streamarena.context.tool_results import ClearToolResults
from streamarena.context.trimming import TrimReport, TrimResult, trim_messages
from streamarena.context.window import CondenseCall, CondenseResult, ContextResult, WindowContext, will_manage_context
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
    "window_policy",
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
    "truncate_output",
    "compress_terminal_output",
    "ToolRepetitionDetector",
    "MistakeCounter",
    "is_context_window_error",
    "retry_delay",
    "Block",
    "Message",
]
