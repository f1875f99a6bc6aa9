"""A target that fails most of what it is asked is left alone: the fallback is asked at once, without waiting."""

import asyncio
import time

from streamarena import StreamClient
from streamarena.client import BreakerPolicy, RetryPolicy, Target
from streamarena.testing import FakeLLM


async def main() -> None:
    async with FakeLLM(tokens=5) as well:
        fallbacks = [Target(f"{well.url}/v1")]
        policy = BreakerPolicy(failures=0.5, least=3, open_seconds=10)
        async with StreamClient(  # nobody listens at the first address
            "http://127.0.0.1:9/v1", fallbacks=fallbacks, retry=RetryPolicy(attempts=1), breaker=policy
        ) as client:
            for number in range(5):
                start = time.perf_counter()
                async with client.stream(model="m", messages=[]) as stream:
                    await stream.result()
                    failed = [type(attempt.error).__name__ for attempt in stream.attempts[:-1]]
                print(f"request {number}: {failed}, {1000 * (time.perf_counter() - start):.1f} ms")
            print(client.breaker_states)


if __name__ == "__main__":
    asyncio.run(main())
