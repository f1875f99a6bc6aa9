"""Where content is late a second request is sent; the first content wins and the other request is given up."""

import asyncio
import itertools

from streamarena import StreamClient
from streamarena.client import HedgePolicy
from streamarena.testing import FakeLLM, reply_settings

SLOW_AND_QUICK = itertools.cycle([reply_settings(ttft=2.0, tokens=9), reply_settings(ttft=0.02, tokens=9)])


async def main() -> None:
    policy = HedgePolicy(after_seconds=0.1)  # or at a percentile of what the server took lately: HedgePolicy()
    async with (
        FakeLLM(responder=lambda _: next(SLOW_AND_QUICK)) as llm,
        StreamClient(f"{llm.url}/v1", hedge=policy) as client,
    ):
        for _ in range(2):
            async with client.stream(model="m", messages=[]) as stream:
                result = await stream.result()
            for attempt in result.attempt_log:
                print(attempt.number, "hedge" if attempt.hedge else "first", "given up" if attempt.lost else "read")
            print(f"{((result.timings.finished or 0) - result.timings.started) / 1e9:.2f} s in all")
        print(client.hedge_stats)


if __name__ == "__main__":
    asyncio.run(main())
