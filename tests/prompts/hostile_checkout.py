"""Hazards for a reader of checkouts that are better made on the spot than stored.

Each function writes one file below ``root``, a copy of a synthetic checkout, and returns its path.
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "write_deeply_nested_template",
    "write_doubling_constants",
    "write_escaping_link",
    "write_large_template",
    "write_long_concatenation",
    "write_nested_conditions",
]

SECTIONS = Path("src/core/prompts/sections")


def write_large_template(root: Path, size: int = 1 << 20) -> Path:
    """Write one template literal of ``size`` characters, all of them literal text."""
    line = "This line is one of very many.\n"
    body = (line * (size // len(line) + 1))[:size]
    return _write(root / SECTIONS / "large.ts", f"export const largeSection = `{body}`\n")


def write_deeply_nested_template(root: Path, depth: int = 500) -> Path:
    """Write a template that holds a template in a placeholder, ``depth`` levels deep."""
    return _write(
        root / SECTIONS / "deep.ts", "export const deepSection = " + "`a${" * depth + '"b"' + "}c`" * depth + "\n"
    )


def write_long_concatenation(root: Path, terms: int) -> Path:
    """Write a prompt that adds ``terms`` strings, all on one line."""
    return _write_objective(root, " + ".join(f'"{number}"' for number in range(terms)))


def write_doubling_constants(root: Path, levels: int = 5, width: int = 100) -> Path:
    """Write a prompt of ``width ** levels`` characters in constants, each of which holds the one before many times."""
    lines = ["const c0 = `x`"]
    lines += [f"const c{level} = `{f'${{c{level - 1}}}' * width}`" for level in range(1, levels + 1)]
    return _write_objective(root, f"c{levels}", lines)


def write_nested_conditions(root: Path, count: int) -> Path:
    """Write a prompt under ``count`` conditions of two alternatives each."""
    condition = " && ".join(f"(a{number} || b{number})" for number in range(count))
    return _write_objective(root, f'{condition} ? "then" : "otherwise"')


def write_escaping_link(root: Path, outside: Path) -> Path:
    """Write a section that is a symbolic link to a TypeScript file in ``outside``, a folder beyond the checkout."""
    secret = _write(outside / "secret.ts", "export const secretSection = `This text lies outside of the checkout.`\n")
    link = root / SECTIONS / "secret.ts"
    link.symlink_to(secret)
    return link


def _write_objective(root: Path, expression: str, before: list[str] | None = None) -> Path:
    body = f"export function getObjectiveSection(): string {{\n\treturn {expression}\n}}"
    return _write(root / SECTIONS / "objective.ts", "\n".join([*(before or []), body, ""]))


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", newline="")
    return path
