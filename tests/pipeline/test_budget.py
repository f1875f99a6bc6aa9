"""A stream's tokens are followed, warned about once and stopped after the chunk that passed the limit."""

from __future__ import annotations

import pytest

from streamarena.errors import ConfigurationError, TokenBudgetExceededError
from streamarena.pipeline.budget import BudgetWatch, token_budget
from streamarena.providers.chunks import (
    FinishChunk,
    ReasoningChunk,
    StartChunk,
    TextChunk,
    ToolCallChunk,
    ToolCallDeltaChunk,
    ToolCallEndChunk,
    ToolCallPartialChunk,
    ToolCallStartChunk,
    UsageChunk,
)

QUARTER = TextChunk("x" * 100)  # 25 tokens by the estimate


@pytest.mark.parametrize(
    ("chunks", "output"),
    [
        ([TextChunk("abcd")], 1),
        ([TextChunk("é" * 4), ReasoningChunk("abcde")], 4),
        ([ToolCallPartialChunk(0, "id", "name", "args")], 2),
        ([ToolCallStartChunk("id", "name"), ToolCallDeltaChunk("id", "args"), ToolCallEndChunk("id")], 2),
        ([ToolCallChunk("id", "name", "args")], 2),
        ([StartChunk(), FinishChunk("stop")], 0),
    ],
)
def test_output_is_estimated_from_every_kind_of_content(chunks, output):
    watch = BudgetWatch(max_output_tokens=1000)
    for chunk in chunks:
        assert watch.feed(chunk) == (chunk,)
    assert (watch.state.output_tokens, watch.state.exact) == (output, False)


def test_the_providers_number_replaces_what_came_before_it():
    watch = BudgetWatch(max_output_tokens=1000, context_window=10_000, input_tokens=7)
    watch.feed(UsageChunk(input_tokens=100, output_tokens=1, cache_read_tokens=50, cache_in_input=False))
    assert (watch.state.input_tokens, watch.state.output_tokens, watch.state.exact) == (150, 1, True)
    watch.feed(QUARTER)
    assert (watch.state.output_tokens, watch.state.exact) == (26, False)
    watch.feed(UsageChunk(output_tokens=40))
    assert (watch.state.input_tokens, watch.state.output_tokens, watch.state.exact) == (150, 40, True)
    assert watch.state.window_share == 0.019
    assert watch.state.output_share == 0.04


def test_warnings_come_once_for_each_limit():
    warned = []
    stage = token_budget(
        max_output_tokens=100, context_window=1000, input_tokens=850, on_warning=lambda *facts: warned.append(facts)
    )
    chunks = [QUARTER] * 5
    assert stage.run(chunks) == chunks
    assert [(limit, state.output_tokens) for limit, state in warned] == [("window", 50), ("output", 100)]


async def test_stopping_passes_the_chunk_that_met_the_limit_on():
    seen = []
    stage = token_budget(max_output_tokens=60, stop=True)
    with pytest.raises(TokenBudgetExceededError) as caught:
        await stage.over([QUARTER] * 9).for_each(seen.append)
    assert len(seen) == 3
    assert (caught.value.limit, caught.value.tokens, caught.value.allowed) == ("output", 75, 60)
    assert caught.value.state.output_tokens == 75


def test_stopping_at_the_last_chunk_and_by_the_window():
    stage = token_budget(context_window=100, input_tokens=90, stop=True)
    with pytest.raises(TokenBudgetExceededError, match="window limit of 100") as caught:
        stage.run([QUARTER])
    assert caught.value.tokens == 115


def test_each_stream_has_its_own_count():
    stage = token_budget(max_output_tokens=60, stop=True)
    for _ in range(3):
        assert len(stage.run([QUARTER] * 2)) == 2


@pytest.mark.parametrize("limits", [{}, {"context_window": 0}, {"max_output_tokens": -1}])
def test_a_budget_without_a_limit_is_refused(limits):
    with pytest.raises(ConfigurationError, match="token_budget"):
        token_budget(**limits)
