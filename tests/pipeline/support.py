"""Sources, stages and counters that the pipeline's tests share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

from streamarena.pipeline import BatchIterator


class Lines:
    """A stage with memory: text in pieces becomes lines."""

    def __init__(self) -> None:
        self._open = ""

    def feed(self, item: str) -> list[str]:
        *lines, self._open = (self._open + item).split("\n")
        return lines

    def flush(self) -> list[str]:
        return [self._open] if self._open else []


class Running:
    """A stage with memory of numbers: gives the sum so far for each item, and minus the total at the end."""

    def __init__(self) -> None:
        self.total = 0

    def feed(self, item: int) -> Iterable[int]:
        self.total += item
        yield self.total

    def flush(self) -> Iterable[int]:
        yield -self.total


class Listed(BatchIterator[Any]):
    """A stream of given batches that counts pulls and closes, as the client's streams do."""

    def __init__(self, batches: Sequence[Sequence[Any]], *, error: BaseException | None = None) -> None:
        self._batches = iter([list(batch) for batch in batches])
        self._error = error
        self.pulled = 0
        self.closed = 0

    async def receive_batch(self) -> list[Any] | None:
        await asyncio.sleep(0)
        for batch in self._batches:
            self.pulled += 1
            return batch
        if self._error is not None:
            raise self._error
        return None

    async def aclose(self) -> None:
        await super().aclose()
        self.closed += 1


class Pushed(Listed):
    """The same, delivering synchronously; `inside` is true while a callback runs."""

    inside = False

    async def receive_each(self, callback: Callable[[list[Any]], object]) -> None:
        while (batch := await self.receive_batch()) is not None:
            self.inside = True
            try:
                callback(batch)
            finally:
                self.inside = False


async def counted(items: Iterable[Any], closed: list[str] | None = None) -> AsyncIterator[Any]:
    """An asynchronous generator that notes when it is closed or has ended."""
    try:
        for item in items:
            yield item
            await asyncio.sleep(0)
    finally:
        if closed is not None:
            closed.append("closed")


async def nothing_left(before: set[asyncio.Task[Any]], turns: int = 10) -> bool:
    """Whether, after a few turns of the loop, only the tasks of before are there."""
    for _ in range(turns):
        if asyncio.all_tasks() <= before:
            return True
        await asyncio.sleep(0)
    return asyncio.all_tasks() <= before
