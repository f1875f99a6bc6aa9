"""Waiting for cancelled tasks, in tasks of their own, with a deadline.

Giving back is synchronous: whoever closes something cancels its task and goes on, so a second cancel finds nothing to
interrupt. What is then left to wait for, the cancelled task's own clean-up, is waited for here.

Invariants:
    * `reap` never waits and never raises; the task that it starts ends at the deadline at the latest.
    * A task that is not done by then is counted, named and logged as a warning: it resists its cancellation.
    * A task that ends with an error is counted and logged with it; nobody else is left to hear of it.
    * Names of overdue tasks are kept for the last 64.

Costs one task per reaped task. It cannot kill: a task that swallows its cancellation runs on.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from dataclasses import dataclass

__all__ = ["DEADLINE", "ReaperStats", "reap", "reaper_stats"]

DEADLINE = 5.0
"""Seconds that a cancelled task has for its clean-up before it counts as overdue."""

_KEPT_NAMES = 64
_logger = logging.getLogger("streamarena.pipeline")


@dataclass(frozen=True)
class ReaperStats:
    """What became of cancelled tasks in this process.

    Attributes:
        waiting: tasks that are being waited for now.
        reaped: tasks that ended in time, those that failed included.
        failed: tasks that ended with an error.
        overdue: tasks that did not.
        overdue_names: the last of those, by name.
    """

    waiting: int
    reaped: int
    failed: int
    overdue: int
    overdue_names: tuple[str, ...]


def reap(task: asyncio.Task[None], *, deadline: float = DEADLINE) -> asyncio.Task[None]:
    """Wait for a cancelled task in a task of its own, which is returned and need not be awaited.

    Args:
        task: the task, already cancelled.
        deadline: seconds until it counts as overdue.
    """
    waiter = task.get_loop().create_task(_wait(task, deadline), name=f"reaper of {task.get_name()}")
    _ledger.waiters.add(waiter)
    waiter.add_done_callback(_ledger.waiters.discard)
    return waiter


def reaper_stats() -> ReaperStats:
    """The counters of this process."""
    with _ledger.lock:
        return ReaperStats(len(_ledger.waiters), _ledger.reaped, _ledger.failed, _ledger.overdue, tuple(_ledger.names))


class _Ledger:
    def __init__(self) -> None:
        self.lock = threading.Lock()  # loops in several threads share the counters
        self.waiters: set[asyncio.Task[None]] = set()  # a loop keeps only weak references to its tasks
        self.reaped = 0
        self.failed = 0
        self.overdue = 0
        self.names: deque[str] = deque(maxlen=_KEPT_NAMES)


_ledger = _Ledger()


async def _wait(task: asyncio.Task[None], deadline: float) -> None:
    await asyncio.wait({task}, timeout=deadline)
    with _ledger.lock:
        error = None if not task.done() or task.cancelled() else task.exception()
        _ledger.reaped += task.done()
        _ledger.failed += error is not None
        if not task.done():
            _ledger.overdue += 1
            _ledger.names.append(task.get_name())
    if error is not None:
        _logger.warning("task %r failed after it was cancelled", task.get_name(), exc_info=error)
    elif not task.done():
        _logger.warning("task %r is still running %.3g s after it was cancelled", task.get_name(), deadline)
