"""What an arena holds beside its cursor: chunks, leases and objects; made when the arena first takes something.

Invariant: `release_all` goes through every lease, last taken first, whatever a release raises.
Not here: the rules of nesting (`_nesting`), and when a scope ends (`arena`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from types import CoroutineType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from streamarena.memory._spans import Chunk
    from streamarena.memory._tracker_py import AllocationSlot
    from streamarena.memory.arena import Arena
    from streamarena.memory.resources import ArenaResources

PURGE_FROM = 64


class Releasable(Protocol):
    """Anything that can be given back: `release()` may return False to say that a view of it is still alive."""

    def release(self) -> object:
        """Give it back."""
        ...


class Deferred:
    """A call that takes its turn among the leases."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call

    def release(self) -> None:
        """Make the call; what it returns says nothing about views.

        Raises:
            TypeError: it returned a coroutine, which nobody would await.
        """
        result = self._call()
        if isinstance(result, CoroutineType):
            result.close()
            raise TypeError(f"{self._call!r:.80} is a coroutine function; the end of a scope awaits nothing")


class Holdings:
    """Chunks, leases, objects and their counts."""

    __slots__ = (
        "borrower",
        "buffer_bytes",
        "chunks",
        "closing",
        "escaped",
        "failed",
        "lender",
        "lender_allocations",
        "lent",
        "lent_out",
        "mark",
        "object_bytes",
        "objects",
        "purge_at",
        "resources",
        "site",
        "slot",
        "taken",
    )

    def __init__(self, resources: ArenaResources, site: str | None) -> None:
        self.site = site  # where the arena was opened, in debug mode
        self.resources: ArenaResources | None = resources  # None once everything went back
        self.slot: AllocationSlot | None = None
        self.chunks: list[Chunk] = []
        self.taken: list[Releasable] = []
        self.objects: list[object] = []
        self.purge_at = PURGE_FROM
        self.closing = False
        self.object_bytes = self.buffer_bytes = self.escaped = self.failed = 0
        self.borrower: Arena | None = None  # the nested arena that works in our chunk `lent_out`
        self.lent_out: Chunk | None = None
        self.lender: Arena | None = None  # the arena in whose chunk `lent` we work, from `mark` on
        self.lent: Chunk | None = None
        self.mark = self.lender_allocations = 0

    def take(self, item: Releasable) -> None:
        """Add a lease. What was released early is forgotten now and then: a long scope does not grow by it."""
        if len(self.taken) >= self.purge_at:
            self.taken = [kept for kept in self.taken if not getattr(kept, "released", False)]
            self.purge_at = max(PURGE_FROM, 2 * len(self.taken))
        self.taken.append(item)

    def may_give(self, chunk: Chunk) -> bool:
        """Tell whether a chunk of ours is empty and nobody else works in it."""
        return chunk.used == 0 and chunk is not self.lent and chunk is not self.lent_out

    def release_all(self) -> list[BaseException]:
        """Release every lease, last taken first, then let go of the objects. Returns what was raised."""
        self.closing = True
        failures: list[BaseException] = []
        while self.taken:
            item = self.taken.pop()
            if getattr(item, "released", False) is True:
                continue
            try:
                if item.release() is False:
                    self.escaped += 1
            except BaseException as error:  # noqa: BLE001 - collected: the other releases must still be made
                failures.append(error)
        self.failed = len(failures)
        while self.objects:
            self.objects.pop()
        return failures

    def give_chunks(self, *, looked_at: bool) -> int:
        """Give the chunks back to their store, and retire those with a live view. Returns all that has escaped.

        Args:
            looked_at: a view of a span was handed out, so that chunks must be asked for live ones.
        """
        resources = self.resources
        assert resources is not None
        nested = self.escaped if self.lent is not None else 0
        for chunk in self.chunks:
            if looked_at and chunk.is_exported():
                self.escaped += 1
                resources.chunks.retire(chunk)
            else:
                resources.chunks.give(chunk)
        self.chunks = []
        self.resources = None
        return self.escaped - nested

    def __del__(self) -> None:
        resources = getattr(self, "resources", None)
        if resources is not None:  # dropped without close(); finalizers take no lock and run nobody's code
            resources.forgotten.add()
            for chunk in self.chunks:
                resources.chunks.abandon(chunk.size)
            if self.site is not None:
                message = f"an arena was dropped without being closed; opened {self.site}"
                warnings.warn(message, ResourceWarning, stacklevel=2)
