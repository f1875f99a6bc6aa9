"""Fused stages mean what a loop over the whole stream means, whatever the batches and wherever it fails."""

from __future__ import annotations

import asyncio
import functools
import operator
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamarena.errors import StreamClosedError
from streamarena.pipeline import Pipeline, Stage, filter, flat_map, map, stateful, tap
from streamarena.pipeline.fusing import _MAX_KNOWN_TYPES, _builder
from tests.pipeline.support import Lines, Listed, Pushed, Running

# Each stage with its meaning as a function from a whole list to a whole list.
MEANINGS: dict[str, tuple[Callable[[], Stage], Callable[[list], list]]] = {
    "double": (lambda: map(lambda x: x * 2), lambda xs: [x * 2 for x in xs]),
    "none": (lambda: map(lambda x: None if x % 5 == 0 else x), lambda xs: [None if x % 5 == 0 else x for x in xs]),
    "or": (lambda: map(lambda x: x or 1), lambda xs: [x or 1 for x in xs]),
    "odd": (lambda: filter(lambda x: x % 2), lambda xs: [x for x in xs if x % 2]),
    "ints": (lambda: filter(int), lambda xs: [x for x in xs if isinstance(x, int)]),
    "twice": (lambda: flat_map(lambda x: (x, x + 1)), lambda xs: [y for x in xs for y in (x, x + 1)]),
    "some": (lambda: flat_map(lambda x: range(x % 3)), lambda xs: [y for x in xs for y in range(x % 3)]),
    "tap": (lambda: tap(lambda x: x + 1), lambda xs: xs),
    "running": (
        lambda: stateful(Running),
        lambda xs: [*(sum(xs[: i + 1]) for i in range(len(xs))), -sum(xs)],
    ),
}
# `none` and `or` go together, so that None travels through a stage and arithmetic still works after it.
CHAINS = st.lists(st.sampled_from(["double", "none or", "odd", "ints", "twice", "some", "tap", "running"]), max_size=7)
BATCHES = st.lists(st.lists(st.integers(-50, 50), max_size=6), max_size=6)


def made(chain: list[str]) -> tuple[Pipeline, Callable[[list], list]]:
    names = " ".join(chain).split()
    pipeline = Pipeline(*(MEANINGS[name][0]() for name in names))
    return pipeline, lambda xs: functools.reduce(lambda so_far, name: MEANINGS[name][1](so_far), names, xs)


@settings(max_examples=150, deadline=None)
@given(CHAINS, BATCHES)
def test_any_pipeline_means_its_list_comprehension_for_any_batching(chain, batches):
    pipeline, meaning = made(chain)
    whole = [item for batch in batches for item in batch]
    expected = meaning(whole)
    assert pipeline.run(whole) == expected
    run = pipeline.start()
    assert [out for batch in batches for out in run.feed(batch)] + run.finish() == expected


@settings(max_examples=60, deadline=None)
@given(CHAINS, BATCHES)
def test_reading_by_item_by_batch_and_by_callback_gives_the_same(chain, batches):
    pipeline, meaning = made(chain)
    expected = meaning([item for batch in batches for item in batch])

    async def read() -> None:
        assert [item async for item in pipeline.over(Listed(batches))] == expected
        lists = [batch async for batch in pipeline.over(Listed(batches)).batches()]
        assert all(lists)
        assert [item for batch in lists for item in batch] == expected
        for source in (Listed(batches), Pushed(batches)):
            seen: list[object] = []
            await pipeline.over(source).for_each(seen.append)
            assert seen == expected
        lists = []
        await pipeline.over(Pushed(batches)).for_each_batch(lists.append)
        assert [item for batch in lists for item in batch] == expected

    asyncio.run(read())


class Faulty:
    def feed(self, item):
        if item == 3:
            raise ValueError("stage")
        return [item]

    def flush(self):
        return []


def faulty(item):
    if item == 3:
        raise ValueError("stage")
    return True


FAILING = {
    "map": lambda: map(lambda x: faulty(x) and x),
    "filter": lambda: filter(faulty),
    "tap": lambda: tap(faulty),
    "flat_map": lambda: flat_map(lambda x: [faulty(x) and x]),
    "lazy flat_map": lambda: flat_map(lambda x: (faulty(y) and y for y in [x])),
    "feed": lambda: stateful(Faulty),
}


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("failing", FAILING.values(), ids=FAILING)
async def test_what_came_before_a_failure_is_delivered_first_wherever_it_happens(failing, position):
    stages = [map(lambda x: x), filter(lambda x: True)]
    stages.insert(position, failing())
    pipeline = Pipeline(*stages)
    out: list[int] = []
    with pytest.raises(ValueError, match="stage"):
        pipeline.start().feed(range(6), out)
    assert out == [0, 1, 2]
    source = Listed([[0, 1], [2, 3, 4], [5]])
    flow = pipeline.over(source)
    assert await flow.next_batch() == [0, 1]
    assert await flow.next_batch() == [2]
    with pytest.raises(ValueError, match="stage"):
        await flow.next_batch()
    assert await flow.next_batch() is None
    assert (source.pulled, source.closed) == (2, 1)
    seen: list[int] = []
    with pytest.raises(ValueError, match="stage"):
        await pipeline.over(pushed := Pushed([[0, 1], [2, 3, 4], [5]])).for_each(seen.append)
    assert seen == [0, 1, 2]
    assert pushed.closed >= 1


def test_a_failure_in_flush_comes_after_what_was_flushed_before_it():
    class FailsAtEnd(Faulty):
        def flush(self):
            yield 10
            raise ValueError("flush")

    run = Pipeline(FailsAtEnd, lambda x: x + 1).start()
    assert run.feed([1]) == [2]
    out: list[int] = []
    with pytest.raises(ValueError, match="flush"):
        run.finish(out)
    assert out == [11]


def test_stages_are_flushed_first_to_last_through_those_after_them():
    assert Pipeline(Lines, str.upper, Lines, lambda line: line + ";").run(["a", "b\nc"]) == ["ABC;"]
    assert Pipeline(Running, Running).run([1, 2]) == [1, 4, 1, -1]


class Awaitable:
    def __await__(self):
        yield


async def coroutine(_item):
    return True


@pytest.mark.parametrize("stage", [map, filter, tap, flat_map])
@pytest.mark.parametrize("value", [Awaitable, lambda: coroutine(1)], ids=["object", "coroutine"])
def test_a_synchronous_stage_that_returns_an_awaitable_is_a_type_error(stage, value):
    run = Pipeline(stage(lambda item: value() if item == 3 else [True])).start()
    assert len(run.feed([1, 2])) == 2
    with pytest.raises(TypeError, match=r"awaitable.*map_async"):
        run.feed([3])


async def test_a_callback_that_returns_an_awaitable_is_a_type_error():
    with pytest.raises(TypeError, match="awaitable"):
        await Pipeline(str).over(["a"]).for_each(coroutine)


def test_more_types_than_are_remembered_still_work_and_awaitables_among_them_are_still_refused():
    types = [type(f"T{i}", (), {}) for i in range(_MAX_KNOWN_TYPES + 20)]
    run = Pipeline(lambda kind: kind()).start()
    assert [type(made) for made in run.feed(types)] == types
    known = next(cell.cell_contents for cell in run._run.__closure__ if isinstance(cell.cell_contents, set))
    assert len(known) == _MAX_KNOWN_TYPES
    assert [type(made) for made in run.feed(types)] == types
    with pytest.raises(TypeError, match="awaitable"):
        run.feed([Awaitable])


@pytest.mark.parametrize("stage", [lambda x: [x], Faulty], ids=["flat_map", "feed"])
def test_more_loops_than_python_nests_and_more_steps_than_one_function_takes(stage):
    nested = Pipeline(*(flat_map(stage) if stage is not Faulty else stage for _ in range(50)))
    assert nested.run([1, 2]) == [1, 2]
    out: list[int] = []
    with pytest.raises(ZeroDivisionError):
        (nested | (lambda x: 1 // (x - 1))).start().feed([2, 1, 3], out)
    assert out == [1]
    many = Pipeline(*(lambda x: x + 1 for _ in range(500)), filter(lambda x: x % 2))
    assert many.run([1, 2, 3]) == [501, 503]


@pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration])
async def test_a_stage_cannot_end_the_stream_by_raising_what_ends_loops(error):
    def stop(item):
        raise error

    flow = Pipeline(stop).over([1])
    with pytest.raises(RuntimeError, match=error.__name__):
        await anext(flow)


def test_a_run_is_over_after_its_end_and_after_an_error():
    run = Pipeline(str).start()
    assert run.finish() == []
    with pytest.raises(StreamClosedError):
        run.feed([1])
    failed = Pipeline(operator.inv).start()
    with pytest.raises(TypeError):
        failed.feed(["a"])
    with pytest.raises(StreamClosedError):
        failed.finish()


def test_the_compiled_loops_are_shared_by_shape_and_the_shapes_are_bounded():
    before = _builder.cache_info()
    for _ in range(5):
        Pipeline(tap(print), filter(bool_of), tap(print), str, str, tap(print)).start()
    after = _builder.cache_info()
    assert after.misses - before.misses <= 1
    assert after.maxsize == 256


def bool_of(item):
    return bool(item)
