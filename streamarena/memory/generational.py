"""An arena for long-lived objects, addressed by handles that can never be mistaken for another object's.

Invariant: a handle matches the insertion it was given for and no other, for ever: every insertion of an arena gets a
number that is not used again (Python integers do not wrap around), and a handle names its arena too.
Costs: insert with remove 1.5 us, get 0.15 us, a handle 56 bytes; a free slot is used again, so that memory follows the
most objects held at once. A dict with counted keys is as fast; take this where a stale key must be refused and holes
are to be closed (`compact`).
Not here: threads. Guard an arena that several threads change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from streamarena.errors import CapacityExceededError, StaleHandleError
from streamarena.memory._checks import check_setting

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["GenerationalArena", "Handle"]

T = TypeVar("T")


class Handle:
    """Names one inserted object. Opaque, hashable, and equal only to itself."""

    __slots__ = ("_arena", "_generation", "_index")

    def __init__(self, arena: object, index: int, generation: int) -> None:
        self._arena = arena
        self._index = index
        self._generation = generation

    def __repr__(self) -> str:
        return f"<Handle {self._index}.{self._generation}>"


class GenerationalArena(Generic[T]):
    """Objects in slots, addressed by handles.

    Args:
        capacity: objects held at most.

    Raises:
        ConfigurationError: `capacity` is no whole number from 0 on.
    """

    def __init__(self, capacity: int = 1_000_000) -> None:
        check_setting("GenerationalArena(capacity=...)", capacity)
        self.capacity = capacity
        self._identity = object()  # a handle names it and not the arena, which it must not keep alive
        self._values: list[T | None] = []
        self._handles: list[Handle | None] = []
        self._free: list[int] = []
        self._inserted = 0

    def insert(self, value: T) -> Handle:
        """Keep an object and return its handle.

        Raises:
            CapacityExceededError: `capacity` objects are held already.
        """
        if len(self) >= self.capacity:
            raise CapacityExceededError(self.capacity, self.capacity + 1, "GenerationalArena(capacity=...)")
        self._inserted += 1
        if self._free:
            index = self._free.pop()
            handle = Handle(self._identity, index, self._inserted)
            self._values[index] = value
            self._handles[index] = handle
        else:
            index = len(self._values)
            handle = Handle(self._identity, index, self._inserted)
            self._values.append(value)
            self._handles.append(handle)
        return handle

    def get(self, handle: Handle) -> T:
        """Return the object of a handle.

        Raises:
            StaleHandleError: it was removed, or the handle is of another arena.
        """
        if handle not in self:
            raise StaleHandleError(f"{handle!r} names nothing in this arena: removed, compacted, or of another arena")
        return self._values[handle._index]  # type: ignore[return-value]  # a slot with a handle holds a T

    def remove(self, handle: Handle) -> T:
        """Take an object out and return it; its handle never matches again.

        Raises:
            StaleHandleError: as `get`.
        """
        value = self.get(handle)
        index = handle._index
        self._values[index] = None
        self._handles[index] = None
        self._free.append(index)
        return value

    def compact(self) -> dict[Handle, Handle]:
        """Close the holes, keeping the order, and return the new handle of every old one. Old handles are stale.

        Linear in the slots; worth it after many removals, when `slots` is far above `len`.
        """
        entries = list(self.items())
        self._values = []
        self._handles = []
        self._free = []
        return {old: self.insert(value) for old, value in entries}

    def clear(self) -> None:
        """Remove everything; all handles are stale."""
        self._values.clear()
        self._handles.clear()
        self._free.clear()

    def items(self) -> Iterator[tuple[Handle, T]]:
        """Iterate over handles and objects in the order of their slots. Do not insert or remove meanwhile."""
        for handle, value in zip(self._handles, self._values, strict=True):
            if handle is not None:
                yield handle, value  # type: ignore[misc]  # a slot with a handle holds a T

    @property
    def slots(self) -> int:
        """Slots in use and free: what the arena's memory follows."""
        return len(self._values)

    def __contains__(self, handle: object) -> bool:
        return (
            isinstance(handle, Handle)
            and handle._arena is self._identity
            and handle._index < len(self._handles)
            and self._handles[handle._index] is handle
        )

    def __iter__(self) -> Iterator[T]:
        return (value for _, value in self.items())

    def __len__(self) -> int:
        return len(self._values) - len(self._free)
