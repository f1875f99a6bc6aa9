"""Histories to measure on: long ones of about 2,000 tokens a message, and many small ones that use tools at random."""

from __future__ import annotations

import random
from typing import Any

Message = dict[str, Any]
WORDS_A_MESSAGE = 640  # about 2,000 o200k tokens of made-up words


def long_history(messages: int = 200, *, tools: bool = True, seed: int = 1) -> list[Message]:
    """A conversation of random words: 200 messages are about 400,000 o200k tokens."""
    pick = random.Random(seed)
    words = ["".join(pick.choices("abcdefghijklmnopqrstuvwxyz", k=pick.randint(2, 9))) for _ in range(3000)]
    history: list[Message] = []
    text = lambda: " ".join(pick.choices(words, k=WORDS_A_MESSAGE))  # noqa: E731 - a local shorthand
    while len(history) < messages:
        history.append({"role": "user", "content": text()})
        if tools:
            call = f"call_{len(history)}"
            history.append({"role": "assistant", "content": text(), "tool_calls": [_call(call)]})
            history.append({"role": "tool", "tool_call_id": call, "content": text()})
        history.append({"role": "assistant", "content": text()})
    return history[:messages]


def random_history(seed: int) -> list[Message]:
    """A short conversation with parallel tool calls; each message's content begins with its number."""
    pick = random.Random(seed)
    history: list[Message] = []

    def add(role: str, **fields: Any) -> None:
        words = " ".join(pick.choices(["tulip", "river", "amber", "kayak", "ocean"], k=pick.choice([3, 10, 60])))
        history.append({"role": role, "content": f"#{len(history)} {words}", **fields})

    add("system")
    for _ in range(pick.randint(2, 8)):
        add("user")
        for _ in range(pick.choice([0, 1, 1, 2, 3])):
            calls = [f"call_{len(history)}_{number}" for number in range(pick.choice([1, 1, 2, 3]))]
            add("assistant", tool_calls=[_call(call) for call in calls])
            for call in calls:
                add("tool", tool_call_id=call)
        add("assistant")
    add("user")
    return history


def _call(call: str) -> Message:
    return {"id": call, "type": "function", "function": {"name": "read_file", "arguments": '{"path": "a.txt"}'}}
