"""FastAPI in front of a model: the middleware redacts keys, keeps silent streams alive and tells what each one used."""

import asyncio
from collections.abc import AsyncIterator

import httpx
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from streamarena import StreamClient
from streamarena.providers import encoder_for
from streamarena.testing import FakeLLM
from streamarena_adapters.asgi import ExchangeFinished, MiddlewareConfig, StreamArenaMiddleware, redact


def told(moment: object) -> None:
    if isinstance(moment, ExchangeFinished) and moment.stream is not None:
        seen = moment.stream
        print(f"{moment.path}: {moment.outcome}, {seen.events} events, finish reason {seen.finish_reason}")
        print(
            f"first content after {seen.first_content_seconds:.2f} s; {seen.usage and seen.usage.output_tokens} tokens"
        )


app = FastAPI()
settings = MiddlewareConfig(keep_alive=15, stages=[redact(r"sk-[A-Za-z0-9_-]{8,}")], observers=[told])
app.add_middleware(StreamArenaMiddleware, config=settings)


@app.post("/chat")
async def chat(question: str) -> StreamingResponse:
    async def answer() -> AsyncIterator[bytes]:
        encoder = encoder_for("openai-chat")
        ask = {"model": "m", "messages": [{"role": "user", "content": question}]}
        async with StreamClient(app.state.model_url) as client, client.stream(ask) as stream:
            async for chunks in stream.batches():
                yield encoder.encode(chunks)
        yield encoder.finish()

    return StreamingResponse(answer(), media_type="text/event-stream")


async def main() -> None:
    async with FakeLLM(text="The key is sk-abcdefghijkl, of course.") as llm:
        app.state.model_url = f"{llm.url}/v1"
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
            response = await client.post("/chat?question=why")
    print("secret shown:", "sk-abc" in response.text, "- redacted:", "[redacted]" in response.text)


if __name__ == "__main__":
    asyncio.run(main())
