"""Context windows: models, tokens, histories, trimming, condensing, output limits (floor 1).

Start with `prepare_request` (a request body in, the body to send and a report out), `trim_messages` (any history into
any budget, always valid) or `manage_context` (the reference assistant's decisions). Nothing here does network I/O,
reads a clock or draws random ids: times, ids and counting callables are passed in.
"""

from streamarena.context.models import ModelInfo, ModelRegistry, model_info
from streamarena.context.parameters import (
    CostReport,
    ModelParameters,
    OutputSettings,
    TokenUsage,
    max_output_tokens,
    model_parameters,
    request_cost,
)
from streamarena.context.tokens import TokenCounter, estimate_tokens

__all__ = [
    "CostReport",
    "ModelInfo",
    "ModelParameters",
    "ModelRegistry",
    "OutputSettings",
    "TokenCounter",
    "TokenUsage",
    "estimate_tokens",
    "max_output_tokens",
    "model_info",
    "model_parameters",
    "request_cost",
]
