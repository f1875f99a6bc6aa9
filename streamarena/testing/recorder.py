"""A recording proxy: the client talks to it, it talks to the real server, and a cassette keeps what passed.

Invariants: the client gets every byte as it came and when it came, whether it can be recorded or not; nothing with a
secret is written; an exchange that the client left, or whose server could not be reached, is not recorded but counted.
Cost: one task and one upstream connection a request; the body of an exchange is held until it ends, since a secret may
be cut in two by its pieces. The upstream is asked for bodies without compression: they could not be searched.
Not here: the file (`cassette.py`), what is secret (`redaction.py`).
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from streamarena.providers.error_bodies import error_body
from streamarena.testing.cassette import CassetteWriter, Exchange, Piece
from streamarena.testing.connection import HTTPConnection, HTTPRequest, response_head
from streamarena.testing.frames import LAST_CHUNK, chunked
from streamarena.testing.redaction import Redactor
from streamarena.testing.server import LoopbackServer, answer

if TYPE_CHECKING:
    import os
    import ssl

    import httpx

__all__ = ["CassetteRecorder"]

_NOT_FORWARDED: Final = frozenset(
    {"host", "connection", "keep-alive", "transfer-encoding", "content-length", "accept-encoding", "expect", "upgrade"}
)
_NOT_RETURNED: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


class CassetteRecorder(LoopbackServer):
    """Records what passes to a cassette; use it as `async with CassetteRecorder(upstream, path) as recorder:`.

    Args:
        upstream: base URL of the real server, for instance `https://api.openai.com`; paths are appended.
        path: of the cassette, written when the context is left without an error.
        secrets: further texts that must not be written.
        ssl_context: for the connection to the upstream; None verifies against the system's authorities.
        max_exchange_bytes, max_bytes: see `CassetteWriter`.

    Attributes:
        writer: counts what was written and what was left out.
    """

    def __init__(
        self,
        upstream: str,
        path: str | os.PathLike[str],
        *,
        secrets: tuple[str, ...] = (),
        ssl_context: ssl.SSLContext | None = None,
        max_exchange_bytes: int = 16 * 2**20,
        max_bytes: int = 256 * 2**20,
    ) -> None:
        super().__init__()
        self._upstream = upstream.rstrip("/")
        self._redactor = Redactor(*secrets)
        self._verify = ssl_context
        self._limits = (max_exchange_bytes, max_bytes)
        self._path = path
        self._tasks: set[asyncio.Task[None]] = set()
        self._client: httpx.AsyncClient | None = None

    async def start(self) -> None:
        """Listen."""
        import httpx  # noqa: PLC0415 - heavy, and only needed while recording

        self.writer = CassetteWriter(self._path, max_exchange_bytes=self._limits[0], max_bytes=self._limits[1])
        # How long an answer may take is for the client in front to say: a limit here would only hide its own.
        timeout = httpx.Timeout(None, connect=30)
        self._client = httpx.AsyncClient(timeout=timeout, verify=self._verify or True, follow_redirects=False)
        await super().start()

    async def close(self) -> None:
        """Drop connections, end the tasks, close the upstream client."""
        for task in self._tasks:
            task.cancel()
        await super().close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def __aexit__(self, *exc_info: object) -> None:
        """Close, and complete the cassette; after an error of the body the old one stays."""
        try:
            await self.close()
        finally:
            if exc_info and exc_info[0] is not None:
                self.writer.discard()
            else:
                self.writer.close()

    def request_received(self, connection: HTTPConnection, request: HTTPRequest) -> None:
        """Forward a request in a task of its own."""
        task = asyncio.get_running_loop().create_task(self._forward(connection, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

        def left() -> None:
            task.cancel()

        connection.on_lost = left

    async def _forward(self, connection: HTTPConnection, request: HTTPRequest) -> None:
        import httpx  # noqa: PLC0415 - loaded by start

        assert self._client is not None
        headers = [(name, value) for name, value in request.headers.items() if name not in _NOT_FORWARDED]
        outgoing = self._client.build_request(
            request.method,
            self._upstream + request.target,
            headers=[*headers, ("accept-encoding", "identity")],
            content=request.body,
        )
        start = time.monotonic()
        try:
            response = await self._client.send(outgoing, stream=True)
        except httpx.HTTPError as error:
            self.writer.left_out.append(f"{request.method} {request.target}: {error!r}")
            answer(connection, 502, error_body("openai-chat", 502, f"the upstream did not answer: {error!r}"))
            return
        try:
            await self._pass_on(connection, request, response, start)
        finally:
            await response.aclose()

    async def _pass_on(
        self, connection: HTTPConnection, request: HTTPRequest, response: httpx.Response, start: float
    ) -> None:
        """Send the response on as it comes, and record it when it has ended."""
        import httpx  # noqa: PLC0415 - loaded by start

        head_after = time.monotonic() - start
        returned = [(name, value) for name, value in response.headers.items() if name.lower() not in _NOT_RETURNED]
        bodiless = response.status_code in {204, 304} or request.method == "HEAD"
        framing = ("content-length", "0") if bodiless else ("transfer-encoding", "chunked")
        connection.write(response_head(response.status_code, [*returned, framing]))
        pieces: list[Piece] = []
        size, complete = 0, True
        try:
            async for data in response.aiter_raw():
                size += len(data)
                if size <= self.writer.max_exchange_bytes:
                    pieces.append(Piece(time.monotonic() - start, data))
                connection.write(chunked(data))
                await _writable(connection)
        except httpx.HTTPError:
            complete = False
        ended = time.monotonic() - start
        if size > self.writer.max_exchange_bytes:
            self.writer.left_out.append(f"{request.method} {request.target}: a body of {size} bytes")
        else:
            head = (response.status_code, returned, head_after)
            self._record(request, head, pieces, ended, complete=complete)
        if complete:
            connection.write(b"" if bodiless else LAST_CHUNK)
            connection.finish()
        else:
            connection.close()

    def _record(
        self,
        request: HTTPRequest,
        head: tuple[int, list[tuple[str, str]], float],
        pieces: list[Piece],
        ended: float,
        *,
        complete: bool,
    ) -> None:
        """Write an exchange without its secrets."""
        redactor = self._redactor
        status, returned, head_after = head
        # Headers and target first: they teach the redactor what to look for in the bodies.
        request_headers = redactor.headers(list(request.headers.items()))
        target = redactor.target(request.target)
        response_headers = redactor.headers(returned)
        cleaned = redactor.pieces([piece.data for piece in pieces])
        self.writer.add(
            Exchange(
                method=request.method,
                target=target,
                request_headers=request_headers,
                request_body=redactor.data(request.body),
                status=status,
                response_headers=response_headers,
                head_after=head_after,
                pieces=[Piece(piece.after, data) for piece, data in zip(pieces, cleaned, strict=True)],
                ended=ended,
                complete=complete,
            )
        )


async def _writable(connection: HTTPConnection) -> None:
    """Wait while the client reads more slowly than the upstream sends."""
    if not connection.writable:
        ready = asyncio.Event()
        connection.on_writable = ready.set
        await ready.wait()
        connection.on_writable = None
