"""The registry answers every id, as the reference does where a provider is named, and quickly."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from streamarena.context import ModelInfo, ModelRegistry, model_info
from streamarena.context._compile_models import SNAPSHOTS, compile_models
from streamarena.context._model_rules import DEFAULT_MODELS
from streamarena.context.models import default_registry
from streamarena.errors import ConfigurationError


@pytest.mark.parametrize(
    ("model_id", "provider", "found", "window"),
    [
        ("claude-sonnet-4-5", None, "claude-sonnet-4-5", 200_000),
        ("anthropic/claude-sonnet-4.5", None, "claude-sonnet-4-5", 200_000),
        ("openrouter/anthropic/claude-sonnet-4", None, "claude-sonnet-4-20250514", 200_000),
        ("claude-3.5-sonnet", None, "claude-3-5-sonnet-20241022", 200_000),
        ("gpt-4o", None, "gpt-4o", 128_000),
        ("openai/gpt-4o", None, "gpt-4o", 128_000),
        ("o3-mini-2025-01-31", None, "o3-mini", 200_000),
        ("models/gemini-2.5-flash", None, "gemini-2.5-flash", 1_048_576),
        ("gpt-4.1", "openai-native", "gpt-4.1", 1_047_576),
        ("deepseek-ai/DeepSeek-R1-0528:free", None, "deepseek-ai/DeepSeek-R1-0528", 163_840),
    ],
)
def test_a_known_model_is_found_under_its_usual_spellings(model_id, provider, found, window):
    info = model_info(model_id, provider)
    assert (info.id, info.context_window, info.known) == (found, window, True)


def test_an_editor_bridge_never_answers_for_a_bare_id():
    assert model_info("gpt-4o-mini").provider == "openai-native"
    assert model_info("gpt-4o-mini", "vscode-llm").context_window == 12_115


@pytest.mark.parametrize(("snapshot", "column"), [("kilo-4.88", 0), ("roo-3.52", 1)])
@pytest.mark.parametrize("provider", [p for p in DEFAULT_MODELS if p != "bedrock"])
def test_an_unknown_id_falls_back_to_the_default_of_its_provider(provider, snapshot, column):
    default = DEFAULT_MODELS[provider][column]
    info = model_info("no-such-model", provider, snapshot=snapshot)
    assert not info.known
    if default is not None and model_info(default, provider, snapshot=snapshot).known:
        assert info.id == default


def test_an_unknown_id_without_a_provider_gets_the_defaults_of_compatible_endpoints():
    info = model_info("my-own-model")
    assert (info.context_window, info.max_output_tokens, info.supports_images) == (128_000, -1, True)
    assert (info.supports_prompt_cache, info.known, info.input_price) == (False, False, 0)


@pytest.mark.parametrize(
    ("model_id", "window", "limit"),
    [
        ("arn:aws:bedrock:eu-west-1:1:inference-profile/Claude-4-opus", 200_000, 8192),
        ("my.claude-3-opus", 200_000, 4096),
        ("something-else", 128_000, 4096),
    ],
)
def test_bedrock_guesses_from_patterns(model_id, window, limit):
    info = model_info(model_id, "bedrock")
    assert (info.id, info.context_window, info.max_output_tokens) == (model_id, window, limit)


@pytest.mark.parametrize(
    ("model_id", "snapshot", "expected"),
    [
        ("claude-opus-4-1-20250805", "kilo-4.88", (200_000, 8192)),
        ("claude-opus-4-1-20250805", None, (200_000, 32_000)),
        ("grok-code-fast-1", "kilo-4.88", (262_144, 16_384)),
        ("grok-code-fast-1", "roo-3.52", (256_000, 16_384)),
        ("deepseek-reasoner", "roo-3.28", (128_000, 65_536)),
        ("deepseek-reasoner", None, (128_000, 8192)),
        ("glm-4.5", "kilo-4.88", (131_072, 98_304)),
    ],
)
def test_a_snapshot_has_the_numbers_of_its_release(model_id, snapshot, expected):
    info = model_info(model_id, snapshot=snapshot)
    assert (info.context_window, info.max_output_tokens) == expected


def test_a_snapshot_does_not_know_later_models():
    assert model_info("claude-sonnet-4-5", "anthropic", snapshot="kilo-4.88").id == "claude-sonnet-4-20250514"


@pytest.mark.parametrize(
    ("model_id", "snapshot", "window", "prices"),
    [
        ("claude-sonnet-4-5", None, 1_000_000, (6, 22.5, 7.5, 0.6)),
        ("claude-opus-4-6", None, 1_000_000, (10, 37.5, 12.5, 1)),
        ("claude-opus-4-5-20251101", None, 200_000, (5, 25, 6.25, 0.5)),
        ("claude-sonnet-4-20250514", "kilo-4.88", 1_000_000, (6, 22.5, 7.5, 0.6)),
    ],
)
def test_the_long_context_switch_replaces_window_and_prices(model_id, snapshot, window, prices):
    info = model_info(model_id, snapshot=snapshot, long_context=True)
    assert info.context_window == window
    assert (info.input_price, info.output_price, info.cache_writes_price, info.cache_reads_price) == pytest.approx(
        prices
    )


def test_a_users_file_adds_models_and_aliases(tmp_path):
    path = tmp_path / "models.toml"
    path.write_text(
        '[models."house-model"]\ncontext_window = 32000\nmax_output_tokens = 2000\n'
        '[models."gpt-4o"]\nlike = "gpt-4o"\ncontext_window = 64000\n'
        '[aliases]\nfast = "gpt-4o-mini"\nhouse = "house-model"\n'
    )
    registry = default_registry().with_toml(path)
    assert registry.get("house-model").context_window == 32_000
    assert registry.get("house").max_output_tokens == 2000
    assert registry.get("gpt-4o").context_window == 64_000
    assert registry.get("gpt-4o").supports_images
    assert registry.get("fast").id == "gpt-4o-mini"
    assert default_registry().get("gpt-4o").context_window == 128_000


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("[models.x]\nwindow = 5\n", "models.x.window is no setting"),
        ("[models.x]\nknown = false\n", "models.x.known is no setting"),
        ('[models.x]\ncontext_window = "big"\n', "models.x: .*context_window"),
        ("[models.x]\ncontext_window = 0\n", "models.x.context_window is at least 1 token, not 0"),
        ("[models.x]\nmax_output_tokens = -5\n", "models.x.max_output_tokens is at least 1 token, or -1"),
        ("[models.x]\ninput_price = -0.1\n", "models.x.input_price .* not negative"),
        ("[models.x]\ninput_price = nan\n", "models.x.input_price"),
        ("[models.x]\ntier_context_windows = [5, 0]\n", "models.x.tier_context_windows"),
        ("[models.x]\ndefault_temperature = 3.0\n", "models.x.default_temperature is from 0 to 2"),
        ('[models.x]\nlike = "nobody-made-this"\n', "models.x.like is the id of a known model"),
        ("[models]\nx = 5\n", "models.x is a table"),
        ("models = 5\n", "models is a table"),
        ("[aliases]\nfast = 5\n", "aliases.fast is the id of a known model"),
        ('[aliases]\nfast = "nobody-made-this"\n', "aliases.fast is the id of a known model"),
        ("[modles.x]\ncontext_window = 5\n", "there is no 'modles'; known are models and aliases"),
        ("[models", "Expected"),
        (None, "No such file"),
    ],
    ids=range(17),
)
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path, content, complaint):
    path = tmp_path / "models.toml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        default_registry().with_toml(path)
    assert str(path) in str(caught.value)


def test_every_row_decodes_and_every_id_finds_its_own_row():
    registry = default_registry()
    models = list(registry)
    assert len(models) == len(registry) > 700
    for info in models:
        assert registry.get(info.id, info.provider) == info
        assert info.context_window > 0


def test_the_registry_is_small():
    tracemalloc.start()
    try:
        registry = ModelRegistry()
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert registry.get("gpt-4o").known
    assert size < 200_000


def test_lookups_keep_a_bounded_number_of_rows():
    registry = ModelRegistry()
    for number in range(2000):
        registry.get(f"model-{number}")
    assert len(registry._kept) <= 256
    assert registry.get("gpt-4o") is registry.get("gpt-4o")


def test_compiling_is_deterministic_and_keeps_what_a_row_says():
    entry = {
        "provider": "anthropic", "model": "m", "context_window": 10, "max_output_tokens": 5, "supports_images": True,
        "supports_prompt_cache": False, "source": "x", "input_price": 3,
        "snapshots": {"kilo_4.88": [8, None], "roo_3.52": [10, 5]},
    }  # fmt: skip
    other = {**entry, "provider": "groq", "snapshots": {}}
    data = compile_models([other, entry])
    assert data == compile_models([entry, other])
    assert json.loads(data.splitlines()[0])[15] == [[8, None], 0, 0, 1]
    registry = ModelRegistry(data)
    assert registry.get("m").provider == "anthropic"
    assert registry.get("m", "groq").provider == "groq"
    assert registry.get("m", snapshot="kilo-4.88").max_output_tokens is None
    assert not registry.get("m", snapshot="roo-3.28").known
    assert len(SNAPSHOTS) == 4


def test_an_override_may_be_given_in_code():
    registry = ModelRegistry(overrides={"x": ModelInfo(id="x", context_window=5)}, aliases={"y": "x"})
    assert registry.get("y").context_window == 5
    assert next(iter(registry)).id == "x"
