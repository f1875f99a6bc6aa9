"""Every file opens with what it is, stays short, and says in __all__ exactly what it offers."""

from __future__ import annotations

import ast
import importlib
import subprocess

import pytest

from tests.architecture.tree import ROOT, Module, adapters, core

MAX_LINES = 500
MAX_FUNCTION_LINES = 60
SOURCES = [*core(), *adapters()]


def _tracked(*patterns: str) -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:  # an unpacked source distribution has no git
        return [str(path.relative_to(ROOT)) for pattern in patterns for path in ROOT.rglob(pattern)]
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_no_source_file_passes_the_limit():
    names = _tracked("*.py", "*.pyx", "*.pxd", "*.pyi")
    assert names
    long = {name: n for name in names if (n := (ROOT / name).read_text("utf-8").count("\n")) > MAX_LINES}
    assert not long


@pytest.mark.parametrize("module", SOURCES, ids=lambda module: module.name)
def test_no_function_passes_the_limit(module):
    long = [
        f"{node.name}: {lines} lines"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or 0) - node.lineno + 1) > MAX_FUNCTION_LINES
    ]
    assert not long


@pytest.mark.parametrize("module", SOURCES, ids=lambda module: module.name)
def test_every_module_says_what_it_is(module):
    doc = ast.get_docstring(module.tree)
    assert doc, "a module docstring is missing"
    assert len(doc.splitlines()[0]) > 15


def _defined(module: Module) -> set[str]:
    names: set[str] = set()
    for node in module.tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return {name for name in names if not name.startswith("_")}


@pytest.mark.parametrize(
    "module", [m for m in SOURCES if m.is_public and m.path.name != "__main__.py"], ids=lambda module: module.name
)
def test_all_lists_what_there_is_and_nothing_else(module):
    defined = {
        name for name in _defined(module) if len(name) > 1 and not name.endswith("_co") and not name.endswith("_contra")
    }
    imported = importlib.import_module(module.name)
    listed = set(getattr(imported, "__all__", ()))
    assert not defined - listed, f"public names that __all__ does not list: {sorted(defined - listed)}"
    absent = {name for name in listed if not hasattr(imported, name)}
    assert not absent, f"__all__ lists names that are not there: {sorted(absent)}"


def test_no_leftovers_of_a_second_configuration():
    unwanted = {"setup.py", "setup.cfg", "pytest.ini", "tox.ini", "mypy.ini", "pyrightconfig.json", "ruff.toml"}
    assert not unwanted & {path.name for path in ROOT.iterdir()}


def test_every_lint_ignore_has_a_code_and_a_reason():
    wrong = []
    for name in _tracked("streamarena/*.py", "adapters/*.py"):
        for number, line in enumerate((ROOT / name).read_text("utf-8").splitlines(), 1):
            for mark in ("# noqa", "# type: ignore", "# pyright: ignore"):
                tail = line.partition(mark)[2]
                if mark in line and (not tail.startswith((":", "[")) or not (" - " in tail or "# " in tail)):
                    wrong.append(f"{name}:{number}")
    assert not wrong
