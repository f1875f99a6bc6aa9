"""A model's endpoints without a model, behind the middleware: what uvicorn, hypercorn and granian serve in the tests.

The request's JSON says what happens: `delay` between pieces, `hang` for a stage at which nothing comes any more, `fail`
after so many pieces, `text`, and `filler` before it. `/state` tells what became of the requests, and what is left.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from streamarena.client import Timeouts
from streamarena.memory import MemoryManager, current_arena
from streamarena.providers.paths import api_of_path
from streamarena_adapters.asgi import (
    DisconnectPolicy,
    ExchangeFinished,
    MiddlewareConfig,
    StreamArenaMiddleware,
    redact,
)
from tests.relay.streams import content_type, stream_of

FILLER = b"data: " + b"x" * 65_000 + b"\n\n"


class State:
    """What the server knows of its requests."""

    def __init__(self) -> None:
        self.finished: list[list[Any]] = []
        self.running = 0
        self.produced = 0

    def __call__(self, moment: object) -> None:
        if isinstance(moment, ExchangeFinished):
            usage = moment.stream.usage if moment.stream else None
            tokens = usage.output_tokens if usage else None
            self.finished.append([moment.path, moment.outcome, type(moment.error).__name__, tokens, moment.drained])


state = State()
manager = MemoryManager()


async def endpoint(request: Request) -> Response:
    """Answer as a model's server does."""
    state.running += 1
    try:
        asked = await request.json()
        assert not current_arena().closed
        if asked.get("hang") == "before header":
            await asyncio.sleep(60)
        api = api_of_path(request.url.path) or "openai-chat"
        return StreamingResponse(pieces(api, asked), media_type=content_type(api))
    finally:
        state.running -= 1


async def pieces(api: str, asked: dict[str, Any]) -> AsyncIterator[bytes]:
    """A stream, with what shall go wrong."""
    state.running += 1
    try:
        if asked.get("hang") == "before content":
            await asyncio.sleep(60)
        for _ in range(asked.get("filler", 0)):
            state.produced += len(FILLER)
            yield FILLER
        for number, piece in enumerate(stream_of(api, tuple(asked.get("text", ["Hello", " there", ", you"])))):
            if number == asked.get("fail"):
                raise RuntimeError("a secret of the endpoint")
            if number == 2 and asked.get("hang") == "inside":
                await asyncio.sleep(60)
            if number == asked.get("cut"):
                yield piece[:10]
                raise RuntimeError
            yield piece
            await asyncio.sleep(asked.get("delay", 0))
    finally:
        state.running -= 1


async def tell_state(request: Request) -> Response:
    """What became of the requests, and what is left."""
    gc.collect()  # Starlette leaves a generator that waits at its `yield` to the collector
    await asyncio.sleep(0)
    stats = manager.stats()
    tasks = [task.get_name() for task in asyncio.all_tasks() if "streamarena" in task.get_name()]
    finished, state.finished = state.finished, []
    produced, state.produced = state.produced, 0
    left = {"running": state.running, "outstanding": stats.outstanding, "open": stats.arenas.open, "tasks": len(tasks)}
    return JSONResponse({"finished": finished, "produced": produced, "left": left})


def config(**options: Any) -> MiddlewareConfig:
    """A configuration for some paths, all of them with the same observer."""
    return MiddlewareConfig(observers=[state], manager=manager, **options)


CONFIGS = [
    config(paths=["/v1/chat/*", "/v1/responses"]),
    config(paths=["/drain/*"], disconnect=DisconnectPolicy("drain", seconds=5)),
    config(paths=["/timeouts/*"], timeouts=Timeouts(first_content=0.3, idle=0.3)),
    config(paths=["/alive/*"], keep_alive=0.05),
    config(paths=["/redact/*", "/v1/messages"], stages=[redact(r"sk-[a-z]{3,}")]),
]
ROUTES = [
    Route("/state", tell_state),
    Route("/{first}/chat/completions", endpoint, methods=["POST"]),
    Route("/{first}/messages", endpoint, methods=["POST"]),
    Route("/{first}/responses", endpoint, methods=["POST"]),
]

starlette_app = Starlette(
    routes=ROUTES, middleware=[Middleware(StreamArenaMiddleware, config=each) for each in CONFIGS]
)

fastapi_app = FastAPI()
for each in CONFIGS:
    fastapi_app.add_middleware(StreamArenaMiddleware, config=each)
fastapi_app.router.routes.extend(ROUTES)
