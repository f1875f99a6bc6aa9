"""Code written for httpx-sse, on streamarena's parser: only the import is another one."""

from __future__ import annotations

import asyncio

import httpx

from streamarena.testing import FakeLLM
from streamarena_adapters.httpx_sse import aconnect_sse


async def main() -> None:
    async with FakeLLM(tokens=8, seed=1) as llm, httpx.AsyncClient() as client:
        body = {"model": "fake-model", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
        url = f"{llm.url}/v1/chat/completions"
        async with aconnect_sse(client, "POST", url, json=body) as source:
            async for event in source.aiter_sse():
                if event.data != "[DONE]":
                    for choice in event.json()["choices"]:
                        print(choice["delta"].get("content") or "", end="")
        print()


if __name__ == "__main__":
    asyncio.run(main())
