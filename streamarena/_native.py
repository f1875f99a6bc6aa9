"""Which implementation of each accelerated module is active: the compiled twin or the Python reference. Decided once.

A module that has a twin asks `load` for it while it is being imported; `None` means "use the Python one". The answer
and its reason are kept for `streamarena doctor`. `STREAMARENA_PURE=1` forces Python; `STREAMARENA_REQUIRE_NATIVE=1`
makes a missing twin an error, so that a continuous integration run cannot test the wrong one. Free-threaded
interpreters run the Python implementations: the twins are built for the interpreter lock.
Cost: one import each. Not here: building (pyproject.toml).
"""

from __future__ import annotations

import importlib
import os
import sysconfig
from types import ModuleType
from typing import Final, NamedTuple

from streamarena.errors import ConfigurationError

__all__ = ["Implementation", "TWINS", "implementations", "load"]

TWINS: Final[dict[str, str]] = {
    "streamarena.sse.parser": "streamarena.sse._parser_cy",
    "streamarena.memory._spans": "streamarena.memory._spans_cy",
    "streamarena.memory.interning": "streamarena.memory._interning_cy",
    "streamarena.memory.tracking": "streamarena.memory._tracker_cy",
}
"""Each module that has a compiled twin, and the twin."""


class Implementation(NamedTuple):
    """What one accelerated module runs on: `compiled` or not, and why."""

    module: str
    compiled: bool
    reason: str


_decisions: dict[str, Implementation] = {}


def load(module: str) -> ModuleType | None:
    """Import the compiled twin of `module`, or return None where the Python implementation is to be used.

    Raises:
        ConfigurationError: `STREAMARENA_REQUIRE_NATIVE=1` is set and the twin cannot be imported.
    """
    twin, reason = _import_twin(TWINS[module])
    _decisions[module] = Implementation(module, twin is not None, reason)
    return twin


def implementations() -> list[Implementation]:
    """Return what each accelerated module runs on, importing those that nobody has used yet."""
    for module in TWINS:
        importlib.import_module(module)
    return [_decisions[module] for module in TWINS]


def _import_twin(name: str) -> tuple[ModuleType | None, str]:
    if _switched_on("STREAMARENA_PURE"):
        return None, "STREAMARENA_PURE is set"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return None, "a free-threaded interpreter"
    try:
        return importlib.import_module(name), "the extension is built"
    except ImportError as error:
        if _switched_on("STREAMARENA_REQUIRE_NATIVE"):
            raise ConfigurationError(
                f"STREAMARENA_REQUIRE_NATIVE is set and {name} cannot be imported ({error}); "
                "build it with a C compiler: pip install -e ."
            ) from error
        return None, f"the extension is not built ({error})"


def _switched_on(variable: str) -> bool:
    return os.environ.get(variable, "") not in {"", "0"}
