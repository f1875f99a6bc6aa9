"""Counts of what a test must leave behind unchanged: tasks, sockets, leases, open arenas."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from streamarena.memory import default_resources


@dataclass(frozen=True)
class Holdings:
    """What the process holds at one moment."""

    tasks: int
    sockets: int
    leases: int
    arenas: int


def _sockets() -> int:
    found = 0
    for entry in Path("/proc/self/fd").iterdir() if Path("/proc/self/fd").is_dir() else ():
        with contextlib.suppress(OSError):  # the directory's own descriptor is gone by now
            found += str(entry.readlink()).startswith("socket:")
    return found


def holdings() -> Holdings:
    """Count what the process holds now."""
    resources = default_resources()
    return Holdings(
        tasks=len(asyncio.all_tasks()),
        sockets=_sockets(),
        leases=resources.buffers.stats().outstanding,
        arenas=resources.totals().open,
    )


@contextlib.asynccontextmanager
async def nothing_left(seconds: float = 2.0) -> AsyncIterator[None]:
    """Fail unless everything that the block took is back within some seconds after it."""
    before = holdings()
    yield
    deadline = time.monotonic() + seconds
    while not _no_more(after := holdings(), before) and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    assert _no_more(after, before), f"left behind: {after}, before: {before}"


def _no_more(after: Holdings, before: Holdings) -> bool:
    """Whether nothing was left; what an earlier test had still on its way out may have gone meanwhile."""
    return all(getattr(after, name) <= getattr(before, name) for name in ("tasks", "sockets", "leases", "arenas"))
