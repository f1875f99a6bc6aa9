"""What the vectors do not reach: worked values, comparisons at the limit, hooks, recovery, condensing by hand."""

from __future__ import annotations

import pytest

from streamarena.context import (
    ClinePolicy,
    CodexCliPolicy,
    CondenseCall,
    CondensePrompts,
    Condenser,
    CondenseResult,
    SummaryReply,
    WindowContext,
    condense_error_text,
    effective_history,
    manage_context,
    recover_from_overflow,
    summarize_conversation,
    truncate_conversation,
    will_manage_context,
    window_policy,
)
from streamarena.context.condense_native import command_blocks, fold_sections, tool_result_text, tool_use_text
from streamarena.context.window import allowed_tokens, effective_threshold
from streamarena.errors import ConfigurationError
from streamarena.providers.chunks import TextChunk, UsageChunk


def history(size):
    return [{"role": "user" if i % 2 == 0 else "assistant", "content": f"m{i}", "ts": 1000 + i} for i in range(size)]


def ids():
    drawn = iter(range(1000))
    return lambda: f"id-{next(drawn)}"


def context(messages, **changes):
    settings = {"total_tokens": 0, "context_window": 100_000, "count": lambda blocks: 10 * len(blocks), "new_id": ids()}
    return WindowContext(messages, **{**settings, **changes})


@pytest.mark.parametrize(
    ("window", "reserve", "allowed"),
    [
        (200_000, 8192, 171_808),
        (128_000, 4096, 111_104),
        (1_048_576, 65_536, 878_182.4),
        (100_000, None, 81_808),
        (100_000, 0, 81_808),
        (64_000, 8192, 49_408),
        (1000, None, 900 - 8192),
    ],
)
def test_worked_allowed_tokens(window, reserve, allowed):
    assert allowed_tokens(window, reserve) == allowed


@pytest.mark.parametrize(
    ("own", "expected", "warned"),
    [
        (-1, 80, False),
        (5, 5, False),
        (100, 100, False),
        (4.99, 80, True),
        (0, 80, True),
        (101, 80, True),
        (None, 80, True),
    ],
)
def test_a_profile_may_have_its_own_threshold(own, expected, warned):
    assert effective_threshold(80, {"p": own}, "p") == (expected, ("invalid_profile_threshold",) if warned else ())
    assert effective_threshold(80, {"p": own}, "other") == (80, ())


@pytest.mark.parametrize("policy", ["classic", "native"])
async def test_at_the_limit_nothing_happens_and_above_it_half_goes(policy):
    messages = history(9)
    at = context(messages, total_tokens=81_808 - 10)
    assert (await manage_context(at, policy=policy)).messages is messages
    above = await manage_context(context(messages, total_tokens=81_808 - 9), policy=policy)
    assert (above.action, above.messages_removed) == ("truncated", 4)


async def test_the_percentage_compares_with_at_least():
    asked = []

    async def condense(call):
        asked.append(call)
        return CondenseResult(call.messages, error="condense_failed", cost=1)

    messages = history(9)
    below = context(messages, total_tokens=49_989, condense=condense, auto_condense_percent=50)
    await manage_context(below)
    assert not asked
    at = context(messages, total_tokens=49_990, condense=condense, auto_condense_percent=50)
    done = await manage_context(at)
    assert asked[0].automatic
    assert (done.action, done.error, done.cost) == ("unchanged", "condense_failed", 1)
    assert will_manage_context(at, 10)
    assert not will_manage_context(below, 10)


async def test_an_awaitable_counter_is_awaited():
    async def count(blocks):
        return 99_999

    done = await manage_context(context(history(9), count=count), policy="classic")
    assert done.action == "truncated"


async def test_hooks_are_told_and_ids_are_needed():
    events = []
    await manage_context(context(history(9), total_tokens=10**6, on_event=events.append), policy="classic")
    await manage_context(context(history(9), total_tokens=10**6, on_event=events.append))
    assert events == ["sliding_window_truncation"] * 2
    with pytest.raises(ConfigurationError, match="new_id"):
        await manage_context(context(history(9), total_tokens=10**6, new_id=None))
    with pytest.raises(ConfigurationError, match="known are classic, native, cline, codex-cli"):
        window_policy("other")


async def test_nothing_hidden_is_lost():
    messages = history(9)
    done = await manage_context(context(messages, total_tokens=10**6))
    assert len(effective_history(done.messages)) == 6
    assert [m["content"] for m in done.messages if not m.get("isTruncationMarker")] == [m["content"] for m in messages]


def condenser(summarize, **changes):
    settings = {"prompts": CondensePrompts("system", "instructions"), "count": lambda blocks: 10 * len(blocks)}
    return Condenser(summarize, **{**settings, "new_id": ids(), **changes})


async def test_a_coroutine_may_write_the_summary():
    seen = []

    async def summarize(request):
        seen.append(request)
        return SummaryReply("  what happened  ", output_tokens=5, cost=0.25)

    done = await manage_context(context(history(9), total_tokens=10**6), condenser=condenser(summarize))
    assert (done.action, done.summary, done.cost) == ("condensed", "what happened", 0.25)
    assert effective_history(done.messages)[0]["content"][0]["text"].endswith("what happened")
    assert seen[0].system == "system"
    assert seen[0].messages[-1] == {"role": "user", "content": "instructions"}
    plain = condenser(lambda request: plain_text("short"))
    classic = await manage_context(context(history(9), total_tokens=10**6), policy="classic", condenser=plain)
    assert [m["content"] for m in classic.messages[-4:]] == ["short", "m6", "m7", "m8"]


async def plain_text(text):
    return text


async def test_chunks_of_our_own_decoders_are_understood():
    async def stream(request):
        yield TextChunk("what ")
        yield UsageChunk(output_tokens=1, total_cost=9)
        yield TextChunk("happened")
        yield UsageChunk(output_tokens=7, total_cost=0.5)

    done = await summarize_conversation(
        CondenseCall(history(9), prev_context_tokens=1000), condenser(stream), variant="classic"
    )
    assert (done.summary, done.cost, done.new_context_tokens) == ("what happened", 0.5, 7 + 40)


async def test_exceptions_pass_in_classic_and_become_an_error_in_native():
    class BusyError(Exception):
        def __init__(self, message):
            super().__init__(message)
            self.status, self.body = 503, {"error": "busy"}

    async def fail(request):
        raise BusyError("try later")

    with pytest.raises(BusyError):
        await summarize_conversation(CondenseCall(history(9)), condenser(fail), variant="classic")
    done = await summarize_conversation(CondenseCall(messages := history(9)), condenser(fail))
    assert done.messages is messages
    assert (done.error, done.error_params) == ("condense_api_failed", {"message": "try later"})
    assert done.error_details == {"message": "try later", "status": 503, "body": {"error": "busy"}}


async def test_condensing_by_hand_leaves_the_environment_out():
    condensed = condenser(lambda request: plain_text("s"))
    call = {"environment_details": "env", "system_prompt": "sys"}
    by_hand = await summarize_conversation(CondenseCall(history(4), **call), condensed)
    automatic = await summarize_conversation(CondenseCall(history(4), automatic=True, **call), condensed)
    assert [block["text"] for block in by_hand.messages[-1]["content"]][1:] == []
    assert [block["text"] for block in automatic.messages[-1]["content"]][1:] == ["env"]


async def test_the_default_prompts_come_from_the_catalogue():
    native, classic = CondensePrompts.load("native"), CondensePrompts.load("classic")
    assert native.system
    assert native.instructions
    assert classic.system
    assert classic.instructions == ""


async def test_folded_files_that_fail_leave_a_warning():
    async def fold(files, cwd):
        raise OSError("gone")

    call = CondenseCall(history(4), files_read=["a"], cwd="somewhere")
    done = await summarize_conversation(call, condenser(lambda request: plain_text("s"), fold_files=fold))
    assert done.warnings == ("folded_files_failed",)
    assert done.error is None


async def test_recovery_forces_condensing_three_times_at_most():
    seen = []

    async def condense(call):
        seen.append(call)
        return CondenseResult(history(1), "sum")

    full = context(history(9), total_tokens=80_000, condense=condense, auto_condense=False, custom_prompt="mine")
    done = await recover_from_overflow(full, attempt=0)
    assert done.action == "condensed"
    assert seen[0].custom_prompt is None
    assert await recover_from_overflow(full, attempt=3) is None
    small = context(messages := history(9), total_tokens=10, condense=condense)
    assert (await recover_from_overflow(small, attempt=2)).messages is messages


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a <command name='x'>do\nit</command> b", "<command name='x'>do\nit</command>"),
        ("<command>1</command><command>2</command>", "<command>1</command>\n<command>2</command>"),
        ("<command>never closed", ""),
        ("<command" * 10_000, ""),
        ("<command>" * 10_000, ""),
    ],
    ids=["one", "two", "open", "many heads", "many opened"],
)
def test_commands_are_found_in_linear_time(text, found):
    assert command_blocks({"content": text}) == found
    assert command_blocks({"content": [{"type": "text", "text": text}]}) == found


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"a": 1.0, "b": None, "c": True}, "[Tool Use: f]\na: 1\nb: null\nc: true"),
        ({"2": "x", "a": "y", "1": "z"}, "[Tool Use: f]\n1: z\n2: x\na: y"),
        ({"o": {"k": [1, "é"]}}, '[Tool Use: f]\no: {\n  "k": [\n    1,\n    "é"\n  ]\n}'),
        (["x", {}], "[Tool Use: f]\n0: x\n1: {}"),
        ("raw", "[Tool Use: f]\nraw"),
        (None, "[Tool Use: f]\nnull"),
    ],
)
def test_tool_calls_as_text(given, text):
    assert tool_use_text({"type": "tool_use", "name": "f", "input": given}) == text


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ({"content": "x"}, "[Tool Result]\nx"),
        ({"content": "x", "is_error": True}, "[Tool Result (Error)]\nx"),
        (
            {"content": [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "pdf"}]},
            "[Tool Result]\na\n[Image]\n[pdf]",
        ),
        ({}, "[Tool Result]"),
    ],
)
def test_tool_results_as_text(block, text):
    assert tool_result_text(block) == text


def test_outlines_of_files_share_a_limit():
    sections = fold_sections([("a", "x" * 100), ("b", ""), ("c", "y" * 5000), ("d", "z")], limit=1000)
    assert len(sections) == 2
    assert "a" in sections[0]
    assert sum(map(len, sections)) <= 1000
    assert sections[1].endswith("</system-reminder>")
    assert len(fold_sections([("a", "x" * 100), ("c", "y" * 5000)], limit=300)) == 1


@pytest.mark.parametrize(
    ("size", "fraction", "kept"), [(3, 0.5, 3), (5, 0.5, 3), (7, 0.5, 5), (4, 2 / 3, 2), (1, 0.5, 1)]
)
def test_worked_truncations(size, fraction, kept):
    messages = history(size)
    done = truncate_conversation(messages, fraction)
    assert len(done) == kept
    assert done is not messages
    assert done[0] is messages[0]


@pytest.mark.parametrize("name", ["classic", "native", "cline", "codex-cli"])
async def test_every_policy_is_chosen_by_name_and_leaves_what_fits_alone(name):
    messages = history(9)
    assert window_policy(name).name == name
    done = await manage_context(context(messages, total_tokens=100), policy=name)
    assert done.messages is messages
    assert done.action == "unchanged"
    full = await manage_context(context(messages, total_tokens=99_000), policy=name)
    assert full.action != "unchanged"
    assert full.messages is not messages


async def test_a_policy_object_keeps_what_its_program_keeps():
    policy = ClinePolicy()
    messages = history(21)
    first = await manage_context(context(messages, total_tokens=90_000), policy=policy)
    again = await manage_context(context(messages, total_tokens=10), policy=policy)
    assert again.messages == first.messages
    assert first.messages_removed == 8


async def test_compaction_asks_and_answers():
    async def ask(items):
        return f"{len(items)} items"

    policy = CodexCliPolicy(ask, prompt="compact", summary_prefix="SUMMARY")
    done = await manage_context(context(history(9), total_tokens=95_000), policy=policy)
    assert (done.action, done.summary) == ("condensed", "10 items")
    assert done.messages[-1]["content"] == "SUMMARY\n10 items"
    assert [m["content"] for m in done.messages[:-1]] == ["m0", "m2", "m4", "m6", "m8"]
    early = CodexCliPolicy(ask, limit=50)
    assert (await manage_context(context(history(9), total_tokens=60), policy=early)).action == "condensed"


@pytest.mark.parametrize(
    ("error", "params", "said"),
    [
        (
            "condense_not_enough_messages",
            {"prevContextTokens": 9, "messageCount": 3, "minimumMessageCount": 5},
            "at least 5",
        ),
        ("condense_not_enough_messages", {}, "not enough"),
        ("condense_context_grew", {"prevContextTokens": 9, "newContextTokens": 12}, "from 9 to 12"),
        ("condense_api_failed", {"message": "boom"}, "boom"),
        ("condensed_recently", {}, "recently"),
        ("condense_handler_invalid", {}, "model"),
        ("condense_failed", {}, "no summary"),
        (None, {}, ""),
    ],
)
def test_every_condense_error_has_a_sentence(error, params, said):
    variant = "classic" if error == "condense_context_grew" else "native"
    text = condense_error_text(CondenseResult([], error=error, error_params=params), variant=variant)
    assert said in text
    assert bool(text) == (error is not None)
