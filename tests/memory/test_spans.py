"""Spans: bytes that live as long as their scope, and never share memory with one another."""

from __future__ import annotations

import gc
import threading
import weakref
from array import array

import pytest

from streamarena.errors import ScopeClosedError, WrongThreadError


@pytest.fixture
def arena(memory, resources):
    with memory.Arena(label="test", resources=resources) as opened:
        yield opened


@pytest.mark.parametrize(
    "data",
    [b"abc", bytearray(b"abc"), memoryview(b"abc"), memoryview(b"xabcx")[1:4]],
    ids=["bytes", "array", "view", "slice"],
)
def test_a_span_is_a_copy_of_what_was_given(arena, data):
    if isinstance(data, bytearray):
        data = data.copy()  # changed below, and used by other tests
    span = arena.alloc_bytes(data)
    assert bytes(span) == b"abc"
    assert span.view == b"abc"
    assert len(span) == 3
    if isinstance(data, bytearray):
        data[0] = 0
        assert bytes(span) == b"abc"


def test_a_view_of_wider_items_is_kept_as_its_bytes(arena):
    assert bytes(arena.alloc_bytes(memoryview(array("I", [1, 2])))) == array("I", [1, 2]).tobytes()


def test_a_view_that_is_not_contiguous_is_refused(arena):
    with pytest.raises(TypeError):
        arena.alloc_bytes(memoryview(b"abcdef")[::2])
    assert arena.stats().allocations == 0


def test_an_empty_span_is_a_span(arena):
    span = arena.alloc_bytes(b"")
    assert bytes(span) == b""
    assert not span.closed


def test_spans_do_not_share_bytes(arena):
    first, second = arena.alloc_bytes(b"a" * 10), arena.alloc_bytes(b"b" * 10)
    first.view[:] = b"c" * 10
    assert bytes(second) == b"b" * 10


@pytest.mark.parametrize("read", [bytes, len, lambda span: span.view], ids=["bytes", "len", "view"])
def test_after_the_scope_a_span_reads_as_closed(memory, resources, read):
    with memory.Arena(label="chat", resources=resources) as arena:
        span = arena.alloc_bytes(b"abc")
        assert "3 bytes" in repr(span)
    assert span.closed
    with pytest.raises(ScopeClosedError, match="chat"):
        read(span)
    assert "closed" in repr(span)


def test_a_closed_arena_allocates_nothing(memory, resources):
    arena = memory.Arena(resources=resources)
    arena.close()
    for take in (
        lambda: arena.alloc_bytes(b"x"),
        lambda: arena.alloc(1),
        lambda: arena.buffer(1),
        lambda: arena.lease(None),
    ):
        with pytest.raises(ScopeClosedError):
            take()


@pytest.mark.parametrize("size", [0, 1, 4096, 4097, 70_000, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_every_size_has_room(arena, size):
    span = arena.alloc_bytes(b"z" * size)
    assert len(span) == size
    assert bytes(span) == b"z" * size


def test_chunks_grow_four_fold_to_one_mebibyte(memory, resources):
    with memory.Arena(resources=resources) as arena:
        sizes = []
        for _ in range(7):
            before = resources.chunks.stats().bytes_out
            arena.alloc_bytes(b"x" * 3000)
            while resources.chunks.stats().bytes_out == before:
                arena.alloc_bytes(b"x" * 3000)
            sizes.append(resources.chunks.stats().bytes_out - before)
    assert sizes == [4096, 16384, 65536, 262144, 1048576, 1048576, 1048576]


def test_nothing_is_taken_before_the_first_span(memory, resources):
    with memory.Arena(resources=resources):
        assert resources.chunks.stats().bytes_out == 0


def test_another_thread_may_not_allocate(arena):
    caught = []

    def work():
        for take in (lambda: arena.alloc_bytes(b"x"), lambda: arena.alloc(1), lambda: arena.lease(None)):
            try:
                take()
            except WrongThreadError as error:
                caught.append((error.owner, error.caller))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert caught == [(threading.get_ident(), thread.ident)] * 3


def test_a_view_that_outlives_its_scope_keeps_its_bytes_and_is_counted(memory, resources):
    with memory.Arena(resources=resources) as arena:
        view = arena.alloc_bytes(b"keep me").view[2:]
    with memory.Arena(resources=resources) as later:
        later.alloc_bytes(b"x" * 4096)
        assert view == b"ep me"
    assert arena.stats().escaped == 1
    assert resources.totals().escaped == 1
    assert resources.chunks.stats().retired == 1


def test_a_view_dropped_in_time_does_not_cost_the_chunk(memory, resources):
    with memory.Arena(resources=resources) as arena:
        assert arena.alloc_bytes(b"abc").view[0] == ord("a")
    assert resources.chunks.stats().retired == 0
    assert resources.chunks.stats().bytes_free == 4096


def test_freeing_the_topmost_span_lets_the_next_one_take_its_place(arena, resources):
    kept = arena.alloc_bytes(b"kept")
    for round_ in range(10_000):
        tail = arena.alloc_bytes(b"%08d" % round_)
        assert arena.free(tail)
        assert tail.closed
    assert bytes(kept) == b"kept"
    assert resources.chunks.stats().bytes_out == 4096
    assert arena.stats().bytes == 4
    assert arena.stats().peak == 12
    assert arena.stats().total_bytes == 80_004


def test_a_tail_that_grows_does_not_keep_the_chunks_it_grew_out_of(arena, resources):
    tail = arena.alloc_bytes(b"")
    for size in (100, 5_000, 50_000, 500_000, 2_000_000):
        assert arena.free(tail)
        tail = arena.alloc_bytes(b"x" * size)
    assert resources.chunks.stats().bytes_out == 2_000_000


def test_a_span_below_another_is_not_freed(arena):
    below, _above = arena.alloc_bytes(b"below"), arena.alloc_bytes(b"above")
    assert arena.free(below) is False
    assert bytes(below) == b"below"


def test_a_span_with_a_live_view_is_not_freed(arena):
    span = arena.alloc_bytes(b"abc")
    view = span.view
    assert arena.free(span) is False
    assert arena.alloc_bytes(b"xyz").view == b"xyz"
    assert view == b"abc"


def test_a_span_is_freed_once_and_only_by_its_own_arena(memory, resources, arena):
    with memory.Arena(resources=resources) as other:
        span = other.alloc_bytes(b"abc")
        assert arena.free(span) is False
        assert other.free(span) is True
        assert other.free(span) is False
        with pytest.raises(ScopeClosedError):
            len(span)


def test_a_closed_arena_that_somebody_keeps_holds_no_memory(memory, resources):
    class Thing:
        pass

    arena = memory.Arena(resources=resources)
    span = arena.alloc_bytes(b"x" * (2 << 20))
    gone = weakref.ref(arena.alloc(Thing()))
    arena.close()
    gc.collect()
    assert gone() is None
    assert span.closed
    assert resources.chunks.stats().bytes_out == 0
    assert arena.stats().total_bytes == 2 << 20


@pytest.mark.parametrize(("typecode", "items"), [("q", [1, -2, 3]), ("d", [0.5, 1.5]), ("B", [0, 255])])
def test_a_slice_is_a_typed_view(arena, typecode, items):
    view = arena.alloc_slice(items, typecode)
    assert view.format == typecode
    assert view.tolist() == items
    view.release()


def test_the_steady_state_makes_no_chunks(memory, resources):
    def request():
        with memory.Arena(resources=resources) as arena:
            for _ in range(30):
                arena.alloc_bytes(b"x" * 1000)

    request()
    made = resources.chunks.stats().created
    for _ in range(100):
        request()
    assert resources.chunks.stats().created == made


def test_free_chunks_stay_below_the_limit(memory):
    resources = memory.ArenaResources()
    arenas = [memory.Arena(resources=resources) for _ in range(400)]
    for arena in arenas:
        arena.alloc_bytes(b"x")
    for arena in arenas:
        arena.close()
    stats = resources.chunks.stats()
    assert stats.bytes_free <= stats.limit == 1 << 20
    assert stats.dropped == 400 - (1 << 20) // 4096


def test_trim_keeps_what_recent_requests_used_at_once(memory, resources):
    arenas = [memory.Arena(resources=resources) for _ in range(8)]
    for arena in arenas:
        arena.alloc_bytes(b"x")
    for arena in arenas:
        arena.close()
    resources.chunks.trim()
    for _ in range(2):  # the next requests need two chunks at once
        with memory.Arena(resources=resources) as one, memory.Arena(resources=resources) as two:
            one.alloc_bytes(b"x")
            two.alloc_bytes(b"x")
    resources.chunks.trim()
    assert resources.chunks.stats().bytes_free == 2 * 4096
    resources.chunks.clear()
    assert resources.chunks.stats().bytes_free == 0


def test_an_arena_that_is_dropped_without_close_is_counted(memory):
    resources = memory.ArenaResources()
    arena = memory.Arena(resources=resources)
    arena.alloc_bytes(b"x")
    del arena
    gc.collect()
    assert resources.totals().forgotten == 1
    assert resources.chunks.stats().abandoned == 1
    assert resources.chunks.stats().bytes_out == 0
