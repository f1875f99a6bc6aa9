"""Compile a model catalogue into `models.jsonl`, the compact registry that ships with this package.

Run as `python -m streamarena.context._compile_models CATALOGUE.json` after the catalogue has changed; the catalogue is
a JSON list with one object a model (fields: provider, model, context_window, max_output_tokens, prices in US dollars
a million tokens, flags, and `snapshots` by release). The result is deterministic: same catalogue, same bytes.

Row format: a JSON array with the columns of `COLUMNS`, trailing nulls cut off; rows sorted by model id, then by
provider precedence, so that the rows of one id stand together and the first is the one that a bare id means. A
snapshot is 0 for "not in that release", 1 for "as now", or its own pair of context window and output limit.
Not here: reading the result (`models.py`).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

__all__ = ["COLUMNS", "PROVIDERS", "SNAPSHOTS", "compile_models", "main"]

COLUMNS: Final = (
    "provider",
    "model",
    "context_window",
    "max_output_tokens",
    "supports_images",
    "supports_prompt_cache",
    "supports_reasoning_budget",
    "required_reasoning_budget",
    "supports_reasoning_effort",
    "default_reasoning_effort",
    "input_price",
    "output_price",
    "cache_writes_price",
    "cache_reads_price",
    "tier_context_windows",
    "snapshots",
    "default_temperature",
    "max_thinking_tokens",
)
SNAPSHOTS: Final = ("kilo_4.88", "roo_3.28", "kilo_5.16", "roo_3.52")
# A bare id means the model's own maker first, then hosts, then editor bridges with windows of their own.
PROVIDERS: Final = (
    "anthropic", "openai-native", "gemini", "deepseek", "mistral", "xai", "moonshot", "zai", "minimax", "qwen-code",
    "qwen", "doubao", "groq", "cerebras", "bedrock", "vertex", "fireworks", "baseten", "sambanova", "chutes",
    "featherless", "io-intelligence", "synthetic", "corethink", "roo", "openai-codex", "claude-code", "gemini-cli",
    "vscode-llm", "kilocode-vscode-llm",
)  # fmt: skip
_RENAMED: Final = {"qwen (alibaba/dashscope)": "qwen"}


def compile_models(catalogue: list[dict[str, Any]]) -> bytes:
    """Return the rows of a catalogue as newline-separated JSON arrays, sorted."""
    rows = sorted((_row(entry) for entry in catalogue), key=lambda row: (row[1], PROVIDERS.index(row[0])))
    return "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows).encode()


def _row(entry: dict[str, Any]) -> list[Any]:
    values = dict(entry, provider=_RENAMED.get(entry["provider"], entry["provider"]))
    stored = entry.get("snapshots", {})
    current = [entry["context_window"], entry["max_output_tokens"]]
    pairs = [stored.get(name) for name in SNAPSHOTS]
    values["snapshots"] = [int(pair == current) if pair in (current, None) else pair for pair in pairs] if stored else 0
    for flag in ("supports_images", "supports_prompt_cache", "supports_reasoning_budget", "required_reasoning_budget"):
        values[flag] = 1 if values.get(flag) else 0
    row: list[Any] = [values.get(name) for name in COLUMNS]
    while row[-1] is None:
        row.pop()
    return row


def main(arguments: list[str]) -> int:
    """Compile the catalogue named on the command line into the file beside this module."""
    catalogue = json.loads(Path(arguments[0]).read_text("utf-8"))
    Path(__file__).with_name("models.jsonl").write_bytes(compile_models(catalogue))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
