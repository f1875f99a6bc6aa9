"""Scopes: what sees them, what leaves with them, and in which order."""

from __future__ import annotations

import asyncio
import contextvars
import re
import threading

import pytest

from streamarena.errors import ConfigurationError, MemoryScopeError, NoScopeError, QuotaExceededError, ScopeClosedError


class Item:
    """Something to release, that writes down when it was."""

    def __init__(self, log, name, error=None):
        self.log, self.name, self.error = log, name, error

    def release(self):
        self.log.append(self.name)
        if self.error is not None:
            raise self.error


def test_outside_there_is_no_scope(memory):
    with pytest.raises(NoScopeError):
        memory.current_arena()


def test_scopes_nest_and_leave_the_outer_one_bound(memory, resources):
    with memory.request_scope(label="outer", resources=resources) as outer:
        assert memory.current_arena() is outer
        with memory.request_scope(label="inner") as inner:
            assert memory.current_arena() is inner
            assert inner.parent is outer
            assert outer.children() == [inner]
            assert "  inner" in outer.tree()
            assert inner.resources is resources
        assert memory.current_arena() is outer
        assert outer.children() == []
    with pytest.raises(NoScopeError):
        memory.current_arena()


def test_a_scope_object_is_used_once(memory, resources):
    scope = memory.request_scope(resources=resources)
    with scope:
        pass
    with pytest.raises(MemoryScopeError, match="once"), scope:
        pass


def test_leases_go_back_last_taken_first(memory, resources):
    log = []
    with memory.request_scope(resources=resources) as arena:
        assert arena.stats().leases == 0
        for name in "abc":
            arena.lease(Item(log, name))
        arena.defer(lambda: log.append("d"))
        assert arena.stats().leases == 4
        assert log == []
    assert log == ["d", "c", "b", "a"]
    assert arena.stats().leases == 0


def test_a_deferred_call_still_reads_spans(memory, resources):
    read = []
    with memory.request_scope(resources=resources) as arena:
        span = arena.alloc_bytes(b"abc")
        arena.defer(lambda: read.append(bytes(span)))
    assert read == [b"abc"]


def test_what_a_release_takes_is_released_too(memory, resources):
    log = []
    with memory.request_scope(resources=resources) as arena:
        arena.defer(lambda: arena.lease(Item(log, "late")))
    assert log == ["late"]


def test_closing_from_a_release_does_nothing_twice(memory, resources):
    with memory.request_scope(resources=resources) as arena:
        arena.defer(arena.close)
    arena.close()
    assert resources.totals().closed == 1


def test_an_early_release_is_not_repeated(memory, resources):
    with memory.request_scope(resources=resources) as arena:
        arena.buffer(100).release()
        assert arena.stats().leases == 0


@pytest.mark.parametrize("item", [5, None, "x", object()], ids=repr)
def test_what_cannot_be_given_back_is_refused_at_once(memory, resources, item):
    with memory.request_scope(resources=resources) as arena:
        with pytest.raises(TypeError, match="release"):
            arena.lease(item)
        with pytest.raises(TypeError, match="function"):
            arena.defer(item)
        assert arena.stats().leases == 0


def test_a_deferred_coroutine_function_is_heard_of(memory, resources):
    async def later():
        raise AssertionError

    with pytest.raises(ExceptionGroup) as caught, memory.request_scope(resources=resources) as arena:
        arena.defer(later)
    assert "awaits nothing" in str(caught.value.exceptions[0])


def test_early_releases_do_not_pile_up(memory, resources):
    with memory.request_scope(resources=resources) as arena:
        for _ in range(10_000):
            arena.buffer(100).release()
        assert len(arena._held.taken) <= 64


def test_a_buffer_goes_back_by_itself(memory, resources):
    with memory.request_scope(resources=resources) as arena:
        buffer = arena.buffer(65536)
        buffer.view[:3] = b"abc"
        assert len(buffer.view) == 65536
    assert buffer.released
    with pytest.raises(ScopeClosedError):
        _ = buffer.view


def test_a_buffer_whose_view_lives_on_is_counted_as_escaped(memory, resources):
    with memory.request_scope(resources=resources) as arena:
        view = arena.buffer(4096).view[:10]
    assert arena.stats().escaped == 1
    assert len(view) == 10


def test_failing_releases_do_not_stop_the_others_and_raise_as_a_group(memory, resources):
    log = []
    with pytest.raises(ExceptionGroup) as caught, memory.request_scope(label="chat", resources=resources) as arena:
        arena.lease(Item(log, "a"))
        arena.lease(Item(log, "b", ValueError("b failed")))
        arena.lease(Item(log, "c", KeyError("c failed")))
        arena.alloc_bytes(b"x")
    assert log == ["c", "b", "a"]
    assert [type(error) for error in caught.value.exceptions] == [KeyError, ValueError]
    assert "chat" in str(caught.value)
    assert resources.totals().failed_releases == 2


def test_a_body_exception_leaves_unchanged_with_failures_as_notes(memory, resources):
    body = RuntimeError("body")
    with pytest.raises(RuntimeError) as caught, memory.request_scope(label="chat", resources=resources) as arena:
        arena.lease(Item([], "a", ValueError("a failed")))
        raise body
    assert caught.value is body
    assert caught.value.__cause__ is None
    assert len(body.__notes__) == 1
    assert "chat" in body.__notes__[0]
    assert "a failed" in body.__notes__[0]


def test_a_body_exception_without_failures_has_no_notes(memory, resources):
    body = RuntimeError("body")
    with pytest.raises(RuntimeError), memory.request_scope(resources=resources):
        raise body
    assert not hasattr(body, "__notes__")


@pytest.mark.parametrize("with_body", [False, True])
def test_an_interrupt_in_a_release_is_not_swallowed(memory, resources, with_body):
    log = []
    with pytest.raises(BaseException) as caught, memory.request_scope(resources=resources) as arena:  # noqa: PT011
        arena.lease(Item(log, "a"))
        arena.lease(Item(log, "b", KeyboardInterrupt()))
        if with_body:
            raise ValueError
    assert log == ["b", "a"]
    error = caught.value
    assert isinstance(error, KeyboardInterrupt) or isinstance(error.exceptions[0], KeyboardInterrupt)


def test_child_tasks_groups_callbacks_and_threads_of_asyncio_see_the_scope(memory):
    async def main():
        loop = asyncio.get_running_loop()
        seen = {}

        async def child(name):
            seen[name] = memory.current_arena()

        async with memory.request_scope() as arena:
            await asyncio.create_task(child("task"))
            async with asyncio.TaskGroup() as group:
                group.create_task(child("group"))
            called = loop.create_future()
            loop.call_soon(lambda: called.set_result(memory.current_arena()))
            seen["call_soon"] = await called
            seen["to_thread"] = await asyncio.to_thread(memory.current_arena)
            assert all(value is arena for value in seen.values())
            assert len(seen) == 4
            with pytest.raises(NoScopeError):
                await loop.run_in_executor(None, memory.current_arena)

    asyncio.run(main())


def test_a_bare_thread_sees_none(memory, resources):
    caught = []

    def work():
        try:
            memory.current_arena()
        except NoScopeError as error:
            caught.append(error)

    with memory.request_scope(resources=resources):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert len(caught) == 1


async def test_a_thread_may_nest_a_scope_of_its_own(memory, resources):
    def work():
        with memory.request_scope() as inner:
            return bytes(inner.alloc_bytes(b"from a thread")), inner.parent

    async with memory.request_scope(resources=resources) as arena:
        arena.alloc_bytes(b"mine")
        assert await asyncio.to_thread(work) == (b"from a thread", arena)


async def test_siblings_that_nest_and_interleave_never_free_each_others_spans(memory, resources):
    async def worker(number):
        kept = []
        for round_ in range(20):
            with memory.request_scope(label=f"{number}") as arena:
                text = b"%d-%d" % (number, round_) * (1 + round_ * 20)
                outer = arena.alloc_bytes(text)
                await asyncio.sleep(0)
                with memory.request_scope() as inner:
                    span = inner.alloc_bytes(text[::-1])
                    await asyncio.sleep(0)
                    later = arena.alloc_bytes(b"later")
                    await asyncio.sleep(0)
                    assert bytes(span) == text[::-1]
                await asyncio.sleep(0)
                arena.alloc_bytes(b"#" * 50)
                assert bytes(outer) == text
                assert bytes(later) == b"later"
                kept.append(span)
        assert all(span.closed for span in kept)

    async with memory.request_scope(resources=resources) as arena:
        mine = arena.alloc_bytes(b"the outermost")
        async with asyncio.TaskGroup() as group:
            for number in range(8):
                group.create_task(worker(number))
        assert bytes(mine) == b"the outermost"


async def test_a_generator_that_is_closed_from_another_task_ends_its_scope(memory, resources):
    arenas = []

    async def generate():
        with memory.request_scope() as arena:
            arenas.append(arena)
            arena.alloc_bytes(b"x")
            while True:
                yield 1

    async def start(generator):
        await anext(generator)
        with memory.request_scope():  # what the generator bound is left behind, but closed later
            pass

    async with memory.request_scope(resources=resources) as outer:
        generator = generate()
        await asyncio.create_task(start(generator))
        assert not arenas[0].closed
        await asyncio.create_task(generator.aclose())
        assert arenas[0].closed
        assert memory.current_arena() is outer


def test_scopes_of_two_generators_may_cross(memory, resources):
    def generate():
        with memory.request_scope(resources=resources) as arena:
            yield arena

    one, two = generate(), generate()
    first, second = next(one), next(two)
    span = second.alloc_bytes(b"second")
    one.close()
    assert first.closed
    assert memory.current_arena() is second
    assert bytes(span) == b"second"
    two.close()
    with pytest.raises(NoScopeError):
        memory.current_arena()


async def test_a_task_that_outlives_its_scope_sees_a_closed_arena(memory, resources):
    done = asyncio.Event()

    async def detached():
        await done.wait()
        arena = memory.current_arena()
        assert arena.closed
        with pytest.raises(ScopeClosedError):
            arena.alloc_bytes(b"x")
        with memory.request_scope(resources=resources) as own:  # a scope of its own hangs on no closed one
            assert own.parent is None
            own.alloc_bytes(b"x")

    async with memory.request_scope(resources=resources):
        task = asyncio.create_task(detached())
    done.set()
    await task


@pytest.mark.parametrize("times", [1, 2], ids=["cancel", "cancel twice"])
async def test_cancellation_gives_everything_back(memory, resources, times):
    log = []
    started = asyncio.Event()

    async def work():
        async with memory.request_scope(resources=resources) as arena:
            arena.alloc_bytes(b"x")
            arena.lease(Item(log, "a"))
            arena.buffer(65536)
            started.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await started.wait()
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["a"]


def test_a_quota_counts_nested_scopes_and_says_who_took_what(memory, resources):
    with memory.request_scope(quota=1000, label="chat", resources=resources) as outer:
        outer.alloc_bytes(b"x" * 300)
        with memory.request_scope() as inner:
            inner.alloc(object(), size=200)
            with pytest.raises(QuotaExceededError) as caught:
                inner.buffer(600)
            assert caught.value.used == {"spans": 300, "objects": 200}
            assert (caught.value.quota, caught.value.requested, caught.value.label) == (1000, 600, "chat")
            inner.buffer(500)
        outer.alloc_bytes(b"x" * 700)  # the nested scope gave its share back
        with pytest.raises(QuotaExceededError):
            outer.alloc_bytes(b"x")
        assert outer.stats().allocations == 2


def test_a_freed_span_gives_its_quota_back(memory, resources):
    with memory.request_scope(quota=100, resources=resources) as arena:
        for _ in range(10):
            assert arena.free(arena.alloc_bytes(b"x" * 100))


def test_an_inner_quota_does_not_bind_the_outer_scope(memory, resources):
    with memory.request_scope(resources=resources) as outer, memory.request_scope(quota=10) as inner:
        with pytest.raises(QuotaExceededError):
            inner.alloc_bytes(b"x" * 11)
        outer.alloc_bytes(b"x" * 11)


@pytest.mark.parametrize(("size", "error"), [(-900, ValueError), (1.5, TypeError), (1 << 50, OSError)])
def test_a_buffer_that_could_not_be_had_stays_uncharged(memory, resources, size, error):
    with memory.request_scope(quota=1 << 60, resources=resources) as arena:
        with pytest.raises(error):
            arena.buffer(size)
        assert arena.stats().buffer_bytes == 0
        with pytest.raises(QuotaExceededError) as caught:
            arena.buffer(1 << 61)
        assert not any(caught.value.used.values())


@pytest.mark.parametrize("quota", [-1, 1.5, "1000"])
def test_what_is_no_quota_is_refused_before_a_scope_opens(memory, resources, quota):
    with pytest.raises(ConfigurationError, match=re.escape(repr(quota))):
        memory.request_scope(quota=quota, resources=resources)
    with memory.request_scope(resources=resources) as outer:
        with pytest.raises(ConfigurationError, match="quota"):
            memory.Arena(quota=quota, parent=outer)
        assert outer.children() == []


@pytest.mark.parametrize(("size", "error"), [(-1, ValueError), (0.5, TypeError)])
def test_an_object_cannot_be_charged_what_is_no_size(memory, resources, size, error):
    with memory.request_scope(quota=10, resources=resources) as arena:
        with pytest.raises(error):
            arena.alloc(object(), size=size)
        assert (arena.stats().objects, arena.stats().object_bytes) == (0, 0)


def test_only_a_str_is_kept_as_one(memory, resources):
    with memory.request_scope(resources=resources) as arena, pytest.raises(TypeError, match="not int"):
        arena.alloc_str(5)


def test_objects_come_back_the_same_and_are_charged(memory, resources):
    with memory.request_scope(resources=resources) as arena:
        thing = ["kept"]
        assert arena.alloc(thing) is thing
        assert arena.alloc_str("text") == "text"
        assert arena.stats().objects == 2
        assert arena.stats().object_bytes > 50


def test_an_arena_need_not_be_bound(memory, resources):
    arena = memory.Arena(label="request", resources=resources)
    with pytest.raises(NoScopeError):
        memory.current_arena()
    arena.alloc_bytes(b"x")
    contextvars.Context().run(arena.close)
    assert arena.closed
    assert "closed" in repr(arena)


def test_the_process_resources_are_made_once(memory):
    assert memory.default_resources() is memory.default_resources()
    with memory.request_scope() as arena:
        assert arena.resources is memory.default_resources()
