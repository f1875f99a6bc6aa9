"""What we make of a stream, and what the JavaScript world's parser makes of it: the same.

`eventsource-parser` knows the id inside a block but not the stream's last event id, and it keeps a carriage return that
ends a piece until another line end comes: so that both see the same, every stream here ends in a complete comment.
"""

from __future__ import annotations

import base64
import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from perf.peers.setup import PeersUnavailableError, node_packages
from tests.sse.implementations import BOTH, random_pieces

HERE = Path(__file__).parent
VECTORS = json.loads((HERE.parent / "vectors" / "sse_cases.json").read_text("utf-8"))["cases"]
NAMES = [b"data", b"event", b"id", b"retry", b"unknown", b"Data", b"datax", b"dat", b":", b": ", b" ", b"\0", b"007"]
LINE_ENDS = [b"\n", b"\n\n", b"\r", b"\r\n", b"\r\r", b"\n\r"]
LINES = [b"data: {}\n", b"data: x\n", b"data: \xe2\x80\xa8", b"event: ", b"id: 1\ndata\n", b"retry: 12", b"id:"]
BYTES = [b"\xef\xbb\xbf", b"\xff", b"\xc2\x85", b"\x0b\x0c", b"\xf0\x9f\x98\x80"]


def generated(seed: int) -> bytes:
    chance = random.Random(seed)
    parts = NAMES + 3 * LINE_ENDS + 2 * LINES + BYTES
    return b"".join(chance.choices(parts, k=chance.randint(1, 30)))


STREAMS = [b"".join(map(base64.b64decode, case["chunks"])) for case in VECTORS]
STREAMS += [generated(seed) for seed in range(1500)]
STREAMS = [stream + b"\n:\n" for stream in STREAMS]


@pytest.fixture(scope="module")
def answers():
    """What the peer says of each stream, fed in pieces."""
    try:
        folder = node_packages()
    except PeersUnavailableError as error:
        pytest.skip(f"eventsource-parser cannot be installed here: {error}")
    if folder is None:
        pytest.skip("there is no node or npm here")
    script = folder / "eventsource_parser.mjs"  # beside node_modules: that is where Node looks for imports
    shutil.copy(HERE / "eventsource_parser.mjs", script)
    streams = [
        [base64.b64encode(piece).decode() for piece in random_pieces(stream, random.Random(place), 60)]
        for place, stream in enumerate(STREAMS)
    ]
    done = subprocess.run(
        ["node", str(script)],
        input=json.dumps({"streams": streams}),
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    return json.loads(done.stdout)


def without_event(stream: bytes) -> list[bytes]:
    """Return the blocks that set an id and bring no event: their ids are not to be seen from outside."""
    blocks = stream.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n\n")
    lines = [[line.partition(b":")[0] for line in block.split(b"\n")] for block in blocks]
    return [block for block, names in zip(blocks, lines, strict=True) if b"id" in names and b"data" not in names]


def last_id(ids: list[str | None]) -> list[str]:
    """Turn the ids inside blocks into the stream's last event id at each dispatch, as far as events show it."""
    current, result = "", []
    for one in ids:
        current = current if one is None else one
        result.append(current)
    return result


@pytest.mark.parametrize("implementation", BOTH)
def test_same_events_types_data_and_retries(implementation, answers):
    assert len(answers) == len(STREAMS)
    for stream, theirs in zip(STREAMS, answers, strict=True):
        parser = implementation.SSEParser()
        ours = parser.feed(stream)
        assert [(event.event, event.data) for event in ours] == [
            (event["event"], event["data"]) for event in theirs["events"]
        ], stream
        assert parser.retry == (theirs["retries"] or [None])[-1], stream


@pytest.mark.parametrize("implementation", BOTH)
def test_same_ids_where_every_id_belongs_to_an_event(implementation, answers):
    compared = 0
    for stream, theirs in zip(STREAMS, answers, strict=True):
        ours = implementation.SSEParser().feed(stream)
        if not without_event(stream):
            ids = last_id([event["id"] for event in theirs["events"]])
            compared += any(ids)
            assert [event.id for event in ours] == ids, stream
    assert compared > 20
