"""A server that does exactly what a test's script says, byte by byte, on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

SSE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
DONE = b"data: [DONE]\n\n"


def http_chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def openai_event(text: str = "hi", finish: str | None = None) -> bytes:
    """One OpenAI chat event with a piece of text."""
    reason = f'"{finish}"' if finish else "null"
    return (
        b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":'
        + f'{{"content":"{text}"}},"finish_reason":{reason}}}]}}\n\n'.encode()
    )


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """Read one request with a content-length body; empty at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return head + await reader.readexactly(int(line.partition(b":")[2]))
    return head


class ScriptedServer:
    """Serves every connection with the script.

    Attributes:
        url: where it listens; connections: how many came; open: how many are open now.
    """

    def __init__(self, script: Script, ssl_context: ssl.SSLContext | None = None) -> None:
        self._script = script
        self._ssl_context = ssl_context
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0
        self.open = 0
        self.url = ""
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._ssl_context)
        self.port = self._server.sockets[0].getsockname()[1]
        scheme, host = ("https", "localhost") if self._ssl_context else ("http", "127.0.0.1")
        self.url = f"{scheme}://{host}:{self.port}/v1"
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
        self.connections += 1
        self.open += 1
        try:
            # The client leaving, and the end of the test, are parts of scripts.
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._script(reader, writer)
        finally:
            self.open -= 1
            self._tasks.discard(task)
            writer.close()


def answers(*bodies: bytes, head: bytes = SSE_HEAD, pause: float = 0.0) -> Script:
    """A script that answers every request of a connection with a chunked body in these pieces."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await read_request(reader):
            writer.write(head)
            for body in bodies:
                writer.write(http_chunk(body))
                await writer.drain()
                if pause:
                    await asyncio.sleep(pause)
            writer.write(b"0\r\n\r\n")
            await writer.drain()

    return script


def sends(*pieces: bytes, then: str = "close", pause: float = 0.0) -> Script:
    """A script that answers the first request with these raw pieces, then closes, resets or hangs."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        if then == "hang":
            await reader.read()
        elif then == "reset":
            writer.transport.abort()

    return script
