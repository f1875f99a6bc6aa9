"""What a stage costs per item: fused callables against the usual ways to chain asynchronous stages.

Every way applies the same trivial function (`item + 1`) in each of its stages, to the same items, on the same loop.
Ways are interleaved round by round; the figure is the median of the rounds, in microseconds of CPU (this process's)
per item per stage, or per item where a row says so. Run: python -m perf.micro.pipeline
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio

from streamarena.pipeline import Pipeline, map_async

STAGES = 3
BATCH = 16  # items that one read brings, in a burst
DONE = object()


def plus_one(item: int) -> int:
    return item + 1


def drop(_item: int) -> None: ...


async def plus_one_later(item: int) -> int:
    await asyncio.sleep(0)
    return item + 1


class Reads:
    """A source that gives lists, as a socket would, without waiting."""

    def __init__(self, items: int, size: int) -> None:
        self.batches = iter([list(range(size))] * (items // size))

    async def next_batch(self) -> list[int] | None:
        """The next list."""
        return next(self.batches, None)

    async def for_each_batch(self, callback: Callable[[list[int]], object]) -> None:
        """All of them, without a wake-up."""
        for batch in self.batches:
            callback(batch)


async def source(items: int) -> AsyncIterator[int]:
    for item in range(items):
        yield item


async def fused_list(items: int) -> None:
    run = Pipeline(*[plus_one] * STAGES).start()
    for batch in Reads(items, BATCH).batches:
        run.feed(batch)


async def flow_for_each(items: int) -> None:
    await Pipeline(*[plus_one] * STAGES).over(Reads(items, BATCH)).for_each(drop)


async def flow_batches(items: int) -> None:
    async for batch in Pipeline(*[plus_one] * STAGES).over(Reads(items, BATCH)).batches():
        for _ in batch:
            pass


async def flow_items(items: int) -> None:
    async for _ in Pipeline(*[plus_one] * STAGES).over(Reads(items, BATCH)):
        pass


async def flow_items_of_single_reads(items: int) -> None:
    async for _ in Pipeline(*[plus_one] * STAGES).over(Reads(items, 1)):
        pass


async def async_generators(items: int) -> None:
    async def stage(upstream: AsyncIterator[int]) -> AsyncIterator[int]:
        async for item in upstream:
            yield plus_one(item)

    stream = source(items)
    for _ in range(STAGES):
        stream = stage(stream)
    async for _ in stream:
        pass


async def queues(items: int) -> None:
    async def feed(queue: asyncio.Queue[object]) -> None:
        for item in range(items):
            await queue.put(item)
        await queue.put(DONE)

    async def stage(upstream: asyncio.Queue[object], downstream: asyncio.Queue[object]) -> None:
        while (item := await upstream.get()) is not DONE:
            await downstream.put(plus_one(item))
        await downstream.put(DONE)

    line = [asyncio.Queue[object](BATCH) for _ in range(STAGES + 1)]
    async with asyncio.TaskGroup() as group:
        group.create_task(feed(line[0]))
        for upstream, downstream in itertools.pairwise(line):
            group.create_task(stage(upstream, downstream))
        while await line[-1].get() is not DONE:
            pass


async def anyio_streams(items: int) -> None:
    async def feed(send) -> None:
        async with send:
            for item in range(items):
                await send.send(item)

    async def stage(receive, send) -> None:
        async with receive, send:
            async for item in receive:
                await send.send(plus_one(item))

    ends = [anyio.create_memory_object_stream[int](BATCH) for _ in range(STAGES + 1)]
    async with anyio.create_task_group() as group:
        group.start_soon(feed, ends[0][0])
        for (_, receive), (send, _) in itertools.pairwise(ends):
            group.start_soon(stage, receive, send)
        async with ends[-1][1] as last:
            async for _ in last:
                pass


async def map_async_ordered(items: int) -> None:
    async for _ in Pipeline(map_async(plus_one_later, concurrency=BATCH)).over(Reads(items, BATCH)).batches():
        pass


async def map_async_unordered(items: int) -> None:
    stage = map_async(plus_one_later, concurrency=BATCH, ordered=False)
    async for _ in Pipeline(stage).over(Reads(items, BATCH)).batches():
        pass


async def gather_and_semaphore(items: int) -> None:
    limit = asyncio.Semaphore(BATCH)

    async def one(item: int) -> int:
        async with limit:
            return await plus_one_later(item)

    await asyncio.gather(*(one(item) for item in range(items)))


# name: (what runs, items in relation to the others, whether the figure is divided by the stages)
WAYS: dict[str, tuple[Callable[[int], Awaitable[None]], float, bool]] = {
    "fused, list in and list out": (fused_list, 4, True),
    "flow.for_each, 16 items a read": (flow_for_each, 4, True),
    "flow.batches(), 16 items a read": (flow_batches, 4, True),
    "async for over a flow, 16 items a read": (flow_items, 2, True),
    "async for over a flow, 1 item a read": (flow_items_of_single_reads, 1, True),
    "chain of async generators": (async_generators, 1, True),
    "asyncio.Queue and a task for each stage": (queues, 0.25, True),
    "anyio memory stream and a task for each stage": (anyio_streams, 0.05, True),
    "map_async, ordered (per item)": (map_async_ordered, 0.1, False),
    "map_async, unordered (per item)": (map_async_unordered, 0.1, False),
    "asyncio.gather with a semaphore, unbounded memory (per item)": (gather_and_semaphore, 0.1, False),
}


def measure(items: int, rounds: int) -> dict[str, float]:
    """Microseconds of CPU per item (and stage) for each way, the median of interleaved rounds."""
    taken: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(rounds):
        for name, (way, share, by_stage) in WAYS.items():
            count = max(BATCH, int(items * share) // BATCH * BATCH)
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                begun = time.process_time_ns()
                runner.run(way(count))
                spent = time.process_time_ns() - begun
            taken[name].append(spent / 1000 / count / (STAGES if by_stage else 1))
    return {name: statistics.median(values) for name, values in taken.items()}


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    if sys.platform == "win32":
        return asyncio.new_event_loop
    import uvloop

    return uvloop.new_event_loop


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options.items, options.rounds)
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    print(f"us of CPU per item per stage, {STAGES} stages, uvloop, median of {options.rounds} interleaved rounds")
    for name, value in figures.items():
        print(f"{value:8.3f}  {name}")


if __name__ == "__main__":
    main()
