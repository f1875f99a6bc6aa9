"""Fixed overhead: what importing every room and making an idle manager adds to a process that has our dependencies."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile

from perf.criteria.criterion import Criterion, Options, median_and_spread, verdict

LIMIT = 3.5e6
ROOMS = ("memory", "sse", "providers", "prompts", "context", "pipeline", "client", "testing", "load", "relay")

CLIENT_ROOMS = ("memory", "sse", "providers", "pipeline", "client")

WHAT_IT_LOADS = """
import importlib, json, sys
for room in ROOMS:
    module = importlib.import_module("streamarena." + room)
    for name in getattr(module, "__all__", ()):
        getattr(module, name)
from streamarena.memory import default_manager
default_manager().stats()
print(json.dumps([name for name in sys.modules if name.split(".")[0] not in ("streamarena", "__main__")]))
"""

CHILD = """
import gc, importlib, json, sys
from pathlib import Path
def private():
    gc.collect()
    text = Path("/proc/self/smaps_rollup").read_text("ascii")
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_Dirty")) * 1024
for name in json.loads(sys.argv[1]):
    try:
        importlib.import_module(name)
    except ImportError:
        pass
private()
before = private()
for room in ROOMS:
    importlib.import_module("streamarena." + room)
rooms = private()
from streamarena.memory import default_manager
default_manager().stats()
default_manager().profiler.sample(0.0)
whole = private()
for room in ROOMS:
    for name in getattr(sys.modules["streamarena." + room], "__all__", ()):
        getattr(sys.modules["streamarena." + room], name)
print(json.dumps([rooms - before, whole - before, private() - before]))
"""


def _child(code: str, rooms: tuple[str, ...], cache: str, *arguments: str) -> list:
    """Run code in a fresh process that finds its bytecode ready in `cache`, as an installed package's is."""
    code = f"ROOMS = {rooms!r}\n{code}"
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache, "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, env=environment
    )
    return json.loads(done.stdout)


def measure(options: Options) -> list[Criterion]:
    count = options.count(9, 3)
    with tempfile.TemporaryDirectory() as cache:
        dependencies = json.dumps(_child(WHAT_IT_LOADS, ROOMS, cache))  # this compiles everything into the cache, too
        rounds = [_child(CHILD, ROOMS, cache, dependencies) for _ in range(count)]
        client = [_child(CHILD, CLIENT_ROOMS, cache, dependencies)[1] for _ in range(count)]
    rooms, whole, names = zip(*rounds, strict=True)
    how = "fresh process, dependencies imported before; Private_Dirty of smaps_rollup, marginal"
    return [
        Criterion(
            "fixed overhead",
            "< 3.5 MB",
            median_and_spread([value / 1e6 for value in whole], "MB"),
            f"every room and an idle manager with its profiler; {how}",
            verdict(statistics.median(whole) < LIMIT),
            {"bytes": whole},
        ),
        Criterion(
            "  only the rooms that a client loads",
            "-",
            median_and_spread([value / 1e6 for value in client], "MB"),
            f"the same with {', '.join(CLIENT_ROOMS)} only",
            "shown",
            {"bytes": client},
        ),
        Criterion(
            "  with every public name of them",
            "-",
            median_and_spread([value / 1e6 for value in names], "MB"),
            "the same, and then each name in every `__all__`: context and testing load theirs when they are used",
            "shown",
            {"bytes": names},
        ),
        Criterion(
            "  of that: the code of the rooms",
            "-",
            median_and_spread([value / 1e6 for value in rooms], "MB"),
            f"importing {', '.join(ROOMS)}",
            "shown",
            {"bytes": rooms},
        ),
        Criterion(
            "  of that: the idle manager",
            "< 100 kB with tracking",
            median_and_spread([(b - a) / 1e3 for a, b in zip(rooms, whole, strict=True)], "kB", 0),
            "the difference: manager, tracker, profiler",
            verdict(statistics.median(b - a for a, b in zip(rooms, whole, strict=True)) < 100_000),
            {"bytes": [b - a for a, b in zip(rooms, whole, strict=True)]},
        ),
    ]
