"""A nested arena works in its parent's chunk while nobody can be hurt by it, and in chunks of its own otherwise."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.memory.conftest import load


@pytest.fixture
def parent(memory, resources):
    with memory.Arena(label="parent", resources=resources) as arena:
        arena.alloc_bytes(b"parent")
        yield arena


def test_a_nested_arena_gives_the_end_of_the_chunk_back(memory, resources, parent):
    for _ in range(1000):
        with memory.Arena(parent=parent) as inner:
            inner.alloc_bytes(b"x" * 1000)
    assert resources.chunks.stats().bytes_out == 4096
    assert parent._chunk.used == len(b"parent")


def test_two_at_once_do_not_share_a_chunk(memory, resources, parent):
    with memory.Arena(parent=parent) as one, memory.Arena(parent=parent) as two:
        one.alloc_bytes(b"one")
        two.alloc_bytes(b"two")
        assert resources.chunks.stats().bytes_out == 2 * 4096


def test_what_the_parent_cut_above_stays(memory, parent):
    with memory.Arena(parent=parent) as inner:
        inner.alloc_bytes(b"inner")
        above = parent.alloc_bytes(b"above")
    parent.alloc_bytes(b"#" * 100)
    assert bytes(above) == b"above"


def test_a_live_view_of_a_nested_span_stays_whole(memory, resources, parent):
    with memory.Arena(parent=parent) as inner:
        view = inner.alloc_bytes(b"inner").view
    parent.alloc_bytes(b"#" * 100)
    assert view == b"inner"
    assert inner.stats().escaped == 1
    parent.close()
    assert parent.stats().escaped == 1
    assert resources.totals().escaped == 1
    assert view == b"inner"


def test_a_parent_that_ends_first_leaves_the_chunk_to_the_nested_arena(memory, resources):
    parent = memory.Arena(resources=resources)
    view = parent.alloc_bytes(b"parent").view
    inner = memory.Arena(parent=parent)
    span = inner.alloc_bytes(b"inner")
    parent.close()
    with memory.Arena(resources=resources) as other:
        other.alloc_bytes(b"#" * 4000)
        assert bytes(span) == b"inner"
        assert view == b"parent"
    inner.close()
    assert view == b"parent"
    assert resources.totals().escaped == 1


def test_the_parent_keeps_an_emptied_chunk_that_a_nested_arena_works_in(memory, resources):
    with memory.Arena(resources=resources) as parent:
        first = parent.alloc_bytes(b"first")
        with memory.Arena(parent=parent) as inner:
            assert inner.free(inner.alloc_bytes(b"x"))
            assert parent.free(first)
            parent.alloc_bytes(b"y" * 5000)  # too big for the chunk that is empty now
            span = inner.alloc_bytes(b"inner")
            with memory.Arena(resources=resources) as other:
                other.alloc_bytes(b"#" * 4096)
                assert bytes(span) == b"inner"


class Scopes(RuleBasedStateMachine):
    """Arenas open, nest, allocate, free, lend views and close in any order; what is open stays whole."""

    implementation = "py"

    def __init__(self):
        super().__init__()
        self.memory = load(self.implementation)
        self.resources = self.memory.ArenaResources()
        self.open = []
        self.spans = {}
        self.views = []
        self.serial = 0

    @rule(data=st.data())
    def open_arena(self, data):
        parent = data.draw(st.sampled_from([None, *self.open]))
        arena = self.memory.Arena(parent=parent, resources=self.resources)
        self.open.append(arena)
        self.spans[arena] = []

    @precondition(lambda self: self.open)
    @rule(data=st.data(), size=st.sampled_from([0, 1, 30, 1000, 4000, 5000, 20_000]))
    def allocate(self, data, size):
        arena = data.draw(st.sampled_from(self.open))
        self.serial += 1
        content = (b"%d," % self.serial * size)[:size]
        self.spans[arena].append((arena.alloc_bytes(content), content))

    @precondition(lambda self: any(self.spans[arena] for arena in self.open))
    @rule(data=st.data())
    def lend_a_view(self, data):
        span, content = data.draw(st.sampled_from([pair for arena in self.open for pair in self.spans[arena]]))
        self.views.append((span.view, content))

    @precondition(lambda self: self.views)
    @rule(data=st.data())
    def drop_a_view(self, data):
        self.views.pop(data.draw(st.integers(0, len(self.views) - 1)))

    @precondition(lambda self: any(self.spans[arena] for arena in self.open))
    @rule(data=st.data())
    def free(self, data):
        arena = data.draw(st.sampled_from([arena for arena in self.open if self.spans[arena]]))
        pair = data.draw(st.sampled_from(self.spans[arena]))
        if arena.free(pair[0]):
            self.spans[arena].remove(pair)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def close(self, data):
        arena = data.draw(st.sampled_from(self.open))
        self.open.remove(arena)
        arena.close()
        assert all(span.closed for span, _ in self.spans.pop(arena))

    @invariant()
    def everything_stays_whole(self):
        for arena in self.open:
            for span, content in self.spans[arena]:
                assert bytes(span) == content
        for view, content in self.views:
            assert view == content

    def teardown(self):
        while self.open:
            self.open.pop().close()
        stats = self.resources.chunks.stats()
        assert stats.bytes_out == 0
        assert stats.bytes_free <= stats.limit
        assert self.resources.totals().open == 0


@pytest.mark.parametrize("implementation", ["py", "cy"])
def test_any_order_of_scopes_keeps_spans_whole(implementation):
    load(implementation)
    machine = type("Machine", (Scopes,), {"implementation": implementation})
    machine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
    machine.TestCase().runTest()
