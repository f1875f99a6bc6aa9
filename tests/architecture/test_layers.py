"""The house stands as drawn: floors, rooms, what may import what, and no cycles."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import FLOOR_ONE_MAY_USE, FLOORS, Module, adapters, core, modules

# Floor 1 is sans-IO: none of these is ever imported there, except as listed below.
IO_MODULES = {
    "asyncio", "anyio", "uvloop", "socket", "ssl", "select", "selectors", "threading", "concurrent", "multiprocessing",
    "subprocess", "time", "datetime", "random", "secrets", "uuid", "http", "urllib.request", "httptools", "httpx",
    "os", "io", "pathlib", "mmap", "tempfile", "shutil",
}  # fmt: skip
LOCKS = {"threading"}  # locks are fine; starting a thread is looked for by name
FILES = {"os", "io", "pathlib", "mmap", "tempfile", "shutil"}
MAY_TOUCH_FILES = (
    "streamarena.memory.files",
    "streamarena.memory.tracking",
    "streamarena.prompts",
    "streamarena.context",
)
# An anonymous map is memory and not a file; the environment is configuration; both are named module by module.
EXCEPTIONS: dict[str, set[str]] = {
    "streamarena.memory._blocks": {"mmap"},
    "streamarena.memory.config": {"os"},
    "streamarena.memory._forks": {"os"},
}


def offenders(module: Module) -> list[str]:
    allowed = LOCKS | EXCEPTIONS.get(module.name, set())
    if module.name.startswith(MAY_TOUCH_FILES):
        allowed |= FILES
    return [
        f"{module.path.name}:{item.line} imports {item.target}"
        for item in module.imports
        if not item.typing_only
        for name in [item.target if item.target in IO_MODULES else item.target.split(".")[0]]
        if name in IO_MODULES - allowed
    ]


def _module_named(target: str) -> str:
    while target not in modules():
        target = target.rpartition(".")[0]
        assert target, "an import names nothing that exists"
    return target


@pytest.mark.parametrize("module", core(), ids=lambda module: module.name)
def test_a_module_imports_only_its_own_floor_or_lower(module):
    wrong = [
        f"{module.name}:{item.line} -> {item.target}"
        for item in module.imports
        if item.target.split(".")[0] == "streamarena" and modules()[_module_named(item.target)].floor > module.floor
    ]
    assert not wrong


@pytest.mark.parametrize("module", [m for m in core() if m.floor == 1], ids=lambda module: module.name)
def test_floor_one_is_sans_io(module):
    assert not offenders(module)


@pytest.mark.parametrize("module", [m for m in core() if m.floor == 1], ids=lambda module: module.name)
def test_floor_one_starts_no_thread_and_opens_no_file_elsewhere(module):
    calls = [node.func for node in ast.walk(module.tree) if isinstance(node, ast.Call)]
    assert not [call for call in calls if isinstance(call, ast.Attribute) and call.attr == "Thread"]
    opens = [call for call in calls if isinstance(call, ast.Name) and call.id == "open"]
    assert not opens or module.name.startswith(MAY_TOUCH_FILES)


@pytest.mark.parametrize("module", [m for m in core() if m.floor == 1], ids=lambda module: module.name)
def test_rooms_of_floor_one_use_only_the_rooms_they_may(module):
    used = {item.target.split(".")[1] for item in module.imports if item.target.startswith("streamarena.")}
    neighbours = {room for room in used if FLOORS.get(room) == 1} - {module.room}
    assert neighbours <= FLOOR_ONE_MAY_USE[module.room]


@pytest.mark.parametrize("module", core(), ids=lambda module: module.name)
def test_the_core_never_imports_the_adapters(module):
    assert not [item for item in module.imports if item.target.startswith("streamarena_adapters")]


@pytest.mark.parametrize("module", adapters(), ids=lambda module: module.name)
def test_adapters_use_only_public_names_and_never_one_another(module):
    mine = module.name.split(".")[1] if "." in module.name else None
    for item in module.imports:
        parts = item.target.split(".")
        if parts[0] == "streamarena":
            assert not any(part.startswith("_") for part in parts), item
        if parts[0] == "streamarena_adapters" and len(parts) > 1:
            assert parts[1] == mine or parts[1].startswith("_"), item
    private = [
        f"{module.path.name}:{node.lineno} takes {alias.name}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "streamarena"
        for alias in node.names
        if alias.name.startswith("_")
    ]
    assert not private


def test_there_is_no_import_cycle():
    graph = {
        name: {
            _module_named(item.target)
            for item in module.imports
            if item.target.split(".")[0] in {"streamarena", "streamarena_adapters"}
            and not item.typing_only
            and item.top_level
        }
        - {name}
        for name, module in modules().items()
    }
    done: set[str] = set()

    def walk(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name not in done:
            for target in sorted(graph[name]):
                walk(target, (*path, name))
            done.add(name)

    for name in graph:
        walk(name, ())


def test_every_folder_of_the_core_is_a_room_with_a_floor():
    package = Path(modules()["streamarena"].path).parent
    rooms = {path.name for path in package.iterdir() if path.is_dir() and not path.name.startswith(("_", "."))}
    assert rooms <= set(FLOORS)


def test_the_list_of_io_modules_names_real_ones():
    known = set(sys.stdlib_module_names) | {"anyio", "uvloop", "httptools", "httpx"}
    assert {name.split(".")[0] for name in IO_MODULES} <= known
