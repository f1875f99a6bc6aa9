"""Pools of objects that are costly to make or would otherwise be made anew for every request.

Invariants: taken = returned + refused + lost + outstanding; an object is lent to one holder at a time; one whose reset
failed, or that its holder called poisoned, is never lent again; at most `max_size` idle objects are kept.
Costs: `acquire` with `release` 1.5 us, so a pool pays for objects that cost more than that to make (a parser with its
decoder: 5 us) or that hold grown buffers. A plain list is cheaper to make than to pool: the lists
of `token_pool` are pooled because they have grown to the length of a read.
Not here: waiting for a free object. The pool makes a new one and drops what it may not keep.
"""

from __future__ import annotations

import traceback
import warnings
from collections import deque
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import msgspec

from streamarena.errors import CapacityExceededError, DoubleReleaseError, ReleasedError
from streamarena.memory._checks import check_setting

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from types import TracebackType

__all__ = ["ObjectPool", "PoolFamily", "PoolStats", "PooledObject"]

T = TypeVar("T")


class PooledObject(Generic[T]):
    """An object on loan: `value` until `release()`, or `with pool.acquire() as value:`."""

    __slots__ = ("_poisoned", "_pool", "_site", "_value")

    def __init__(self, pool: ObjectPool[T], value: T, site: str | None) -> None:
        self._pool: ObjectPool[T] | None = pool
        self._value: T | None = value
        self._poisoned = False
        self._site = site

    @property
    def value(self) -> T:
        """The object.

        Raises:
            ReleasedError: it was given back.
        """
        if self._pool is None:
            raise ReleasedError("pooled object", "its pool")
        return cast("T", self._value)

    @property
    def released(self) -> bool:
        """Whether the object was given back."""
        return self._pool is None

    def poison(self) -> None:
        """Say that the object must not be lent again; `release` then drops it."""
        self._poisoned = True

    def release(self) -> None:
        """Reset the object and give it back.

        Raises:
            DoubleReleaseError: it was given back before.
            Exception: whatever the reset hook raised. The object was then dropped, and counted as refused.
        """
        pool = self._pool
        if pool is None:
            raise DoubleReleaseError("the pooled object was given back twice")
        value = cast("T", self._value)
        self._pool = self._value = None
        pool._take_back(value, poisoned=self._poisoned)

    def __enter__(self) -> T:
        return self.value

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._pool is not None:
            self.release()

    def __del__(self) -> None:
        pool = getattr(self, "_pool", None)
        if pool is not None:
            pool._lost.append(1)
            if self._site is not None:
                message = f"an object of pool {pool.name!r} was never given back; taken at\n{self._site}"
                warnings.warn(message, ResourceWarning, stacklevel=2, source=self)


class PoolStats(msgspec.Struct, frozen=True):
    """What one pool has done.

    Attributes:
        hits, misses: lent from the pool, and made anew; outstanding: on loan now; high_water: most at once.
        idle: waiting in the pool; refused: poisoned, or their reset failed; surplus: dropped above `max_size`, or
            trimmed; lost: dropped by their holder.
    """

    name: str
    hits: int
    misses: int
    outstanding: int
    high_water: int
    idle: int
    refused: int
    surplus: int
    lost: int

    @property
    def reuse(self) -> float:
        """Hits / (hits + misses); 0.0 before the first."""
        taken = self.hits + self.misses
        return self.hits / taken if taken else 0.0


class ObjectPool(Generic[T]):
    """Lends objects and keeps those that come back. Safe from several threads.

    Args:
        factory: makes a new object.
        reset: brings a used one into the state of a new one; called when it comes back, so that nothing of one request
            waits in the pool.
        max_size: idle objects kept at most.
        name: stands in statistics and warnings.
        debug: remember who took what, and warn about what was not given back.

    Raises:
        ConfigurationError: `max_size` is no whole number from 0 on.
    """

    def __init__(
        self,
        factory: Callable[[], T],
        reset: Callable[[T], object] | None = None,
        *,
        max_size: int = 256,
        name: str = "objects",
        debug: bool = False,
    ) -> None:
        check_setting("ObjectPool(max_size=...)", max_size)
        self.name = name
        self.max_size = max_size
        self.debug = debug
        self._factory = factory
        self._reset = reset
        self._free: list[T] = []
        self._least = 0
        self._lost: deque[int] = deque()  # filled by finalizers, which must not take the lock
        self._hits = self._misses = self._out = self._high_water = 0
        self._refused = self._surplus = self._lost_count = 0
        self._lock = Lock()

    def acquire(self) -> PooledObject[T]:
        """Lend an object, fresh from the pool or made anew. Whatever the factory raises goes on unchanged."""
        site = "".join(traceback.format_stack(limit=8)[:-1]) if self.debug else None
        with self._lock:
            self._out += 1
            self._high_water = max(self._high_water, self._out)
            if self._free:
                self._hits += 1
                value = self._free.pop()
                self._least = min(self._least, len(self._free))
                return PooledObject(self, value, site)
            self._misses += 1
        try:
            value = self._factory()
        except BaseException:
            with self._lock:
                self._out -= 1
                self._misses -= 1
            raise
        return PooledObject(self, value, site)

    def trim(self) -> int:
        """Drop the idle objects that nobody has needed since the last call. Returns how many."""
        with self._lock:
            spare = min(self._least, len(self._free))
            dropped, self._free = self._free[:spare], self._free[spare:]
            self._surplus += spare
            self._least = len(self._free)
        return len(dropped)

    def clear(self) -> None:
        """Drop every idle object."""
        with self._lock:
            dropped, self._free = self._free, []
            self._surplus += len(dropped)
            self._least = 0

    def after_fork(self) -> None:
        """Start afresh in a forked child: another thread of the parent may have held the lock."""
        self._lock = Lock()
        self._free = []

    def stats(self) -> PoolStats:
        """Return the present figures."""
        with self._lock:
            while self._lost:
                self._lost.popleft()
                self._out -= 1
                self._lost_count += 1
            return PoolStats(
                name=self.name,
                hits=self._hits,
                misses=self._misses,
                outstanding=self._out,
                high_water=self._high_water,
                idle=len(self._free),
                refused=self._refused,
                surplus=self._surplus,
                lost=self._lost_count,
            )

    def _take_back(self, value: T, *, poisoned: bool) -> None:
        clean = False
        try:
            if not poisoned and self._reset is not None:
                self._reset(value)  # outside the lock: it is the user's code
            clean = not poisoned
        finally:
            with self._lock:
                self._out -= 1
                if not clean:
                    self._refused += 1
                elif len(self._free) < self.max_size:
                    self._free.append(value)
                else:
                    self._surplus += 1


class PoolFamily:
    """Object pools of one purpose, one for each key: one for each wire API, for example.

    Args:
        name: the purpose; pools are called `name/key`.
        max_size: idle objects kept at most by each pool.
        max_pools: keys that are given a pool; more are refused, so that keys from the wire cannot grow the family.

    Raises:
        ConfigurationError: a limit is no whole number from 0 on.
    """

    def __init__(self, name: str, *, max_size: int = 256, max_pools: int = 64, debug: bool = False) -> None:
        check_setting("PoolFamily(max_size=...)", max_size)
        check_setting("PoolFamily(max_pools=...)", max_pools)
        self.name = name
        self.max_size = max_size
        self.max_pools = max_pools
        self.debug = debug
        self._pools: dict[Hashable, ObjectPool[Any]] = {}
        self._lock = Lock()

    def pool(
        self, key: Hashable, factory: Callable[[], T], reset: Callable[[T], object] | None = None
    ) -> ObjectPool[T]:
        """Return the pool of a key, made on the first call; later calls ignore `factory` and `reset`.

        Raises:
            CapacityExceededError: the family has `max_pools` pools already.
        """
        with self._lock:
            found = self._pools.get(key)
            if found is None:
                if len(self._pools) >= self.max_pools:
                    raise CapacityExceededError(self.max_pools, self.max_pools + 1, "PoolFamily(max_pools=...)")
                name = f"{self.name}/{key}"
                found = ObjectPool(factory, reset, max_size=self.max_size, name=name, debug=self.debug)
                self._pools[key] = found
            return cast("ObjectPool[T]", found)

    def trim(self) -> int:
        """Trim every pool; see `ObjectPool.trim`."""
        return sum(pool.trim() for pool in list(self._pools.values()))

    def clear(self) -> None:
        """Drop every idle object of every pool."""
        for pool in list(self._pools.values()):
            pool.clear()

    def after_fork(self) -> None:
        """Start afresh in a forked child."""
        self._lock = Lock()
        for pool in self._pools.values():
            pool.after_fork()

    def stats(self) -> tuple[PoolStats, ...]:
        """Return the figures of every pool."""
        return tuple(pool.stats() for pool in list(self._pools.values()))
