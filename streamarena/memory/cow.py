"""Copy-on-write: one payload, many holders, and a copy only for the holder that writes while others share.

Invariants: a write through one holder is never seen through another, in nested containers neither; whether a copy is
needed is decided by our own count of holders, never by reference counts (an iterator or a debugger may hold one more).
Costs: sharing 0.5 us and no copy. The first write copies every list, dict, set and bytearray of the payload, and
shares the leaves: 1.2 us a container, so 120 us for a history of 100 messages, and only for the request that writes.
Not here: protection against writes into what `value` returned. It is the payload itself and for reading; write through
`edit()`.
"""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from streamarena.errors import ReleasedError
from streamarena.memory._forks import after_fork

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CopyOnWrite", "copy_containers"]

T = TypeVar("T")


class _Counts:
    """One lock for all, held for the change of a count; reentrant, because a finalizer may run inside."""

    lock = RLock()


class _Payload(Generic[T]):
    __slots__ = ("holders", "value")

    def __init__(self, value: T) -> None:
        self.value = value
        self.holders = 1


class CopyOnWrite(Generic[T]):
    """One holder of a payload that may have others.

    Args:
        value: the payload, owned from now on: whoever made it must not write to it any more.
        copy: how to copy it; the default copies nested lists, dicts, sets and bytearrays and shares everything else.
    """

    __slots__ = ("_copy", "_payload")

    def __init__(self, value: T, copy: Callable[[T], T] | None = None) -> None:
        self._payload: _Payload[T] | None = _Payload(value)
        self._copy: Callable[[T], T] = copy or copy_containers

    @property
    def value(self) -> T:
        """The payload, for reading.

        Raises:
            ReleasedError: this holder was released; so do all other methods but `release`.
        """
        return self._held().value

    @property
    def is_unique(self) -> bool:
        """Whether this is the only holder, so that a write copies nothing."""
        return self._held().holders == 1

    def share(self) -> CopyOnWrite[T]:
        """Return another holder of the same payload. Nothing is copied."""
        payload = self._held()
        other = cast("CopyOnWrite[T]", object.__new__(CopyOnWrite))
        with _Counts.lock:
            payload.holders += 1
        other._payload = payload
        other._copy = self._copy
        return other

    def edit(self) -> T:
        """Return the payload for writing, copied first if others hold it. Other holders keep what they had."""
        payload = self._held()
        if payload.holders != 1:
            fresh = _Payload(self._copy(payload.value))
            with _Counts.lock:
                payload.holders -= 1
            self._payload = payload = fresh
        return payload.value

    def replace(self, value: T) -> None:
        """Hold another payload from now on."""
        payload = self._held()
        with _Counts.lock:
            payload.holders -= 1
        self._payload = _Payload(value)

    def shares_with(self, other: CopyOnWrite[T]) -> bool:
        """Tell whether both hold the same payload."""
        return self._held() is other._held()

    def release(self) -> None:
        """Stop holding, so that those who are left may find themselves unique. Again: nothing."""
        payload, self._payload = self._payload, None
        if payload is not None:
            with _Counts.lock:
                payload.holders -= 1

    @property
    def released(self) -> bool:
        """Whether `release` was called."""
        return self._payload is None

    def _held(self) -> _Payload[T]:
        if self._payload is None:
            raise ReleasedError("copy-on-write holder", "the other holders")
        return self._payload

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CopyOnWrite):
            return NotImplemented
        return bool(self._held().value == cast("CopyOnWrite[object]", other)._held().value)

    __hash__ = None  # type: ignore[assignment]  # compares by a value that may change

    def __repr__(self) -> str:
        if self._payload is None:
            return "<CopyOnWrite released>"
        return f"<CopyOnWrite of {self._payload.value!r}, {self._payload.holders} holders>"

    def __del__(self) -> None:
        if getattr(self, "_payload", None) is not None:
            self.release()


def _after_fork() -> None:
    _Counts.lock = RLock()


after_fork(_after_fork)


def copy_containers(value: T) -> T:
    """Copy nested lists, dicts, sets, tuples and bytearrays, and share the leaves. Memoryviews become bytearrays."""
    return cast("T", _copied(value))


def _copied(value: object) -> object:
    copy = _COPIERS.get(type(value))
    return value if copy is None else copy(value)


def _copied_dict(value: dict[object, object]) -> dict[object, object]:
    return {key: _copied(item) for key, item in value.items()}


def _copied_list(value: list[object]) -> list[object]:
    return [_copied(item) for item in value]


def _copied_tuple(value: tuple[object, ...]) -> tuple[object, ...]:
    return tuple([_copied(item) for item in value])


_COPIERS: dict[type, Callable[[Any], object]] = {
    dict: _copied_dict,
    list: _copied_list,
    tuple: _copied_tuple,
    set: set[object],
    bytearray: bytearray,
    memoryview: bytearray,
}
