"""`streamarena doctor`: which implementations are active, which extras are there, and what this machine allows."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import sys
from typing import Final

import click

__all__ = ["command"]

_EXTRAS: Final[dict[str, tuple[str, ...]]] = {
    "cli": ("click", "rich"),
    "httpx2": ("httpx2",),
    "openai": ("openai",),
    "anthropic": ("anthropic",),
    "tokens": ("tiktoken",),
    "tokenizers": ("tokenizers",),
    "modes": ("yaml",),
    "import": ("tree_sitter", "tree_sitter_typescript"),
    "brotli": ("brotli",),
    "bedrock": ("botocore",),
    "testing": ("trustme",),
    "asgi": ("uvicorn",),
    "report": ("matplotlib",),
    "ray": ("ray",),
    "otel": ("opentelemetry.metrics",),
    "prometheus": ("prometheus_client",),
}


@click.command("doctor", short_help="Say which implementations are active and what is installed.")
def command() -> None:
    """Say which implementations are active, which extras are installed, and what this machine allows.

    Exit code 0 always: a missing compiler or extra is a choice, not a fault.
    """
    from streamarena._native import implementations

    version = importlib.metadata.version("streamarena")
    click.echo(f"streamarena {version}, CPython {platform.python_version()}, {platform.system()} {platform.machine()}")
    _table("accelerated modules", [(each.module, _word(each.compiled), each.reason) for each in implementations()])
    libraries = ["anyio", "httptools", "httpx", "httpx-sse", "msgspec", "orjson", "uvloop"]
    _table("libraries", [(name, _version(name), "") for name in libraries])
    _table("extras", [(extra, *_extra_state(modules)) for extra, modules in _EXTRAS.items()])
    _table("this machine", _machine())


def _word(compiled: bool) -> str:
    return "compiled" if compiled else "pure Python"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _extra_state(modules: tuple[str, ...]) -> tuple[str, str]:
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    return ("missing", ", ".join(missing)) if missing else ("installed", "")


def _machine() -> list[tuple[str, str, str]]:
    rows = [("processors", str(os.cpu_count() or "unknown"), "")]
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        hint = "a stream needs one descriptor; raise it with: ulimit -n" if soft < 4096 else ""
        rows.append(("open descriptors", f"{soft} of {hard}", hint))
    ours = sorted(name for name in os.environ if name.startswith("STREAMARENA_"))
    return [*rows, *((name, os.environ[name], "from the environment") for name in ours)]


def _table(title: str, rows: list[tuple[str, str, str]]) -> None:
    click.echo(f"\n{title}")
    width = max(len(row[0]) for row in rows)
    for name, state, note in rows:
        click.echo(f"  {name:<{width}}  {state}" + (f"  ({note})" if note else ""))
