"""The buffer pool: tiers, ceilings, and what may not come back."""

from __future__ import annotations

import gc
import re
import resource
import threading
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamarena.errors import BufferReleasedError, DoubleReleaseError, ScopeClosedError
from streamarena.memory.buffers import BUFFER_SIZES, BufferPool

SMALL, MEDIUM, LARGE = range(3)


@pytest.mark.parametrize(
    ("size", "capacity"),
    [(0, 4096), (1, 4096), (4096, 4096), (4097, 65536), (65536, 65536), (65537, 1 << 20), (1 << 20, 1 << 20)],
)
def test_a_size_gets_the_smallest_tier_that_holds_it(size, capacity):
    with BufferPool().acquire(size) as buffer:
        assert len(buffer) == len(buffer.view) == capacity


def test_a_size_above_all_tiers_is_served_and_counted_but_not_kept():
    pool = BufferPool()
    with pool.acquire(3 << 20) as buffer:
        assert len(buffer) == 3 << 20
    assert pool.stats().idle_bytes == 0
    assert pool.stats().tiers[3].misses == 1


@pytest.mark.parametrize(("size", "error"), [(-1, ValueError), (1.5, TypeError), ("4", TypeError), (None, TypeError)])
def test_what_is_no_size_is_refused_and_not_counted(size, error):
    pool = BufferPool()
    with pytest.raises(error, match=re.escape(str(size))):
        pool.acquire(size)
    assert pool.stats().outstanding == 0


def test_what_comes_back_is_lent_again():
    pool = BufferPool()
    first = pool.acquire(100)
    data = first.data
    assert first.release() is True
    with pool.acquire(100) as second:
        assert second.data is data
    stats = pool.stats().tiers[SMALL]
    assert (stats.hits, stats.misses, stats.outstanding, stats.reuse) == (1, 1, 0, 0.5)


def test_a_released_buffer_says_that_it_was_given_back():
    buffer = BufferPool().acquire(1)
    buffer.release()
    with pytest.raises(BufferReleasedError, match="given back to its pool") as caught:
        _ = buffer.view
    assert "scope" not in str(caught.value)
    assert isinstance(caught.value, ScopeClosedError)  # as everything that outlived its loan


def test_a_second_release_is_refused_and_changes_nothing():
    pool = BufferPool()
    buffer = pool.acquire(1)
    buffer.release()
    with pytest.raises(DoubleReleaseError):
        buffer.release()
    assert pool.stats().tiers[SMALL].idle == 1
    with pytest.raises(ScopeClosedError):
        _ = buffer.view


@pytest.mark.parametrize("size", BUFFER_SIZES)
def test_a_buffer_with_a_live_view_does_not_go_back(size):
    pool = BufferPool()
    buffer = pool.acquire(size)
    view = buffer.view[1:3]
    assert buffer.release() is False
    view[:] = b"ab"
    other = pool.acquire(size)
    other.view[1:3] = b"zz"
    assert bytes(view) == b"ab"
    assert sum(tier.refused for tier in pool.stats().tiers) == 1
    other.release()


def test_a_foreign_export_counts_as_a_live_view():
    pool = BufferPool()
    buffer = pool.acquire(16)
    held = memoryview(buffer.data).cast("I")
    assert buffer.release() is False
    assert held.nbytes == 4096


def test_a_buffer_that_grew_does_not_go_back():
    pool = BufferPool()
    buffer = pool.acquire(4096)
    buffer.data.extend(b"more")
    assert buffer.release() is False
    assert pool.stats().tiers[SMALL].idle == 0


def test_no_more_are_kept_than_the_counts_allow():
    pool = BufferPool((3, 2, 1), idle_limit=1 << 30)
    for size in BUFFER_SIZES:
        for buffer in [pool.acquire(size) for _ in range(5)]:
            buffer.release()
    tiers = pool.stats().tiers
    assert [tier.idle for tier in tiers] == [3, 2, 1, 0]
    assert [tier.surplus for tier in tiers] == [2, 3, 4, 0]
    assert [tier.high_water for tier in tiers] == [5, 5, 5, 0]


def test_idle_bytes_never_pass_their_limit():
    pool = BufferPool(idle_limit=200_000)
    for buffer in [pool.acquire(65536) for _ in range(10)]:
        buffer.release()
    assert pool.stats().idle_bytes == 3 * 65536


def test_trim_drops_what_nobody_needed_for_the_time():
    pool = BufferPool()
    for buffer in [pool.acquire(1) for _ in range(10)]:
        buffer.release()
    assert pool.trim(now=0.0) == 0
    for buffer in [pool.acquire(1) for _ in range(4)]:
        buffer.release()
    assert pool.trim(now=10.0) == 0
    assert pool.trim(now=31.0) == 6 * 4096
    assert pool.stats().tiers[SMALL].idle == 4
    pool.clear()
    assert pool.stats().idle_bytes == 0


def test_a_large_buffer_takes_no_resident_memory_until_it_is_touched():
    def resident():
        gc.collect()
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()

    pool = BufferPool()
    before = resident()
    buffers = [pool.acquire(1 << 20) for _ in range(50)]
    assert resident() - before < 5 << 20
    for buffer in buffers:
        buffer.release()


def test_a_buffer_that_nobody_gave_back_is_counted_as_lost():
    pool = BufferPool()
    pool.acquire(1)
    gc.collect()
    stats = pool.stats().tiers[SMALL]
    assert (stats.lost, stats.outstanding, stats.idle) == (1, 0, 0)


def test_debug_poisons_what_came_back_and_names_who_forgot():
    pool = BufferPool(debug=True)
    buffer = pool.acquire(1)
    data = buffer.data
    buffer.release()
    assert set(data) == {0xDD}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pool.acquire(1)
        gc.collect()
    assert "test_buffers.py" in str(caught[0].message)


def test_threads_share_a_pool():
    pool = BufferPool()
    errors = []

    def work(number):
        mark = bytes((number,)) * 4096
        for _ in range(300):
            with pool.acquire(4096) as buffer:
                buffer.view[:] = mark
                if bytes(buffer.view) != mark:
                    errors.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = pool.stats().tiers[SMALL]
    assert not errors
    assert stats.hits + stats.misses == 1800
    assert stats.outstanding == 0
    assert stats.idle == stats.misses


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["take", "give", "hold", "drop"]), st.integers(0, 1 << 17)), max_size=60))
def test_what_was_taken_is_returned_refused_lost_or_out(steps):
    pool = BufferPool((4, 2, 1), idle_limit=100_000)
    out, views, returned = [], [], 0
    for action, number in steps:
        if action == "take":
            out.append(pool.acquire(number))
        elif out and action == "give":
            returned += out.pop(number % len(out)).release()
        elif out and action == "hold":
            views.append(out[number % len(out)].view[:1])
        elif out and action == "drop":
            out.pop(number % len(out))
    stats = pool.stats()
    taken = sum(tier.hits + tier.misses for tier in stats.tiers)
    assert taken == returned + sum(tier.refused + tier.lost + tier.outstanding for tier in stats.tiers)
    assert stats.outstanding == len(out)
    assert stats.idle_bytes == sum(tier.idle * tier.size for tier in stats.tiers) <= stats.idle_limit
