"""The receive buffer of an event loop, lent to whichever connection is readable; a second one where there is TLS.

Invariants: one buffer of 64 KiB for what is read from sockets, and one for what TLS connections decrypt, for each loop
that has such connections; leased from the buffer pool and given back when the loop's last client closes. A connection
may use it from `get_buffer` until `buffer_updated` returns and keeps no view of it. It is always handed out as a
memoryview: TLS transports of the standard library lose data with a bytearray (cpython#156275).
Cost: 64 KiB a loop, 128 KiB with TLS, however many connections; nothing a read.
Not here: a lease for each read. A read that finds nothing calls `get_buffer` alone and would leak it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    import asyncio

    from streamarena.memory import BufferPool, PooledBuffer

__all__ = ["RECEIVE_BUFFER_BYTES", "ReceiveBuffer", "borrow_receive_buffer"]

RECEIVE_BUFFER_BYTES: Final = 64 * 2**10


class ReceiveBuffer:
    """A loop's buffer.

    Attributes:
        view: what reads are made into.
    """

    __slots__ = ("__weakref__", "_lease", "_users", "view")

    def __init__(self, pool: BufferPool) -> None:
        self._lease: PooledBuffer = pool.acquire(RECEIVE_BUFFER_BYTES)
        self._users = 0
        self.view = self._lease.view

    def give_back(self) -> None:
        """End one client's use; the last one returns the buffer to its pool."""
        self._users -= 1
        if self._users == 0:
            self.view.release()
            self._lease.release()
            for buffers in _buffers.values():
                for loop, buffer in list(buffers.items()):
                    if buffer is self:
                        del buffers[loop]


_buffers: Final[dict[str, WeakKeyDictionary[asyncio.AbstractEventLoop, ReceiveBuffer]]] = {
    "socket": WeakKeyDictionary(),
    "plaintext": WeakKeyDictionary(),
}


def borrow_receive_buffer(
    loop: asyncio.AbstractEventLoop, pool: BufferPool, use: Literal["socket", "plaintext"] = "socket"
) -> ReceiveBuffer:
    """Return the buffer of `loop` for that use, made on first use; every call needs one `give_back`."""
    buffers = _buffers[use]
    buffer = buffers.get(loop)
    if buffer is None:
        buffer = buffers[loop] = ReceiveBuffer(pool)
    buffer._users += 1
    return buffer
