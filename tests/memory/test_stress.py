"""A million allocations, and debug mode: nothing is lost, and what is forgotten is named."""

from __future__ import annotations

import gc
import random
import warnings

import pytest

from streamarena.errors import MemoryScopeError


@pytest.mark.slow
def test_a_million_spans_in_a_thousand_scopes(memory, resources):
    for scope in range(1000):
        with memory.request_scope(resources=resources) as arena:
            content = b"%08d" % scope
            spans = [arena.alloc_bytes(content) for _ in range(1000)]
            assert bytes(spans[scope]) == content
    totals = resources.totals()
    assert (totals.opened, totals.closed, totals.allocations) == (1000, 1000, 1_000_000)
    assert totals.bytes == 8_000_000
    assert totals.chunks.created <= 2
    assert totals.escaped == 0


@pytest.mark.parametrize("failing", range(6))
def test_an_exception_at_any_step_of_release_leaves_nothing_behind(memory, resources, failing):
    log = []

    def step(number):
        def call():
            log.append(number)
            if number == failing:
                raise ValueError(number)

        return call

    arena = memory.Arena(resources=resources)
    for number in range(6):
        arena.alloc_bytes(b"x" * 3000)
        arena.buffer(100)
        arena.defer(step(number))
    with pytest.raises(ExceptionGroup) as caught:
        arena.close()
    assert log == [5, 4, 3, 2, 1, 0]
    assert [error.args for error in caught.value.exceptions] == [(failing,)]
    assert arena.closed


def test_every_error_of_a_scope_has_one_root(memory, resources):
    with memory.Arena(resources=resources) as arena:
        pass
    with pytest.raises(MemoryScopeError):
        arena.alloc_bytes(b"x")


@pytest.fixture
def debug(memory):
    return memory.ArenaResources(memory_config(debug=True))


def memory_config(**settings):
    from streamarena.memory import MemoryConfig

    return MemoryConfig(**settings)


def caught_warnings(action):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        action()
        gc.collect()
    return [str(each.message) for each in caught]


def test_debug_poisons_what_was_given_back(memory, debug):
    with memory.Arena(resources=debug) as arena:
        arena.alloc_bytes(b"secret")
        chunk = arena._chunk
        assert bytes(chunk._block[:6]) == b"secret"
    assert set(chunk._block) == {0xDD}


def test_debug_names_where_the_scope_of_an_escaped_view_was_opened(memory, debug):
    views = []

    def escape():
        with memory.Arena(label="leaky", resources=debug) as arena:
            views.append(arena.alloc_bytes(b"x").view)

    (message,) = caught_warnings(escape)
    assert "leaky" in message
    assert "test_stress.py" in message


def test_debug_names_an_arena_that_was_never_closed(memory, debug):
    def forget():
        memory.Arena(label="forgotten", resources=debug).alloc_bytes(b"x")

    (message,) = caught_warnings(forget)
    assert "forgotten" in message
    assert "test_stress.py" in message


def test_without_debug_nothing_is_said_but_counted(memory):
    resources = memory.ArenaResources()

    def forget():
        memory.Arena(resources=resources).alloc_bytes(b"x")

    assert caught_warnings(forget) == []
    assert resources.totals().forgotten == 1


def test_random_trees_of_scopes_balance(memory, resources):
    chance = random.Random(3)
    open_arenas = [memory.Arena(resources=resources)]
    for _ in range(3000):
        arena = chance.choice(open_arenas)
        action = chance.random()
        if action < 0.5:
            arena.alloc_bytes(bytes(chance.randrange(3000)))
        elif action < 0.75:
            open_arenas.append(memory.Arena(parent=arena))
        elif len(open_arenas) > 1:
            open_arenas.remove(arena)
            arena.close()
    for arena in open_arenas:
        arena.close()
    assert resources.totals().opened == resources.totals().closed
