"""Both implementations of what has a compiled twin, side by side in one process."""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType, SimpleNamespace

import pytest

DEPENDENT = ("chunks", "resources", "arena")  # the modules that build on `_spans`, in the order of their imports
_loaded: dict[str, SimpleNamespace] = {}


def twin(name: str, implementation: str) -> ModuleType:
    """Import `<name>_py` or `<name>_cy`; a missing extension skips the test, or fails it where it is required."""
    try:
        return importlib.import_module(f"streamarena.memory.{name}_{implementation}")
    except ImportError:
        if os.environ.get("STREAMARENA_REQUIRE_NATIVE") == "1":
            raise
        pytest.skip(f"{name}_{implementation} was not built")


def load(implementation: str) -> SimpleNamespace:
    """Load chunks, resources and arena a second time, over the spans of one implementation."""
    if implementation not in _loaded:
        spans = twin("_spans", implementation)
        names = [f"streamarena.memory.{name}" for name in ("_spans", *DEPENDENT)]
        saved = {name: sys.modules.pop(name) for name in names if name in sys.modules}
        sys.modules["streamarena.memory._spans"] = spans
        try:
            found = [importlib.import_module(f"streamarena.memory.{name}") for name in DEPENDENT]
        finally:
            for name in names:
                sys.modules.pop(name, None)
            sys.modules.update(saved)
            package = sys.modules["streamarena.memory"]
            for name in names:
                setattr(package, name.rpartition(".")[2], sys.modules[name])
        public = {name: getattr(module, name) for module in found for name in module.__all__}
        _loaded[implementation] = SimpleNamespace(**public, spans=spans)
    return _loaded[implementation]


@pytest.fixture(params=["py", "cy"])
def memory(request):
    """`memory.Arena`, `memory.request_scope`, ... of one implementation."""
    return load(request.param)


@pytest.fixture
def resources(memory):
    """Resources of its own for one test; whatever was not given back makes the test fail."""
    fresh = memory.ArenaResources()
    yield fresh
    assert fresh.totals().open == 0, "an arena was left open"
    assert fresh.totals().chunks.bytes_out == 0, "chunks did not come back"
    assert fresh.buffers.stats().outstanding == 0, "buffers did not come back"
