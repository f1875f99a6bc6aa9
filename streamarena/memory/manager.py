"""One object that owns the parts of the memory system, with one configuration, one report and one end.

    manager = default_manager()
    with manager.request_scope(label="chat") as arena: ...
    manager.buffers.acquire(65536)                    # BufferPool
    manager.request_pool.pool("openai-chat", make)    # PoolFamily: parser and decoder state, one pool for each key
    manager.response_pool.pool("text", make)          # PoolFamily: accumulators
    manager.token_pool.acquire()                      # ObjectPool of lists, for chunks
    manager.files.get(path); manager.interner.text(view); manager.tracker.stats(); manager.profiler.report()

Invariants: parts are made on first use, none before; the process's default manager is made once, on first use, from the
environment; limits are those of its `MemoryConfig` and never passed. After a fork, pools are empty and locks are new.
Costs: an idle manager takes less than 100 kB (`make criteria` measures it). `stats()` 100 us.
Not here: threads, timers and the event loop. `trim(now)` and `profiler.sample(now)` are called by whoever has a clock.
"""

from __future__ import annotations

import sys
import weakref
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from streamarena.errors import ConfigurationError
from streamarena.memory._forks import after_fork
from streamarena.memory.arena import RequestScope
from streamarena.memory.config import MemoryConfig
from streamarena.memory.files import FileCacheStats, MmapCache
from streamarena.memory.interning import InternerStats, StringInterner
from streamarena.memory.pools import ObjectPool, PoolFamily, PoolStats
from streamarena.memory.profiling import MemoryProfiler, Source
from streamarena.memory.resources import ArenaResources, ArenaTotals, default_resources
from streamarena.memory.tracking import AllocationStats, AllocationTracker, resident_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamarena.memory.buffers import BufferPool, BufferStats, TierStats

__all__ = ["ManagerStats", "MemoryManager", "default_manager"]


_POOLS: Final = ("request_pool", "response_pool", "token_pool")
_TRIM_SECONDS: Final = 30.0


class ManagerStats(msgspec.Struct, frozen=True):
    """Everything that one manager holds and has done."""

    arenas: ArenaTotals
    buffers: BufferStats
    pools: tuple[PoolStats, ...]
    interner: InternerStats
    files: FileCacheStats
    allocations: AllocationStats

    @property
    def outstanding(self) -> int:
        """Buffers and pooled objects on loan now: after the last request, what has leaked."""
        return self.buffers.outstanding + sum(pool.outstanding for pool in self.pools)

    @property
    def reuse(self) -> float:
        """Hits / (hits + misses) over all pools and tiers; 0.0 before the first."""
        parts: list[PoolStats | TierStats] = [*self.pools, *self.buffers.tiers]
        hits = sum(each.hits for each in parts)
        taken = hits + sum(each.misses for each in parts)
        return hits / taken if taken else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return plain dicts and numbers, for JSON."""
        return cast("dict[str, Any]", msgspec.to_builtins(self))


class MemoryManager:
    """Arenas, pools, interner, files, tracker and profiler with one configuration.

    Args:
        config: limits; from the environment by default.
        resources: chunk store and buffer pool; its own by default. The process's default manager has the process's.

    Raises:
        ConfigurationError: an environment variable cannot be used.
    """

    def __init__(self, config: MemoryConfig | None = None, *, resources: ArenaResources | None = None) -> None:
        self.config = config if config is not None else MemoryConfig.from_environ()
        self.resources = resources if resources is not None else ArenaResources(self.config)
        self._trim_at = float("-inf")
        _managers.add(self)

    @property
    def buffers(self) -> BufferPool:
        """Byte buffers of 4 KiB, 64 KiB and 1 MiB."""
        return self.resources.buffers

    @cached_property
    def request_pool(self) -> PoolFamily:
        """What a request needs at its start: reset parser and decoder state, one pool for each wire API."""
        return PoolFamily("request", max_size=self.config.pool_objects, debug=self.config.debug)

    @cached_property
    def response_pool(self) -> PoolFamily:
        """What gathers a response: accumulators, one pool for each kind."""
        return PoolFamily("response", max_size=self.config.pool_objects, debug=self.config.debug)

    @cached_property
    def token_pool(self) -> ObjectPool[list[object]]:
        """Lists that carry the chunks of one read."""
        return ObjectPool[list[object]](
            list, _clear, max_size=self.config.pool_objects, name="token", debug=self.config.debug
        )

    @cached_property
    def interner(self) -> StringInterner:
        """Shared texts."""
        config = self.config
        return StringInterner(config.interner_bytes, config.interner_entries, config.interner_text_bytes)

    @cached_property
    def files(self) -> MmapCache:
        """File contents."""
        return MmapCache(self.config.file_bytes, debug=self.config.debug)

    @cached_property
    def tracker(self) -> AllocationTracker:
        """What the process allocates. It counts from `tracker.start()` on, which using `profiler` calls too."""
        return AllocationTracker()

    @cached_property
    def profiler(self) -> MemoryProfiler:
        """Snapshots of every source of this manager. Making it starts the tracker, if that does not count already."""
        if not self.tracker.running:
            self.tracker.start()
        return MemoryProfiler(self.sources(), self.config.tracking_bytes)

    def request_scope(self, quota: int | None = None, label: str | None = None) -> RequestScope:
        """Open a request scope on this manager's resources; see `streamarena.memory.request_scope`."""
        return RequestScope(quota, label, self.resources)

    def sources(self) -> Mapping[str, Source]:
        """Return what a profiler reads, by name; bytes, but for `allocations`, `blocks` and `leases`."""
        tracker = self.tracker

        def outstanding() -> int:
            return self.buffers.stats().outstanding + sum(pool.outstanding for pool in self._pool_stats())

        return {
            "allocated": lambda: tracker.read()[0],
            "peak": lambda: tracker.read()[1],
            "allocations": lambda: tracker.read()[2] or 0,
            "blocks": sys.getallocatedblocks,
            "arenas": lambda: (stats := self.resources.chunks.stats()).bytes_out + stats.bytes_free,
            "pools": lambda: self.buffers.stats().idle_bytes,
            "leases": outstanding,
            "files": lambda: self.files.stats().bytes,
            "interner": self.interner.memory_usage,
            "resident": lambda: resident_bytes() or 0,
        }

    def stats(self) -> ManagerStats:
        """Return the present figures of every part."""
        return ManagerStats(
            arenas=self.resources.totals(),
            buffers=self.buffers.stats(),
            pools=self._pool_stats(),
            interner=self.interner.stats(),
            files=self.files.stats(),
            allocations=self.tracker.stats(),
        )

    def trim(self, now: float) -> int:
        """Give back what nobody has needed for half a minute, and return its bytes. Call it now and then.

        Args:
            now: seconds of any steady clock, the same for all calls.
        """
        released = self.buffers.trim(now)
        if now >= self._trim_at:  # these drop what was not needed since the last time, so the pace is set here
            self._trim_at = now + _TRIM_SECONDS
            released += self.resources.chunks.trim()
            for name in _POOLS:
                if (pool := self.__dict__.get(name)) is not None:
                    pool.trim()
        return released

    def close(self) -> None:
        """Drop everything idle. What is on loan stays with its holders and may still be given back."""
        self.resources.chunks.clear()
        self.buffers.clear()
        for name in (*_POOLS, "interner", "files", "profiler"):
            if (part := self.__dict__.get(name)) is not None:  # what was never used is not made now
                part.clear()

    def tune_malloc(
        self, *, trim_threshold: int = 256 << 10, mmap_threshold: int = 256 << 10, top_pad: int = 64 << 10
    ) -> bool:
        """Make glibc's malloc give memory back sooner. **Process-wide, not undone**: for programs, not libraries.

        Args:
            trim_threshold: bytes free at the top of the heap above which it is given back to the system.
            mmap_threshold: bytes from which an allocation gets a map of its own; setting it also stops malloc from
                raising the threshold by itself.
            top_pad: bytes asked for in advance when the heap grows.

        Returns:
            Whether the C library took all three; False where it has no `mallopt`.

        Raises:
            ConfigurationError: a size is negative or does not fit a C int.
        """
        sizes = (trim_threshold, top_pad, mmap_threshold)
        if any(not 0 <= size < 1 << 31 for size in sizes):
            raise ConfigurationError(f"malloc thresholds must be from 0 to 2 GiB, not {sizes}")
        if sys.platform != "linux":
            return False
        import ctypes  # noqa: PLC0415 - half a megabyte that only this call needs

        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        # M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_THRESHOLD of <malloc.h>
        return mallopt is not None and all(mallopt(-1 - number, size) == 1 for number, size in enumerate(sizes))

    def _pool_stats(self) -> tuple[PoolStats, ...]:
        return (*self.request_pool.stats(), *self.response_pool.stats(), self.token_pool.stats())

    def after_fork(self) -> None:
        """Start afresh in a forked child; called by itself."""
        self.resources.after_fork()
        for name in (*_POOLS, "interner", "files", "profiler"):
            part = self.__dict__.get(name)  # what was never used is not made now
            if part is not None:
                part.after_fork()


def _clear(items: list[object]) -> None:
    items.clear()


_managers: weakref.WeakSet[MemoryManager] = weakref.WeakSet()


class _Default:
    """The process's manager, made on first use."""

    manager: MemoryManager | None = None
    lock = Lock()


def default_manager() -> MemoryManager:
    """Return the process's manager. Its arenas and buffers are those that `request_scope()` uses by itself.

    Raises:
        ConfigurationError: an environment variable cannot be used.
    """
    manager = _Default.manager
    if manager is None:
        with _Default.lock:
            manager = _Default.manager
            if manager is None:
                manager = _Default.manager = MemoryManager(resources=default_resources())
    return manager


def _after_fork() -> None:
    _Default.lock = Lock()
    for manager in list(_managers):
        manager.after_fork()


after_fork(_after_fork)
