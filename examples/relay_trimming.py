"""A relay that keeps every conversation inside a budget: long histories are trimmed on their way to the model."""

import asyncio

import httpx

from streamarena.relay import Relay
from streamarena.relay.observing import ExchangeFinished, ExchangeMoment
from streamarena.testing import FakeLLM
from streamarena_adapters.asgi import ContextRules, MiddlewareConfig, StreamArenaMiddleware


def tell(moment: ExchangeMoment) -> None:
    if isinstance(moment, ExchangeFinished) and moment.stream is not None:
        print(f"{moment.outcome}: {moment.request_bytes} bytes asked, {moment.stream.events} events answered")


async def main() -> None:
    history = [{"role": "system", "content": "Be brief."}]
    for turn in range(100):
        history.append({"role": "user", "content": f"Question {turn}: " + "why? " * 40})
        history.append({"role": "assistant", "content": f"Answer {turn}: " + "because. " * 40})
    history.append({"role": "user", "content": "And now?"})
    async with FakeLLM(tokens=10, ttft=0, inter_token_latency=0) as llm:
        relay = Relay.to(f"{llm.url}/v1", observers=[tell])
        # `uvicorn module:app` serves the same application; here it is called without a server.
        app = StreamArenaMiddleware(relay, MiddlewareConfig(context=ContextRules(max_input_tokens=1000)))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://relay") as client:
            asked = {"model": "fake-model", "stream": True, "messages": history}
            response = await client.post("/v1/chat/completions", json=asked)
            print(f"{len(response.request.content)} bytes came in")
            print("trimmed:", response.headers["x-streamarena-context"])
        relay.close()


if __name__ == "__main__":
    asyncio.run(main())
