"""An httpx client over streamarena's connections: one argument changes, everything else stays httpx."""

from __future__ import annotations

import asyncio

import httpx

from streamarena.testing import FakeLLM
from streamarena_adapters.httpx import AsyncHTTPTransport


async def main() -> None:
    transport = AsyncHTTPTransport()
    body = {"model": "fake-model", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
    async with FakeLLM(tokens=20) as llm, httpx.AsyncClient(transport=transport, base_url=llm.url) as client:
        models = await client.get("/v1/models")
        print(models.status_code, models.json()["data"][0]["id"])
        async with client.stream("POST", "/v1/chat/completions", json=body) as response:
            async for line in response.aiter_lines():
                if line:
                    break  # leaving early closes the connection, and nothing waits for it
        print(f"{transport.pool_stats.opened} opened, {transport.open_connections} open now")


if __name__ == "__main__":
    asyncio.run(main())
