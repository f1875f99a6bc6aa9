"""The boundary that waits: its bounds, its order, and what is left of it when things go wrong: nothing."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamarena.errors import ScopeClosedError, StreamClosedError
from streamarena.memory import current_arena, request_scope
from streamarena.pipeline import Pipeline, map_async, reaper_stats, tap
from tests.pipeline.support import Listed, Running, counted, nothing_left

BOTH = pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "unordered"])


class Calls:
    """An asynchronous function that counts, waits a number of turns by item, and fails for some."""

    def __init__(self, turns=lambda item: item % 4, fails=()):
        self.turns, self.fails = turns, set(fails)
        self.begun: list[int] = []
        self.done: list[int] = []
        self.cancelled: list[int] = []
        self.peak = 0

    async def __call__(self, item):
        self.begun.append(item)
        self.peak = max(self.peak, len(self.begun) - len(self.done) - len(self.cancelled))
        try:
            for _ in range(self.turns(item)):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.cancelled.append(item)
            raise
        self.done.append(item)
        if item in self.fails:
            raise ValueError(item)
        return item


async def forever(item):
    await asyncio.get_running_loop().create_future()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 30), max_size=8), max_size=6),
    st.integers(1, 9),
    st.booleans(),
    st.integers(0, 2**16),
)
def test_every_item_comes_out_exactly_once_and_never_more_than_concurrency_are_held(batches, limit, ordered, seed):
    items = [item for batch in batches for item in batch]
    chance = random.Random(seed)
    calls = Calls(turns=lambda item: chance.randrange(5))

    async def read():
        source = Listed(batches)
        flow = Pipeline(map_async(calls, concurrency=limit, ordered=ordered)).over(source)
        out = []
        async for batch in flow.batches():
            assert len(batch) <= limit
            assert len(calls.begun) - len(out) <= limit
            out += batch
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
                assert len(calls.begun) - len(out) <= limit
        assert out == items if ordered else sorted(out) == sorted(items)
        assert source.closed == 1
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(read())
    assert sorted(calls.begun) == sorted(calls.done) == sorted(items)


@BOTH
async def test_calls_run_at_the_same_time_up_to_the_limit(ordered):
    calls = Calls(turns=lambda item: 3)
    flow = Pipeline(map_async(calls, concurrency=5, ordered=ordered)).over(range(40))
    assert sorted([item async for item in flow]) == list(range(40))
    assert calls.peak == 5


@BOTH
async def test_the_source_is_not_read_while_the_limit_is_held(ordered):
    source = Listed([[i, i + 1] for i in range(0, 40, 2)])
    async with Pipeline(map_async(Calls(), concurrency=4, ordered=ordered)).over(source) as flow:
        await anext(flow)
        for _ in range(50):
            await asyncio.sleep(0)
        taken = 4  # the one list that was handed over
        assert source.pulled <= (taken + 4) // 2


async def test_one_wake_up_takes_everything_that_finished():
    gate = asyncio.Event()

    async def gated(item):
        await gate.wait()
        return item

    flow = Pipeline(map_async(gated, concurrency=8)).over([*range(8)])
    pull = asyncio.create_task(flow.next_batch())
    await asyncio.sleep(0.01)
    gate.set()
    assert await pull == list(range(8))


async def test_ordered_results_wait_for_the_first_and_unordered_do_not():
    for ordered, expected in ((True, [0, 1, 2, 3]), (False, [3, 2, 1, 0])):
        calls = Calls(turns=lambda item: 10 - 2 * item)
        flow = Pipeline(map_async(calls, concurrency=4, ordered=ordered)).over([0, 1, 2, 3])
        assert [item async for item in flow] == expected


async def test_stages_before_and_after_several_boundaries():
    async def double(item):
        await asyncio.sleep(0)
        return item * 2

    pipeline = Pipeline(
        lambda item: item + 1,
        map_async(double, concurrency=3),
        Running,
        map_async(double, concurrency=2),
        map_async(double, concurrency=1),
        str,
    )
    before = asyncio.all_tasks()
    assert [item async for item in pipeline.over(range(3))] == ["8", "24", "48", "-48"]
    seen = []
    await pipeline.over(Listed([[0], [1, 2]])).for_each(seen.append)
    assert seen == ["8", "24", "48", "-48"]
    assert await nothing_left(before)


async def test_ordered_a_failure_comes_after_every_earlier_result_and_cancels_only_later_calls():
    calls = Calls(turns=lambda item: 1 if item == 3 else 6, fails=[3])
    source = Listed([[0, 1], [2, 3], [4, 5], [6]])
    before = asyncio.all_tasks()
    flow = Pipeline(map_async(calls, concurrency=6)).over(source)
    seen = []
    with pytest.raises(ValueError, match="3") as caught:
        await (flow | tap(seen.append)).for_each(lambda item: None)
    assert seen == [0, 1, 2]
    assert set(calls.cancelled) <= {4, 5, 6}
    assert {0, 1, 2} <= set(calls.done)
    assert not hasattr(caught.value, "__notes__")
    assert source.closed
    assert await nothing_left(before)


async def test_ordered_the_first_failure_in_order_wins_and_names_the_other():
    calls = Calls(turns=lambda item: 6 - item, fails=[1, 3])
    flow = Pipeline(map_async(calls, concurrency=6)).over([0, 1, 2, 3])
    assert await anext(flow) == 0
    with pytest.raises(ValueError, match="1") as caught:
        await anext(flow)
    assert "ValueError(3)" in caught.value.__notes__[0]
    assert await flow.next_batch() is None


async def test_unordered_a_failure_cancels_the_others_and_comes_after_what_had_finished():
    gate = asyncio.Event()
    cancelled = []

    async def call(item):
        if item == 0:
            return item
        if item == 3:
            try:
                return await forever(item)
            finally:
                cancelled.append(item)
        await gate.wait()
        if item == 2:
            raise ValueError(item)
        return item

    source = Listed([[0, 1, 2, 3, 4], [5]])
    before = asyncio.all_tasks()
    flow = Pipeline(map_async(call, concurrency=4, ordered=False)).over(source)
    assert await flow.next_batch() == [0]
    gate.set()
    await asyncio.sleep(0.01)  # item 1 finishes and item 2 fails while nobody asks
    assert await flow.next_batch() == [1]
    with pytest.raises(ValueError, match="2"):
        await flow.next_batch()
    assert cancelled == [3]
    assert source.closed == 1
    assert await nothing_left(before)


async def test_unordered_several_failures_are_raised_together():
    async def fail(item):
        try:
            await asyncio.sleep(0 if item == 1 else 10)
        finally:
            raise ValueError(item)

    flow = Pipeline(map_async(fail, concurrency=2, ordered=False)).over([1, 2])
    with pytest.raises(ExceptionGroup) as caught:
        await anext(flow)
    assert [error.args for error in caught.value.exceptions] == [(1,), (2,)]


@BOTH
async def test_when_the_source_fails_calls_under_way_finish_first(ordered):
    error = OSError("source")
    flow = Pipeline(map_async(Calls(), concurrency=4, ordered=ordered)).over(Listed([[1, 2], [3]], error=error))
    seen = []
    with pytest.raises(OSError, match="source") as caught:
        await (flow | tap(seen.append)).for_each(lambda item: None)
    assert caught.value is error
    assert sorted(seen) == [1, 2, 3]


@BOTH
async def test_a_call_whose_own_wait_was_cancelled_is_a_failure_and_not_a_silent_gap(ordered):
    async def waits(item):
        if item == 1:
            future = asyncio.get_running_loop().create_future()
            future.cancel()
            await future
        return item

    flow = Pipeline(map_async(waits, concurrency=1, ordered=ordered)).over([0, 1, 2])
    assert await anext(flow) == 0
    with pytest.raises(asyncio.CancelledError):
        await anext(flow)


async def test_tasks_cancelled_from_outside_are_never_passed_for_the_end_of_the_stream():
    before = asyncio.all_tasks()
    flow = Pipeline(map_async(forever, concurrency=2)).over([1, 2])
    pull = asyncio.create_task(flow.next_batch())
    await asyncio.sleep(0.01)
    for task in asyncio.all_tasks() - before - {pull}:
        task.cancel()
    with pytest.raises(StreamClosedError, match="outside"):
        await pull


async def enter_and_leave(flow):
    async with flow:
        await anext(flow)


async def cancel_once(task):
    task.cancel()


async def cancel_twice(task):
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()


async def cancel_thrice(task):
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)


@pytest.mark.parametrize("turns", [0, 1, 2, 5, 20])
@pytest.mark.parametrize("cancel", [cancel_once, cancel_twice, cancel_thrice])
@pytest.mark.parametrize("with_context", [True, False], ids=["async with", "bare"])
async def test_a_cancelled_consumer_leaves_no_task_however_often_it_is_cancelled(turns, cancel, with_context):
    closed = []
    before = asyncio.all_tasks()
    overdue = reaper_stats().overdue
    flow = Pipeline(map_async(forever, concurrency=3), map_async(forever, concurrency=3)).over(
        counted(range(9), closed)
    )
    task = asyncio.create_task(enter_and_leave(flow) if with_context else anext(flow))
    for _ in range(turns):
        await asyncio.sleep(0)
    await cancel(task)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await nothing_left(before, turns=40)
    assert closed or turns < 5  # a generator that was never begun has nothing to close
    assert reaper_stats().overdue == overdue


async def test_a_flow_that_is_cancelled_before_its_reader_began_still_closes_its_source():
    before = asyncio.all_tasks()
    source = Listed([[1]])
    task = asyncio.create_task(anext(Pipeline(map_async(forever, concurrency=1)).over(source)))
    await asyncio.sleep(0)
    assert source.pulled == 0
    task.cancel()
    assert await nothing_left(before)
    assert (source.pulled, source.closed) == (0, 1)


@BOTH
async def test_break_and_close_cancel_the_calls_and_close_the_source(ordered):
    closed = []
    calls = Calls(turns=lambda item: 0 if item == 0 else 10_000)
    before = asyncio.all_tasks()
    async with Pipeline(map_async(calls, concurrency=3, ordered=ordered)).over(counted(range(9), closed)) as flow:
        async for _ in flow:
            break
    assert asyncio.all_tasks() == before
    assert closed == ["closed"]
    assert sorted(calls.cancelled + calls.done) == sorted(calls.begun)
    with pytest.raises(StreamClosedError):
        await anext(flow)
    await flow.aclose()


async def test_a_flow_that_is_dropped_takes_its_tasks_with_it():
    closed = []
    before = asyncio.all_tasks()
    async for _ in Pipeline(map_async(Calls(), concurrency=3)).over(counted(range(99), closed)):
        break
    gc.collect()
    assert await nothing_left(before)
    assert closed == ["closed"]


async def test_a_flow_that_was_never_read_has_no_task_and_closes_its_source():
    source = Listed([[1]])
    before = asyncio.all_tasks()
    flow = Pipeline(map_async(forever, concurrency=3)).over(source)
    assert asyncio.all_tasks() == before
    await flow.aclose()
    await flow.aclose()
    assert source.closed >= 1


async def test_a_failing_close_of_the_source_is_raised_by_aclose():
    class Sticky(Listed):
        async def aclose(self):
            raise OSError("stuck")

    flow = Pipeline(map_async(Calls(), concurrency=1)).over(Sticky([[1], [2]]))
    assert await anext(flow) == 1
    with pytest.raises(OSError, match="stuck"):
        await flow.aclose()
    await flow.aclose()
    whole = Pipeline(map_async(Calls(), concurrency=1)).over(Sticky([[1]]))
    assert await anext(whole) == 1
    with pytest.raises(OSError, match="stuck"):
        await anext(whole)


async def test_a_failing_close_is_a_note_of_the_sources_failure():
    class Sticky(Listed):
        async def aclose(self):
            raise OSError("stuck")

    with pytest.raises(ValueError, match="source") as caught:
        await anext(Pipeline(map_async(Calls(), concurrency=1)).over(Sticky([], error=ValueError("source"))))
    assert "stuck" in caught.value.__notes__[0]


class Abort(BaseException): ...


@BOTH
async def test_a_base_exception_of_a_call_is_raised_as_it_is(ordered):
    async def abort(item):
        raise Abort(item)

    with pytest.raises(Abort):
        await anext(Pipeline(map_async(abort, concurrency=2, ordered=ordered)).over([1]))


@BOTH
def test_a_keyboard_interrupt_in_a_call_ends_the_loop(ordered):
    async def interrupted(item):
        raise KeyboardInterrupt

    async def read():
        await anext(Pipeline(map_async(interrupted, concurrency=2, ordered=ordered)).over([1, 2, 3]))

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(read())


async def test_a_call_may_close_the_flow_that_it_belongs_to():
    async def close(item):
        if item == 1:
            await flow.aclose()
        return item

    before = asyncio.all_tasks()
    flow = Pipeline(map_async(close, concurrency=1)).over([0, 1, 2])
    assert await anext(flow) == 0
    with pytest.raises(StreamClosedError):
        await anext(flow)
    assert await nothing_left(before)


async def test_calls_share_the_readers_request_scope_and_detached_ones_see_it_closed():
    async def keep(item):
        await asyncio.sleep(0)
        return bytes(current_arena().alloc_bytes(item))

    with request_scope(label="request") as arena:
        flow = Pipeline(map_async(keep, concurrency=2)).over([b"a", b"bc", b"def"])
        assert [item async for item in flow] == [b"a", b"bc", b"def"]
        assert arena.stats().bytes == 6
        late = Pipeline(map_async(keep, concurrency=1)).over([b"a", b"b"])
        await anext(late)
    with pytest.raises(ScopeClosedError):
        await late.next_batch()


async def test_calls_see_the_context_of_the_first_reader_and_keep_their_own_changes():
    scope = contextvars.ContextVar("scope", default="none")

    async def see(item):
        seen = scope.get()
        scope.set(f"call {item}")
        await asyncio.sleep(0)
        return seen

    flow = Pipeline(map_async(see, concurrency=2)).over([1, 2, 3])
    scope.set("request")
    assert [item async for item in flow] == ["request"] * 3
    assert scope.get() == "request"


async def test_a_function_that_gives_no_awaitable_is_a_type_error():
    with pytest.raises(TypeError, match="await"):
        await anext(Pipeline(map_async(lambda item: item, concurrency=1)).over([1]))


async def test_tasks_have_names_that_say_what_they_are():
    before = asyncio.all_tasks()
    async with Pipeline(map_async(forever, concurrency=1)).over([1]) as flow:
        pull = asyncio.create_task(anext(flow), name="consumer")
        await asyncio.sleep(0.01)
        names = {task.get_name() for task in asyncio.all_tasks() - before}
        assert names == {
            "consumer",
            *("runner of map_async(forever)", "reader of map_async(forever)", "map_async(forever)"),
        }
        pull.cancel()


async def test_a_drained_boundary_of_many_items_costs_a_bounded_number_of_wake_ups():
    wakes = 0
    source = Listed([list(range(1000))])
    flow = Pipeline(map_async(Calls(turns=lambda item: 0), concurrency=50)).over(source)
    async for _ in flow.batches():
        wakes += 1
    assert wakes <= 1000 / 50 * 2
