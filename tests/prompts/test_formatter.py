"""Feedback has the reference's form in both generations; lists and patches are as people expect them."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamarena.errors import MissingPromptValueError, UnknownPromptError
from streamarena.prompts import ResponseFormatter
from streamarena.prompts.file_lists import LOCK, SHIELD

CLASSIC, NATIVE = ResponseFormatter("classic"), ResponseFormatter("native")

JSON_FORMS = [
    ("tool_denied", (), {"status": "denied"}, {"message"}),
    ("tool_denied_with_feedback", ("no <b>",), {"status": "denied", "feedback": "no <b>"}, set()),
    ("tool_approved_with_feedback", ("yes",), {"status": "approved", "feedback": "yes"}, set()),
    ("tool_error", ("bang",), {"status": "error", "error": "bang"}, {"message"}),
    ("too_many_mistakes", ("try é",), {"status": "guidance", "feedback": "try é"}, set()),
    ("ignored_path_error", ("a/b",),
     {"status": "error", "type": "access_denied", "path": "a/b"}, {"message", "suggestion"}),
    ("invalid_server_tool_argument_error", ("w", "t"),
     {"status": "error", "type": "invalid_argument", "server": "w", "tool": "t"}, {"message", "suggestion"}),
    ("unknown_server_tool_error", ("w", "t", ["x", "y"]),
     {"status": "error", "type": "unknown_tool", "server": "w", "tool": "t", "available_tools": ["x", "y"]},
     {"message", "suggestion"}),
    ("unknown_server_error", ("w",),
     {"status": "error", "type": "unknown_server", "server": "w", "available_servers": []}, {"message", "suggestion"}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "args", "fields", "texts"), JSON_FORMS, ids=[case[0] for case in JSON_FORMS])
def test_native_feedback_is_compact_json(method, args, fields, texts):
    text = getattr(NATIVE, method)(*args)
    table = json.loads(text)
    assert {key: table[key] for key in fields} == fields
    assert set(table) - set(fields) == texts
    assert all(table[key] for key in texts)
    assert text == json.dumps(table, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize(("method", "args"), [case[:2] for case in JSON_FORMS], ids=[case[0] for case in JSON_FORMS])
def test_classic_feedback_is_a_sentence_that_holds_its_values(method, args):
    text = getattr(CLASSIC, method)(*args)
    assert not text.startswith("{")
    for value in args:
        assert all(item in text for item in ([value] if isinstance(value, str) else value))


def test_tags_of_classic_feedback():
    assert CLASSIC.tool_denied_with_feedback("x").endswith("<feedback>\nx\n</feedback>")
    assert CLASSIC.tool_error("x").endswith("<error>\nx\n</error>")
    assert CLASSIC.text("feedback.followUpAnswer", text="x") == "<answer>\nx\n</answer>"
    assert CLASSIC.text("feedback.userMessageTask", text="x") == "<task>\nx\n</task>"


@pytest.mark.parametrize("formatter", [CLASSIC, NATIVE], ids=["classic", "native"])
def test_the_reminder_is_part_of_what_asks_for_a_tool(formatter):
    reminder = formatter.text("feedback.toolUseReminder")
    assert reminder in formatter.no_tools_used()
    assert reminder in formatter.missing_parameter_error("path")
    assert "'path'" in formatter.missing_parameter_error("path")
    for tool in ("attempt_completion", "ask_followup_question"):
        assert tool in formatter.no_tools_used()
    assert ("<tool_name>" in reminder) is (formatter is CLASSIC)


def test_advice_on_cut_files_differs_for_new_and_existing_ones():
    texts = {
        (new, diff): CLASSIC.line_count_error(12, is_new_file=new, diff_enabled=diff)
        for new in (True, False)
        for diff in (True, False)
    }
    assert len(set(texts.values())) == 4
    assert all("12 lines" in text for text in texts.values())
    assert all(("apply_diff" in text) is diff for (_, diff), text in texts.items())
    with pytest.raises(UnknownPromptError):
        NATIVE.line_count_error(1, is_new_file=True, diff_enabled=True)


def test_results_put_images_after_text():
    assert CLASSIC.tool_result("x") == "x"
    assert CLASSIC.tool_result("x", ["data:image/png;base64,QUJD"]) == [
        {"type": "text", "text": "x"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
    ]
    assert CLASSIC.image_blocks(None) == []
    with pytest.raises(ValueError, match="not a base64 data URL"):
        CLASSIC.image_blocks(["https://example.com/a.png"])


def test_canned_texts_are_found_by_name_and_need_their_values():
    assert "x" in NATIVE.text("feedback.unknownTool", tool_name="x")
    with pytest.raises(MissingPromptValueError):
        NATIVE.text("feedback.unknownTool")
    with pytest.raises(UnknownPromptError):
        NATIVE.text("feedback.alreadyUsedTool")


def test_files_are_relative_natural_and_directories_first():
    files = [
        "/w/b10.txt",
        "/w/b9.txt",
        "/w/a.txt",
        "/w/src/",
        "/w/src/z.py",
        "/w/src/lib/",
        "/w/Ab/c.txt",
        "/w/src/lib/q",
    ]
    assert CLASSIC.files_list("/w", files).split("\n") == [
        *("Ab/c.txt", "src/", "src/lib/", "src/lib/q", "src/z.py", "a.txt", "b9.txt", "b10.txt"),
    ]


def test_ignored_files_are_locked_or_left_out_and_protected_ones_shielded():
    def ignored(path):
        return path.endswith("secret")

    def protected(path):
        return path.endswith(".rules")

    shown = CLASSIC.files_list("/w", ["/w/secret", "/w/x.rules", "/w/a"], is_ignored=ignored, is_protected=protected)
    assert shown == f"a\n{LOCK} secret\n{SHIELD} x.rules"
    hidden = CLASSIC.files_list("/w", ["/w/secret", "/w/a"], is_ignored=ignored, show_ignored=False)
    assert hidden == "a"


def test_limits_and_emptiness_are_told():
    assert CLASSIC.files_list("/w", []) == CLASSIC.text("notice.no_files")
    assert CLASSIC.files_list("/w", ["/w/a"], did_hit_limit=True) == "a\n\n" + CLASSIC.text("notice.files_limit")


PART = st.text(alphabet=string.ascii_letters + string.digits, min_size=1, max_size=4)


@given(st.lists(st.lists(PART, min_size=1, max_size=3).map("/".join), unique=True, max_size=12))
def test_every_file_is_listed_once_and_a_directory_before_what_is_in_it(paths):
    listed = CLASSIC.files_list("/w", [f"/w/{path}" for path in paths]).split("\n") if paths else []
    assert sorted(listed) == sorted(paths)
    again = CLASSIC.files_list("/w", [f"/w/{path}" for path in reversed(paths)]).split("\n") if paths else []
    folded = [path.casefold() for path in listed]
    assert [path.casefold() for path in again] == folded or len(set(folded)) < len(folded)


PATCHES = [
    ("equal", "a\n", "a\n", ""),
    ("changed", "a\nb\nc\n", "a\nX\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+X\n c\n"),
    ("created", "", "a\n", "@@ -0,0 +1,1 @@\n+a\n"),
    ("emptied", "a\n", "", "@@ -1,1 +0,0 @@\n-a\n"),
    (
        "no newline at the end",
        "a",
        "b",
        "@@ -1,1 +1,1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n",
    ),
]


@pytest.mark.parametrize(("old", "new", "patch"), [case[1:] for case in PATCHES], ids=[case[0] for case in PATCHES])
def test_patches_have_no_headers_and_always_give_counts(old, new, patch):
    assert CLASSIC.pretty_patch(old, new) == patch


def test_context_lines_differ_by_generation():
    old = "".join(f"{number}\n" for number in range(20))
    new = old.replace("\n10\n", "\nten\n")
    assert CLASSIC.pretty_patch(old, new).startswith("@@ -7,9 +7,9 @@")
    assert NATIVE.pretty_patch(old, new).startswith("@@ -8,7 +8,7 @@")
