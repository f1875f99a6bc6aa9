"""Reference streams with the events that the standard gives, at every way of cutting them.

`STREAMARENA_VECTORS` names further files of the same form, separated as in PATH.
"""

from __future__ import annotations

import base64
import json
import os
import random
from pathlib import Path

import pytest

from tests.sse.implementations import random_pieces, read, single_bytes

VECTORS = Path(__file__).parents[1] / "vectors" / "sse_cases.json"


def load_cases():
    more = [Path(name) for name in os.environ.get("STREAMARENA_VECTORS", "").split(os.pathsep) if name]
    for path in (VECTORS, *more):
        for case in json.loads(path.read_text("utf-8"))["cases"]:
            yield pytest.param(case, id=case["name"])


CASES = list(load_cases())


def pieces_of(case):
    return [base64.b64decode(piece) for piece in case["chunks"]]


def expected_of(case):
    return [(event["event"], event["data"], event["id"], event["retry"]) for event in case["events"]]


def check(case, parser, pieces):
    assert read(parser, pieces) == expected_of(case)
    assert parser.last_event_id == case["last_event_id"]
    assert parser.retry == case["retry"]


def test_the_vectors_are_there():
    assert len(CASES) >= 134


@pytest.mark.parametrize("case", CASES)
def test_as_given(implementation, case):
    check(case, implementation.SSEParser(), pieces_of(case))


@pytest.mark.parametrize("case", CASES)
def test_whole(implementation, case):
    check(case, implementation.SSEParser(), [b"".join(pieces_of(case))])


@pytest.mark.parametrize("case", CASES)
def test_byte_by_byte(implementation, case):
    check(case, implementation.SSEParser(), single_bytes(b"".join(pieces_of(case))))


@pytest.mark.parametrize("case", [case for case in CASES if "big" not in case.values[0].get("tags", ())])
def test_cut_once_anywhere(implementation, case):
    data = b"".join(pieces_of(case))
    for position in range(min(len(data), 1200)):
        check(case, implementation.SSEParser(), [data[:position], data[position:]])


@pytest.mark.parametrize("case", CASES)
def test_cut_at_random(implementation, case):
    data = b"".join(pieces_of(case))
    chance = random.Random(case["name"])
    for longest in (3, 40, 5000):
        check(case, implementation.SSEParser(), random_pieces(data, chance, longest))


@pytest.mark.parametrize("case", CASES)
def test_a_reused_parser_reads_as_a_new_one(implementation, case):
    parser = implementation.SSEParser()
    parser.feed(b"\xef\xbb\xbfid: before\nretry: 7\nevent: x\ndata: 1\n\ndata: unfinished\ndat\r")
    parser.reset(keep_last_event_id=False)
    check(case, parser, pieces_of(case))
