"""Random histories, and an independent judge of trimmed ones: the eight rules, written without the code under test."""

from __future__ import annotations

import itertools
import random


def openai_history(seed, turns=4):
    """A random OpenAI-style history with parallel calls; weights are under `n`."""
    return _history(random.Random(seed), turns, anthropic=False)


def anthropic_history(seed, turns=4):
    """A random Anthropic-style history with parallel calls; weights are under `n`."""
    return _history(random.Random(seed), turns, anthropic=True)


def _history(pick, turns, *, anthropic):
    messages, ids = [], itertools.count()
    weight = lambda: pick.choice([1, 2, 3, 5, 8, 20])  # noqa: E731 - a local shorthand
    if not anthropic and pick.random() < 0.7:
        messages.append({"role": "system", "content": "rules", "n": weight()})
    for _ in range(pick.randint(0, turns)):
        messages.append({"role": "user", "content": "question", "n": weight()})
        for _ in range(pick.choice([0, 0, 1, 1, 2])):
            _round(pick, messages, ids, weight, anthropic=anthropic)
        if pick.random() < 0.8:
            messages.append({"role": "assistant", "content": "answer", "n": weight()})
    if pick.random() < 0.3 and messages:  # damage: a message is lost or a conversation starts in the middle
        del messages[pick.randrange(len(messages))]
    return messages


def _round(pick, messages, ids, weight, *, anthropic):
    calls = [f"call_{next(ids) % 5 if pick.random() < 0.2 else next(ids)}" for _ in range(pick.choice([1, 1, 2, 3]))]
    calls = list(dict.fromkeys(calls))
    answered = [call for call in calls if pick.random() < 0.95]
    pick.shuffle(answered)
    if anthropic:
        uses = [{"type": "tool_use", "id": call, "name": "read", "input": {}} for call in calls]
        results = [{"type": "tool_result", "tool_use_id": call, "content": "found"} for call in answered]
        extra = [{"type": "text", "text": "and also"}] if pick.random() < 0.2 else []
        messages.append(
            {"role": "assistant", "content": [{"type": "text", "text": "let me see"}, *uses], "n": weight()}
        )
        if results or extra:
            messages.append({"role": "user", "content": [*results, *extra], "n": weight()})
        return
    uses = [{"id": call, "type": "function", "function": {"name": "read", "arguments": "{}"}} for call in calls]
    messages.append({"role": "assistant", "content": None, "tool_calls": uses, "n": weight()})
    messages.extend({"role": "tool", "tool_call_id": call, "content": "found", "n": weight()} for call in answered)


ITEM_KINDS = [
    ("function_call", "function_call_output"),
    ("custom_tool_call", "custom_tool_call_output"),
    ("local_shell_call", "local_shell_call_output"),
    ("shell_call", "shell_call_output"),
    ("apply_patch_call", "apply_patch_call_output"),
    ("computer_call", "computer_call_output"),
]


def responses_history(seed, turns=4):
    """A random history of Responses items with calls of every kind, some of them parallel; weights are under `n`."""
    pick, items, ids = random.Random(seed), [], itertools.count()
    weight = lambda: pick.choice([1, 2, 3, 5, 8, 20])  # noqa: E731 - a local shorthand
    for _ in range(pick.randint(0, turns)):
        items.append({"role": "user", "content": "question", "n": weight()})
        for _ in range(pick.choice([0, 1, 1, 2])):
            calls = [(pick.choice(ITEM_KINDS), f"call_{next(ids)}") for _ in range(pick.choice([1, 1, 2]))]
            if pick.random() < 0.4:
                items.append({"type": "reasoning", "id": f"rs_{next(ids)}", "summary": [], "n": weight()})
            items += [{"type": kind[0], "call_id": call, "name": "f", "n": weight()} for kind, call in calls]
            answered = [pair for pair in calls if pick.random() < 0.92]
            pick.shuffle(answered)
            items += [{"type": kind[1], "call_id": call, "output": "found", "n": weight()} for kind, call in answered]
        if pick.random() < 0.7:
            items.append({"type": "message", "role": "assistant", "content": "answer", "n": weight()})
    if pick.random() < 0.3 and items:
        del items[pick.randrange(len(items))]
    return items


def legacy_history(seed, turns=4):
    """A random history of the older function calls, which have names and no ids; weights are under `n`."""
    pick, messages = random.Random(seed), []
    weight = lambda: pick.choice([1, 2, 3, 5, 8, 20])  # noqa: E731 - a local shorthand
    for _ in range(pick.randint(0, turns)):
        messages.append({"role": "user", "content": "question", "n": weight()})
        for _ in range(pick.choice([0, 1, 1, 2])):
            name = pick.choice(["look", "write"])
            call = {"name": name, "arguments": "{}"}
            messages.append({"role": "assistant", "content": None, "function_call": call, "n": weight()})
            if pick.random() < 0.92:
                messages.append({"role": "function", "name": name, "content": "found", "n": weight()})
        if pick.random() < 0.7:
            messages.append({"role": "assistant", "content": "answer", "n": weight()})
    if pick.random() < 0.3 and messages:
        del messages[pick.randrange(len(messages))]
    return messages


def weigh(message):
    """The counter that the tests use."""
    return message["n"]


def calls_of(message):
    if message.get("tool_calls"):
        return [call["id"] for call in message["tool_calls"]]
    if message.get("function_call"):
        return [message["function_call"]["name"]]
    if message.get("type") in dict(ITEM_KINDS):
        return [message["call_id"]]
    if message.get("role") == "assistant" and isinstance(message["content"], list):
        return [block["id"] for block in message["content"] if block["type"] == "tool_use"]
    return []


def results_of(message):
    if message.get("role") == "tool":
        return [message["tool_call_id"]]
    if message.get("role") == "function":
        return [message["name"]]
    if message.get("type") in dict(ITEM_KINDS).values():
        return [message["call_id"]]
    if message.get("role") == "user" and isinstance(message["content"], list):
        return [block["tool_use_id"] for block in message["content"] if block["type"] == "tool_result"]
    return []


def lonely_reasoning(messages):
    """Whether some reasoning item is not followed by what it led to."""
    return any(
        m.get("type") == "reasoning" and (after is None or after.get("role") == "user" or results_of(after))
        for m, after in itertools.zip_longest(messages, messages[1:])
    )


def faults(given, kept, budget, pinned=()):
    """Every rule that a trimmed history breaks, by name."""
    broken = []
    positions = []
    for message in kept:
        where = [i for i, other in enumerate(given) if other is message]
        if not where:
            broken.append("a message was altered or invented")
            return broken
        positions.append(where[0])
    if sum(map(weigh, kept)) > budget:
        broken.append("over budget")
    if positions != sorted(positions) or len(set(positions)) != len(positions):
        broken.append("order changed")
    if any(m.get("role") == "system" and i not in positions for i, m in enumerate(given)):
        broken.append("system message lost")
    if any(index not in positions for index in pinned):
        broken.append("pinned message lost")
    spoken = [message for message in kept if message.get("role") != "system"]
    if not spoken:
        broken.append("empty")
    elif spoken[0].get("role") != "user" or results_of(spoken[0]):
        broken.append("does not begin with a user's turn")
    for index, (message, after) in enumerate(itertools.zip_longest(given, given[1:])):
        if message.get("type") != "reasoning":
            continue
        led_to = after is not None and after.get("role") != "user" and not results_of(after)
        if (index in positions) != (led_to and index + 1 in positions):
            broken.append("reasoning and its item do not stand together")
    if not paired(kept, given, positions):
        broken.append("calls and results do not pair")
    return broken


def paired(kept, given, positions):
    """Whether every call has its result and every result its own call, where an id answers the latest open call."""
    links = pairs(given)
    if links is None:
        return False
    chosen = set(positions)
    for index, message in zip(positions, kept, strict=True):
        for call in calls_of(message):
            answer = links.get((index, call))
            if answer is None or answer not in chosen:
                return False
        for result in results_of(message):
            asked = [i for (i, call), answer in links.items() if answer == index and call == result]
            if not asked or asked[0] not in chosen:
                return False
    return True


def pairs(given):
    """(index of the calling message, id) -> index of the answering message, over the whole history."""
    open_calls, links = {}, {}
    for index, message in enumerate(given):
        for result in results_of(message):
            if result in open_calls:
                links[open_calls.pop(result), result] = index
        for call in calls_of(message):
            open_calls[call] = index
    return links


def smallest_valid(given, pinned=()):
    """The size of the smallest valid history by trying every subset; None where there is none."""
    best = None
    for size in range(1, len(given) + 1):
        for chosen in itertools.combinations(range(len(given)), size):
            kept = [given[i] for i in chosen]
            total = sum(map(weigh, kept))
            if (best is None or total < best) and not faults(given, kept, total, pinned):
                best = total
    return best
