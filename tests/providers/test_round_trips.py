"""What an encoder writes, the same wire's decoder reads back, and a stream survives the passage through another."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamarena.providers import ErrorChunk, TextChunk, UsageChunk, decoder_for, encoder_for
from tests.providers.strategies import streams
from tests.providers.wire import sse_events

ENCODERS = ["openai-chat", "anthropic"]


def passage(api, batches, **options):
    """Encode batches of chunks, decode the bytes, return decoder and chunks."""
    encoder, decoder = encoder_for(api, **options), decoder_for(api)
    wire = b"".join(encoder.encode(batch) for batch in batches) + encoder.finish()
    chunks = [chunk for event in sse_events(wire) for chunk in decoder.decode(event)]
    return decoder, [*chunks, *decoder.finish()]


def essence(chunks):
    """Return what must survive any passage: joined texts, calls by order, finish, last usage, sources."""
    calls, numbers = [], {}
    for chunk in chunks:
        if chunk.kind == "tool_call_partial":
            if chunk.index not in numbers:
                numbers[chunk.index] = len(calls)
                calls.append({"id": chunk.id, "name": chunk.name, "arguments": ""})
            calls[numbers[chunk.index]]["arguments"] += chunk.arguments or ""
    usage = next((chunk for chunk in reversed(chunks) if chunk.kind == "usage"), UsageChunk())
    prompt = usage.input_tokens + (0 if usage.cache_in_input else usage.cache_read_tokens or 0)
    return {
        "start": [(chunk.id, chunk.model) for chunk in chunks if chunk.kind == "start"],
        "text": "".join(chunk.text for chunk in chunks if chunk.kind == "text"),
        "reasoning": "".join(chunk.text for chunk in chunks if chunk.kind == "reasoning"),
        "calls": calls,
        "finish": [chunk.reason for chunk in chunks if chunk.kind == "finish"],
        "usage": (prompt, usage.output_tokens),
        "sources": [source for chunk in chunks if chunk.kind == "grounding" for source in chunk.sources],
    }


def batches_of(chunks, cuts):
    edges = [0, *sorted(cut % (len(chunks) + 1) for cut in cuts), len(chunks)]
    return [chunks[a:b] for a, b in itertools.pairwise(edges)]


@pytest.mark.parametrize("api", ENCODERS)
@settings(max_examples=60)
@given(data=st.data(), cuts=st.lists(st.integers(0, 99), max_size=4))
def test_everything_survives_the_passage(api, data, cuts):
    reasons = ("stop", "length", "tool_calls", "refusal") if api == "anthropic" else ("stop", "length", "tool_calls")
    chunks = data.draw(streams(finish_reasons=reasons))
    decoder, read = passage(api, batches_of(chunks, cuts))
    assert decoder.complete
    assert decoder.fallbacks == 0
    assert essence(read) == essence(chunks)


@pytest.mark.parametrize("first", ENCODERS)
@pytest.mark.parametrize("second", ENCODERS)
@settings(max_examples=25)
@given(chunks=streams(signed=False, finish_reasons=("stop", "length", "tool_calls")))
def test_decoder_and_encoder_together_translate(first, second, chunks):
    _, once = passage(first, [chunks])
    _, twice = passage(second, [once])
    assert essence(twice) == essence(once)


@pytest.mark.parametrize("api", ENCODERS)
def test_an_error_is_the_last_word(api):
    batches = [[TextChunk("a"), ErrorChunk("broke", type="overloaded_error"), TextChunk("never")], [TextChunk("b")]]
    decoder, read = passage(api, batches)
    assert [chunk.kind for chunk in read if chunk.kind != "start"][-2:] == ["text", "error"]
    assert (read[-1].message, read[-1].type) == ("broke", "overloaded_error")
    assert decoder.complete


@pytest.mark.parametrize("api", ENCODERS)
def test_options_win_over_the_names_that_the_chunks_bring(api):
    _, read = passage(api, [[TextChunk("x")]], id="mine", model="my-model")
    assert (read[0].id, read[0].model) == ("mine", "my-model")


@pytest.mark.parametrize("api", ENCODERS)
def test_lone_surrogates_become_replacement_characters(api):
    _, read = passage(api, [[TextChunk("a\ud800b")]])
    assert "".join(chunk.text for chunk in read if chunk.kind == "text") == "a\ufffdb"
