"""From a model and a user's settings to request parameters: output limit, temperature, reasoning, and cost.

Rules are those of the reference behaviour, sections 4.3 (output limit), 4.4 (parameters) and 4.6 (cost); both
generations, which differ in one rule each. Pure functions over numbers.
Not here: the model tables (`models.py`), and the spelling of parameters on any wire.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import msgspec

from streamarena.context.models import ModelInfo, model_info

__all__ = [
    "CLAUDE_CODE_OUTPUT_TOKENS",
    "CostReport",
    "DEFAULT_OUTPUT_TOKENS",
    "Format",
    "GEMINI_25_PRO_MIN_THINKING_TOKENS",
    "Generation",
    "HYBRID_OUTPUT_TOKENS",
    "HYBRID_THINKING_TOKENS",
    "max_output_tokens",
    "MIN_THINKING_TOKENS",
    "model_parameters",
    "ModelParameters",
    "OutputSettings",
    "request_cost",
    "TokenUsage",
    "uses_reasoning_budget",
]

Generation: TypeAlias = Literal["classic", "native"]
Format: TypeAlias = Literal["anthropic", "openai", "gemini", "openrouter"]

DEFAULT_OUTPUT_TOKENS: Final = 8192
CLAUDE_CODE_OUTPUT_TOKENS: Final = 16_000
HYBRID_OUTPUT_TOKENS: Final = 16_384
HYBRID_THINKING_TOKENS: Final = 8192
MIN_THINKING_TOKENS: Final = 1024
GEMINI_25_PRO_MIN_THINKING_TOKENS: Final = 128


@dataclass(frozen=True, slots=True)
class OutputSettings:
    """A user's settings that bear on output.

    Attributes:
        api_provider: "claude-code" has a limit of its own in the classic generation.
        enable_reasoning: switch reasoning on, or explicitly off; None leaves it to the model.
        model_max_tokens, model_max_thinking_tokens, claude_code_max_output_tokens: tokens; 0 and None mean "not set".
        temperature: None leaves it to the model; reasoning_effort: a level, or "disable".
    """

    api_provider: str | None = None
    enable_reasoning: bool | None = None
    model_max_tokens: int | None = None
    model_max_thinking_tokens: int | None = None
    claude_code_max_output_tokens: int | None = None
    temperature: float | None = None
    reasoning_effort: str | None = None


_NO_SETTINGS: Final = OutputSettings()


def uses_reasoning_budget(model: ModelInfo, settings: OutputSettings = _NO_SETTINGS) -> bool:
    """Tell whether a request reasons within a token budget: the model requires it, or allows it and it is on."""
    return model.required_reasoning_budget or (model.supports_reasoning_budget and bool(settings.enable_reasoning))


def max_output_tokens(
    model: ModelInfo | str,
    settings: OutputSettings = _NO_SETTINGS,
    *,
    api_format: Format | None = None,
    generation: Generation = "native",
) -> int | None:
    """Return the output tokens to ask for and to reserve; None where the request should not name a limit.

    The first rule of section 4.3 that applies decides. A limit of -1 (not set) is returned as it is.

    Args:
        model: the model, or an id to look up.
        settings: the user's settings.
        api_format: the wire that the request is for; None when only the reserve is wanted.
        generation: "classic" has one more rule, for claude-code.
    """
    info = model_info(model) if isinstance(model, str) else model
    if generation == "classic" and settings.api_provider == "claude-code":
        return settings.claude_code_max_output_tokens or CLAUDE_CODE_OUTPUT_TOKENS
    if uses_reasoning_budget(info, settings):
        return settings.model_max_tokens or HYBRID_OUTPUT_TOKENS
    anthropic = (
        "claude" in info.id
        or api_format == "anthropic"
        or (api_format == "openrouter" and info.id.startswith("anthropic/"))
    )
    if anthropic and (info.supports_reasoning_budget or not info.max_output_tokens):
        return DEFAULT_OUTPUT_TOKENS
    if info.max_output_tokens:
        if "gpt-5" in info.id.lower():
            return info.max_output_tokens
        return min(info.max_output_tokens, math.ceil(info.context_window * 0.2))
    return None if api_format else DEFAULT_OUTPUT_TOKENS


class ModelParameters(msgspec.Struct, frozen=True):
    """What a request should ask of a model; None means: leave the parameter out.

    Attributes:
        max_tokens, reasoning_budget: tokens; temperature: 0 to 2; reasoning_effort: a level.
    """

    max_tokens: int | None
    temperature: float | None
    reasoning_effort: str | None = None
    reasoning_budget: int | None = None


def model_parameters(
    model: ModelInfo,
    settings: OutputSettings = _NO_SETTINGS,
    *,
    api_format: Format,
    default_temperature: float | None = None,
    generation: Generation = "native",
) -> ModelParameters:
    """Return output limit, temperature and reasoning parameters for one request (section 4.4).

    Args:
        model: the model.
        settings: the user's settings.
        api_format: the wire.
        default_temperature: the provider's own default, used last.
        generation: "native" also knows the model's default temperature and lists of allowed efforts.
    """
    limit = max_output_tokens(model, settings, api_format=api_format, generation=generation)
    chosen = [settings.temperature, model.default_temperature if generation == "native" else None, default_temperature]
    temperature = next((value for value in chosen if value is not None), None)
    effort: str | None = None
    budget: int | None = None
    if uses_reasoning_budget(model, settings):
        budget = _reasoning_budget(model, settings, limit)
        temperature = 1.0
    else:
        effort = _reasoning_effort(model, settings, generation)
    fixed = ("o1", "o3-mini") if api_format == "openai" else ("openai/o1-pro",) if api_format == "openrouter" else ()
    return ModelParameters(limit, None if model.id.startswith(fixed) and fixed else temperature, effort, budget)


def _reasoning_budget(model: ModelInfo, settings: OutputSettings, limit: int | None) -> int:
    gemini = "gemini-2.5-pro" in model.id
    asked = settings.model_max_thinking_tokens
    if asked is None:
        asked = GEMINI_25_PRO_MIN_THINKING_TOKENS if gemini else HYBRID_THINKING_TOKENS
    if limit:
        asked = min(asked, math.floor(limit * 0.8))
    return max(asked, GEMINI_25_PRO_MIN_THINKING_TOKENS if gemini else MIN_THINKING_TOKENS)


def _reasoning_effort(model: ModelInfo, settings: OutputSettings, generation: Generation) -> str | None:
    effort = settings.reasoning_effort if settings.reasoning_effort is not None else model.default_reasoning_effort
    if settings.enable_reasoning is False or not effort or effort == "disable":
        return None
    capability = model.supports_reasoning_effort
    if generation == "native" and isinstance(capability, tuple):
        return effort if effort in capability else None
    return effort if capability or model.default_reasoning_effort else None


class TokenUsage(msgspec.Struct, frozen=True):
    """Tokens of one request as its provider counts them."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_write_tokens: int = 0
    cache_read_tokens: int = 0


class CostReport(msgspec.Struct, frozen=True):
    """The cost of one request in US dollars, and its tokens with the cache counted in."""

    cost: float
    total_input_tokens: int
    total_output_tokens: int


def request_cost(
    model: ModelInfo, usage: TokenUsage, *, style: Literal["anthropic", "openai"] = "anthropic"
) -> CostReport:
    """Return what a request cost (section 4.6).

    Args:
        model: its prices are used; a missing price counts as 0.
        usage: the tokens.
        style: "anthropic" counts input without the cache; "openai" counts it with the cache, which is taken off.
    """
    cached = usage.cache_write_tokens + usage.cache_read_tokens
    plain, total = usage.input_tokens, usage.input_tokens + cached
    if style == "openai":
        plain, total = max(0, usage.input_tokens - cached), usage.input_tokens
    cost = (
        (model.cache_writes_price or 0.0) / 1e6 * usage.cache_write_tokens
        + (model.cache_reads_price or 0.0) / 1e6 * usage.cache_read_tokens
        + (model.input_price or 0.0) / 1e6 * plain
        + (model.output_price or 0.0) / 1e6 * usage.output_tokens
    )
    return CostReport(cost, total, usage.output_tokens)
