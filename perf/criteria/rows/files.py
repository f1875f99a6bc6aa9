"""The ceiling of the file cache, under pins, live views, replacements and files that are too large."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from perf.criteria.criterion import Criterion, Options, verdict
from streamarena.errors import FileCacheFullError
from streamarena.memory import MmapCache

LIMIT = 100 << 20


def measure(options: Options) -> list[Criterion]:
    steps = options.count(4_000, 500)
    chance, cache, peak, refused, wrong = random.Random(8), MmapCache(LIMIT), 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}" for number in range(60)]
        for number, path in enumerate(paths):
            path.write_bytes(bytes((number,)) * chance.randint(1 << 16, 9 << 20))
        held = []
        for _ in range(steps):
            number = chance.randrange(len(paths))
            try:
                file = cache.get(paths[number], immutable=chance.random() < 0.5)
            except FileCacheFullError:
                refused += 1
            else:
                wrong += file.view[0] != number or file.view[-1] != number
                held.append((file, file.view[:1]) if chance.random() < 0.5 else (file, None))
            while len(held) > chance.randrange(1, 14):
                file, view = held.pop(chance.randrange(len(held)))
                file.release()
                del view
            peak = max(peak, cache.stats().bytes)
        for file, _ in held:
            file.release()
        held.clear()
        file = None
        cache.clear()
    stats = cache.stats()
    return [
        Criterion(
            "file cache under pins",
            "<= 100 MiB",
            f"{peak / 2**20:.1f} MiB at most; {stats.evictions} evictions, {refused} refused, {wrong} wrong, "
            f"{stats.bytes} left",
            f"{steps} gets of 60 files of 64 KiB to 9 MiB, up to 13 pinned, half mapped, views kept",
            verdict(peak <= LIMIT and not wrong and stats.bytes == 0),
            {"peak": peak},
        )
    ]
