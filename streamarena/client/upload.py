"""A request body that is sent while it is made: an asynchronous iterable of bytes in chunked coding.

Invariants: the maker waits while the kernel takes no more; what it raises ends the request unchanged; a response that
comes early is read while the rest is sent, and the connection is not used again unless both came to their end. Stopping
is synchronous, but for the maker's own clean-up.
Cost: one task for the length of the upload.
Not here: repeating. Such a body is made once, so a request with one is sent once.
Source: RFC 9112 section 7.1 (chunked transfer coding).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamarena.client.connection import Connection

__all__ = ["Upload"]


class Upload:
    """Sends one body.

    Args:
        connection: the request's header was just sent on it.
        body: what to send; empty pieces are left out.
        on_sent: called when all of it is with the transport.
    """

    __slots__ = ("_body", "_connection", "_on_sent", "_task")

    def __init__(self, connection: Connection, body: AsyncIterable[bytes], on_sent: Callable[[], None]) -> None:
        self._connection = connection
        self._body = body
        self._on_sent = on_sent
        connection.uploading = True
        self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """Send no more; the connection cannot be used again if this was not the end. Synchronous and repeatable."""
        self._task.cancel()

    async def _run(self) -> None:
        connection = self._connection
        try:
            async for piece in self._body:
                if piece:
                    connection.send_more(b"%x\r\n%b\r\n" % (len(piece), piece))
                    await connection.drained()
                if not connection.is_open:
                    return
            connection.send_more(b"0\r\n\r\n")
        except Exception as error:  # noqa: BLE001 - whoever reads the response hears of it
            connection.fail(error)
            return
        connection.uploading = False
        self._on_sent()
