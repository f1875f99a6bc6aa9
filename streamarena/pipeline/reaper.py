"""Watching cancelled tasks to their end, with a deadline.

Giving back is synchronous: whoever closes something cancels its task and goes on, so a second cancel finds nothing to
interrupt. What must still be awaited, the clean-up, is awaited in the cancelled task itself, and watched from here.

Invariants:
    * `reap` never waits, never raises and starts no task.
    * A task that is not done by its deadline is counted, named and logged as a warning: it resists its cancellation.
    * A task that ends with an error is counted and logged with it: nobody else is left to hear of it.
    * A watched task is kept alive until it ends or its loop is closed; names of overdue tasks are kept for the last 64.

Costs one timer and one callback per task. It cannot kill: a task that swallows its cancellation runs on.
"""

from __future__ import annotations

import asyncio
import functools
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
        waiting: tasks that are being watched now.
        reaped: tasks that ended in time, those that failed included.
        failed: tasks that ended with an error, in time or not.
        overdue: tasks that did not end in time.
        overdue_names: the last of those, by name.
    """

    waiting: int
    reaped: int
    failed: int
    overdue: int
    overdue_names: tuple[str, ...]


def reap(task: asyncio.Task[None], *, deadline: float = DEADLINE) -> None:
    """Watch a cancelled task until it ends.

    Call it on the task's own loop.

    Args:
        task: the task, already cancelled, or one that only closes something.
        deadline: seconds until it counts as overdue.
    """
    with _ledger.lock:
        _ledger.prune()
        _ledger.waiting.add(task)
    timer = task.get_loop().call_later(deadline, _overdue, task, deadline)
    task.add_done_callback(functools.partial(_ended, timer))


def reaper_stats() -> ReaperStats:
    """The counters of this process."""
    with _ledger.lock:
        _ledger.prune()
        names = tuple(_ledger.names)
        return ReaperStats(len(_ledger.waiting), _ledger.reaped, _ledger.failed, _ledger.overdue, names)


class _Ledger:
    def __init__(self) -> None:
        self.lock = threading.Lock()  # loops in several threads share the counters
        self.waiting: set[asyncio.Task[None]] = set()  # a loop keeps only weak references to its tasks
        self.reaped = 0
        self.failed = 0
        self.overdue = 0
        self.names: deque[str] = deque(maxlen=_KEPT_NAMES)

    def prune(self) -> None:
        """Forget tasks whose loop was closed over them."""
        self.waiting = {task for task in self.waiting if not task.get_loop().is_closed()}


_ledger = _Ledger()


def _ended(timer: asyncio.TimerHandle, task: asyncio.Task[None]) -> None:
    timer.cancel()
    error = None if task.cancelled() else task.exception()
    with _ledger.lock:
        _ledger.reaped += task in _ledger.waiting
        _ledger.failed += error is not None
        _ledger.waiting.discard(task)
    if error is not None:
        _logger.warning("task %r failed after it was cancelled", task.get_name(), exc_info=error)


def _overdue(task: asyncio.Task[None], deadline: float) -> None:
    with _ledger.lock:
        _ledger.overdue += 1
        _ledger.names.append(task.get_name())
        _ledger.waiting.discard(task)
    _logger.warning("task %r is still running %.3g s after it was cancelled", task.get_name(), deadline)
