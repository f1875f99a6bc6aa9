"""A history grows, is replaced and rewound; snapshots stay as they were; totals are sums; files appear whole."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from streamarena.context import trim_messages
from streamarena.context.history import CHUNK_MESSAGES, MessageHistory
from streamarena.errors import ContextError, HistoryTooLongError, ScopeClosedError
from tests.context.histories import weigh


def message(number, n=1):
    return {"role": "user" if number % 2 == 0 else "assistant", "content": str(number), "n": n}


class HistoryAgainstList(RuleBasedStateMachine):
    """Every operation does to a history what it does to a plain list."""

    def __init__(self):
        super().__init__()
        self.history = MessageHistory(counter=weigh)
        self.model = []
        self.snapshots = []

    @rule(count=st.sampled_from([1, 2, 700]), n=st.integers(1, 9))
    def append(self, count, n):
        added = [message(i, n) for i in range(count)]
        self.history.extend(added)
        self.model.extend(added)

    @rule(where=st.floats(0, 0.999), n=st.integers(1, 9))
    def replace(self, where, n):
        if self.model:
            index = int(where * len(self.model))
            self.history.replace(index, new := message(0, n))
            self.model[index] = new

    @rule(share=st.floats(0, 1))
    def rewind(self, share):
        length = int(share * len(self.model))
        self.history.rewind(length)
        del self.model[length:]

    @rule(step=st.integers(1, 3))
    def replace_all(self, step):
        self.history.replace_all(self.model[::step])
        self.model = self.model[::step]

    @rule()
    def snapshot(self):
        self.snapshots.append((self.history.snapshot(), list(self.model)))

    @rule()
    def release(self):
        if self.snapshots:
            self.snapshots.pop(0)[0].release()

    @invariant()
    def same_as_the_list(self):
        assert list(self.history) == self.model
        assert len(self.history) == len(self.model)
        assert self.history.tokens == sum(map(weigh, self.model))
        if self.model:
            assert self.history[-1] is self.model[-1]
            assert self.history[len(self.model) // 2 :] == self.model[len(self.model) // 2 :]

    @invariant()
    def snapshots_never_change(self):
        for snapshot, kept in self.snapshots:
            assert list(snapshot) == kept
            assert snapshot.tokens == sum(map(weigh, kept))


HistoryAgainstList.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
test_history_against_a_list = HistoryAgainstList.TestCase


def test_each_message_is_counted_once():
    counted = []

    def count(m):
        counted.append(m)
        return m["n"]

    history = MessageHistory((message(i) for i in range(100)), counter=count)
    for _ in range(5):
        assert history.tokens == 100
        assert history.tokens_at(7) == 1
    history.append(message(100))
    assert history.tokens == 101
    assert len(counted) == 101
    trim_messages(history, max_tokens=50, counter=history.counted())
    assert len(counted) == 101


def test_sharing_copies_a_tail_and_not_a_history():
    history = MessageHistory(message(i) for i in range(20 * CHUNK_MESSAGES + 10))
    snapshot = history.snapshot()
    history.append(message(0))
    assert all(a is b for a, b in zip(history._chunks, snapshot._chunks, strict=True))
    assert len(snapshot) == len(history) - 1


@pytest.mark.timeout(20)
def test_a_hundred_thousand_messages_with_a_snapshot_each():
    history = MessageHistory(counter=weigh)
    for number in range(100_000):
        history.append(message(number))
        if number % 10 == 0:
            with history.snapshot() as snapshot:
                assert len(snapshot) == number + 1
    assert history.tokens == 100_000


def test_a_released_snapshot_cannot_be_read():
    history = MessageHistory([message(0)])
    with history.snapshot() as snapshot:
        assert snapshot[0] is history[0]
    with pytest.raises(ScopeClosedError):
        len(snapshot)


def test_the_limit_has_a_name_and_nothing_is_lost():
    history = MessageHistory([message(0)], max_messages=2)
    history.append(message(1))
    with pytest.raises(HistoryTooLongError, match="max_messages") as caught:
        history.append(message(2))
    assert (caught.value.limit, len(history)) == (2, 2)


def test_without_a_counter_there_is_no_total():
    history = MessageHistory([message(0)])
    assert history.snapshot().tokens is None
    with pytest.raises(ContextError, match="counter"):
        _ = history.tokens
    with pytest.raises(IndexError, match="no message 5"):
        history[5]


@pytest.mark.parametrize("content", ["plain", "🙂 日本", "\ud83d alone", "line\nbreak"])
def test_what_is_saved_is_loaded(tmp_path, content):
    path = tmp_path / "history.jsonl"
    history = MessageHistory([{"role": "user", "content": content, "ts": 1.5}, message(1)])
    history.save(path)
    assert list(MessageHistory.load(path)) == list(history)
    assert [p.name for p in tmp_path.iterdir()] == ["history.jsonl"]


def test_saving_replaces_the_file_or_leaves_it(tmp_path):
    path = tmp_path / "history.jsonl"
    MessageHistory([message(0)]).save(path)
    with pytest.raises(ContextError, match="message 1 cannot be saved"):
        MessageHistory([message(0), {"role": object()}]).save(path)
    assert len(MessageHistory.load(path)) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["history.jsonl"]


@pytest.mark.parametrize("number", [123456789012345678901234567890, -(2**63) - 1, 2**64, 0.1, 1e300])
def test_numbers_come_back_as_they_were(tmp_path, number):
    path = tmp_path / "history.jsonl"
    MessageHistory([{"role": "user", "content": "q", "n": number}]).save(path)
    assert MessageHistory.load(path)[0]["n"] == number


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 10**5000], ids=["nan", "infinity", "digits"])
def test_a_number_that_json_cannot_hold_is_refused(tmp_path, number):
    with pytest.raises(ContextError, match="message 0 cannot be saved"):
        MessageHistory([{"role": "user", "content": "q", "n": [number]}]).save(tmp_path / "history.jsonl")


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_saving_never_opens_a_file_to_more_people(tmp_path):
    path = tmp_path / "history.jsonl"
    history = MessageHistory([message(0)])
    history.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    history.save(path)
    assert path.stat().st_mode & 0o777 == 0o640
    link = tmp_path / "link"
    link.symlink_to(path)
    MessageHistory([message(0), message(1)]).save(link)
    assert link.is_symlink()
    assert len(MessageHistory.load(path)) == 2


def test_a_damaged_file_is_named_with_its_line(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_text(json.dumps(message(0)) + '\n{"role": "us')
    with pytest.raises(ContextError, match=r"history\.jsonl: line 2"):
        MessageHistory.load(path)
    assert len(MessageHistory.load(path, recover=True)) == 1
    path.write_text("[1]\n" + json.dumps(message(0)) + "\n")
    with pytest.raises(ContextError, match="line 1"):
        MessageHistory.load(path, recover=True)
    path.write_text((json.dumps(message(0)) + "\n") * 3)
    with pytest.raises(HistoryTooLongError):
        MessageHistory.load(path, max_messages=2)
