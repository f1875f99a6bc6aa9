"""Prompts are one copy for any number of requests; histories of 100,000 messages cost in proportion to their length."""

from __future__ import annotations

import statistics
import time

from perf.criteria.criterion import Criterion, Options, verdict
from streamarena.context import trim_messages
from streamarena.prompts import PromptSettings, builtin_catalog, system_prompt


def _trim_seconds(count: int) -> float:
    messages = [{"role": ("user", "assistant")[n % 2], "content": f"message {n}"} for n in range(count)]
    rounds = []
    for _ in range(3):
        start = time.process_time()
        kept = trim_messages(messages, max_tokens=count // 2, counter=lambda _: 1).messages
        rounds.append(time.process_time() - start)
    assert 0 < len(kept) <= count // 2
    return statistics.median(rounds)


def measure(options: Options) -> list[Criterion]:
    catalogue = builtin_catalog()
    texts = {key: catalogue.text(key) for key in catalogue}
    prompts = {id(system_prompt(PromptSettings(workspace="/project"))) for _ in range(1000)}
    again = all(catalogue.text(key) is text for key, text in texts.items())
    size = len(system_prompt(PromptSettings(workspace="/project")).encode())
    large = options.count(100_000, 20_000)
    small_seconds, large_seconds = _trim_seconds(large // 10), _trim_seconds(large)
    growth = large_seconds / small_seconds
    return [
        Criterion(
            "prompts: one copy for any number",
            "one object",
            f"{len(prompts)} object for 1,000 requests ({size / 1e3:.1f} kB); {len(texts)} entries of the catalogue, "
            f"{sum(len(text.encode()) for text in texts.values()) / 1e3:.0f} kB, {'shared' if again else 'COPIED'}",
            "identity of the system prompt and of every catalogue text over repeated requests",
            verdict(len(prompts) == 1 and again),
        ),
        Criterion(
            f"history of {large:,} messages",
            "nothing quadratic",
            f"{large_seconds * 1e3:.0f} ms to trim to half, {growth:.1f} x a tenth of it",
            "trim_messages with a counter of the caller; CPU, median of 3; quadratic would be 100 x",
            verdict(growth < 30),
            {"growth": growth},
        ),
    ]
