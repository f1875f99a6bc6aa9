"""Request arenas, pools, interner, mapped files, allocation tracking and profiling (floor 1, sans-IO)."""

from __future__ import annotations

from streamarena.memory.arena import Arena, ArenaStats, Releasable, Span, current_arena, request_scope
from streamarena.memory.buffers import BufferPool, BufferStats, PooledBuffer
from streamarena.memory.config import MemoryConfig
from streamarena.memory.resources import ArenaResources, ArenaTotals, default_resources

__all__ = [
    "request_scope",
    "current_arena",
    "Arena",
    "ArenaStats",
    "Span",
    "Releasable",
    "BufferPool",
    "BufferStats",
    "PooledBuffer",
    "ArenaResources",
    "ArenaTotals",
    "default_resources",
    "MemoryConfig",
]
