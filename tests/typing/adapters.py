"""What type checkers must make of the adapters; never executed."""

from __future__ import annotations

from typing import assert_type

import httpx
import httpx2
from starlette.applications import Starlette

from streamarena_adapters.asgi import MiddlewareConfig, StreamArenaMiddleware, redact, stop_on
from streamarena_adapters.httpx import AsyncHTTPTransport
from streamarena_adapters.httpx2 import AsyncHTTPTransport as AsyncHTTPTransport2
from streamarena_adapters.httpx_sse import EventSource, ServerSentEvent, aconnect_sse, connect_sse


async def events_of_httpx(client: httpx.AsyncClient) -> None:
    async with aconnect_sse(client, "POST", "http://localhost", headers={"a": "b"}, json={}) as source:
        assert_type(source, EventSource[httpx.Response])
        async for event in source.aiter_sse():
            assert_type(event, ServerSentEvent)


def events_of_httpx2(client: httpx2.Client) -> None:
    with connect_sse(client, "GET", "http://localhost", headers=[("a", "b")]) as source:
        assert_type(source, EventSource[httpx2.Response])
        assert_type(source.response.status_code, int)


def transports(limits: httpx.Limits, limits2: httpx2.Limits) -> None:
    assert_type(httpx.AsyncClient(transport=AsyncHTTPTransport(limits=limits)), httpx.AsyncClient)
    assert_type(httpx2.AsyncClient(transport=AsyncHTTPTransport2(limits=limits2)), httpx2.AsyncClient)
    httpx.AsyncClient(transport=AsyncHTTPTransport2())  # type: ignore[arg-type]  # each library has a transport of its own


def middleware(app: Starlette) -> None:
    config = MiddlewareConfig(stages=[redact("a"), stop_on("b"), str.upper], observers=[lambda moment: None])
    assert_type(StreamArenaMiddleware(app, config), StreamArenaMiddleware)
    app.add_middleware(StreamArenaMiddleware, config=config)
    app.add_middleware(StreamArenaMiddleware, config={})  # type: ignore[arg-type]  # a configuration is an object
    MiddlewareConfig(stages=[len])  # type: ignore[list-item]  # a function gives a text back
