"""The Codex CLI's cuts keep to their budgets and to whole characters; compaction keeps what it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamarena.context.codex_cli import (
    TruncationPolicy,
    approximate_tokens,
    auto_compact_limit,
    compact_history,
    compacted_items,
    estimate_item_tokens,
    format_tool_output,
    normalize_items,
    truncate_head_tail,
    truncate_items,
    truncate_middle,
)
from streamarena.context.texts import marker
from streamarena.errors import ContextError

TEXTS = st.text(st.characters(codec="utf-8"), max_size=300)


@given(text=TEXTS, limit=st.integers(0, 200), mode=st.sampled_from(["bytes", "tokens"]))
def test_the_middle_goes_and_the_ends_fit(text, limit, mode):
    policy = TruncationPolicy(mode, limit)
    size = len(text.encode())
    done = truncate_middle(text, policy)
    if size <= policy.byte_budget:
        assert done is text
        return
    head = next(i for i in range(len(text) + 1) if done.startswith(text[:i] + "…")) if "…" not in text else None
    if head is None:
        return
    note, _, tail = done[head + 1 :].partition("…")
    assert text.startswith(text[:head])
    assert text.endswith(tail)
    assert len(text[:head].encode()) <= policy.byte_budget // 2
    assert len(tail.encode()) <= policy.byte_budget - policy.byte_budget // 2
    removed = size - len(text[:head].encode()) - len(tail.encode())
    expected = -(-removed // 4) if mode == "tokens" else len(text) - head - len(tail)
    assert note.split()[0] == str(expected)


@pytest.mark.parametrize(
    ("text", "policy", "expected"),
    [
        ("x" * 20, TruncationPolicy("bytes", 10), "x" * 5 + "…10 chars truncated…" + "x" * 5),
        ("x" * 20, TruncationPolicy("tokens", 2), "x" * 4 + "…3 tokens truncated…" + "x" * 4),
        ("é" * 10, TruncationPolicy("bytes", 10), "éé…6 chars truncated…éé"),
        ("x" * 20, TruncationPolicy("bytes", 0), "…20 chars truncated…"),
        ("x" * 11, TruncationPolicy("bytes", 5), "xx…6 chars truncated…xxx"),
    ],
)
def test_worked_cuts_of_the_middle(text, policy, expected):
    assert truncate_middle(text, policy) == expected


def test_a_recorded_output_gets_a_fifth_more():
    assert TruncationPolicy("tokens", 10_000).for_recording().limit == 12_000
    assert TruncationPolicy("bytes", 7).for_recording().limit == 9


def test_the_formatted_output_says_how_large_it_was():
    text = "line\n" * 5000
    done = format_tool_output(text, TruncationPolicy("bytes", 100))
    assert done.startswith(marker("output_truncated_header", tokens=approximate_tokens(text), lines=5000))
    assert format_tool_output("short") == "short"


def test_the_older_cut_keeps_head_and_tail_lines():
    text = "".join(f"line {i}\n" for i in range(1000))
    done = truncate_head_tail(text)
    assert done.startswith(marker("total_output_lines", count=1000) + "\n\nline 0\n")
    assert marker("lines_head_tail_omitted", omitted=744, total=1000) in done
    assert "line 127\n" in done
    assert "line 128\n" not in done
    assert "line 872\n" in done
    assert done.endswith("line 999\n")


@given(text=st.text(st.sampled_from("ab\né🙂"), max_size=2000).map(lambda t: t * 12))
def test_the_older_cut_stays_within_ten_kibibytes(text):
    done = truncate_head_tail(text)
    if len(text.encode()) <= 10 * 1024 and len(text.splitlines()) <= 256:
        assert done is text
    else:
        body = done.partition("\n\n")[2]
        assert len(body.encode()) <= 10 * 1024
        done.encode()


def test_a_long_single_line_keeps_both_ends_in_the_older_cut():
    done = truncate_head_tail("a" * 20_000 + "z")
    assert done.endswith("z")
    assert truncate_head_tail("x", timed_out_after=1500).startswith("command timed out after 1500 milliseconds\n")


def test_items_share_one_budget():
    items = [
        {"type": "t", "text": "a" * 6},
        {"type": "image"},
        {"type": "t", "text": "b" * 6},
        {"type": "t", "text": "c"},
    ]
    done = truncate_items(items, 8)
    assert [item.get("text") for item in done[:3]] == ["aaaaaa", None, "bb"]
    assert done[3]["text"] == marker("text_items_omitted", count=1)
    assert truncate_items(items, 100) == items


@pytest.mark.parametrize(
    ("window", "configured", "limit"), [(272_000, None, 244_800), (99, None, 89), (100, 95, 90), (100, 50, 50)]
)
def test_when_a_history_is_compacted(window, configured, limit):
    assert auto_compact_limit(window, configured) == limit


def test_estimates_of_items():
    plain = {"role": "user", "content": "x" * 400}
    assert estimate_item_tokens(plain) == len('{"role":"user","content":""}' + "x" * 400) // 4
    image = {"type": "input_image", "image_url": "data:image/png;base64," + "A" * 100_000}
    item = {"role": "user", "content": [image]}
    assert 1844 <= estimate_item_tokens(item) <= 1870
    sized = {"role": "user", "content": [{**image, "detail": "original", "width": 320, "height": 65}]}
    assert estimate_item_tokens(sized) < 70
    assert estimate_item_tokens({"type": "reasoning", "encrypted_content": "A" * 4000}) == (3000 - 650) // 4


def call(call_id):
    return {"type": "function_call", "call_id": call_id, "name": "f", "arguments": "{}"}


def output(call_id):
    return {"type": "function_call_output", "call_id": call_id, "output": "x"}


def test_histories_are_normalised():
    items = [call("a"), output("gone"), call("b"), output("b")]
    done = normalize_items(items)
    assert done == [
        call("a"),
        {"type": "function_call_output", "call_id": "a", "output": "aborted"},
        call("b"),
        output("b"),
    ]
    seen = {
        "role": "user",
        "content": [{"type": "input_image", "image_url": "data:x"}, {"type": "input_text", "text": "t"}],
    }
    assert normalize_items([seen]) == [seen]
    hidden = normalize_items([seen], supports_images=False)[0]["content"]
    assert [part["type"] for part in hidden] == ["input_text", "input_text"]


def user(text):
    return {"role": "user", "content": text}


def test_compaction_keeps_the_newest_user_messages_that_fit():
    items = [
        user("PREFIX old summary"),
        user("a" * 40),
        {"role": "assistant", "content": "no"},
        user("b" * 40),
        user("c" * 40),
    ]
    done = compacted_items(items, "the summary", summary_prefix="PREFIX", initial=[user("start")], user_tokens=15)
    assert done[0] == user("start")
    assert done[1]["content"] == "b" * 10 + "…5 tokens truncated…" + "b" * 10
    assert done[2:] == [user("c" * 40), user("PREFIX\nthe summary")]
    assert compacted_items([], "", summary_prefix="P")[-1]["content"].startswith("P\n(no summary")


async def test_compaction_drops_the_oldest_until_the_model_takes_it():
    asked = []

    class TooLongError(Exception):
        status = 400
        message = "context length exceeded"

    async def ask(items):
        asked.append(list(items))
        if len(items) > 3:
            raise TooLongError
        return "sum"

    items = [call("a"), output("a"), user("one"), user("two")]
    done = await compact_history(items, ask, prompt="compact", summary_prefix="P")
    assert done.trimmed == 2
    assert asked[-1] == [user("one"), user("two"), user("compact")]
    assert [item["content"] for item in done.items] == ["one", "two", "P\nsum"]


async def test_compaction_gives_up_when_one_item_is_too_much():
    async def ask(items):
        raise type("E", (Exception,), {"status": 400, "message": "maximum context"})

    with pytest.raises(ContextError, match="even one item"):
        await compact_history([user("one"), user("two")], ask, prompt="p", summary_prefix="P")


async def test_other_errors_pass():
    async def ask(items):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await compact_history([user("one")], ask, prompt="p", summary_prefix="P")
