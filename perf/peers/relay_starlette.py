"""The relay that users write by hand: Starlette in, httpx out, under uvicorn. In .venv-peers-relay; prints its URL."""

from __future__ import annotations

import contextlib
import socket
import sys

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request  # noqa: TC002 - Starlette reads annotations
from starlette.responses import StreamingResponse
from starlette.routing import Route

upstream = httpx.AsyncClient(base_url=sys.argv[1], timeout=60, limits=httpx.Limits(max_connections=None))


async def relay(request: Request) -> StreamingResponse:
    """Pass one request on."""
    headers = {"content-type": "application/json"}
    asked = upstream.build_request(request.method, request.url.path, content=await request.body(), headers=headers)
    response = await upstream.send(asked, stream=True)

    async def body():
        try:
            async for piece in response.aiter_raw():
                yield piece
        finally:
            await response.aclose()

    return StreamingResponse(body(), response.status_code, {"content-type": response.headers["content-type"]})


app = Starlette(routes=[Route("/{path:path}", relay, methods=["GET", "POST"])])

if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
        print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        config = uvicorn.Config(app, log_level="error", access_log=False, loop="uvloop", http="httptools")
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])
