"""Request arenas, pools, interner, mapped files, allocation tracking and profiling (floor 1, sans-IO)."""

from __future__ import annotations

from streamarena.memory.arena import Arena, ArenaStats, Releasable, Span, current_arena, request_scope
from streamarena.memory.buffers import BufferPool, BufferStats, PooledBuffer
from streamarena.memory.config import MemoryConfig
from streamarena.memory.cow import CopyOnWrite
from streamarena.memory.files import MappedFile, MmapCache
from streamarena.memory.generational import GenerationalArena, Handle
from streamarena.memory.interning import StringInterner, Symbol
from streamarena.memory.lazy import LazyBuffer
from streamarena.memory.manager import ManagerStats, MemoryManager, default_manager
from streamarena.memory.pools import ObjectPool, PooledObject, PoolFamily, PoolStats
from streamarena.memory.profiling import MemoryProfiler, MemoryReport, MemorySnapshot
from streamarena.memory.resources import ArenaResources, ArenaTotals, default_resources
from streamarena.memory.tracking import AllocationStats, AllocationTracker

__all__ = [
    "request_scope",
    "current_arena",
    "Arena",
    "ArenaStats",
    "Span",
    "Releasable",
    "MemoryManager",
    "ManagerStats",
    "MemoryConfig",
    "default_manager",
    "BufferPool",
    "BufferStats",
    "PooledBuffer",
    "ObjectPool",
    "PooledObject",
    "PoolFamily",
    "PoolStats",
    "GenerationalArena",
    "Handle",
    "StringInterner",
    "Symbol",
    "MmapCache",
    "MappedFile",
    "CopyOnWrite",
    "LazyBuffer",
    "AllocationTracker",
    "AllocationStats",
    "MemoryProfiler",
    "MemorySnapshot",
    "MemoryReport",
    "ArenaResources",
    "ArenaTotals",
    "default_resources",
]
