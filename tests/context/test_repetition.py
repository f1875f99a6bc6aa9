"""Going in circles is noticed, and guidance starts again from nothing."""

from __future__ import annotations

import pytest

from streamarena.context import MistakeCounter, ToolRepetitionDetector


def test_the_fourth_identical_call_is_blocked_and_then_forgotten():
    detector = ToolRepetitionDetector()
    assert [detector.allows("f", {"a": "1"}) for _ in range(9)] == [True] * 3 + [False] + [True] * 3 + [False] + [True]


@pytest.mark.parametrize(("generation", "same"), [("classic", False), ("native", True)])
def test_nested_key_order_counts_in_classic_only(generation, same):
    detector = ToolRepetitionDetector(1, generation=generation)
    assert detector.allows("f", {"o": {"x": 1, "y": 2}})
    assert detector.allows("f", {"o": {"y": 2, "x": 1}}) is not same


def test_scrolling_may_repeat_in_classic():
    classic, native = (ToolRepetitionDetector(1, generation=name) for name in ("classic", "native"))
    scrolls = [("browser_action", {"action": "scroll_up"})] * 3
    assert [classic.allows(*call) for call in scrolls] == [True] * 3
    assert [native.allows(*call) for call in scrolls] == [True, False, True]


def test_mistakes_in_a_row_ask_for_guidance():
    counter = MistakeCounter(2)
    counter.mistake()
    assert not counter.guidance_due
    counter.mistake()
    assert counter.guidance_due
    counter.guided()
    assert not counter.guidance_due
    counter.mistake()
    counter.success()
    assert counter.count == 0
    assert not MistakeCounter(0).guidance_due


@pytest.mark.parametrize(
    ("generation", "reminded", "count"), [("classic", [True, True], 2), ("native", [False, True], 1)]
)
def test_the_first_answer_without_a_tool_is_silent_in_native(generation, reminded, count):
    counter = MistakeCounter(generation=generation)
    assert [counter.answer_without_tool() for _ in range(2)] == reminded
    assert counter.count == count
