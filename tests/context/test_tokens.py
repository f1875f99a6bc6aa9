"""Counting: exact with a vocabulary, honest without one, bounded in memory, and offloaded when texts are large."""

from __future__ import annotations

import asyncio
import math
from importlib.util import find_spec

import pytest

from streamarena.context import TokenCounter, estimate_tokens
from streamarena.context.tokens import OFFLOAD_CHARACTERS
from streamarena.context.vocabulary import VOCABULARIES, cache_directory, find_vocabulary, load_encoding
from streamarena.errors import ConfigurationError, MissingExtraError


def text(value):
    return {"type": "text", "text": value}


@pytest.mark.parametrize(("characters", "expected"), [(10, 6), (1000, 48)])
def test_calibration_of_images(characters, expected):
    image = {"type": "image", "source": {"type": "base64", "data": "A" * characters}}
    assert TokenCounter(tokenize=len).count_blocks([image]) == expected


def test_the_factor_is_applied_once_over_the_sum():
    counter = TokenCounter(tokenize=lambda value: 1)
    assert counter.count_blocks([text("a"), text("b"), text("c")]) == math.ceil(3 * 1.5)
    assert counter.count_blocks([]) == 0


def test_exact_counts_with_the_vocabulary(vocabulary):
    counter = TokenCounter(vocabulary=vocabulary)
    assert counter.exact
    assert counter.count_text("hello world") == 2
    assert counter.count_text("<|endoftext|>") > 1
    assert counter.count_text("lone \ud83d surrogate") > 2


def test_a_vocabulary_is_verified_before_it_is_used(tmp_path):
    file = tmp_path / VOCABULARIES["o200k_base"].file_name
    file.write_bytes(b"aGk= 0\n")
    with pytest.raises(ConfigurationError, match="sha256"):
        TokenCounter(vocabulary=tmp_path).load()


@pytest.mark.parametrize("path", ["missing", "."])
def test_a_path_without_a_vocabulary_is_an_error(tmp_path, path):
    with pytest.raises(ConfigurationError, match="vocabulary"):
        find_vocabulary("o200k_base", tmp_path / path)
    with pytest.raises(ConfigurationError, match="unknown encoding"):
        find_vocabulary("r50k_base")


def test_without_a_vocabulary_counts_are_estimates_and_say_so(monkeypatch, tmp_path):
    monkeypatch.setenv("STREAMARENA_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    assert load_encoding() is None
    counter = TokenCounter()
    assert not counter.exact
    assert counter.count_text("éa") == 1 == estimate_tokens("éa")
    assert counter.count_text("x" * 9) == 3


def test_where_vocabularies_are_looked_for(monkeypatch, tmp_path, vocabulary):
    assert str(cache_directory({"STREAMARENA_CACHE_DIR": "/x"})) == "/x"
    assert str(cache_directory({"XDG_CACHE_HOME": "/c"})) == "/c/streamarena"
    assert cache_directory({}).name == "streamarena"
    monkeypatch.setenv("STREAMARENA_CACHE_DIR", str(tmp_path / "empty"))
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(vocabulary.parent))
    assert find_vocabulary() == vocabulary


def test_the_cache_is_bounded_and_never_changes_a_result():
    counter = TokenCounter(tokenize=len, cache_entries=10, cache_bytes=1000)
    for number in range(100):
        assert counter.count_text(f"text {number}") == len(f"text {number}")
    assert len(counter._cache) == 10
    counter.count_text("x" * 500)
    assert "x" * 500 not in counter._cache
    for number in range(100):
        counter.count_text(f"{number:0200d}")
    assert counter._bytes <= 1000
    assert counter._bytes == sum(map(len, counter._cache))
    before = counter.misses
    counter.count_text(f"{99:0200d}")
    assert (counter.misses, counter.hits) == (before, 1)
    uncached = TokenCounter(tokenize=len, cache_entries=0)
    assert [uncached.count_text("ab"), uncached.count_text("ab"), uncached.hits] == [2, 2, 0]


async def test_large_texts_are_counted_elsewhere():
    moved = []

    async def offload(work):
        moved.append(True)
        return await asyncio.to_thread(work)

    counter = TokenCounter(tokenize=len)
    large = [text("x" * OFFLOAD_CHARACTERS)]
    assert await counter.count_blocks_offloaded([text("small")], offload) == 8
    assert not moved
    assert await counter.count_blocks_offloaded(large, offload) == counter.count_blocks(large)
    assert moved == [True]


@pytest.mark.parametrize(
    ("message", "tokens"),
    [
        ({"role": "user", "content": "abc"}, 3),
        ({"role": "user", "content": None}, 0),
        (
            {
                "role": "user",
                "content": [text("ab"), {"type": "image_url", "image_url": {"url": "data:x;base64,ABCD"}}],
            },
            4,
        ),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x"}}]}, 300),
        ({"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]}, 4),
        ({"role": "tool", "tool_call_id": "1", "content": "ok"}, 2),
    ],
)
def test_a_message_is_the_sum_of_its_parts(message, tokens):
    assert TokenCounter(tokenize=len, message_overhead=0)(message) == tokens
    assert TokenCounter(tokenize=len)(message) == tokens + 4


def test_classic_counts_no_tools_and_native_does():
    use = {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}}
    assert TokenCounter(tokenize=len, generation="classic").count_blocks([use]) == 0
    assert TokenCounter(tokenize=len).raw_blocks([use]) == len('Tool: f\nArguments: {"x":1}')


@pytest.mark.skipif(find_spec("tokenizers") is not None, reason="the library is here")
def test_a_tokenizer_file_needs_its_library(tmp_path):
    with pytest.raises(MissingExtraError, match="tokenizers"):
        TokenCounter(tokenizer_file=tmp_path / "tokenizer.json").load()


@pytest.mark.skipif(find_spec("tokenizers") is None, reason="the library tokenizers is not installed")
def test_a_tokenizer_file_counts(tmp_path):
    import tokenizers

    path = tmp_path / "tokenizer.json"
    model = tokenizers.models.WordLevel({"a": 0, "b": 1, "?": 2}, unk_token="?")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(path))
    assert TokenCounter(tokenizer_file=path).count_text("a b c") == 3
    path.write_text("{}")
    with pytest.raises(ConfigurationError, match="tokenizer"):
        TokenCounter(tokenizer_file=path).load()
