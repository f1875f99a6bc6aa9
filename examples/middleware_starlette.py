"""Starlette and the middleware: a client that leaves early, and what draining its answer still learns."""

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from streamarena import StreamClient
from streamarena.providers import encoder_for
from streamarena.testing import FakeLLM
from streamarena_adapters.asgi import DisconnectPolicy, ExchangeFinished, MiddlewareConfig, StreamArenaMiddleware


def told(moment: object) -> None:
    if isinstance(moment, ExchangeFinished) and moment.stream is not None:
        used = moment.stream.usage
        print(f"{moment.path}: {moment.outcome}, drained: {moment.drained}, tokens: {used and used.output_tokens}")


async def answer(model_url: str) -> AsyncIterator[bytes]:
    encoder = encoder_for("openai-chat")
    async with StreamClient(model_url) as client, client.stream(model="m", messages=[]) as stream:
        async for chunks in stream.batches():
            yield encoder.encode(chunks)
    yield encoder.finish()


async def chat(request: Request) -> StreamingResponse:
    return StreamingResponse(answer(request.app.state.model_url), media_type="text/event-stream")


drain = MiddlewareConfig(disconnect=DisconnectPolicy("drain", seconds=5), observers=[told])
app = Starlette(routes=[Route("/chat", chat)], middleware=[Middleware(StreamArenaMiddleware, config=drain)])


async def main() -> None:
    async with FakeLLM(tokens=20, inter_token_latency=0.01) as llm:
        app.state.model_url = f"{llm.url}/v1"
        listening = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/chat"
        async with httpx.AsyncClient() as client, client.stream("GET", url) as response:
            data = await anext(response.aiter_bytes())
            print(f"the client leaves after {len(data)} bytes")
        await asyncio.sleep(0.5)  # nobody listens any more
        server.should_exit = True
        await serving


if __name__ == "__main__":
    asyncio.run(main())
