"""Shaping for the wire: merging, the R1 format, images, call ids, resumption, and the pairing of one message."""

from __future__ import annotations

import hashlib

import pytest

from streamarena.context.pairing import validate_tool_results
from streamarena.context.shaping import (
    TASK_RESUMPTION,
    merge_consecutive_messages,
    remove_image_blocks,
    resume_history,
    sanitize_tool_id,
    sanitize_tool_ids,
    to_r1_messages,
)
from streamarena.context.texts import line_repeated, notices
from streamarena.errors import ContextError


def text(value):
    return {"type": "text", "text": value}


IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}}
USE = {"type": "tool_use", "id": "c1", "name": "read_file", "input": {"path": "a.txt"}}
RESULT = {"type": "tool_result", "tool_use_id": "c1", "content": "found"}


@pytest.mark.parametrize(
    ("tool_id", "clean"),
    [
        ("call_1-A", "call_1-A"),
        ("functions.read:0", "functions_read_0"),
        ("日本", "__"),
        ("x" * 64, "x" * 64),
        ("y" * 65, "y" * 55 + "_" + hashlib.md5(b"y" * 65).hexdigest()[:8]),
    ],
)
def test_tool_ids_are_made_acceptable(tool_id, clean):
    assert sanitize_tool_id(tool_id) == clean
    assert sanitize_tool_id(clean) == clean


def test_calls_and_results_get_the_same_clean_id():
    messages = [
        {"role": "assistant", "content": [{**USE, "id": "a.b"}]},
        {"role": "user", "content": [{**RESULT, "tool_use_id": "a.b"}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c.d", "function": {}}]},
        {"role": "tool", "tool_call_id": "c.d", "content": "x"},
    ]
    done = sanitize_tool_ids(messages)
    assert done[0]["content"][0]["id"] == done[1]["content"][0]["tool_use_id"] == "a_b"
    assert done[2]["tool_calls"][0]["id"] == done[3]["tool_call_id"] == "c_d"
    assert sanitize_tool_ids(done) is done
    assert messages[0]["content"][0]["id"] == "a.b"


def test_r1_messages_alternate_and_begin_with_the_system_prompt():
    messages = [
        {"role": "user", "content": [text("a"), IMAGE, text("b")]},
        {"role": "assistant", "content": [text("x"), text("y")]},
        {"role": "assistant", "content": "z"},
        {"role": "user", "content": "c"},
    ]
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    assert to_r1_messages("rules", messages) == [
        {"role": "user", "content": [text("rules"), text("a\nb"), image]},
        {"role": "assistant", "content": "x\ny\nz"},
        {"role": "user", "content": "c"},
    ]
    assert to_r1_messages("rules", [{"role": "user", "content": "q"}]) == [{"role": "user", "content": "rules\nq"}]


def test_merging_never_touches_what_it_was_given():
    messages = [{"role": "user", "content": "a", "ts": 5}, {"role": "user", "content": [text("b")], "ts": 3}]
    merged = merge_consecutive_messages(messages)
    assert merged == [{"role": "user", "content": [text("a"), text("b")], "ts": 5}]
    assert messages[0]["content"] == "a"


def test_images_go_where_the_model_takes_none():
    messages = [{"role": "user", "content": [IMAGE, text("a")]}, {"role": "user", "content": "b"}]
    assert remove_image_blocks(messages, True) == messages
    done = remove_image_blocks(messages, None)
    assert done[0]["content"][0] == text(notices().image_placeholder)
    assert done[1] is messages[1]


def test_resuming_after_an_unanswered_call_says_that_it_was_interrupted():
    messages = [{"role": "user", "content": "task"}, {"role": "assistant", "content": [text("hm"), USE]}]
    done = resume_history(messages, "go on", [IMAGE])
    assert done.history[1]["content"][1] == text("<read_file>\n<path>\na.txt\n</path>\n</read_file>")
    assert done.user_content == [
        text(f"[read_file Result]\n\n{notices().tool_interrupted}"),
        text("<user_message>\ngo on\n</user_message>"),
        IMAGE,
    ]


def test_resuming_takes_an_unsent_user_message_back():
    messages = [
        {"role": "user", "content": "task"},
        {"role": "assistant", "content": [USE, {**USE, "id": "c2"}]},
        {"role": "user", "content": [RESULT]},
    ]
    done = resume_history(messages, tool_blocks="keep")
    assert done.history == messages[:2]
    assert done.user_content[0] is RESULT
    assert done.user_content[1]["tool_use_id"] == "c2"


def test_resuming_with_nothing_to_say_has_a_fixed_text():
    done = resume_history([{"role": "user", "content": "task"}, {"role": "assistant", "content": "answer"}])
    assert done.user_content == [text(TASK_RESUMPTION)]


@pytest.mark.parametrize("messages", [[], [{"role": "system", "content": "x"}]])
def test_what_cannot_be_resumed_is_an_error(messages):
    with pytest.raises(ContextError):
        resume_history(messages)


def test_pairing_a_message_leaves_other_roles_alone():
    history = [{"role": "assistant", "content": [USE]}]
    for message in ({"role": "assistant", "content": [RESULT]}, {"role": "user", "content": "text"}):
        assert validate_tool_results(message, history).message is message


def test_the_note_on_repeated_lines_has_the_length_that_is_compared():
    assert [len(line_repeated(n)) + 1 for n in (1, 10, 12_345)] == [44, 45, 48]
