"""Allocation figures without the hook: glibc's `mallinfo2` where there is one, else the interpreter's own block count.

Invariant: the same methods as the compiled `HookCounters`, so that the tracker asks and never looks.
Costs: a read 3 us with mallinfo2, 20 us for the block count in a large process. Not here: counts of calls; malloc keeps
none.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class AllocationSlot(Protocol):
    """Attributes what a section of synchronous code allocates: `with slot: parse(...)`.

    Sections may nest, those of one slot up to eight deep; the innermost counts. Never hold one across an await: other
    tasks would be counted.
    """

    @property
    def bytes(self) -> int:
        """Bytes that the sections have allocated, freed or not."""
        ...

    @property
    def count(self) -> int:
        """Allocations that the sections have made."""
        ...

    def __enter__(self) -> object:
        """Begin a section."""
        ...

    def __exit__(self, *error: object) -> None:
        """End it."""
        ...


class NoSlot:
    """A slot that counts nothing, because there is no hook to count with."""

    __slots__ = ()
    bytes = 0
    count = 0

    def __enter__(self) -> object:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class PythonCounters:
    """Reads what the system offers."""

    running = True

    def __init__(self, refusal: str | None = None) -> None:
        self.refusal = refusal
        self._mallinfo = _mallinfo2()
        self.source = "mallinfo2" if self._mallinfo is not None else "blocks"

    def start(self) -> None:
        """Nothing to start."""

    def stop(self) -> None:
        """Nothing to stop."""

    def read(self) -> tuple[int, int, int | None]:
        """Return bytes allocated, their peak as far as known, and the count of allocations, which is not known."""
        # 64 bytes are the mean size of a small object, for want of anything better
        allocated = sys.getallocatedblocks() * 64 if self._mallinfo is None else self._mallinfo()
        return allocated, allocated, None

    def slot(self) -> AllocationSlot:
        """Return a slot that counts nothing."""
        return NoSlot()


def _mallinfo2() -> Callable[[], int] | None:
    """Return a reader of what malloc has given out, or None where the C library has no `mallinfo2` (glibc 2.33)."""
    if sys.platform != "linux":
        return None
    import ctypes  # noqa: PLC0415 - half a megabyte that only this fallback needs

    class Figures(ctypes.Structure):
        _fields_ = [
            (name, ctypes.c_size_t)
            for name in (
                *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
                *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
            )
        ]

    try:
        function = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError):
        return None
    function.restype = Figures
    function.argtypes = []

    def read() -> int:
        figures = function()
        return int(figures.uordblks) + int(figures.hblkhd)

    return read
