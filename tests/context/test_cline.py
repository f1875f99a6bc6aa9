"""Cline's policy: repeated files replaced first, ranges dropped next, and edits that a rewind takes back."""

from __future__ import annotations

import pytest

from streamarena.context.cline import cline_messages, cline_window, next_truncation_range, should_compact
from streamarena.context.cline_edits import ClineContextManager
from streamarena.context.texts import notices
from streamarena.errors import ContextError

WINDOW = cline_window(128_000)
FULL = 98_000


def blocks(*texts, role="user"):
    return {"role": role, "content": [{"type": "text", "text": text} for text in texts]}


def read(path, content):
    return blocks(f"[read_file for '{path}'] Result:", content)


def conversation(*user_turns):
    messages = [blocks("the task"), blocks("reading", role="assistant")]
    for turn in user_turns:
        messages += [turn, blocks("going on", role="assistant")]
    return messages


@pytest.mark.parametrize(
    ("window", "allowed"),
    [(64_000, 37_000), (128_000, 98_000), (200_000, 160_000), (1_000_000, 960_000), (32_768, 26_214.4), (None, 98_000)],
)
def test_worked_windows(window, allowed):
    assert cline_window(window).max_allowed_size == allowed


def test_deepseek_behind_a_compatible_endpoint_counts_as_128000():
    assert cline_window(64_000, model_id="DeepSeek-R1", openai_compatible=True).context_window == 128_000
    assert cline_window(64_000, model_id="DeepSeek-R1").context_window == 64_000


@pytest.mark.parametrize(
    ("total", "threshold", "due"),
    [(97_999, None, False), (98_000, None, True), (64_000, 0.5, True), (63_999, 0.5, False)],
)
def test_when_a_summary_is_due(total, threshold, due):
    assert should_compact(total, WINDOW, threshold) is due


def test_below_the_limit_nothing_happens():
    messages = conversation(read("a", "x" * 100), read("a", "y" * 100))
    done = ClineContextManager().prepare(messages, previous_total=FULL - 1, window=WINDOW, time=1)
    assert done.messages == messages
    assert not done.truncated


def test_repeated_files_are_enough_when_they_save_a_third():
    messages = conversation(read("a", "x" * 1000), read("a", "y" * 1000))
    done = ClineContextManager().prepare(messages, previous_total=FULL, window=WINDOW, time=1)
    assert not done.truncated
    assert done.saved_share > 0.3
    assert done.messages[2]["content"][1]["text"] == notices().duplicate_file_read
    assert done.messages[4]["content"][1]["text"] == "y" * 1000
    assert messages[2]["content"][1]["text"] == "x" * 1000


def test_otherwise_a_range_goes_and_a_notice_says_so():
    messages = conversation(*(blocks(f"turn {i}") for i in range(10)))
    manager = ClineContextManager()
    done = manager.prepare(messages, previous_total=FULL, window=WINDOW, time=1)
    assert done.truncated
    assert done.deleted == (2, 11)
    assert done.messages[1]["content"][0]["text"] == notices().history_truncated
    assert done.messages[2:] == messages[12:]
    assert manager.prepare(messages, previous_total=3 * FULL, window=WINDOW, time=2).deleted == (2, 17)


def test_mentions_of_files_in_one_text_are_replaced_one_by_one():
    mention = lambda path, text: f'<file_content path="{path}">{text}</file_content>'  # noqa: E731 - a shorthand
    first = blocks("look", mention("a", "x" * 500) + mention("b", "z" * 500))
    messages = conversation(first, read("a", "new"), read("c", "c"))
    manager = ClineContextManager()
    shown = manager.prepare(messages, previous_total=FULL, window=WINDOW, time=1).messages
    text = shown[2]["content"][1]["text"]
    assert mention("a", notices().duplicate_file_read) in text
    assert mention("b", "z" * 500) in text
    messages += conversation(read("b", "newer"))[2:]
    text = manager.prepare(messages, previous_total=FULL, window=WINDOW, time=2).messages[2]["content"][1]["text"]
    assert text == "".join(mention(path, notices().duplicate_file_read) for path in "ab")


def test_an_altered_file_keeps_its_tags():
    report = f'done <final_file_content path="a">{"old" * 500}</final_file_content> bye'
    messages = conversation(blocks("[write_to_file for 'a'] Result:", report), read("a", "new"))
    shown = ClineContextManager().prepare(messages, previous_total=FULL, window=WINDOW, time=1).messages
    notice = notices().duplicate_file_read
    assert shown[2]["content"][1]["text"] == f'done <final_file_content path="a"> {notice} </final_file_content> bye'


def test_a_rewind_takes_edits_back(tmp_path):
    messages = conversation(read("a", "x" * 1000), read("a", "y" * 1000))
    manager = ClineContextManager()
    manager.prepare(messages, previous_total=FULL, window=WINDOW, time=5)
    manager.compact_first_message(messages, time=9)
    assert manager.shown(messages)[0]["content"][0]["text"] == notices().first_message_compacted
    manager.save(tmp_path / "context_history.json")
    other = ClineContextManager()
    other.load(tmp_path / "context_history.json")
    assert other.stored() == manager.stored()
    assert other.shown(messages) == manager.shown(messages)
    manager.rewind(5)
    assert manager.shown(messages)[0] == messages[0]
    assert manager.shown(messages)[2] != messages[2]
    manager.rewind(4)
    assert manager.shown(messages) == messages
    assert manager.stored() == []


def test_a_file_of_another_form_is_refused(tmp_path):
    path = tmp_path / "context_history.json"
    path.write_text('[["a"]]')
    with pytest.raises(ContextError, match=r"context_history\.json"):
        ClineContextManager().load(path)


def test_the_history_given_is_never_changed():
    messages = [
        blocks("task"),
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {}}]},
        {"role": "user", "content": "just text"},
    ]
    shown = cline_messages(messages, missing_text="?")
    assert shown[2]["content"] == [{"type": "tool_result", "tool_use_id": "c", "content": "?"}]
    assert messages[2]["content"] == "just text"


def test_scanning_is_linear_in_hostile_texts():
    messages = conversation(
        blocks("x", '<file_content path="' * 20_000), blocks("x", '<file_content path="a">' * 20_000)
    )
    manager = ClineContextManager()
    assert manager.prepare(messages, previous_total=FULL, window=WINDOW, time=1).truncated


@pytest.mark.parametrize(("roles", "end"), [("uauauauaua", 5), ("uauaauuaua", 4), ("uauauuuaua", 4)])
def test_the_range_steps_back_once_where_it_would_end_in_a_user_message(roles, end):
    messages = [{"role": {"u": "user", "a": "assistant"}[role], "content": ""} for role in roles]
    assert next_truncation_range(messages, keep="half") == (2, end)
