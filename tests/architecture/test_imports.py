"""Importing costs what it promises: in a fresh process, nothing that a room does not need is loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.architecture.tree import core

HEAVY = {
    *("httpx", "httpx2", "openai", "anthropic", "pydantic", "rich", "click", "numpy", "tiktoken", "matplotlib", "ray"),
}


def loaded_by(statement: str) -> set[str]:
    """The modules that a statement loads in a fresh interpreter."""
    code = f"import sys, json\nbefore = set(sys.modules)\n{statement}\nprint(json.dumps([*set(sys.modules) - before]))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def test_importing_streamarena_loads_nothing_heavy():
    assert not loaded_by("import streamarena") & (HEAVY | {"asyncio", "ssl"})


@pytest.mark.parametrize("room", ["memory", "sse", "providers", "prompts", "context"])
def test_floor_one_rooms_load_no_loop(room):
    assert not loaded_by(f"import streamarena.{room}") & (HEAVY | {"asyncio", "anyio", "ssl"})


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks one fresh child for each module")
def test_every_module_imports_alone():
    """Each module is the first of ours that its process imports; children are forked so that this stays quick.

    Importing a module imports its package first: what the package's import has brought by itself is proved by that.
    """
    names = sorted(module.name for module in core() if not module.name.endswith("__main__"))
    script = """
import contextlib, importlib, json, os, sys
for library in ("asyncio", "anyio", "click", "httptools", "msgspec", "orjson", "ssl"):
    with contextlib.suppress(ImportError):
        importlib.import_module(library)  # of others, and once: only ours are to be alone in each child
proved, failed = set(), []
for name in json.loads(sys.argv[1]):
    if name in proved:
        continue
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            importlib.import_module(name)
        except BaseException as error:
            print(f"{name}: {error!r}", file=sys.stderr, flush=True)
            os._exit(1)
        with os.fdopen(writing, "w") as out:
            out.write(json.dumps([other for other in sys.modules if other.startswith(name + ".")]))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        brought = answer.read()
    if os.waitpid(pid, 0)[1]:
        failed.append(name)
    elif name != "streamarena":
        proved.update(json.loads(brought))
sys.exit(len(failed))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, json.dumps(names)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
