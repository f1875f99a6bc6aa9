"""The interner: one str for a text, bounded in every direction, and honest about what it takes."""

from __future__ import annotations

import threading
from sys import getsizeof

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamarena.errors import CapacityExceededError, LimitExceededError, StaleHandleError
from streamarena.memory import interning
from streamarena.memory.interning import StringInterner, Symbol
from tests.memory.conftest import twin


@pytest.fixture(autouse=True, params=["py", "cy"])
def table(request, monkeypatch):
    """Run every test on the plain look-up and on the compiled one."""
    monkeypatch.setattr(interning, "BufferTable", twin("_interning", request.param).BufferTable)


SOURCES = [lambda t: t, lambda t: t.encode(), lambda t: bytearray(t.encode()), lambda t: memoryview(t.encode())]


@pytest.mark.parametrize("source", SOURCES, ids=["str", "bytes", "bytearray", "memoryview"])
@pytest.mark.parametrize("text", ["", "assistant", "größe", "日本", "\U0001f600"], ids=ascii)
def test_the_same_text_gives_the_same_symbol_and_str(source, text):
    interner = StringInterner()
    first = interner.intern(text)
    assert interner.intern(source(text)) is first
    assert interner.text(source(text)) is interner.resolve(first)
    assert interner.resolve(first) == str(first) == text


def test_different_texts_give_different_symbols():
    interner = StringInterner()
    one, two, again = interner.intern_many(["one", b"two", "one"])
    assert one is again
    assert one is not two
    assert len(interner) == 2
    assert "one" in interner
    assert "three" not in interner


def test_invalid_utf8_becomes_replacement_characters():
    assert StringInterner().text(b"a\xff") == "a\ufffd"


def test_a_foreign_or_cleared_symbol_is_refused():
    interner = StringInterner()
    symbol = interner.intern("x")
    with pytest.raises(StaleHandleError):
        StringInterner().resolve(symbol)
    interner.clear()
    with pytest.raises(StaleHandleError):
        interner.resolve(symbol)
    assert interner.intern("x") is not symbol
    assert isinstance(symbol, Symbol)


def test_entries_are_bounded():
    interner = StringInterner(max_entries=3)
    for text in "abc":
        interner.intern(text)
    assert interner.text("d") == "d"
    with pytest.raises(CapacityExceededError, match="max_entries"):
        interner.intern("d")
    assert interner.intern("a") is interner.intern("a")
    assert interner.stats().declined == 2


def test_long_texts_are_not_kept():
    interner = StringInterner(max_text_bytes=4)
    assert interner.text("12345") == "12345"
    assert interner.text("äöü") == "äöü"
    with pytest.raises(LimitExceededError, match="max_text_bytes"):
        interner.intern("12345")
    assert len(interner) == 0


def test_bytes_are_bounded_at_every_step():
    interner = StringInterner(max_bytes=20_000, max_entries=10_000)
    for number in range(10_000):
        interner.text(f"text number {number}")
        assert interner.memory_usage() <= 20_000
    assert len(interner) > 80
    with pytest.raises(LimitExceededError, match="max_bytes"):
        interner.intern("one more text, and a longer one")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=20), max_size=200))
def test_memory_usage_is_what_getsizeof_says(texts):
    interner = StringInterner()
    kept = [interner.intern(text) for text in texts]
    truth = sum(getsizeof(str(symbol)) + getsizeof(symbol) for symbol in set(kept)) + getsizeof(interner._symbols)
    truth += interner._table.size()
    assert abs(interner.memory_usage() - truth) <= truth * 0.1
    assert interner.stats().bytes_saved == sum(map(getsizeof, texts)) - sum(getsizeof(text) for text in set(texts))


def test_statistics_say_what_was_saved():
    interner = StringInterner()
    for _ in range(10):
        interner.text(b"gpt-4o")
    stats = interner.stats()
    assert (stats.hits, stats.misses, stats.entries) == (9, 1, 1)
    assert stats.bytes_saved == 9 * getsizeof("gpt-4o")
    assert stats.bytes_seen == 10 * getsizeof("gpt-4o")


def test_eight_threads_get_the_same_symbols():
    interner = StringInterner()
    found = [[] for _ in range(8)]
    barrier = threading.Barrier(8)

    def work(mine):
        barrier.wait()
        for number in range(500):
            mine.append(interner.intern(f"text {number % 100}".encode()))

    threads = [threading.Thread(target=work, args=(mine,)) for mine in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(a is b for mine in found for a, b in zip(mine, found[0], strict=True))
    stats = interner.stats()
    assert (stats.hits + stats.misses, stats.misses) == (4000, 100)


@pytest.mark.parametrize(("start", "stop", "text"), [(0, None, "abcdef"), (2, 4, "cd"), (3, 3, ""), (2, None, "cdef")])
@pytest.mark.parametrize("source", SOURCES[1:], ids=["bytes", "bytearray", "memoryview"])
def test_a_text_is_looked_up_where_it_lies(source, start, stop, text):
    interner = StringInterner()
    shared = interner.text(text)
    assert interner.text(source("abcdef"), start, stop) == text
    assert interner.text(source("abcdef"), start, stop) is shared
    assert interner.stats().hits == 2


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (2, 1), (0, 7), (7, 8)])
def test_a_text_outside_of_its_buffer_is_refused(start, stop):
    interner = StringInterner()
    interner.intern("a")
    with pytest.raises(IndexError):
        interner.text(b"abcdef", start, stop)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=6) | st.binary(max_size=6), max_size=300))
def test_the_interner_agrees_with_a_dict(texts):
    interner, model = StringInterner(), {}
    for text in texts:
        decoded = text if isinstance(text, str) else text.decode("utf-8", "replace")
        shared = model.setdefault(decoded, interner.text(text))
        assert shared == decoded
        assert interner.text(text) is shared
        assert interner.text(decoded) is shared
    assert len(interner) == len(model)
    interner.clear()
    assert all(text not in interner for text in model)


def test_many_texts_are_found_again():
    interner = StringInterner(max_bytes=10_000_000, max_entries=100_000)
    shared = [interner.text(f"text {number}") for number in range(20_000)]
    assert all(interner.text(b"text %d" % number) is text for number, text in enumerate(shared))
