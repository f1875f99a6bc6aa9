"""Trimming histories that use tools: ours against litellm, langchain-core and llama-index, validity and CPU.

    python -m perf trimming [--histories N] [--skip-long]

Everybody gets the same histories and budgets and counts with o200k_base where it lets one choose. A result is valid by
the eight rules: within the budget by the counter used; every call has its result, every result its call; system
messages kept; the first turn is the user's; order kept; texts unaltered; not empty. Peers run in an environment of
their own and measure their own CPU; the long history is trimmed once by each, from 400,000 tokens to 128,000.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Message = dict[str, Any]
Trimmer = Callable[[list[Message], int], tuple[list[Message], int]]
"""Trims OpenAI-style messages to a budget; returns what is left, and its tokens by the library's own counting."""


def main(arguments: Sequence[str] | None = None) -> None:
    from perf.micro.context_histories import long_history, random_history
    from perf.peers.setup import ROOT, PeersUnavailableError, python_environment
    from streamarena.context import TokenCounter

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=300)
    parser.add_argument("--skip-long", action="store_true", help="leave the long history out (litellm takes 15 s)")
    chosen = parser.parse_args(arguments)
    counter = TokenCounter()
    tasks = [task_of(random_history(seed), seed, counter) for seed in range(chosen.histories)]
    long = long_history()
    given = {"tasks": tasks, "long": None if chosen.skip_long else [long, sum(map(counter, long)) * 128 // 400]}
    results = {"streamarena": measure(ours(counter), given)}
    path = ROOT / ".cache" / "perf" / "trimming.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(given), "utf-8")
    try:
        python = python_environment("requirements-trimming.txt", ".venv-peers-trimming")
        results |= peers(python, path)
    except PeersUnavailableError as error:
        print(f"not measured: {error}")
    print_table(results, tasks)


def task_of(history: list[Message], seed: int, counter: Any) -> list[Any]:
    """A history and a budget between 4 and 80 percent of it."""
    total = sum(map(counter, history))
    return [history, total * (4 + seed * 7 % 77) // 100]


def ours(counter: Any) -> dict[str, Trimmer]:
    """Our trimmer, with a counter whose cache is warm as it would be in use, and a cold one for the long history."""
    from streamarena.context import TokenCounter, trim_messages

    def trim(messages: list[Message], budget: int) -> tuple[list[Message], int]:
        done = trim_messages(messages, max_tokens=budget, counter=counter)
        return list(done.messages), done.tokens

    def trim_cold(messages: list[Message], budget: int) -> tuple[list[Message], int]:
        done = trim_messages(messages, max_tokens=budget, counter=TokenCounter(cache_entries=0))
        return list(done.messages), done.tokens

    return {"counts cached": trim, "nothing cached": trim_cold}


def peers(python: Path, given: Path) -> dict[str, Any]:
    """Run this file in the peers' environment."""
    from streamarena.context.vocabulary import find_vocabulary

    vocabulary = find_vocabulary()
    environment = {**os.environ, **({"TIKTOKEN_CACHE_DIR": str(vocabulary.parent)} if vocabulary else {})}
    done = subprocess.run(
        [str(python), __file__, str(given)], capture_output=True, text=True, env=environment, timeout=600, check=False
    )
    if done.returncode:
        print(f"peers failed: {done.stderr.strip()[-600:]}", file=sys.stderr)
        return {}
    return json.loads(done.stdout.splitlines()[-1])


def measure(trimmers: dict[str, Trimmer], given: dict[str, Any]) -> dict[str, Any]:
    """Trim everything with every way of one library; CPU seconds and what was left."""
    results: dict[str, Any] = {}
    for name, trim in trimmers.items():
        kept: list[Any] = []
        start = time.process_time()
        for messages, budget in given["tasks"]:
            try:
                kept.append(trim([dict(message) for message in messages], budget))
            except Exception as error:  # noqa: BLE001 - whatever a peer raises is an outcome
                kept.append([None, type(error).__name__])
        seconds = time.process_time() - start
        results[name] = {"cpu": seconds, "kept": kept, "long": long_run(trim, given["long"])}
    return results


def long_run(trim: Trimmer, long: list[Any] | None) -> dict[str, Any] | None:
    if long is None:
        return None
    messages, budget = long
    start = time.process_time()
    try:
        _, tokens = trim([dict(message) for message in messages], budget)
    except Exception as error:  # noqa: BLE001 - whatever a peer raises is an outcome
        return {"cpu": time.process_time() - start, "outcome": type(error).__name__}
    share = tokens / budget
    return {"cpu": time.process_time() - start, "outcome": f"{share:.0%} of the budget"}


def print_table(results: dict[str, Any], tasks: list[list[Any]]) -> None:
    """Print validity and CPU of each way."""
    print(f"{len(tasks)} histories that use tools{'':22} valid  empty  errors   CPU a history   long history")
    for library, ways in results.items():
        for name, done in ways.items():
            verdicts = [verdict(task, kept) for task, kept in zip(tasks, done["kept"], strict=True)]
            valid, empty, errors = (verdicts.count(word) for word in ("valid", "empty", "error"))
            long = done["long"]
            tail = f"{long['cpu'] * 1e3:9.1f} ms, {long['outcome']}" if long else ""
            share = f"{valid / len(tasks):6.0%} {empty / len(tasks):6.0%} {errors / len(tasks):6.0%}"
            print(f"{library:14} {name:32} {share}   {done['cpu'] / len(tasks) * 1e6:10.0f} us   {tail}")


def verdict(task: list[Any], outcome: list[Any]) -> str:
    """Judge one result: valid, empty, error (which for ours is CannotFitError) or the first rule that it breaks."""
    given, budget = task
    kept, tokens = outcome
    if kept is None:
        return "error"
    spoken = [message for message in kept if message["role"] != "system"]
    if not spoken:
        return "empty"
    numbers = [number_of(message) for message in kept]
    if None in numbers or any(changed(given[number], message) for number, message in zip(numbers, kept, strict=True)):
        return "altered"
    if tokens > budget:
        return "over budget"
    if numbers != sorted(numbers) or numbers[0] != 0:
        return "order or system message"
    if spoken[0]["role"] != "user":
        return "does not begin with the user"
    calls = [call["id"] for message in kept for call in message.get("tool_calls") or ()]
    answers = [message["tool_call_id"] for message in kept if message["role"] == "tool"]
    return "valid" if sorted(calls) == sorted(answers) else "pairs broken"


def number_of(message: Message) -> int | None:
    head = str(message.get("content")).partition(" ")[0]
    return int(head[1:]) if head[:1] == "#" and head[1:].isdigit() else None


def changed(before: Message, after: Message) -> bool:
    ids = lambda message: [call["id"] for call in message.get("tool_calls") or ()]  # noqa: E731 - a local shorthand
    return before["content"] != after.get("content") or before["role"] != after["role"] or ids(before) != ids(after)


def foreign() -> dict[str, dict[str, Trimmer]]:
    """The peers' ways; imported only in their own environment."""
    import tiktoken
    from langchain_core.messages import convert_to_messages, convert_to_openai_messages, trim_messages
    from litellm.utils import token_counter
    from litellm.utils import trim_messages as litellm_trim
    from llama_index.core.base.llms.types import ChatMessage
    from llama_index.core.memory import ChatMemoryBuffer

    encode = tiktoken.get_encoding("o200k_base").encode_ordinary

    def size(message: Message) -> int:
        arguments = "".join(str(call["function"]) for call in message.get("tool_calls") or ())
        return 4 + len(encode(str(message["content"]))) + len(encode(arguments))

    def with_litellm(messages: list[Message], budget: int) -> tuple[list[Message], int]:
        kept = litellm_trim(messages, model="gpt-4o", max_tokens=budget, trim_ratio=1.0)
        return kept, token_counter(model="gpt-4o", messages=kept)

    def with_langchain(**settings: Any) -> Trimmer:
        def count(messages: Any) -> int:
            return sum(map(size, convert_to_openai_messages(messages)))

        def trim(messages: list[Message], budget: int) -> tuple[list[Message], int]:
            converted = convert_to_messages(messages)
            kept = trim_messages(converted, max_tokens=budget, token_counter=count, **settings)
            return convert_to_openai_messages(kept), count(kept)

        return trim

    def rest(message: Message) -> Message:
        return {key: value for key, value in message.items() if key not in {"role", "content"}}

    def with_llama_index(messages: list[Message], budget: int) -> tuple[list[Message], int]:
        history = [ChatMessage(role=m["role"], content=m["content"], additional_kwargs=rest(m)) for m in messages]
        memory = ChatMemoryBuffer.from_defaults(chat_history=history, token_limit=budget, tokenizer_fn=encode)
        kept = [{"role": m.role.value, "content": m.content, **m.additional_kwargs} for m in memory.get()]
        return kept, sum(map(size, kept))

    best = {"strategy": "last", "include_system": True, "start_on": "human", "end_on": ("human", "tool")}
    return {
        "litellm": {"trim_messages": with_litellm},
        "langchain-core": {"defaults": with_langchain(), "documented options": with_langchain(**best)},
        "llama-index": {"ChatMemoryBuffer": with_llama_index},
    }


if __name__ == "__main__":
    tasks = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    print(json.dumps({library: measure(ways, tasks) for library, ways in foreign().items()}))
