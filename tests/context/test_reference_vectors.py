"""Recorded inputs and outputs of the reference programs: every vector of every group must come out the same.

`STREAMARENA_VECTORS=FILE` runs another file of the same form. Our texts are our own, so the adapters of
`reference_adapters.py` map them to the placeholders that the recording uses.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path

import pytest

from tests.context.reference_adapters import ADAPTERS, NEEDS_VOCABULARY, comparable

SAMPLE = Path(__file__).parents[1] / "vectors" / "context_vectors_sample.json"
SOURCE = Path(os.environ.get("STREAMARENA_VECTORS") or SAMPLE)


@cache
def groups():
    return json.loads(SOURCE.read_text("utf-8"))["groups"]


def cases():
    return [
        pytest.param(name, vector, id=f"{name}-{number}")
        for name, group in groups().items()
        for number, vector in enumerate(group["vectors"])
    ]


def test_every_group_has_an_adapter():
    assert set(groups()) <= set(ADAPTERS)
    assert len(ADAPTERS) == 29


@pytest.mark.parametrize(("group", "vector"), cases())
def test_vector(group, vector, request):
    if group in NEEDS_VOCABULARY:
        request.getfixturevalue("vocabulary")
    assert ADAPTERS[group](vector["args"]) == comparable(group, vector["result"])
