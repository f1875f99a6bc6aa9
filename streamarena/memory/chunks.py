"""The store of free arena chunks: five sizes, one ceiling for the process, and a count of what happened.

Invariants: free chunks never add up to more than `limit` bytes; a chunk in the store has no foreign view; every chunk
that was taken is given back, retired because a view of it lives on, or abandoned by an arena that nobody closed, and
is counted as exactly one of them. In the steady state of requests of the same shape nothing is allocated.
Costs: one lock for each `take` and `give`; a chunk is made, cleared or poisoned outside of it.
Not here: the cursor (`_spans`), and when a chunk goes back (`arena`).
"""

from __future__ import annotations

from collections import deque
from threading import Lock
from typing import Final

import msgspec

from streamarena.memory._checks import check_setting
from streamarena.memory._spans import Chunk

__all__ = ["CHUNK_SIZES", "ChunkStats", "ChunkStore"]

CHUNK_SIZES: Final = (4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20)
"""An arena starts with the first and goes on four-fold; a longer span gets a chunk of its own length."""


class ChunkStats(msgspec.Struct, frozen=True):
    """What a store holds and what it has done. Bytes are those of whole chunks.

    Attributes:
        bytes_out: in open arenas; bytes_free: waiting for the next one; limit: ceiling of `bytes_free`.
        high_water: most bytes ever out at once.
        created, reused: chunks made anew, and taken from the store.
        retired: not used again because a view outlived its scope; dropped: given back above the ceiling, or trimmed.
        abandoned: chunks of arenas that were never closed.
    """

    bytes_out: int
    bytes_free: int
    limit: int
    high_water: int
    created: int
    reused: int
    retired: int
    dropped: int
    abandoned: int

    @property
    def reuse(self) -> float:
        """The share of chunks that came from the store; 0.0 before the first."""
        taken = self.created + self.reused
        return self.reused / taken if taken else 0.0


class ChunkStore:
    """Chunks for the arenas of one manager. Safe from several threads.

    Raises:
        ConfigurationError: `limit`, in bytes, is no whole number from 0 on.
    """

    def __init__(self, limit: int = 1 << 20, *, debug: bool = False) -> None:
        check_setting("ChunkStore(limit=...)", limit)
        self.limit = limit
        self.debug = debug
        self._free: dict[int, list[Chunk]] = {size: [] for size in CHUNK_SIZES}
        self._least: dict[int, int] = dict.fromkeys(CHUNK_SIZES, 0)
        self._abandoned: deque[int] = deque()  # filled by finalizers, which must not take the lock
        self._bytes_out = self._bytes_free = self._high_water = 0
        self._created = self._reused = self._retired = self._dropped = self._forgotten = 0
        self._lock = Lock()

    def take(self, size: int, after: int = 0) -> Chunk:
        """Return a chunk with room for `size` bytes, four times the size `after` of the last one where that is allowed.

        Args:
            size: bytes needed at least.
            after: size of the chunk that was too small, 0 for the first of an arena.
        """
        wanted = max(size, min(after * 4, CHUNK_SIZES[-1]))
        wanted = next((known for known in CHUNK_SIZES if known >= wanted), wanted)
        with self._lock:
            self._bytes_out += wanted
            self._high_water = max(self._high_water, self._bytes_out)
            free = self._free.get(wanted)
            if free:
                self._reused += 1
                self._bytes_free -= wanted
                chunk = free.pop()
                self._least[wanted] = min(self._least[wanted], len(free))
                return chunk
            self._created += 1
        try:
            return Chunk(wanted)
        except BaseException:
            with self._lock:
                self._bytes_out -= wanted
                self._created -= 1
            raise

    def give(self, chunk: Chunk) -> None:
        """Take back a chunk that has no foreign view."""
        size = chunk.size
        chunk.used = 0
        if self.debug:
            chunk.poison()
        with self._lock:
            self._bytes_out -= size
            free = self._free.get(size)
            if free is not None and self._bytes_free + size <= self.limit:
                self._bytes_free += size
                free.append(chunk)
                return
            self._dropped += 1
        chunk.drop()

    def retire(self, chunk: Chunk) -> None:
        """Let go of a chunk whose views outlive their scope; they keep its memory, and nobody else gets it."""
        with self._lock:
            self._bytes_out -= chunk.size
            self._retired += 1
        chunk.drop()

    def abandon(self, size: int) -> None:
        """Record the chunk of an arena that was dropped without being closed. Takes no lock, for finalizers."""
        self._abandoned.append(size)

    def trim(self) -> int:
        """Free the chunks that no request since the last call has needed. Returns their bytes.

        What stays is what recent requests used at once: the high-water mark of the time between two calls.
        """
        unneeded: list[Chunk] = []
        with self._lock:
            for size, free in self._free.items():
                spare = min(self._least[size], len(free))
                unneeded += free[:spare]
                del free[:spare]
                self._least[size] = len(free)
            released = sum(chunk.size for chunk in unneeded)
            self._bytes_free -= released
            self._dropped += len(unneeded)
        for chunk in unneeded:
            chunk.drop()
        return released

    def clear(self) -> None:
        """Free every chunk that is not in use."""
        for _ in range(2):  # the first call only starts a new period of observation
            with self._lock:
                self._least = {size: len(free) for size, free in self._free.items()}
            self.trim()

    def after_fork(self) -> None:
        """Start afresh in a forked child: another thread of the parent may have held the lock."""
        self._lock = Lock()
        self._free = {size: [] for size in CHUNK_SIZES}
        self._least = dict.fromkeys(CHUNK_SIZES, 0)
        self._bytes_free = 0

    def stats(self) -> ChunkStats:
        """Return the present figures."""
        with self._lock:
            while self._abandoned:
                self._bytes_out -= self._abandoned.popleft()
                self._forgotten += 1
            return ChunkStats(
                bytes_out=self._bytes_out,
                bytes_free=self._bytes_free,
                limit=self.limit,
                high_water=self._high_water,
                created=self._created,
                reused=self._reused,
                retired=self._retired,
                dropped=self._dropped,
                abandoned=self._forgotten,
            )
