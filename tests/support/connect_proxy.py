"""An HTTP proxy on loopback that knows CONNECT and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Self


class ConnectProxy:
    """Tunnels to wherever it is asked, or to `reach` whatever it is asked for.

    Attributes:
        url: where it listens; asked: the header of each CONNECT.
    """

    def __init__(
        self, answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n", reach: int | None = None
    ) -> None:
        self._answer = answer
        self._reach = reach
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.asked: list[bytes] = []
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                head = await reader.readuntil(b"\r\n\r\n")
                self.asked.append(head)
                for byte in self._answer:  # in the smallest pieces
                    writer.write(bytes([byte]))
                    await writer.drain()
                if b" 200 " in self._answer:
                    await self._tunnel(int(head.split()[1].rpartition(b":")[2]), reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _tunnel(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._reach or port)

        async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                while data := await source.read(65536):
                    target.write(data)
                    await target.drain()
            target.close()

        try:
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
        finally:
            far_writer.close()
