"""map_async: several calls at once, results in order, and the source waits while the calls do."""

from __future__ import annotations

import asyncio
import time

from streamarena.pipeline import Pipeline, map_async


async def check(sentence: str) -> tuple[str, bool]:
    await asyncio.sleep(0.1)  # a moderation service, a tool, a database
    return sentence, "secret" not in sentence


async def main() -> None:
    sentences = [f"sentence {i}" for i in range(10)] + ["a secret"]
    checked = Pipeline(str.capitalize, map_async(check, concurrency=5))
    begun = time.perf_counter()
    async with checked.over(sentences) as flow:  # leaving it, however that happens, ends every call
        async for sentence, fine in flow:
            print("ok     " if fine else "refused", sentence)
    print(f"11 calls of 0.1 s, 5 at a time: {time.perf_counter() - begun:.1f} s")


if __name__ == "__main__":
    asyncio.run(main())
