"""What may stand as a stage, what is refused and when, and who owns an object with memory."""

from __future__ import annotations

import functools
import gc
import operator

import pytest

from streamarena.errors import ConfigurationError, StageInUseError
from streamarena.pipeline import Pipeline, filter, flat_map, map, map_async, stateful, tap
from tests.pipeline.support import Lines, Running, counted


async def asynchronous(item):
    return item


async def generator(item):
    yield item


class AsyncCall:
    async def __call__(self, item):
        return item


class AsyncFeed(Lines):
    async def feed(self, item):
        return []


class OnlyFeed:
    def feed(self, item):
        return [item]


REFUSED = {
    "map of a coroutine function": lambda: map(asynchronous),
    "filter of a coroutine function": lambda: filter(asynchronous),
    "tap of a coroutine function": lambda: tap(asynchronous),
    "flat_map of an asynchronous generator": lambda: flat_map(generator),
    "a bare coroutine function": lambda: Pipeline(asynchronous),
    "a coroutine function in a partial": lambda: map(functools.partial(asynchronous)),
    "an object with an asynchronous call": lambda: map(AsyncCall()),
    "an object with an asynchronous feed": lambda: Pipeline(AsyncFeed()),
    "a class with an asynchronous feed": lambda: Pipeline(AsyncFeed),
    "stateful of a class without flush": lambda: stateful(OnlyFeed),
    "stateful of no callable": lambda: stateful(Lines()),
    "stateful of a coroutine function": lambda: stateful(asynchronous),
    "a number": lambda: Pipeline(3),
    "a number in map": lambda: map(3),
    "a number in map_async": lambda: map_async(3, concurrency=1),
    "an object with feed alone": lambda: Pipeline(OnlyFeed()),
    "filter(bool), which could mean two things": lambda: filter(bool),
}


@pytest.mark.parametrize("construct", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_a_stage_is_refused_when_the_pipeline_is_built(construct):
    with pytest.raises(TypeError):
        construct()


def test_a_factory_that_makes_no_stage_is_refused_when_a_run_starts():
    for made, message in ((OnlyFeed(), "no feed and flush"), (AsyncFeed(), "asynchronous")):
        with pytest.raises(TypeError, match=message):
            Pipeline(stateful(lambda made=made: made)).run([1])


@pytest.mark.parametrize("concurrency", [0, -1])
def test_concurrency_below_one_is_refused(concurrency):
    with pytest.raises(ConfigurationError, match="at least 1"):
        map_async(asynchronous, concurrency=concurrency)


def test_none_is_a_value():
    assert Pipeline(lambda item: None, tap(lambda item: None)).run([1, None]) == [None, None]
    assert flat_map(lambda item: [item, None]).run([1]) == [1, None]


def test_filter_by_class_by_predicate_and_by_truth():
    class Sub(int): ...

    assert filter(int).run([1, "a", Sub(2), None]) == [1, 2]
    assert filter(lambda item: [item]).run([0, 1]) == [0, 1]
    assert filter(operator.truth).run([0, 1, "", "a"]) == [1, "a"]


def test_pipelines_nest_and_combine():
    inner = Pipeline(str.strip, len)
    assert Pipeline(inner, lambda n: n + 1).run([" a "]) == [2]
    assert (map(str.strip) | inner | str).run([" ab "]) == ["2"]
    assert Pipeline().run([1]) == [1]
    assert (Pipeline() | str).run([1]) == ["1"]


def test_a_pipeline_is_unchanged_by_what_is_built_on_it():
    base = map(str.strip)
    assert len((base | len | str).steps) == 3
    assert len(base.steps) == 1


def test_a_pipeline_says_what_it_is():
    pipeline = Pipeline(str.strip, Lines, filter(int), flat_map(sorted), map_async(asynchronous, concurrency=2))
    text = "Pipeline(map(str.strip), stateful(Lines), instance(int), flat_map(sorted), map_async(asynchronous))"
    assert repr(pipeline) == text


def test_a_class_or_factory_gives_each_run_an_object_of_its_own():
    made = []

    def factory():
        made.append(Running())
        return made[-1]

    for pipeline in (Pipeline(Running), stateful(Running), stateful(factory)):
        first, second = pipeline.start(), pipeline.start()
        assert (first.feed([1]), second.feed([2]), first.feed([1])) == ([1], [2], [2])
    assert len(made) == 2


def test_an_object_serves_one_run_at_a_time():
    stage = Running()
    first = Pipeline(stage).start()
    for other in (Pipeline(stage), Pipeline(str.strip, int, stage)):
        with pytest.raises(StageInUseError, match="Running") as caught:
            other.start()
        assert caught.value.stage == "Running"
    first.finish()
    second = Pipeline(stage).start()
    second.close()
    second.close()
    Pipeline(stage).start()  # dropped without a word
    gc.collect()
    assert Pipeline(stage).run([1]) == [1, -1]


def test_an_object_twice_in_one_pipeline_is_refused_and_free_afterwards():
    stage = Running()
    with pytest.raises(StageInUseError):
        Pipeline(stage, stage).run([1])
    assert Pipeline(stage).run([1]) == [1, -1]


async def test_an_object_is_free_after_its_flow_failed_or_was_closed():
    stage = Running()
    pipeline = Pipeline(stage)
    with pytest.raises(TypeError):
        await anext(pipeline.over(["no number"]))
    async with pipeline.over(counted([1, 2])) as flow:
        assert await anext(flow) == 1
        with pytest.raises(StageInUseError):
            await anext(pipeline.over([1]))
    assert [item async for item in pipeline.over([1])] == [2, -2]


def test_a_pipeline_that_waits_cannot_run_synchronously():
    pipeline = Pipeline(str, map_async(asynchronous, concurrency=1))
    for attempt in (lambda: pipeline.run([1]), pipeline.start):
        with pytest.raises(TypeError, match="over a source"):
            attempt()
