"""What a piece of code left behind: asyncio tasks, sockets and other descriptors, open scopes, pooled buffers.

Invariants: only what appeared after the check was made is reported; what existed before may go away unpunished.
Closing takes a few turns of the loop, so a check waits up to `grace` seconds for what is on its way out.
Costs a listing of `/proc/self/fd` (on systems that have none, descriptors are not checked) and the statistics of the
process's memory manager. Not here: memory; that is `streamarena.memory.MemoryProfiler`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import time
from pathlib import Path
from typing import Final

from streamarena.memory import default_manager

__all__ = ["LeakCheck"]

_DESCRIPTORS: Final = Path("/proc/self/fd")


class LeakCheck:
    """Remembers what there is now; `leaks` names what has come since.

    Args:
        grace: seconds that `settle` waits for things to go away.
    """

    def __init__(self, grace: float = 2.0) -> None:
        self.grace = grace
        self._tasks = _tasks()
        self._descriptors = _descriptors()
        self._lent, self._scopes = _memory()

    def leaks(self) -> list[str]:
        """Return one line for each thing that was left behind."""
        tasks = _tasks() - self._tasks
        lines = [f"task {task.get_name()}: {task.get_coro()!r}" for task in tasks]
        found = _descriptors()
        lines += [
            f"descriptor {number}: {_describe(number, target)}"
            for number, target in found.items()
            if self._descriptors.get(number) != target
        ]
        lent, scopes = _memory()
        if lent > self._lent:
            lines.append(f"{lent - self._lent} pooled buffers or objects not given back")
        if scopes > self._scopes:
            lines.append(f"{scopes - self._scopes} request scopes not closed")
        return lines

    async def settle(self) -> list[str]:
        """Wait until nothing is left, at most `grace` seconds; return what is left then."""
        limit = time.monotonic() + self.grace
        while (found := self.leaks()) and time.monotonic() < limit:
            await asyncio.sleep(0.01)
            gc.collect()
        return found

    def settle_blocking(self) -> list[str]:
        """Like `settle`, where no loop runs in this thread."""
        limit = time.monotonic() + self.grace
        while (found := self.leaks()) and time.monotonic() < limit:
            time.sleep(0.01)
            gc.collect()
        return found


def _tasks() -> set[asyncio.Task[object]]:
    """The loop's unfinished tasks but this one; none where no loop runs in this thread."""
    try:
        return asyncio.all_tasks() - {asyncio.current_task()}
    except RuntimeError:
        return set()


def _descriptors() -> dict[str, str]:
    """Open descriptors and what they stand for."""
    found: dict[str, str] = {}
    if _DESCRIPTORS.is_dir():
        for number in os.listdir(_DESCRIPTORS):  # noqa: PTH208 - Path.iterdir makes an object for each
            # The listing's own descriptor is gone by now.
            with contextlib.suppress(OSError):
                target = os.readlink(_DESCRIPTORS / number)  # noqa: PTH115 - Path.readlink normalises the target
                # Loops and libraries open devices once and keep them: libuv /dev/null, random sources /dev/urandom.
                if not target.startswith("/dev/"):
                    found[number] = target
    return found


def _describe(number: str, target: str) -> str:
    """Add a socket's addresses to its name."""
    if not target.startswith("socket:"):
        return target
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(number))) as handle:
        peer: object = None
        with contextlib.suppress(OSError):
            peer = handle.getpeername()
        return f"{target} {handle.getsockname()} <-> {peer}"
    return target


def _memory() -> tuple[int, int]:
    """Pooled things on loan, and open scopes."""
    statistics = default_manager().stats()
    return statistics.outstanding, statistics.arenas.open
