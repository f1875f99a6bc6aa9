"""Put a bad line between a client and its server: slow, in tiny packets, and cut now and then."""

import asyncio

from streamarena import StreamClient
from streamarena.errors import StreamArenaError
from streamarena.testing import ChaosProxy, FakeLLM


async def words(url: str) -> int:
    async with StreamClient(url + "/v1") as client:
        messages = [{"role": "user", "content": "Hello"}]
        async with client.stream(model="fake-model", messages=messages) as stream:
            return len("".join([text async for text in stream.text_deltas()]).split())


async def main() -> None:
    rules = ("delay:uniform:1ms:5ms", "split:300", "cut,after=3000,share=0.5")
    async with FakeLLM(ttft=0, tokens=30) as llm, ChaosProxy(llm.url, *rules, seed=1) as proxy:
        for number in range(6):
            try:
                print(f"stream {number}: {await words(proxy.url)} words")
            except StreamArenaError as error:
                print(f"stream {number}: {type(error).__name__}: {error}")
        print("applied:", dict(proxy.context.applied))


if __name__ == "__main__":
    asyncio.run(main())
