"""Copy-on-write copies at the first write only; a lazy buffer takes at the first touch only."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamarena.errors import ReleasedError
from streamarena.memory.buffers import BufferPool
from streamarena.memory.cow import CopyOnWrite, copy_containers
from streamarena.memory.lazy import LazyBuffer


def history():
    return [{"role": "user", "content": [{"type": "text", "text": "hello"}]}, {"role": "assistant", "content": "hi"}]


def test_sharing_copies_nothing():
    first = CopyOnWrite(history())
    assert first.is_unique
    second = first.share()
    assert second.value is first.value
    assert first.shares_with(second)
    assert not first.is_unique
    assert not second.is_unique


def test_the_first_write_copies_and_the_second_does_not():
    first = CopyOnWrite(history())
    second = first.share()
    edited = second.edit()
    edited.append({"role": "user", "content": "more"})
    assert first.value == history()
    assert second.is_unique
    assert first.is_unique
    assert second.edit() is edited


def test_a_unique_holder_writes_in_place():
    messages = history()
    assert CopyOnWrite(messages).edit() is messages


def test_a_write_deep_inside_is_not_seen_by_others():
    first = CopyOnWrite(history())
    second = first.share()
    second.edit()[0]["content"][0]["text"] = "changed"
    assert first.value == history()


def test_leaves_are_shared_and_containers_are_not():
    class Leaf:
        pass

    leaf = Leaf()
    payload = {"list": [leaf], "tuple": ([leaf],), "set": {leaf}, "bytes": b"x", "array": bytearray(b"x")}
    copied = copy_containers(payload)
    assert copied == payload
    assert copied["list"][0] is leaf
    assert copied["bytes"] is payload["bytes"]
    for name in ("list", "set", "array"):
        assert copied[name] is not payload[name]
    assert copied["tuple"][0] is not payload["tuple"][0]


def test_bytes_like_payloads_are_copied_into_something_writable():
    first = CopyOnWrite(bytearray(b"abc"))
    second = first.share()
    second.edit()[0] = ord("x")
    assert (first.value, second.value) == (bytearray(b"abc"), bytearray(b"xbc"))


def test_a_copy_of_ones_own():
    first = CopyOnWrite([1], copy=lambda value: [*value, "copied"])
    second = first.share()
    assert second.edit() == [1, "copied"]


def test_a_release_leaves_the_other_unique():
    first = CopyOnWrite([1])
    second = first.share()
    second.release()
    second.release()
    assert second.released
    assert first.is_unique
    for use in (lambda: second.value, second.edit, second.share):
        with pytest.raises(ReleasedError, match="copy-on-write holder was given back"):
            use()


def test_a_dropped_holder_counts_as_released():
    first = CopyOnWrite([1])
    second = first.share()
    del second
    assert first.is_unique


def test_another_reference_to_the_payload_is_no_holder():
    first = CopyOnWrite([1, 2])
    references = [first.value, iter(first.value), first]
    assert first.is_unique
    assert len(references) == 3


def test_replace_leaves_others_as_they_were():
    first = CopyOnWrite([1])
    second = first.share()
    second.replace([2])
    assert (first.value, second.value) == ([1], [2])
    assert first.is_unique


def test_holders_compare_by_value():
    assert CopyOnWrite([1]) == CopyOnWrite([1])
    assert CopyOnWrite([1]) != CopyOnWrite([2])
    assert CopyOnWrite([1]) != [1]
    with pytest.raises(TypeError):
        hash(CopyOnWrite([1]))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["share", "edit", "release"]), st.integers(0, 30)), max_size=40))
def test_every_holder_sees_exactly_its_own_writes(steps):
    holders = [(CopyOnWrite([0]), [0])]
    for action, number in steps:
        index = number % len(holders)
        holder, model = holders[index]
        if action == "share":
            holders.append((holder.share(), list(model)))
        elif action == "edit":
            holder.edit().append(number)
            model.append(number)
        elif len(holders) > 1:
            holders.pop(index)[0].release()
        for one, expected in holders:
            assert one.value == expected
            assert one.is_unique == (sum(one.shares_with(other) for other, _ in holders) == 1)


def test_a_lazy_buffer_takes_nothing_until_it_is_touched():
    pool = BufferPool()
    with LazyBuffer(1000, pool) as buffer:
        assert not buffer.touched
        assert pool.stats().outstanding == 0
        buffer.view[:3] = b"abc"
        assert buffer.touched
        assert bytes(buffer.view[:3]) == b"abc"
        assert pool.stats().outstanding == 1
    assert not buffer.touched
    assert pool.stats().outstanding == 0


def test_an_untouched_lazy_buffer_releases_nothing():
    assert LazyBuffer(10).release() is True


def test_a_lazy_buffer_may_be_touched_again():
    pool = BufferPool()
    buffer = LazyBuffer(10, pool)
    held = buffer.view[:1]
    assert buffer.release() is False
    held.release()
    _ = buffer.view
    assert buffer.release() is True
