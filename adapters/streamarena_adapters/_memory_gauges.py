"""The memory system's figures as Prometheus gauges, read when they are scraped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from prometheus_client.core import GaugeMetricFamily

from streamarena.memory import MemoryManager, default_manager

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from streamarena.memory import ManagerStats

__all__ = ["memory_gauges"]

_GAUGES: Final[tuple[tuple[str, str, Callable[[ManagerStats], float | None]], ...]] = (
    ("arenas_open", "Request scopes that are open.", lambda stats: stats.arenas.open),
    ("arena_bytes", "Bytes of arena chunks in use.", lambda stats: stats.arenas.chunks.bytes_out),
    ("arena_free_bytes", "Bytes of arena chunks kept for reuse.", lambda stats: stats.arenas.chunks.bytes_free),
    ("arenas_forgotten", "Scopes dropped without being closed.", lambda stats: stats.arenas.forgotten),
    ("arena_views_escaped", "Views that outlived their scope.", lambda stats: stats.arenas.escaped),
    ("outstanding", "Buffers and pooled objects on loan.", lambda stats: stats.outstanding),
    ("buffers_idle_bytes", "Bytes of idle pooled buffers.", lambda stats: stats.buffers.idle_bytes),
    ("reuse_ratio", "Hits by hits and misses over all pools.", lambda stats: stats.reuse),
    ("interner_bytes", "Bytes held by the string interner.", lambda stats: stats.interner.memory),
    ("interner_saved_bytes", "Bytes saved by interning.", lambda stats: stats.interner.bytes_saved),
    ("files_bytes", "Bytes of mapped and cached files.", lambda stats: stats.files.bytes),
    ("resident_bytes", "Resident memory of the process.", lambda stats: stats.allocations.resident),
    ("python_blocks", "Blocks held by Python's allocator.", lambda stats: stats.allocations.blocks),
)


def memory_gauges(manager: MemoryManager | None) -> Iterator[Metric]:
    """Yield one gauge for each figure of a manager; None is the process's, as it is when it is read."""
    stats = (manager if manager is not None else default_manager()).stats()
    for name, text, read in _GAUGES:
        value = read(stats)
        if value is not None:  # this system does not tell
            family = GaugeMetricFamily(f"streamarena_memory_{name}", text)
            family.add_metric([], value)
            yield family
