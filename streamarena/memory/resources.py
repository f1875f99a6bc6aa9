"""What arenas draw on: the chunk store, the buffer pool and the counters of one manager, and the process's default.

Invariants: opened = closed + open + forgotten; the default is made once, on first use, from the environment.
Costs: opening and closing are counted without a lock.
Not here: the other parts of the memory system, which no arena needs; `manager` owns both.
"""

from __future__ import annotations

from threading import Lock

import msgspec

from streamarena.memory._counts import Counter
from streamarena.memory._forks import after_fork
from streamarena.memory.buffers import BufferPool
from streamarena.memory.chunks import ChunkStats, ChunkStore
from streamarena.memory.config import MemoryConfig

__all__ = ["ArenaResources", "ArenaTotals", "default_resources"]


class ArenaTotals(msgspec.Struct, frozen=True):
    """All arenas that one set of resources has served.

    Attributes:
        opened, closed: arenas; forgotten: those that held something and were dropped without being closed.
        bytes: bytes that went through spans of closed arenas; allocations: spans of closed arenas.
        escaped: chunks and leases that could not be used again because a view outlived its scope.
        failed_releases: releases that raised at the end of a scope.
        section_bytes, section_mallocs: what malloc gave to sections of closed arenas; see `Arena.section`.
        chunks: the store.
    """

    opened: int
    closed: int
    forgotten: int
    bytes: int
    allocations: int
    escaped: int
    failed_releases: int
    section_bytes: int
    section_mallocs: int
    chunks: ChunkStats

    @property
    def open(self) -> int:
        """Arenas open now."""
        return self.opened - self.closed - self.forgotten


class ArenaResources:
    """Chunk store, buffer pool and counters. One for each manager."""

    __slots__ = (
        "_allocations",
        "_bytes",
        "_escaped",
        "_failed",
        "_lock",
        "_section_bytes",
        "_section_mallocs",
        "buffers",
        "chunks",
        "closed",
        "debug",
        "forgotten",
        "opened",
    )

    def __init__(self, config: MemoryConfig | None = None) -> None:
        config = config or MemoryConfig()
        self.debug = config.debug
        self.chunks = ChunkStore(config.arena_bytes, debug=config.debug)
        self.buffers = BufferPool(config.buffer_counts, config.pool_bytes, debug=config.debug)
        self.opened = Counter()
        self.closed = Counter()
        self.forgotten = Counter()
        self._bytes = self._allocations = self._escaped = self._failed = 0
        self._section_bytes = self._section_mallocs = 0
        self._lock = Lock()

    def record(self, size: int, allocations: int, escaped: int, failed: int) -> None:
        """Add what one closed arena has done."""
        with self._lock:
            self._bytes += size
            self._allocations += allocations
            self._escaped += escaped
            self._failed += failed

    def record_section(self, size: int, mallocs: int) -> None:
        """Add what the sections of one closed arena have asked malloc for."""
        with self._lock:
            self._section_bytes += size
            self._section_mallocs += mallocs

    def totals(self) -> ArenaTotals:
        """Return the present figures."""
        closed, forgotten = self.closed.value, self.forgotten.value  # before `opened`, so that `open` is never negative
        with self._lock:
            return ArenaTotals(
                opened=self.opened.value,
                closed=closed,
                forgotten=forgotten,
                bytes=self._bytes,
                allocations=self._allocations,
                escaped=self._escaped,
                failed_releases=self._failed,
                section_bytes=self._section_bytes,
                section_mallocs=self._section_mallocs,
                chunks=self.chunks.stats(),
            )

    def after_fork(self) -> None:
        """Start afresh in a forked child."""
        self._lock = Lock()
        for counter in (self.opened, self.closed, self.forgotten):
            counter.after_fork()
        self.chunks.after_fork()
        self.buffers.after_fork()


class _Default:
    """The process's resources, made on first use."""

    resources: ArenaResources | None = None
    lock = Lock()


def default_resources() -> ArenaResources:
    """Return the process's resources; `STREAMARENA_*` variables are read when they are first asked for.

    Raises:
        ConfigurationError: an environment variable cannot be used.
    """
    resources = _Default.resources
    if resources is None:
        with _Default.lock:
            resources = _Default.resources
            if resources is None:
                resources = _Default.resources = ArenaResources(MemoryConfig.from_environ())
    return resources


def _after_fork() -> None:
    _Default.lock = Lock()
    if _Default.resources is not None:
        _Default.resources.after_fork()


after_fork(_after_fork)
