"""The groups of rows, in the order of the table. Each is a module in `rows/` with `measure(options)`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perf.criteria.criterion import Criterion, Options

GROUPS: dict[str, str] = {
    "overhead": "fixed memory of every room and an idle manager",
    "resident": "resident memory of a process with 500 open streams",
    "mallocs": "calls of malloc on the receive-to-chunk path, plain and TLS",
    "blocks": "growth of the interpreter's blocks with the number of requests",
    "pools": "reuse of pooled objects and buffers in a mixed load",
    "interning": "string bytes saved on retained streams",
    "files": "the ceiling of the file cache under pins",
    "tracker": "CPU that the allocation tracker takes",
    "stress": "a million allocations",
    "context": "prompts shared by requests, and long histories",
    "prompts": "the prompt catalogue: completeness, memory, rendering",
    "soak": "leak slopes over many requests",
}


def run_group(name: str, options: Options) -> list[Criterion]:
    module = importlib.import_module(f"perf.criteria.rows.{name}")
    rows: list[Criterion] = module.measure(options)
    return rows
