"""Runs a memory profiler at an interval, and trims what nobody needs, for as long as a block of code lasts.

Invariants: the first snapshot is taken on entry and the last on leaving, whatever the block does; the task is cancelled
before the block is left, so that none is left behind; a body's exception passes unchanged.
Costs: one task and one snapshot an interval (0.1 ms every second by default).
Not here: what is sampled (`memory.profiling`), and threads: a loop that is blocked is not sampled meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from streamarena.errors import ConfigurationError
from streamarena.memory import MemoryManager, default_manager

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamarena.memory import MemoryProfiler, MemorySnapshot

__all__ = ["profile_in_background"]


@asynccontextmanager
async def profile_in_background(
    manager: MemoryManager | None = None,
    *,
    interval: float = 1.0,
    trim: bool = True,
    on_snapshot: Callable[[MemorySnapshot], object] | None = None,
) -> AsyncGenerator[MemoryProfiler]:
    """Take snapshots of a manager for as long as an `async with` block runs, which is given the profiler.

    Args:
        manager: the process's manager by default.
        interval: seconds between snapshots; more than 0.
        trim: let the manager give back what nobody has needed for half a minute.
        on_snapshot: called with each snapshot; what it raises ends the sampling and is raised when the block is left.

    Raises:
        ConfigurationError: the interval is not more than 0.
    """
    if not interval > 0:
        raise ConfigurationError(f"the interval between snapshots must be more than 0 seconds, not {interval}")
    watched = manager if manager is not None else default_manager()

    def sample() -> None:
        now = time.monotonic()
        snapshot = watched.profiler.sample(now)
        if trim:
            watched.trim(now)
        if on_snapshot is not None:
            on_snapshot(snapshot)

    async def run() -> None:
        while True:
            await asyncio.sleep(interval)
            sample()

    sample()
    task = asyncio.create_task(run(), name="streamarena memory profiler")
    try:
        yield watched.profiler
    finally:
        if not task.done():
            task.cancel()
            sample()
        await asyncio.wait([task])  # raises for a cancellation of ours, not for the task's
        if not task.cancelled():
            task.result()  # what a callback raised
