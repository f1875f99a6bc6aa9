"""Every provider's vectors: events as its documents show them, and the chunks that they are."""

from __future__ import annotations

import json

import pytest

from streamarena.errors import DecodeError
from streamarena.providers import decoder_for
from tests.providers.wire import VECTORS, events_of, plain, vector_cases

CASES = vector_cases()


def expected(case):
    return [{**chunk, **({"raw": None} if chunk["kind"] == "error" else {})} for chunk in case["chunks"]]


def without_raw(chunks):
    return [{**chunk, **({"raw": None} if chunk["kind"] == "error" else {})} for chunk in plain(chunks)]


@pytest.mark.parametrize("case", [case for _, case in CASES], ids=[name for name, _ in CASES])
def test_vector(case):
    decoder = decoder_for(case["api"])
    chunks, raised = [], None
    try:
        for event in events_of(case):
            chunks += decoder.decode(event)
        chunks += decoder.finish()
    except DecodeError as error:
        raised = error
    assert without_raw(chunks) == expected(case)
    assert decoder.complete is case.get("complete", True)
    assert decoder.fallbacks == case.get("fallbacks", 0)
    assert (raised is not None) is case.get("raises", False)


@pytest.mark.parametrize("case", [case for _, case in CASES], ids=[name for name, _ in CASES])
def test_a_decoder_that_was_reset_is_as_new(case):
    decoder = decoder_for(case["api"])
    results = []
    for _ in range(2):
        chunks = []
        try:
            for event in events_of(case):
                chunks += decoder.decode(event)
        except DecodeError:
            chunks.append("raised")
        results.append((chunks, decoder.complete, decoder.fallbacks))
        decoder.reset()
    assert results[0] == results[1]


@pytest.mark.parametrize("case", [case for _, case in CASES], ids=[name for name, _ in CASES])
def test_no_content_chunk_is_empty(case):
    for chunk in case["chunks"]:
        if chunk["kind"] in ("text", "reasoning"):
            assert chunk["text"]
        if chunk["kind"] == "tool_call_partial":
            assert any(chunk.get(name) for name in ("id", "name", "arguments"))


@pytest.mark.parametrize("path", sorted(VECTORS.glob("*.json")), ids=lambda path: path.stem)
def test_vector_file_names_its_source(path):
    document = json.loads(path.read_text("utf-8"))
    assert "." in document["source"]
    assert document["cases"]
