"""A fake server with two slots: beyond them time to first token grows with the queue, as on a real one."""

import asyncio

from streamarena import StreamClient
from streamarena.testing import FakeLLM


async def seconds_to_first_token(client: StreamClient) -> float:
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with client.stream(model="fake-model", messages=[{"role": "user", "content": "Hello"}]) as stream:
        async for chunk in stream:
            if chunk.is_content:
                return loop.time() - start
    raise AssertionError("a reply without content")


async def main() -> None:
    async with FakeLLM(slots=2, ttft=0.02, inter_token_latency=0.002, tokens=20) as llm:
        async with StreamClient(llm.url + "/v1") as client:
            for concurrency in (1, 2, 4, 8):
                times = await asyncio.gather(*(seconds_to_first_token(client) for _ in range(concurrency)))
                print(f"{concurrency} at once: {min(times) * 1e3:5.0f} to {max(times) * 1e3:5.0f} ms")
        print(f"longest queue: {llm.queue.peak_waiting}")


if __name__ == "__main__":
    asyncio.run(main())
