"""Blocks: the raw memory that arenas cut spans from and buffer pools lend.

A block below 1 MiB is a bytearray; from 1 MiB on it is a private anonymous map, whose pages cost no resident memory
until they are touched. Invariant: a block is only used again when `is_exported` says that no view of it is alive.

Costs: `is_exported` 0.06 us for a bytearray (last byte taken off and put back, no reallocation: the allocated size
does not change), 0.4 us for a map (a resize to its own size). Both ask CPython's own export count, so slices of slices
and foreign buffer users (numpy, ctypes) count too.
Not here: who owns a block, and for how long.
"""

from __future__ import annotations

import mmap
from typing import TypeAlias

Block: TypeAlias = bytearray | mmap.mmap
BytesLike: TypeAlias = bytes | bytearray | memoryview

MAPPED_FROM = 1 << 20
"""Bytes from which a block is an anonymous map."""

POISON = 0xDD
"""What debug mode writes over memory that was given back."""

_CAN_RESIZE_ERRORS = (OSError, SystemError, TypeError, ValueError)


def new_block(size: int) -> Block:
    """Make a block of `size` bytes, all zero."""
    if size < MAPPED_FROM:
        return bytearray(size)
    private = getattr(mmap, "MAP_PRIVATE", None)
    if private is None:  # Windows: anonymous maps are private there
        return mmap.mmap(-1, size)
    return mmap.mmap(-1, size, flags=private | mmap.MAP_ANONYMOUS)


def is_exported(block: Block) -> bool:
    """Tell whether any view of the block is alive."""
    try:
        if isinstance(block, bytearray):
            if block:
                block.append(block.pop())
        else:
            block.resize(len(block))
    except BufferError:
        return True
    except _CAN_RESIZE_ERRORS:  # platforms without mremap look at the exports first and refuse the resize afterwards
        return False
    return False


def poison(block: Block) -> None:
    """Overwrite a block, so that a reader of memory that was given back sees it at once."""
    block[:] = bytes((POISON,)) * len(block)
