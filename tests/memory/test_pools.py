"""Object pools: one holder at a time, nothing of one request for the next, and every object accounted for."""

from __future__ import annotations

import gc
import threading
import warnings

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streamarena.errors import CapacityExceededError, DoubleReleaseError, ScopeClosedError
from streamarena.memory import request_scope
from streamarena.memory.pools import ObjectPool, PoolFamily


def lists(**options):
    return ObjectPool[list](list, list.clear, **options)


def test_an_object_is_reset_and_lent_again():
    pool = lists()
    with pool.acquire() as first:
        first.append("of the first request")
    with pool.acquire() as second:
        assert second is first
        assert second == []
    assert pool.stats().reuse == 0.5


def test_two_holders_never_have_the_same_object():
    pool = lists()
    one, two = pool.acquire(), pool.acquire()
    assert one.value is not two.value
    one.release()
    two.release()
    assert pool.stats().idle == pool.stats().high_water == 2


def test_a_second_release_is_refused():
    pool = lists()
    held = pool.acquire()
    held.release()
    with pytest.raises(DoubleReleaseError):
        held.release()
    with pytest.raises(ScopeClosedError):
        _ = held.value
    assert held.released
    assert pool.stats().idle == 1


def test_a_poisoned_object_is_not_lent_again():
    pool = lists()
    held = pool.acquire()
    held.poison()
    held.release()
    assert (pool.stats().refused, pool.stats().idle) == (1, 0)


def test_a_reset_that_fails_drops_the_object_and_is_heard():
    def reset(_):
        raise ValueError("cannot be reset")

    pool = ObjectPool(list, reset)
    with pytest.raises(ValueError, match="cannot be reset"), pool.acquire():
        pass
    assert (pool.stats().refused, pool.stats().idle, pool.stats().outstanding) == (1, 0, 0)


def test_a_factory_that_fails_leaves_no_trace():
    def factory():
        raise ValueError("cannot be made")

    pool = ObjectPool(factory)
    with pytest.raises(ValueError, match="cannot be made"):
        pool.acquire()
    assert (pool.stats().misses, pool.stats().outstanding) == (0, 0)


def test_no_more_are_kept_than_max_size():
    pool = lists(max_size=2)
    for held in [pool.acquire() for _ in range(5)]:
        held.release()
    assert (pool.stats().idle, pool.stats().surplus) == (2, 3)
    pool.clear()
    assert pool.stats().idle == 0


def test_trim_drops_what_was_not_needed_since_the_last_call():
    pool = lists()
    for held in [pool.acquire() for _ in range(10)]:
        held.release()
    pool.trim()
    for held in [pool.acquire() for _ in range(3)]:
        held.release()
    assert pool.trim() == 7
    assert pool.stats().idle == 3


def test_a_scope_gives_pooled_objects_back():
    pool = lists()
    with request_scope() as arena:
        arena.lease(pool.acquire()).value.append(1)
        assert pool.stats().outstanding == 1
    assert pool.stats().outstanding == 0


def test_a_dropped_loan_is_counted_and_named_in_debug_mode():
    pool = lists(debug=True, name="parsers")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pool.acquire()
        gc.collect()
    assert "parsers" in str(caught[0].message)
    assert "test_pools.py" in str(caught[0].message)
    assert (pool.stats().lost, pool.stats().outstanding) == (1, 0)


def test_threads_share_a_pool():
    pool = ObjectPool(lambda: [0])
    wrong = []

    def work():
        for _ in range(500):
            with pool.acquire() as value:
                value[0] += 1
                seen = value[0]
                if value[0] != seen:
                    wrong.append(seen)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = pool.stats()
    assert not wrong
    assert stats.hits + stats.misses == 3000
    assert stats.idle == stats.misses


def test_a_family_has_one_pool_for_each_key():
    family = PoolFamily("request", max_pools=2)
    first = family.pool("openai-chat", list)
    assert family.pool("openai-chat", list) is first
    assert family.pool("anthropic", dict) is not first
    with pytest.raises(CapacityExceededError, match="max_pools"):
        family.pool("gemini", list)
    with first.acquire():
        assert [stats.outstanding for stats in family.stats()] == [1, 0]
    assert {stats.name for stats in family.stats()} == {"request/openai-chat", "request/anthropic"}
    family.trim()
    family.clear()
    assert sum(stats.idle for stats in family.stats()) == 0


class Conservation(RuleBasedStateMachine):
    """What was taken is returned, refused, lost or still out, whatever the order."""

    def __init__(self):
        super().__init__()
        self.pool = lists(max_size=3)
        self.out = []
        self.returned = 0
        self.refused = 0

    @rule()
    def take(self):
        held = self.pool.acquire()
        assert held.value == []
        assert all(held.value is not other.value for other in self.out)
        held.value.append(1)
        self.out.append(held)

    @precondition(lambda self: self.out)
    @rule(data=st.data(), poison=st.booleans())
    def give(self, data, poison):
        held = self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))
        if poison:
            held.poison()
        held.release()
        self.refused += poison
        self.returned += not poison

    @precondition(lambda self: self.out)
    @rule()
    def lose(self):
        self.out.pop()

    @rule()
    def trim(self):
        self.pool.trim()

    @invariant()
    def balance(self):
        stats = self.pool.stats()
        assert stats.outstanding == len(self.out)
        assert stats.refused == self.refused
        assert stats.hits + stats.misses == self.returned + stats.refused + stats.lost + stats.outstanding
        assert stats.idle <= 3
        assert stats.idle + stats.surplus + stats.refused + stats.lost + stats.outstanding == stats.misses


TestConservation = Conservation.TestCase
TestConservation.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
