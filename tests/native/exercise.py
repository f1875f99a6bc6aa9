"""Exercises every compiled module with seeded random input; run by `make check-native` under valgrind.

python -m tests.native.exercise [ROUNDS]
"""

from __future__ import annotations

import random
import sys
import threading

from streamarena import _native
from streamarena.memory import AllocationTracker, Arena, StringInterner
from streamarena.sse import SSEParser, encode_event


def spans(chance: random.Random) -> None:
    outer = Arena()
    kept, views = [], []
    for _ in range(60):
        content = chance.randbytes(chance.choice((0, 1, 50, 4000, 5000, 70_000)))
        kept.append((outer.alloc_bytes(memoryview(content)), content))
        with Arena(parent=outer) as inner:
            span = inner.alloc_bytes(bytearray(content))
            assert bytes(span) == content
            if chance.random() < 0.3:
                views.append((span.view[:], content))
        if chance.random() < 0.3:
            kept = [pair for pair in kept if not outer.free(pair[0])]
    assert all(bytes(span) == content for span, content in kept)
    outer.close()
    assert all(span.closed for span, _ in kept)
    assert all(view == content for view, content in views)


def texts(chance: random.Random) -> None:
    interner = StringInterner(max_bytes=200_000)
    buffer = "".join(chance.choices("abcäöü\U0001f600 ", k=2000)).encode()
    shared = {}
    for _ in range(2000):
        start = chance.randrange(len(buffer))
        stop = min(len(buffer), start + chance.randrange(12))
        text = interner.text(buffer, start, stop)
        assert shared.setdefault(text, text) == text == buffer[start:stop].decode("utf-8", "replace")
    interner.clear()
    assert interner.text(buffer, 0, 3) is not None


def events(chance: random.Random) -> None:
    stream = b"".join(encode_event("x" * chance.randrange(600), id=str(n)) for n in range(50)) + b"\xef\xbb: \r\rdata"
    parser, seen, start = SSEParser(), 0, 0
    while start < len(stream):
        size = chance.randrange(1, 300)
        seen += len(parser.feed(memoryview(stream)[start : start + size]))
        start += size
    parser.close()
    assert seen == 50


def tracker() -> None:
    counted = AllocationTracker()
    counted.start()
    workers = [threading.Thread(target=lambda: [bytearray(n) for n in range(0, 20_000, 500)]) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with counted.slot() as slot:
        held = bytearray(100_000)
    assert len(held) == 100_000
    assert counted.source != "hook" or slot.bytes >= 100_000
    counted.stop()


def main(rounds: int) -> None:
    missing = [each.module for each in _native.implementations() if not each.compiled]
    assert not missing, f"not compiled: {missing}"
    tracker()
    for seed in range(rounds):
        chance = random.Random(seed)
        spans(chance)
        texts(chance)
        events(chance)
    print(f"{rounds} rounds over {len(_native.implementations())} compiled modules, nothing wrong")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
