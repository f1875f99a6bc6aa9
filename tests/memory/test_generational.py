"""The generational arena: a handle names one insertion, for ever."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streamarena.errors import CapacityExceededError, StaleHandleError
from streamarena.memory.generational import GenerationalArena


def test_a_handle_gives_its_object_back():
    arena = GenerationalArena[str]()
    one, two = arena.insert("one"), arena.insert("two")
    assert (arena.get(one), arena.get(two)) == ("one", "two")
    assert len(arena) == 2
    assert list(arena) == ["one", "two"]
    assert one in arena
    assert "one" not in arena
    assert {one: 1}[one] == 1
    assert one != two


def test_a_removed_handle_never_matches_again_though_its_slot_is_used_again():
    arena = GenerationalArena[int]()
    stale = []
    for number in range(1000):
        handle = arena.insert(number)
        stale.append(handle)
        assert arena.remove(handle) == number
    assert arena.slots == 1
    current = arena.insert(-1)
    assert arena.get(current) == -1
    for handle in stale:
        assert handle not in arena
        with pytest.raises(StaleHandleError):
            arena.get(handle)
        with pytest.raises(StaleHandleError):
            arena.remove(handle)


def test_a_handle_of_another_arena_is_refused():
    one, two = GenerationalArena[str](), GenerationalArena[str]()
    one.insert("one")
    with pytest.raises(StaleHandleError):
        one.get(two.insert("two"))


def test_none_is_a_value():
    arena = GenerationalArena[None]()
    handle = arena.insert(None)
    assert arena.get(handle) is None
    assert handle in arena


def test_compact_closes_the_holes_and_returns_the_new_handles():
    arena = GenerationalArena[int]()
    handles = [arena.insert(number) for number in range(100)]
    for handle in handles[::2]:
        arena.remove(handle)
    mapping = arena.compact()
    assert arena.slots == len(arena) == 50
    assert list(mapping) == handles[1::2]
    assert list(arena) == list(range(1, 100, 2))
    for old, new in mapping.items():
        assert old not in arena
        assert arena.get(new) == handles.index(old)


def test_capacity_is_a_clear_limit():
    arena = GenerationalArena[int](capacity=2)
    first = arena.insert(1)
    arena.insert(2)
    with pytest.raises(CapacityExceededError, match="capacity"):
        arena.insert(3)
    arena.remove(first)
    arena.insert(3)


def test_clear_makes_every_handle_stale():
    arena = GenerationalArena[int]()
    handle = arena.insert(1)
    arena.clear()
    arena.insert(2)
    assert handle not in arena
    assert len(arena) == 1


class Handles(RuleBasedStateMachine):
    """The arena agrees with a dict, and refuses every handle that was ever removed or compacted away."""

    def __init__(self):
        super().__init__()
        self.arena = GenerationalArena[int]()
        self.model = {}
        self.stale = []

    @rule(value=st.integers())
    def insert(self, value):
        handle = self.arena.insert(value)
        assert handle not in self.model
        self.model[handle] = value

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove(self, data):
        handle = data.draw(st.sampled_from(list(self.model)))
        assert self.arena.remove(handle) == self.model.pop(handle)
        self.stale.append(handle)

    @rule()
    def compact(self):
        mapping = self.arena.compact()
        assert set(mapping) == set(self.model)
        self.stale.extend(mapping)
        self.model = {mapping[old]: value for old, value in self.model.items()}
        assert self.arena.slots == len(self.model)

    @invariant()
    def agree(self):
        assert dict(self.arena.items()) == self.model
        assert not any(handle in self.arena for handle in self.stale)


TestHandles = Handles.TestCase
TestHandles.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
