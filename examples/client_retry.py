"""Requests that fail before the first content are repeated, and another target is asked when one stays down."""

import asyncio

from streamarena import StreamClient
from streamarena.client import RetryPolicy, Target
from streamarena.testing import FakeLLM


async def main() -> None:
    async with FakeLLM(faults={"status:503": 1.0}) as broken, FakeLLM(tokens=8) as good:
        policy = RetryPolicy(attempts=2, first_wait=0.05)
        fallback = Target(f"{good.url}/v1")
        asking = StreamClient(f"{broken.url}/v1", retry=policy, fallbacks=[fallback])
        async with asking as client, client.stream(model="m", messages=[]) as stream:
            result = await stream.result()
        print(result.text)
        for attempt in result.attempt_log:
            print(attempt.number, attempt.status or "answered", "waited", attempt.waited)


if __name__ == "__main__":
    asyncio.run(main())
