"""Stages in a row are one loop: they run on a list, or over a stream, and mean the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from streamarena.pipeline import Pipeline, filter, flat_map, tap

words = Pipeline(str.lower, flat_map(str.split), filter(str.isalpha))


async def deltas() -> AsyncIterator[str]:
    for delta in ("Streams are ", "lists in ", "2026"):
        await asyncio.sleep(0.01)
        yield delta


async def main() -> None:
    print(words.run(["Streams are ", "lists in ", "2026"]))

    seen: list[str] = []
    async for word in words.over(deltas()) | tap(seen.append) | len:
        print(word, end=" ")
    print(seen)


if __name__ == "__main__":
    asyncio.run(main())
