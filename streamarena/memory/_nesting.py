"""What nested arenas have to do with one another: quotas, and work in the free end of a parent's chunk.

Invariants:
* A scope's quota counts what it and the scopes nested in it hold. A charge is checked against every quota around it
  before any of them is changed.
* A nested arena works in its parent's chunk only if it is the only one to do so, belongs to the same thread, and the
  chunk is the parent's own. At its end the cursor goes back only if the parent has cut nothing since, so that it is
  topmost, and no view is alive. Otherwise its bytes stay used until the parent ends. Tasks may interleave as they like.
* A parent that ends first hands the chunk over to the nested arena that still works in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock, get_ident
from typing import TYPE_CHECKING

from streamarena.errors import QuotaExceededError
from streamarena.memory._forks import after_fork

if TYPE_CHECKING:
    from streamarena.memory._holdings import Holdings
    from streamarena.memory._spans import Chunk
    from streamarena.memory.arena import Arena


class _Quotas:
    """One lock for all: only scopes under a quota use it, and scopes of several threads may share a quota."""

    lock = Lock()


def charge(arena: Arena, size: int, kind: str) -> None:
    """Charge bytes to every quota around an arena, or to none.

    Raises:
        QuotaExceededError: one of them would be passed.
    """
    with _Quotas.lock:
        metered = [(around, used) for around in _outwards(arena) if (used := around._used) is not None]
        for around, used in metered:
            if around.quota is not None and sum(used.values()) + size > around.quota:
                raise QuotaExceededError(around.quota, size, dict(used), around.label)
        for _, used in metered:
            used[kind] = used.get(kind, 0) + size


def uncharge(arena: Arena, used: dict[str, int]) -> None:
    """Take bytes off every quota around an arena, by kind."""
    with _Quotas.lock:
        for around in _outwards(arena):
            if around._used is not None:
                for kind, size in used.items():
                    around._used[kind] = around._used.get(kind, 0) - size


def borrow(arena: Arena, held: Holdings, size: int) -> Chunk | None:
    """Return the parent's chunk if the arena may work in it and it has room, else None."""
    lender = arena.parent
    if lender is None or lender._closed or lender._owner != arena._owner or lender.resources is not arena.resources:
        return None
    theirs, chunk = lender._held, lender._chunk
    if theirs is None or theirs.borrower is not None or theirs.closing or chunk is None or chunk is theirs.lent:
        return None
    if chunk.used + size > chunk.size:
        return None
    theirs.borrower, theirs.lent_out = arena, chunk
    held.lender, held.lent = lender, chunk
    held.mark, held.lender_allocations = chunk.used, lender._allocations
    return chunk


def end_loan(arena: Arena, held: Holdings) -> bool:
    """Leave the parent's chunk as it was, if the arena is topmost in it. Returns whether a view of ours lives on."""
    lender, chunk = held.lender, held.lent
    assert lender is not None
    assert chunk is not None
    theirs = lender._held
    if theirs is not None:
        theirs.borrower = theirs.lent_out = None
    held.lender = None
    if arena._views and chunk.is_exported():
        lender._views += arena._views  # the parent has to look for them at its end
        return lender._views == arena._views
    if lender._allocations == held.lender_allocations and get_ident() == lender._owner:
        chunk.used = min(chunk.used, held.mark)
    return False


def hand_over(arena: Arena, held: Holdings) -> None:
    """Give the chunk that a nested arena still works in to that arena, because the parent ends first."""
    borrower, chunk = held.borrower, held.lent_out
    assert borrower is not None
    assert chunk is not None
    held.borrower = held.lent_out = None
    theirs = borrower._held
    assert theirs is not None
    theirs.lender = theirs.lent = None
    theirs.chunks.append(chunk)
    borrower._views += arena._views
    held.chunks.remove(chunk)


def _after_fork() -> None:
    _Quotas.lock = Lock()


after_fork(_after_fork)


def _outwards(arena: Arena) -> Iterator[Arena]:
    around: Arena | None = arena
    while around is not None:
        yield around
        around = around.parent
