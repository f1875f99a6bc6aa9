"""What arenas say of themselves: the figures of one, and the tree of those nested in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from streamarena.memory.arena import Arena


class ArenaStats(msgspec.Struct, frozen=True):
    """What an arena has taken; the figures stay readable after its end.

    Attributes:
        bytes: in spans now; object_bytes, buffer_bytes: charged for objects and pooled buffers.
        allocations: spans cut so far; peak: most span bytes at once; total_bytes: all bytes that went through spans.
        leases: leased and not yet given back; objects: kept to the end.
        escaped: chunks and leases whose views outlived the scope; failed_releases: releases that raised.
        section_bytes, section_mallocs: what malloc gave to its sections; see `Arena.section`.
    """

    label: str | None
    closed: bool
    bytes: int
    object_bytes: int
    buffer_bytes: int
    allocations: int
    peak: int
    total_bytes: int
    leases: int
    objects: int
    escaped: int
    failed_releases: int
    section_bytes: int
    section_mallocs: int


def tree_lines(arena: Arena, depth: int = 0) -> Iterator[str]:
    """Draw an arena and the open ones nested in it, one a line."""
    stats = arena.stats()
    yield (
        f"{'  ' * depth}{stats.label or 'scope'}: {stats.bytes} bytes in {stats.allocations} spans, "
        f"{stats.objects} objects, {stats.leases} leases"
    )
    for child in arena.children():
        yield from tree_lines(child, depth + 1)
