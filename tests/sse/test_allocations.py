"""The compiled parser asks the C library for no memory while it reads events of a usual size."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sse.implementations import COMPILED, WHY_NOT

SCRIPT = """
import ctypes, sys
from streamarena import _native
from streamarena.sse import SSEParser
assert all(one.compiled for one in _native.implementations() if one.module == "streamarena.sse.parser")
calls = ctypes.CDLL(None).malloc_calls
calls.restype = ctypes.c_ulong

def count(pieces):
    parser, events, most = SSEParser(), 0, 0
    for round in range(5):
        before = calls()
        for piece in pieces:
            for event in parser.feed(piece):
                events += 1
                event.data
        after = calls()
    return after - before

event = b"data: " + b"x" * 392 + b"\\n\\n"
typed = b"event: content_block_delta\\nid: 7\\ndata: " + b"y" * 300 + b"\\ndata: " + b"z" * 50 + b"\\n\\n"
stream = (event + typed) * 300
print("one event", count([event, typed] * 300))
print("4 KiB", count([stream[at:at + 4096] for at in range(0, len(stream), 4096)]))
print("256 B", count([stream[at:at + 256] for at in range(0, len(stream), 256)]))
print("control", count([b"data: " + b"x" * 5000 + b"\\n\\n"] * 100))
"""


@pytest.mark.skipif(COMPILED is None, reason=f"no compiled parser: {WHY_NOT}")
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="counts the calls of glibc's allocator")
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler to build the counter with")
def test_no_malloc_for_events_of_up_to_400_bytes(tmp_path):
    counter = tmp_path / "malloc_counter.so"
    source = Path(__file__).parent / "malloc_counter.c"
    subprocess.run(["cc", "-O1", "-fPIC", "-shared", "-fno-builtin", "-o", counter, source], check=True, timeout=30)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={"LD_PRELOAD": str(counter), "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    counts = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())
    assert {name: int(counts[name]) for name in ("one event", "4 KiB", "256 B")} == {
        "one event": 0,
        "4 KiB": 0,
        "256 B": 0,
    }
    assert int(counts["control"]) >= 100  # larger events do pass the small-object allocator: the counter counts
