"""A million spans in a thousand scopes, then random nesting, exceptions and views that escape; contents are checked."""

from __future__ import annotations

import random
import threading
import time
from contextlib import suppress

from perf.criteria.criterion import Criterion, Options, verdict
from streamarena.memory import ArenaResources, request_scope


def _million(resources: ArenaResources, scopes: int, spans: int) -> int:
    wrong = 0
    for scope in range(scopes):
        with request_scope(resources=resources) as arena:
            content = b"%08d" % scope * 8
            kept = [arena.alloc_bytes(content) for _ in range(spans)]
            wrong += sum(bytes(span) != content for span in kept[::97])
        wrong += not all(span.closed for span in kept[::97])
    return wrong


def _nested(resources: ArenaResources, chance: random.Random, depth: int, views: list) -> int:
    wrong = 0
    with suppress(ZeroDivisionError), request_scope(resources=resources) as arena:
        kept = []
        for _ in range(chance.randrange(12)):
            content = chance.randbytes(chance.choice((0, 1, 40, 400, 4000, 40_000)))
            kept.append((arena.alloc_bytes(content), content))
            if depth < 6 and chance.random() < 0.3:
                wrong += _nested(resources, chance, depth + 1, views)
            if chance.random() < 0.02:
                views.append((kept[-1][0].view, content))
                del views[:-50]
            if chance.random() < 0.2:
                arena.buffer(chance.choice((100, 10_000, 100_000)))
        wrong += sum(bytes(span) != content for span, content in kept)
        if chance.random() < 0.1:
            raise ZeroDivisionError
    return wrong


def _random(resources: ArenaResources, rounds: int, threads: int) -> int:
    wrong = []

    def work(seed: int) -> None:
        chance, views, mine = random.Random(seed), [], 0
        for _ in range(rounds):
            mine += _nested(resources, chance, 0, views)
            mine += sum(view != content for view, content in views)
        wrong.append(mine)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(wrong)


def measure(options: Options) -> list[Criterion]:
    scopes = options.count(1000, 100)
    resources = ArenaResources()
    start = time.process_time()
    wrong = _million(resources, scopes, 1000)
    seconds = time.process_time() - start
    first = resources.totals()
    leaked = first.open + first.chunks.bytes_out
    mixed = ArenaResources()
    wrong_mixed = _random(mixed, options.count(2000, 200), 4)
    second, buffers = mixed.totals(), mixed.buffers.stats()
    left = second.open + second.chunks.bytes_out + buffers.outstanding
    return [
        Criterion(
            "stress: 1M allocations",
            "nothing wrong, nothing left",
            f"{first.allocations:,} spans in {seconds * 1e3:.0f} ms CPU, {wrong} wrong, {leaked} bytes left, "
            f"{first.chunks.created} chunks made, {first.chunks.reused:,} reused",
            f"{scopes} scopes of 1,000 spans of 64 bytes, contents sampled",
            verdict(wrong == 0 and leaked == 0),
            {"seconds": seconds, "allocations": first.allocations},
        ),
        Criterion(
            "stress: random order",
            "nothing wrong, nothing left",
            f"{second.closed:,} scopes, {second.allocations:,} spans, {second.escaped} escaped and whole, "
            f"{wrong_mixed} wrong, {left} left",
            "4 threads; nesting to depth 7, spans of 0 to 40,000 bytes, buffers, exceptions, views kept past the end",
            verdict(wrong_mixed == 0 and left == 0),
            {"escaped": second.escaped},
        ),
    ]
