"""Reading flows: leaving and coming back, lists, callbacks, sources of every kind, and closing."""

from __future__ import annotations

import asyncio
import contextvars
import gc

import pytest

from streamarena.errors import StreamClosedError, StreamInUseError
from streamarena.pipeline import BatchIterator, Pipeline, filter, map, map_async, tap
from tests.pipeline.support import Lines, Listed, Pushed, Running, counted


async def test_leaving_a_loop_and_coming_back_loses_nothing_whichever_way_one_reads_on():
    stream = Listed([[1, 2, 3, 4], [5, 6], [], [7, 8], [9]])
    seen = []
    async for item in stream:
        seen.append(item)
        if item == 2:
            break
    seen.append(await anext(stream))
    async for batch in stream.batches():
        assert batch == [4]
        seen += batch
        break
    seen.append(await anext(stream))
    assert await stream.next_batch() == [6]
    assert await anext(stream) == 7
    through = stream | (lambda item: item * 10)
    assert await anext(through) == 80
    await stream.for_each(seen.append)
    assert seen == [1, 2, 3, 4, 5, 9]
    assert await stream.next_batch() is None


async def test_for_each_starts_with_the_rest_of_the_batch():
    flow = Pipeline(lambda item: item + 1).over(Pushed([[1, 2, 3], [4]]))
    assert await anext(flow) == 2
    seen = []
    await flow.for_each(seen.append)
    assert seen == [3, 4, 5]
    flow = Pipeline(str).over(Pushed([[1, 2, 3], [4]]))
    assert await anext(flow) == "1"
    lists = []
    await flow.for_each_batch(lists.append)
    assert lists == [["2", "3"], ["4"]]


async def test_callbacks_run_inside_the_callback_that_reads():
    for make in (lambda source: source, lambda source: source | map(str), lambda source: source | Running | str):
        source = Pushed([[1, 2], [3]])
        inside = []
        await make(source).for_each(lambda item, source=source, inside=inside: inside.append(source.inside))
        assert all(inside[:3])
        assert len(inside) >= 3


async def test_callbacks_and_stages_see_the_readers_context_wherever_they_are_called_from():
    request = contextvars.ContextVar("request", default="nobody")

    class FromTheLoop(BatchIterator):
        """Delivers in callbacks whose context belongs to somebody else, as a pooled connection does."""

        async def receive_batch(self):
            return None

        async def receive_each(self, callback):
            for item in (1, 2):
                delivered = asyncio.Event()

                def read(item=item, delivered=delivered):
                    callback([item])
                    delivered.set()

                asyncio.get_running_loop().call_soon(read, context=elsewhere)
                await delivered.wait()

    class ForeignSource:
        next_batch = None

        async def for_each_batch(self, callback):
            await FromTheLoop().receive_each(callback)

    elsewhere = contextvars.copy_context()
    elsewhere.run(request.set, "another")
    request.set("mine")
    seen = []

    def note(item):
        seen.append(request.get())

    await FromTheLoop().for_each(note)
    await (FromTheLoop() | tap(note)).for_each(note)
    await (FromTheLoop() | tap(note)).for_each_batch(note)
    await Pipeline(tap(note)).over(ForeignSource()).for_each(note)
    assert seen == ["mine"] * (2 + 4 + 4 + 4)


async def test_closing_while_somebody_waits_wakes_him_with_an_error():
    waits = Pipeline(map_async(asyncio.sleep, concurrency=2)).over([10])
    pull = asyncio.create_task(anext(waits))
    await asyncio.sleep(0.01)
    await waits.aclose()
    with pytest.raises(StreamClosedError, match="closed"):
        await pull


async def test_lists_that_a_failing_stage_had_begun_reach_the_callback_before_the_error():
    for cls in (Listed, Pushed):
        lists = []
        with pytest.raises(ZeroDivisionError):
            await (cls([[4, 2], [1, 0, 5]]) | (lambda item: 4 // item)).for_each_batch(lists.append)
        assert lists == [[1, 2], [4]]


async def test_a_flow_over_a_started_flow_pushes_through_both():
    source = Pushed([[1, 2, 3], [4]])
    flow = source | (lambda item: item + 1)
    assert await anext(flow) == 2
    seen = []
    await (flow | str).for_each(seen.append)
    assert seen == ["3", "4", "5"]


async def test_stages_added_before_anything_ran_are_fused_into_one_flow():
    source = Listed([[1]])
    flow = source | str | len | tap(print)
    assert flow._source is source
    assert len(flow._steps) == 3


async def test_an_exception_of_the_callback_closes_the_stream_and_propagates_unchanged():
    error = KeyError("callback")

    def fail(item):
        if item == "2":
            raise error

    for cls in (Listed, Pushed):
        source = cls([[1, 2], [3]])
        with pytest.raises(KeyError) as caught:
            await (source | str).for_each(fail)
        assert caught.value is error
        assert source.closed
        source = cls([["1", "2"]])
        with pytest.raises(KeyError) as caught:
            await source.for_each(fail)
        assert caught.value is error
        assert source.closed == 1


SOURCES = {
    "a stream": lambda: Listed([[1, 2], [3]]),
    "a pushing stream": lambda: Pushed([[1, 2], [3]]),
    "an asynchronous generator": lambda: counted([1, 2, 3]),
    "a list": lambda: [1, 2, 3],
    "an iterator": lambda: iter([1, 2, 3]),
    "a flow": lambda: Pipeline().over([1, 2, 3]),
}


class HasBatches:
    async def batches(self):
        yield (1, 2)
        yield []
        yield (3,)


class HasNextBatch:
    def __init__(self):
        self.left = [(3,), (1, 2)]

    async def next_batch(self):
        return self.left.pop() if self.left else None


SOURCES |= {"an object with batches": HasBatches, "an object with next_batch alone": HasNextBatch}


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
async def test_every_kind_of_source_gives_the_same(make):
    pipeline = Pipeline(lambda item: item * 2, Running)
    expected = [2, 6, 12, -12]
    assert [item async for item in pipeline.over(make())] == expected
    seen = []
    await pipeline.over(make()).for_each(seen.append)
    assert seen == expected


async def test_what_is_no_source_is_refused():
    with pytest.raises(TypeError, match="not int"):
        Pipeline().over(3)


async def test_a_long_synchronous_iterable_leaves_the_loop_its_turns():
    turns = 0

    async def other():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await Pipeline().over(range(64 * 20)).for_each(lambda item: None)
    assert turns >= 20
    task.cancel()


async def test_an_error_of_the_source_comes_unchanged_after_what_it_gave_and_nothing_is_flushed():
    error = OSError("source")
    flow = Listed([["a"], ["b"]], error=error) | Lines | str.upper
    seen = []
    with pytest.raises(OSError, match="source") as caught:
        await flow.for_each(seen.append)
    assert caught.value is error
    assert seen == []
    pulled = Listed([[1], [2]], error=error) | str
    assert [await pulled.next_batch(), await pulled.next_batch()] == [["1"], ["2"]]
    with pytest.raises(OSError, match="source"):
        await pulled.next_batch()
    assert await pulled.next_batch() is None


async def test_one_consumer_at_a_time():
    class Waits(Listed):
        async def receive_batch(self):
            await asyncio.sleep(0.01)
            return await super().receive_batch()

    stream = Waits([[1], [2]])
    first = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)
    with pytest.raises(StreamInUseError, match="one consumer"):
        await anext(stream)
    with pytest.raises(StreamInUseError, match="one consumer"):
        await stream.next_batch()
    assert await first == 1
    assert await anext(stream) == 2


async def test_a_cancelled_pull_loses_nothing_and_the_stream_reads_on():
    gate = asyncio.Event()

    class Gated(Listed):
        async def receive_batch(self):
            await gate.wait()
            return await super().receive_batch()

    flow = Gated([[1, 2], [3]]) | str
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(flow), 0.001)
    gate.set()
    assert [item async for item in flow] == ["1", "2", "3"]


async def test_closing_a_flow_closes_its_source_and_reading_on_is_an_error():
    closed = []
    flow = Pipeline(str, len).over(counted(range(5), closed))
    assert await anext(flow) == 1
    await flow.aclose()
    await flow.aclose()
    assert closed == ["closed"]
    for read in (flow.next_batch, flow.__anext__, lambda: flow.for_each(print)):
        with pytest.raises(StreamClosedError):
            await read()


async def test_a_flow_that_has_ended_gives_nothing_more_whichever_way_it_is_read():
    flow = Pipeline(str).over(Listed([[1]]))
    assert await flow.next_batch() == ["1"]
    seen = []
    await flow.for_each(seen.append)
    await flow.for_each(seen.append)
    await flow.for_each_batch(seen.append)
    assert seen == []
    assert await flow.next_batch() is None


async def test_closing_a_flow_closes_the_batches_that_it_iterates():
    closed = []

    class Has:
        def batches(self):
            return counted([[1], [2]], closed)

    async with Pipeline(str).over(Has()) as flow:
        assert await anext(flow) == "1"
    assert closed == ["closed"]


async def test_a_closed_flow_drops_the_rest_of_its_batch():
    flow = Pipeline(str).over(Listed([[1, 2, 3]]))
    assert await anext(flow) == "1"
    await flow.aclose()
    with pytest.raises(StreamClosedError):
        await anext(flow)


async def test_leaving_the_context_closes_and_the_bodys_error_passes_unchanged():
    error = ValueError("body")
    source = Listed([[1, 2]])

    async def body():
        async with source | str as flow:
            await anext(flow)
            raise error

    with pytest.raises(ValueError, match="body") as caught:
        await body()
    assert caught.value is error
    assert source.closed == 1


async def test_a_failing_close_is_a_note_of_the_error_before_it_and_raised_where_there_is_none():
    class Sticky(Listed):
        async def aclose(self):
            raise OSError("stuck")

    with pytest.raises(OSError, match="stuck"):
        async with Sticky([[1]]) | str:
            pass
    with pytest.raises(ValueError, match="body") as caught:
        async with Sticky([[1]]) | str:
            raise ValueError("body")
    assert "stuck" in caught.value.__notes__[0]
    with pytest.raises(ZeroDivisionError) as failed:
        await anext(Sticky([[0]]) | (lambda item: 1 / item))
    assert "stuck" in failed.value.__notes__[0]


async def test_a_read_that_gives_nothing_after_the_stages_is_not_delivered():
    flow = Pipeline(filter(lambda item: item > 3)).over(Listed([[1], [2, 3], [4], [], [5]]))
    assert await flow.next_batch() == [4]
    assert [batch async for batch in flow.batches()] == [[5]]


async def test_errors_leave_no_reference_cycles_behind():
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await anext(Listed([[0]]) | (lambda item: 1 / item))
        kept = [thing for thing in gc.get_objects() if isinstance(thing, Listed)]
    finally:
        gc.enable()
    assert len(kept) <= 1  # the last one, through pytest's own record of the exception
