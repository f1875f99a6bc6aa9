"""A buffer that takes nothing until it is touched, and gives back what it took.

Invariant: before the first touch, and after `release`, it holds no buffer.
Costs: 64 bytes untouched; the first touch is one `BufferPool.acquire`.
Not here: the memory itself (`buffers`). Use it for a buffer that most requests never need: an error body, a spill.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from streamarena.memory._checks import check_size
from streamarena.memory.resources import default_resources

if TYPE_CHECKING:
    from types import TracebackType

    from streamarena.memory.buffers import BufferPool, PooledBuffer

__all__ = ["LazyBuffer"]


class LazyBuffer:
    """A pooled buffer of at least `size` bytes, taken at first touch.

    Args:
        size: bytes.
        pool: where it comes from; the process's pool by default.

    Raises:
        TypeError, ValueError: `size` is no number of bytes.
    """

    __slots__ = ("_buffer", "_pool", "size")

    def __init__(self, size: int, pool: BufferPool | None = None) -> None:
        check_size(size)
        self.size = size
        self._pool = pool
        self._buffer: PooledBuffer | None = None

    @property
    def touched(self) -> bool:
        """Whether a buffer is held now."""
        return self._buffer is not None

    @property
    def view(self) -> memoryview:
        """A writable view of the whole buffer, which is taken now if it was not before."""
        if self._buffer is None:
            pool = self._pool if self._pool is not None else default_resources().buffers
            self._buffer = pool.acquire(self.size)
        return self._buffer.view

    def release(self) -> bool:
        """Give the buffer back, if one was taken; the next touch takes another. Untouched: nothing.

        Returns:
            False if a live view kept it from being lent again, as `PooledBuffer.release`.
        """
        buffer, self._buffer = self._buffer, None
        return buffer is None or buffer.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.release()
