"""Output limits, request parameters and costs follow sections 4.3, 4.4 and 4.6, worked values included."""

from __future__ import annotations

import pytest

from streamarena.context import (
    ModelInfo,
    OutputSettings,
    TokenUsage,
    max_output_tokens,
    model_info,
    model_parameters,
    request_cost,
)


@pytest.mark.parametrize(
    ("model_id", "snapshot", "generation", "settings", "expected"),
    [
        ("claude-sonnet-4-20250514", "kilo-4.88", "classic", {}, 8192),
        ("claude-sonnet-4-20250514", "kilo-4.88", "classic", {"enable_reasoning": True}, 16_384),
        ("claude-sonnet-4-20250514", None, "native", {"enable_reasoning": True, "model_max_tokens": 30_000}, 30_000),
        ("gpt-4.1", None, "native", {}, 32_768),
        ("deepseek-reasoner", "kilo-4.88", "classic", {}, 25_600),
        ("deepseek-reasoner", "roo-3.52", "native", {}, 8192),
        ("gemini-2.5-pro", None, "native", {}, 16_384),
        ("gemini-2.5-pro", None, "native", {"model_max_tokens": 60_000}, 60_000),
        ("grok-code-fast-1", "kilo-4.88", "classic", {}, 16_384),
        ("kimi-k2-0711-preview", "kilo-4.88", "classic", {}, 26_215),
        ("gpt-5", None, "native", {}, 128_000),
        ("claude-sonnet-4-20250514", None, "classic", {"api_provider": "claude-code"}, 16_000),
        ("claude-sonnet-4-20250514", None, "native", {"api_provider": "claude-code"}, 8192),
        ("my-own-model", None, "native", {}, -1),
    ],
)
def test_worked_output_limits(model_id, snapshot, generation, settings, expected):
    info = model_info(model_id, snapshot=snapshot)
    assert max_output_tokens(info, OutputSettings(**settings), generation=generation) == expected


def test_a_model_may_be_named_by_id():
    assert max_output_tokens("gpt-4.1") == 32_768


@pytest.mark.parametrize(
    ("limit", "api_format", "expected"), [(None, None, 8192), (None, "openai", None), (0, "anthropic", 8192)]
)
def test_a_model_without_a_limit(limit, api_format, expected):
    assert max_output_tokens(ModelInfo(id="m", max_output_tokens=limit), api_format=api_format) == expected


HYBRID = ModelInfo(id="claude-x", max_output_tokens=64_000, context_window=200_000, supports_reasoning_budget=True)
GEMINI = ModelInfo(id="gemini-2.5-pro", max_output_tokens=65_536, required_reasoning_budget=True)
EFFORTS = ModelInfo(id="m", supports_reasoning_effort=("low", "high"), default_reasoning_effort="low")


@pytest.mark.parametrize(
    ("model", "settings", "expected"),
    [
        (HYBRID, {"enable_reasoning": True}, (16_384, 1.0, None, 8192)),
        (HYBRID, {"enable_reasoning": True, "model_max_thinking_tokens": 500}, (16_384, 1.0, None, 1024)),
        (HYBRID, {"enable_reasoning": True, "model_max_thinking_tokens": 99_999}, (16_384, 1.0, None, 13_107)),
        (HYBRID, {"temperature": 0.2}, (8192, 0.2, None, None)),
        (GEMINI, {}, (16_384, 1.0, None, 128)),
        (EFFORTS, {}, (-1, 0.5, "low", None)),
        (EFFORTS, {"reasoning_effort": "high"}, (-1, 0.5, "high", None)),
        (EFFORTS, {"reasoning_effort": "medium"}, (-1, 0.5, None, None)),
        (EFFORTS, {"reasoning_effort": "disable"}, (-1, 0.5, None, None)),
        (EFFORTS, {"enable_reasoning": False}, (-1, 0.5, None, None)),
        (ModelInfo(id="m"), {"reasoning_effort": "high"}, (-1, 0.5, None, None)),
    ],
)
def test_reasoning_parameters(model, settings, expected):
    done = model_parameters(model, OutputSettings(**settings), api_format="anthropic", default_temperature=0.5)
    expected = (8192, *expected[1:]) if model.id == "m" and expected[0] is None else expected
    assert (done.max_tokens, done.temperature, done.reasoning_effort, done.reasoning_budget) == expected


@pytest.mark.parametrize(
    ("model_id", "api_format", "expected"),
    [("o1-mini", "openai", None), ("o3-mini", "openai", None), ("gpt-4o", "openai", 0.3),
     ("openai/o1-pro", "openrouter", None), ("o1", "anthropic", 0.3)],
)  # fmt: skip
def test_models_without_a_temperature(model_id, api_format, expected):
    done = model_parameters(ModelInfo(id=model_id), api_format=api_format, default_temperature=0.3)
    assert done.temperature == expected


def test_a_models_own_temperature_counts_in_the_native_generation_only():
    model = ModelInfo(id="m", default_temperature=0.9)
    ask = {"api_format": "openai", "default_temperature": 0.1}
    assert model_parameters(model, **ask).temperature == 0.9
    assert model_parameters(model, **ask, generation="classic").temperature == 0.1


PRICED = ModelInfo(id="p", input_price=3.0, output_price=15.0, cache_writes_price=3.75, cache_reads_price=0.3)


@pytest.mark.parametrize(
    ("style", "cost", "total_input"),
    [("anthropic", 0.003 + 0.0075 + 0.00075 + 0.00015, 1700), ("openai", 0.0009 + 0.0075 + 0.00075 + 0.00015, 1000)],
)
def test_cost_of_a_request(style, cost, total_input):
    usage = TokenUsage(input_tokens=1000, output_tokens=500, cache_write_tokens=200, cache_read_tokens=500)
    report = request_cost(PRICED, usage, style=style)
    assert report.cost == pytest.approx(cost)
    assert (report.total_input_tokens, report.total_output_tokens) == (total_input, 500)


def test_cached_input_is_never_negative():
    usage = TokenUsage(input_tokens=10, cache_read_tokens=50)
    assert request_cost(PRICED, usage, style="openai").cost == pytest.approx(50 * 0.3 / 1e6)
