"""Rules of the model registry as data: defaults of each provider, fallbacks, aliases and prefixes.

Sources: section 4.2 of the reference behaviour (default ids, fallbacks), Anthropic's public price list (long context).
Not here: the tables themselves (`models.jsonl`).
"""

from __future__ import annotations

from typing import Any, Final

__all__ = [
    "ALIASES",
    "BEDROCK_DEFAULTS",
    "BEDROCK_PATTERNS",
    "BRIDGES",
    "DEFAULT_MODELS",
    "LONG_CONTEXT",
    "PREFIXES",
    "SANE_DEFAULTS",
]

# Provider -> default id in the classic and in the native generation; None where that generation lacks the provider.
DEFAULT_MODELS: Final[dict[str, tuple[str | None, str | None]]] = {
    "anthropic": ("claude-sonnet-4-20250514", "claude-sonnet-4-5"),
    "openai-native": ("gpt-5-2025-08-07", "gpt-5.1-codex-max"),
    "openai-codex": (None, "gpt-5.3-codex"),
    "gemini": ("gemini-2.0-flash-001", "gemini-3.1-pro-preview"),
    "deepseek": ("deepseek-chat", "deepseek-chat"),
    "mistral": ("codestral-latest", "codestral-latest"),
    "xai": ("grok-code-fast-1", "grok-4.20"),
    "groq": ("llama-3.3-70b-versatile", None),
    "bedrock": ("anthropic.claude-sonnet-4-20250514-v1:0", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
    "vertex": ("claude-sonnet-4@20250514", "claude-sonnet-4-5@20250929"),
    "qwen-code": ("qwen3-coder-plus", "qwen3-coder-plus"),
    "moonshot": ("kimi-k2-0711-preview", "kimi-k2-0905-preview"),
    "zai": ("glm-4.5", "glm-4.6"),
    "minimax": (None, "MiniMax-M2.7"),
    "fireworks": ("accounts/fireworks/models/kimi-k2-instruct", "accounts/fireworks/models/kimi-k2-instruct-0905"),
    "cerebras": ("qwen-3-coder-480b-free", None),
    "sambanova": ("Meta-Llama-3.3-70B-Instruct", "Meta-Llama-3.3-70B-Instruct"),
    "chutes": ("deepseek-ai/DeepSeek-R1-0528", None),
    "featherless": ("deepseek-ai/DeepSeek-R1-0528", None),
    "openrouter": ("anthropic/claude-sonnet-4", "anthropic/claude-sonnet-4.5"),
    "ollama": ("devstral:24b", "devstral:24b"),
    "lmstudio": ("mistralai/devstral-small-2505", "mistralai/devstral-small-2505"),
    "litellm": ("claude-3-7-sonnet-20250219", "claude-3-7-sonnet-20250219"),
    "unbound": ("anthropic/claude-3-7-sonnet-20250219", "anthropic/claude-sonnet-4-5"),
    "glama": ("anthropic/claude-3-7-sonnet", "anthropic/claude-3-7-sonnet"),
}

SANE_DEFAULTS: Final[dict[str, Any]] = {
    "context_window": 128_000,
    "max_output_tokens": -1,
    "supports_images": True,
    "supports_prompt_cache": False,
    "input_price": 0.0,
    "output_price": 0.0,
}

BEDROCK_DEFAULTS: Final[dict[str, Any]] = {
    "context_window": 128_000,
    "max_output_tokens": 4096,
    "supports_images": False,
    "supports_prompt_cache": False,
}


def _claude(limit: int) -> dict[str, Any]:
    return {
        "context_window": 200_000,
        "max_output_tokens": limit,
        "supports_images": True,
        "supports_prompt_cache": True,
    }


# Tried in this order; the first pattern that the lower-cased id contains decides.
BEDROCK_PATTERNS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("claude-4", _claude(8192)),
    ("claude-3-7", _claude(8192)),
    ("claude-3-5", _claude(8192)),
    ("claude-4-opus", _claude(4096)),
    ("claude-3-opus", _claude(4096)),
    ("claude-3-haiku", _claude(4096)),
)

# Editors that offer models with windows of their own: their tables answer only when they are asked for by name.
BRIDGES: Final = frozenset({"vscode-llm", "kilocode-vscode-llm", "gemini-cli", "claude-code", "openai-codex"})

# Prices of the long-context tier relative to the ordinary ones.
LONG_CONTEXT: Final = {"input_price": 2.0, "output_price": 1.5, "cache_writes_price": 2.0, "cache_reads_price": 2.0}

ALIASES: Final[dict[str, str]] = {
    "claude-sonnet-4": "claude-sonnet-4-20250514",
    "claude-opus-4": "claude-opus-4-20250514",
    "claude-opus-4-1": "claude-opus-4-1-20250805",
    "claude-opus-4-5": "claude-opus-4-5-20251101",
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
    "claude-3-7-sonnet": "claude-3-7-sonnet-20250219",
    "claude-3-5-sonnet": "claude-3-5-sonnet-20241022",
    "claude-3-5-haiku": "claude-3-5-haiku-20241022",
    "claude-3-opus": "claude-3-opus-20240229",
    "claude-3-haiku": "claude-3-haiku-20240307",
    "gpt-5-chat": "gpt-5-chat-latest",
}

# What gateways put before an id; taken off one after the other, in this order.
PREFIXES: Final = (
    "openrouter/", "bedrock/", "vertex_ai/", "azure/", "models/", "us.", "eu.", "apac.", "global.", "anthropic.",
    "anthropic/", "openai/", "google/", "gemini/", "deepseek/", "mistralai/", "mistral/", "x-ai/", "xai/", "qwen/",
    "moonshotai/", "z-ai/", "meta-llama/",
)  # fmt: skip
