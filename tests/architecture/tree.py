"""What the architecture tests look at: every module of both source roots, its floor, and what it imports."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

# Rooms by floor, as ARCHITECTURE.md draws them. A private module at the top (`_native`) lives on floor 0.
FLOORS = {
    "errors": 0,
    "histogram": 0,
    "memory": 1,
    "sse": 1,
    "providers": 1,
    "prompts": 1,
    "context": 1,
    "pipeline": 2,
    "client": 2,
    "testing": 3,
    "load": 3,
    "relay": 3,
    "cli": 4,
    "__main__": 4,
    "": 4,
}

# On floor 1 a room may use only these other rooms of floor 1.
FLOOR_ONE_MAY_USE: dict[str, set[str]] = {
    "memory": set(),
    "sse": {"memory"},
    "providers": {"sse", "memory"},
    "prompts": {"memory"},
    "context": {"memory", "prompts"},
}


@dataclass(frozen=True)
class Import:
    """One import statement: the module it names, where it stands, and whether only type checkers run it."""

    target: str
    line: int
    typing_only: bool
    top_level: bool


@dataclass
class Module:
    """One source file."""

    name: str
    path: Path
    tree: ast.Module
    imports: list[Import] = field(default_factory=list)

    @property
    def room(self) -> str:
        """The room's name: `memory` for `streamarena.memory.arena`, empty for the package itself."""
        parts = self.name.split(".")
        return parts[1] if len(parts) > 1 else ""

    @property
    def floor(self) -> int:
        """The floor that this module stands on."""
        return 0 if self.room.startswith("_") and self.room != "__main__" else FLOORS[self.room]

    @property
    def is_public(self) -> bool:
        """Whether no part of the name is private."""
        return not any(part.startswith("_") for part in self.name.split("."))


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _base_of(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = module.name if module.path.name == "__init__.py" else module.name.rpartition(".")[0]
    parts = package.split(".")
    parents = parts[: len(parts) - node.level + 1]
    return ".".join([*parents, node.module] if node.module else parents)


def _collect(module: Module, known: set[str]) -> None:
    def visit(node: ast.AST, typing_only: bool, depth: int) -> None:
        if isinstance(node, ast.Import):
            module.imports.extend(Import(alias.name, node.lineno, typing_only, depth == 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base_of(module, node)
            for alias in node.names:
                full = f"{base}.{alias.name}"
                module.imports.append(Import(full if full in known else base, node.lineno, typing_only, depth == 0))
        elif isinstance(node, ast.If) and _is_type_checking(node.test):
            for child in node.body:
                visit(child, True, depth)
            for child in node.orelse:
                visit(child, typing_only, depth)
        else:
            inner = depth + isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for child in ast.iter_child_nodes(node):
                visit(child, typing_only, inner)

    visit(module.tree, False, 0)


def _name_of(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, Module]:
    """Every module of the core and of the adapters, by name."""
    found: dict[str, Module] = {}
    for root, package in ((ROOT, "streamarena"), (ROOT / "adapters", "streamarena_adapters")):
        for path in sorted((root / package).rglob("*.py")):
            name = _name_of(path, root)
            found[name] = Module(name, path, ast.parse(path.read_text("utf-8"), str(path)))
    for module in found.values():
        _collect(module, set(found))
    return found


def core() -> list[Module]:
    """The modules of the core."""
    return [module for name, module in modules().items() if name.split(".")[0] == "streamarena"]


def adapters() -> list[Module]:
    """The modules of the adapters."""
    return [module for name, module in modules().items() if name.split(".")[0] == "streamarena_adapters"]
