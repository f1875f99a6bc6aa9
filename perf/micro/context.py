"""What keeping a conversation in its window costs: trimming, deciding, the registry; targets beside the figures.

    python -m perf context [--rounds N] [--save-baseline]

The history has 200 messages of about 2,000 o200k tokens and is trimmed to a budget of 128 in 400 of its tokens.
"""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import Callable, Sequence

from perf.measure import Contender, Sample, Table, interleave, options, report
from perf.micro.context_histories import long_history
from streamarena.context import (
    Message,
    MessageHistory,
    TokenCounter,
    WindowContext,
    manage_context,
    model_info,
    trim_messages,
)
from streamarena.context.models import ModelRegistry

REPEATS = 50


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = options(__doc__ or "", arguments)
    tables = [cached(chosen.rounds), cold(chosen.rounds), lookups(chosen.rounds)]
    report("context", tables, save_baseline=chosen.save_baseline)
    tracemalloc.start()
    registry = ModelRegistry()
    print(f"registry: {tracemalloc.get_traced_memory()[0] / 1024:.0f} kB for {len(registry)} models (target 200 kB)")


def cached(rounds: int) -> Table:
    """Decisions where every count is known."""
    counter = TokenCounter()
    tools, plain = long_history(tools=True), long_history(tools=False)
    budget = sum(map(counter, tools)) * 128 // 400
    for message in plain:
        counter(message)
    history = MessageHistory(tools, counter=counter)
    counted = history.counted()
    window = WindowContext(
        plain[:100],
        total_tokens=10**6,
        context_window=200_000,
        count=counter.count_blocks,
        new_id=lambda: "id",
        auto_condense=False,
    )

    def managed(policy: str) -> float:
        async def decide() -> None:
            for _ in range(REPEATS):
                await manage_context(window, policy="classic" if policy == "classic" else "native")

        asyncio.run(decide())
        return REPEATS

    table = interleave(
        "Decisions with cached counts (targets: 0.2 ms each)",
        [
            Contender("trim 200, tools", lambda: trimmed(tools, budget, counter)),
            Contender("trim 200, plain", lambda: trimmed(plain, budget, counter)),
            Contender("trim a MessageHistory", lambda: trimmed(history, budget, counted)),
            Contender("manage 100, native", lambda: managed("native")),
            Contender("manage 100, classic", lambda: managed("classic")),
        ],
        baseline="trim 200, tools",
        unit="call",
        rounds=rounds,
    )
    table.notes.append(f"counter: {'o200k_base' if counter.exact else 'an estimate, no vocabulary was found'}")
    return table


def cold(rounds: int) -> Table:
    """Trimming where nothing has been counted, against tokenising what is kept."""
    history = long_history()
    total = TokenCounter()
    budget = sum(map(total, history)) * 128 // 400
    kept = list(trim_messages(history, max_tokens=budget, counter=total).messages)

    def fresh(work: str) -> Sample:
        counter = TokenCounter()
        counter.load()
        start = time.process_time()
        if work == "trim":
            trim_messages(history, max_tokens=budget, counter=counter)
        else:
            for message in kept:
                counter(message)
        return Sample(1, time.process_time() - start)

    return interleave(
        "Nothing counted yet (target: 1.3 times tokenising what is kept)",
        [Contender("tokenise what is kept", lambda: fresh("count")), Contender("trim, exact", lambda: fresh("trim"))],
        baseline="tokenise what is kept",
        unit="call",
        rounds=rounds,
    )


def lookups(rounds: int) -> Table:
    """Loading the registry and looking models up."""
    model_info("gpt-4o")

    def look_up() -> float:
        for _ in range(1000):
            model_info("gpt-4o")
        return 1000

    def load() -> float:
        ModelRegistry()
        return 1

    return interleave(
        "Models (targets: load 3 ms, look-up 1 us)",
        [Contender("look-up", look_up), Contender("load", load)],
        baseline="look-up",
        unit="call",
        rounds=rounds,
    )


def trimmed(messages: Sequence[Message], budget: int, counter: Callable[[Message], int]) -> float:
    """Trim often enough to be measured; return how often."""
    for _ in range(REPEATS):
        trim_messages(messages, max_tokens=budget, counter=counter)
    return REPEATS


if __name__ == "__main__":
    main()
