"""A relay, or any other ASGI application, behind a real uvicorn on a free port, in the running loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from streamarena.relay import Relay


@asynccontextmanager
async def serve(app, **options) -> AsyncIterator[str]:
    """Serve an application; give its address."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(512)
    config = uvicorn.Config(
        app, log_level="error", lifespan="on", access_log=False, timeout_graceful_shutdown=1, http="httptools", **options
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None
    running = asyncio.create_task(server._serve(sockets=[listening]))
    try:
        while not server.started:
            assert not running.done(), running.exception()
            await asyncio.sleep(0.005)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        listening.close()


@asynccontextmanager
async def serve_relay(settings, observers=(), environment=None, **options):
    """Serve a relay; give its address and itself."""
    relay = Relay(settings, observers=observers, environment=environment or {}, **options)
    async with serve(relay) as url:
        yield url, relay
