"""Let a model condense a history that fills its window: it gets a summary, nothing is lost, and a rewind undoes it."""

import asyncio
import itertools

from streamarena.context import (
    CondensePrompts,
    Condenser,
    SummaryReply,
    SummaryRequest,
    TokenCounter,
    WindowContext,
    cleanup_after_truncation,
    effective_history,
    manage_context,
)

HISTORY = [
    {"role": role, "content": f"{role} says something of note, number {number}. " * 20, "ts": 1000 + number}
    for number, role in enumerate(("user", "assistant") * 10)
]


async def summarize(request: SummaryRequest) -> SummaryReply:
    """A real program asks a model here; `request` holds the system prompt and the messages for it."""
    return SummaryReply(f"{len(request.messages)} messages about nothing much.", cost=0.01)


async def main() -> None:
    counter = TokenCounter()
    ids = itertools.count(1)
    condenser = Condenser(
        summarize, CondensePrompts.load("native"), counter.count_blocks, new_id=lambda: f"summary-{next(ids)}"
    )
    window = WindowContext(
        HISTORY,
        total_tokens=sum(map(counter, HISTORY)),
        context_window=8000,
        max_tokens=2000,
        count=counter.count_blocks,
        auto_condense_percent=40,
    )
    done = await manage_context(window, condenser=condenser)
    print(done.action, f"cost ${done.cost}", f"{len(done.messages)} stored")
    print("sent next time:", [m["content"][0]["text"] for m in effective_history(done.messages)])
    rewound = cleanup_after_truncation(done.messages[:-1])  # the summary is deleted: everything shows again
    print("after a rewind:", len(effective_history(rewound)), "messages")


if __name__ == "__main__":
    asyncio.run(main())
