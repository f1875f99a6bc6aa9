"""A relay, or any other ASGI application, behind uvicorn's HTTP on a free port, in the running loop.

Uvicorn's own main loop looks ten times a second whether it is to end; tests do not wait for that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from uvicorn.server import ServerState

from streamarena.relay import Relay
from streamarena_adapters.uvicorn import RelayProtocol


@asynccontextmanager
async def serve(app, **options) -> AsyncIterator[str]:
    """Serve an application; give its address."""
    config = uvicorn.Config(app, http=RelayProtocol, lifespan="off", log_level="critical", access_log=False, **options)
    config.load()
    state = ServerState()

    def connected():
        return config.http_protocol_class(config=config, server_state=state, app_state={})

    server = await asyncio.get_running_loop().create_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for connection in list(state.connections):
            connection.shutdown()
        tasks = list(state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


@asynccontextmanager
async def serve_relay(settings, observers=(), environment=None, *, direct=True, **options):
    """Serve a relay; give its address and itself. Without `direct` pieces go through ASGI's `send`, as elsewhere."""
    relay = Relay(settings, observers=observers, environment=environment or {}, **options)

    async def plain(scope, receive, send):
        await relay({**scope, "extensions": {}}, receive, send)

    async with serve(relay if direct else plain) as url:
        try:
            yield url, relay
        finally:
            relay.close()
