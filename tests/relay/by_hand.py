"""An ASGI server played by hand: a request goes through the middleware, and the test says when what happens."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from streamarena_adapters.asgi import MiddlewareConfig, StreamArenaMiddleware

SSE = [(b"content-type", b"text/event-stream")]


class Call:
    """One request and what became of it.

    Attributes:
        sent: every message that the server was given. gate: clear it, and the server takes nothing more.
    """

    def __init__(self, app: Any, config: MiddlewareConfig | None = None, **scope: Any) -> None:
        self.sent: list[dict[str, Any]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self._sending = False
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._scope = {"type": "http", "method": "POST", "path": "/chat", "headers": [], "asgi": {}, **scope}
        self._app = StreamArenaMiddleware(app, config)
        self._task: asyncio.Task[None] | None = None

    def start(self, body: bytes | Sequence[bytes] = b"{}", *, whole: bool = True) -> asyncio.Task[None]:
        """Let the request in."""
        pieces = [body] if isinstance(body, bytes) else list(body)
        for number, piece in enumerate(pieces, 1):
            more = number < len(pieces) or not whole
            self._incoming.put_nowait({"type": "http.request", "body": piece, "more_body": more})
        self._task = asyncio.create_task(self._app(self._scope, self._incoming.get, self._send))
        return self._task

    def leave(self) -> None:
        """The client goes away."""
        self._incoming.put_nowait({"type": "http.disconnect"})

    async def finish(self, body: bytes | Sequence[bytes] = b"{}") -> Call:
        """Let the request in, if it is not in yet, and wait for its end."""
        await (self._task or self.start(body))
        return self

    async def _send(self, message: dict[str, Any]) -> None:
        assert not self._sending, "a server is given one message at a time"
        self._sending = True
        try:
            await self.gate.wait()
            self.sent.append(dict(message))
        finally:
            self._sending = False

    @property
    def status(self) -> int | None:
        """Of the response."""
        return next((m["status"] for m in self.sent if m["type"] == "http.response.start"), None)

    @property
    def headers(self) -> dict[str, str]:
        """Of the response."""
        start = next(m for m in self.sent if m["type"] == "http.response.start")
        names = [name.lower() for name, _ in start["headers"]]
        assert len(names) == len(set(names)), f"a field twice: {names}"
        return {name.decode(): value.decode() for name, value in start["headers"]}

    @property
    def body(self) -> bytes:
        """Of the response, as far as it has come."""
        return b"".join(m.get("body", b"") for m in self.sent if m["type"] == "http.response.body")

    @property
    def ended(self) -> bool:
        """Whether the response came to its end."""
        return any(m["type"] == "http.response.body" and not m.get("more_body") for m in self.sent)


def streaming(pieces: Sequence[bytes | float], headers: Any = SSE, end: bool = True) -> Any:
    """An application that streams these pieces, and sleeps where there is a number."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for piece in pieces:
            if isinstance(piece, bytes):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            else:
                await asyncio.sleep(piece)
        if end:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app


async def until(condition: Any, seconds: float = 2.0) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)
