"""What a stage costs per item: fused callables against the usual ways to chain asynchronous stages.

    python -m perf pipeline [--rounds N] [--save-baseline]

Every way applies the same trivial function (`item + 1`) in each of its stages to the same number of items, on one
uvloop loop (the standard one on Windows), and must bring all of them to its end.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

import anyio

from perf.measure import Contender, Table, interleave, options, report
from streamarena._loop import loop_factory
from streamarena.pipeline import Pipeline, map_async

STAGES = 3
ITEMS = 4096
BATCH = 16  # items that one read brings, in a burst
DONE = object()


def plus_one(item: int) -> int:
    return item + 1


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


async def fused_list(items: int) -> int:
    run = Pipeline(*[plus_one] * STAGES).start()
    return sum(len(run.feed(batch)) for batch in Reads(items, BATCH).batches)


async def by_hand(items: int) -> int:
    assert STAGES == 3, "written out for three"
    return sum(len([plus_one(plus_one(plus_one(item))) for item in batch]) for batch in Reads(items, BATCH).batches)


async def flow_for_each(items: int) -> int:
    count = 0

    def note(_item: int) -> None:
        nonlocal count
        count += 1

    await Pipeline(*[plus_one] * STAGES).over(Reads(items, BATCH)).for_each(note)
    return count


async def flow_batches(items: int) -> int:
    count = 0
    async for batch in Pipeline(*[plus_one] * STAGES).over(Reads(items, BATCH)).batches():
        for _ in batch:
            count += 1
    return count


async def counted(flow: AsyncIterator[int]) -> int:
    count = 0
    async for _ in flow:
        count += 1
    return count


async def flow_items(items: int) -> int:
    return await counted(Pipeline(*[plus_one] * STAGES).over(Reads(items, BATCH)))


async def flow_items_of_single_reads(items: int) -> int:
    return await counted(Pipeline(*[plus_one] * STAGES).over(Reads(items, 1)))


async def async_generators(items: int) -> int:
    async def stage(upstream: AsyncIterator[int]) -> AsyncIterator[int]:
        async for item in upstream:
            yield plus_one(item)

    stream = source(items)
    for _ in range(STAGES):
        stream = stage(stream)
    return await counted(stream)


async def queues(items: int) -> int:
    async def feed(queue: asyncio.Queue[object]) -> None:
        for item in range(items):
            await queue.put(item)
        await queue.put(DONE)

    async def stage(upstream: asyncio.Queue[object], downstream: asyncio.Queue[object]) -> None:
        while (item := await upstream.get()) is not DONE:
            await downstream.put(plus_one(item))
        await downstream.put(DONE)

    line = [asyncio.Queue[object](BATCH) for _ in range(STAGES + 1)]
    count = 0
    async with asyncio.TaskGroup() as group:
        group.create_task(feed(line[0]))
        for upstream, downstream in itertools.pairwise(line):
            group.create_task(stage(upstream, downstream))
        while await line[-1].get() is not DONE:
            count += 1
    return count


async def anyio_streams(items: int) -> int:
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
            return await counted(last)


async def map_async_ordered(items: int) -> int:
    return await counted(Pipeline(map_async(plus_one_later, concurrency=BATCH)).over(Reads(items, BATCH)))


async def map_async_unordered(items: int) -> int:
    stage = map_async(plus_one_later, concurrency=BATCH, ordered=False)
    return await counted(Pipeline(stage).over(Reads(items, BATCH)))


async def gather_and_semaphore(items: int) -> int:
    limit = asyncio.Semaphore(BATCH)

    async def one(item: int) -> int:
        async with limit:
            return await plus_one_later(item)

    return len(await asyncio.gather(*(one(item) for item in range(items))))


Way = Callable[[int], Coroutine[Any, Any, int]]

STAGED: dict[str, Way] = {
    "calls by hand, unchecked": by_hand,
    "fused, list in, list out": fused_list,
    "for_each, 16 items a read": flow_for_each,
    "batches(), 16 items a read": flow_batches,
    "async for, 16 items a read": flow_items,
    "async for, 1 item a read": flow_items_of_single_reads,
    "async generators": async_generators,
    "asyncio.Queue and tasks": queues,
    "anyio memory streams": anyio_streams,
}
CONCURRENT: dict[str, Way] = {
    "map_async, ordered": map_async_ordered,
    "map_async, unordered": map_async_unordered,
    "gather and a semaphore": gather_and_semaphore,
}


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = options(__doc__, arguments)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        staged = compare(
            f"one item through one stage ({STAGES} stages, each item + 1)",
            STAGED,
            runner,
            chosen.rounds,
            unit="item and stage",
            stages=STAGES,
        )
        concurrent = compare(
            f"one call of a function that gives the loop one turn, {BATCH} at once",
            CONCURRENT,
            runner,
            chosen.rounds,
            unit="call",
            stages=1,
        )
    concurrent.notes.append("gather holds every item and every result in memory; map_async at most the sixteen")
    report("pipeline", [staged, concurrent], save_baseline=chosen.save_baseline)


def compare(title: str, ways: dict[str, Way], runner: asyncio.Runner, rounds: int, *, unit: str, stages: int) -> Table:
    def contender(name: str, way: Way) -> Contender:
        def work() -> float:
            brought = runner.run(way(ITEMS))
            if brought != ITEMS:
                raise RuntimeError(f"{name} brought {brought} of {ITEMS} items")
            return ITEMS * stages

        return Contender(name, work)

    contenders = [contender(name, way) for name, way in ways.items()]
    return interleave(title, contenders, baseline=contenders[0].name, unit=unit, rounds=rounds)


if __name__ == "__main__":
    main()
