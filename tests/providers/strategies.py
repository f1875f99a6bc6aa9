"""Hypothesis strategies: streams of chunks as a decoder could have given them."""

from __future__ import annotations

import itertools

import msgspec
from hypothesis import strategies as st

from streamarena.providers import (
    FinishChunk,
    GroundingChunk,
    GroundingSource,
    ReasoningChunk,
    StartChunk,
    TextChunk,
    ThinkingCompleteChunk,
    ToolCallPartialChunk,
    UsageChunk,
)

WORDS = st.text(min_size=1, max_size=12)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz_0123456789", min_size=1, max_size=8)
COUNTS = st.integers(0, 10**6)


@st.composite
def tool_calls(draw, index=0):
    """Return the fragments of one call whose arguments are a JSON object, cut anywhere."""
    arguments = msgspec.json.encode(draw(st.dictionaries(NAMES, st.one_of(WORDS, st.integers()), max_size=3))).decode()
    cuts = sorted(draw(st.sets(st.integers(1, max(len(arguments) - 1, 1)), max_size=3)))
    edges = [0, *cuts, len(arguments)]
    pieces = [arguments[a:b] for a, b in itertools.pairwise(edges) if a < b]
    start = ToolCallPartialChunk(index, f"call_{index}_{draw(NAMES)}", draw(NAMES))
    return [start, *(ToolCallPartialChunk(index, arguments=piece) for piece in pieces)]


@st.composite
def usages(draw):
    """Return usage snapshots with or without cache counts; what was read from the cache is part of the input."""
    total = draw(COUNTS)
    return UsageChunk(total, draw(COUNTS), cache_read_tokens=draw(st.one_of(st.none(), st.integers(0, total))))


@st.composite
def streams(draw, *, signed=True, finish_reasons=("stop", "length", "tool_calls", "refusal")):
    """Return one complete stream: start, reasoning, text, calls, sources, finish, usage."""
    chunks = [StartChunk("id-1", "model-1", "assistant")]
    if draw(st.booleans()):
        chunks += [ReasoningChunk(text) for text in draw(st.lists(WORDS, min_size=1, max_size=3))]
        if signed and draw(st.booleans()):
            chunks.append(ThinkingCompleteChunk(draw(NAMES)))
    chunks += [TextChunk(text) for text in draw(st.lists(WORDS, max_size=5))]
    if draw(st.booleans()):
        chunks.append(
            GroundingChunk((GroundingSource(draw(WORDS), "https://example.org/" + draw(NAMES), draw(WORDS)),))
        )
    for index in range(draw(st.integers(0, 3))):
        chunks += draw(tool_calls(index))
    chunks.append(FinishChunk(draw(st.sampled_from(finish_reasons))))
    if draw(st.booleans()):
        chunks.append(draw(usages()))
    return chunks
