"""The allocation tracker: what the hook counts, what stands in for it, and when it stays away."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading

import pytest

from streamarena.errors import ScopeClosedError
from streamarena.memory import default_resources, request_scope
from streamarena.memory._tracker_py import PythonCounters
from streamarena.memory.tracking import AllocationTracker, resident_bytes
from tests.memory.conftest import twin


@pytest.fixture(params=["py", "cy"])
def tracker(request):
    if request.param == "py":
        yield AllocationTracker(PythonCounters())
        return
    hook = twin("_tracker", "cy")
    if refusal := hook.install():
        pytest.skip(refusal)
    tracker = AllocationTracker(hook.HookCounters())
    tracker.start()
    yield tracker
    tracker.stop()


@pytest.fixture
def hooked(tracker):
    if tracker.source != "hook":
        pytest.skip("needs the hook")
    return tracker


def test_a_large_allocation_is_seen_and_its_release_too(tracker):
    mark = tracker.mark("before")
    held = bytearray(50_000_000)
    taken = tracker.since(mark)
    assert 49_000_000 < taken.allocated < 52_000_000
    del held
    assert abs(tracker.since(mark).allocated) < 1_000_000
    assert tracker.stats().peak - mark.stats.allocated > 49_000_000
    assert mark.name == "before"


def test_small_objects_show_as_blocks(tracker):
    mark = tracker.mark()
    held = [object() for _ in range(10_000)]
    assert tracker.since(mark).blocks >= 10_000
    assert len(held) == 10_000


def test_the_count_is_of_calls_of_malloc(hooked):
    mark = hooked.mark()
    held = [bytearray(10_000) for _ in range(100)]
    delta = hooked.since(mark)
    assert 100 <= delta.count <= 160
    assert 1_000_000 <= delta.allocated < 1_200_000
    assert len(held) == 100


def test_a_block_that_grows_is_balanced(hooked):
    mark = hooked.mark()
    held = bytearray()
    for _ in range(2000):
        held.extend(b"x" * 1000)
    assert 2_000_000 <= hooked.since(mark).allocated < 2_600_000
    held.clear()
    assert abs(hooked.since(mark).allocated) < 100_000


def test_many_threads_are_counted_without_loss(hooked):
    def work():
        for _ in range(500):
            bytearray(5_000)

    mark = hooked.mark()
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    delta = hooked.since(mark)
    assert delta.count >= 4_000
    assert abs(delta.allocated) < 500_000


def test_stop_and_start_switch_by_a_flag(hooked):
    assert hooked.running
    hooked.stop()
    assert not hooked.running
    before = hooked.read()[2]
    held = [bytearray(10_000) for _ in range(50)]
    assert hooked.read()[2] == before
    hooked.start()
    held.append(bytearray(10_000))
    assert 1 <= hooked.read()[2] < 40
    assert len(held) == 51


def test_only_sections_are_attributed(hooked):
    slot, outer = hooked.slot(), hooked.slot()
    held = [bytearray(10_000)]
    assert (slot.bytes, slot.count) == (0, 0)
    with outer:
        held.append(bytearray(10_000))
        with slot:
            held.append(bytearray(20_000))
        held.append(bytearray(10_000))
    held.append(bytearray(10_000))
    assert 20_000 <= slot.bytes < 22_000
    assert 1 <= slot.count <= 3
    assert 20_000 <= outer.bytes < 24_000


def test_a_slot_may_run_inside_itself_and_the_innermost_counts(hooked):
    slot, other = hooked.slot(), hooked.slot()
    with slot, other, slot:
        held = [bytearray(20_000)]
    with slot, slot:
        held.append(bytearray(20_000))
    assert 40_000 <= slot.bytes < 44_000
    assert other.bytes < 4_000
    held.append(bytearray(20_000))
    assert slot.bytes < 44_000
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(slot)
        with pytest.raises(RuntimeError, match="8 times"):
            stack.enter_context(slot)


def test_two_threads_do_not_run_one_slot_at_once(hooked):
    slot, caught = hooked.slot(), []

    def enter():
        try:
            slot.__enter__()
        except RuntimeError as error:
            caught.append(error)

    with slot:
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
    assert "another thread" in str(caught[0])


def test_other_threads_are_not_attributed(hooked):
    slot = hooked.slot()
    with slot:
        thread = threading.Thread(target=lambda: [bytearray(100_000) for _ in range(10)])
        thread.start()
        thread.join()
    assert slot.bytes < 300_000


def test_without_the_hook_slots_count_nothing():
    with AllocationTracker(PythonCounters()).slot() as slot:
        bytearray(100_000)
    assert (slot.bytes, slot.count) == (0, 0)


def test_without_the_hook_the_system_is_asked():
    tracker = AllocationTracker(PythonCounters("switched off"))
    tracker.start()
    tracker.stop()
    assert tracker.running
    assert tracker.refusal == "switched off"
    assert tracker.source in {"mallinfo2", "blocks"}
    stats = tracker.stats()
    assert stats.allocated > 100_000
    assert stats.count is None
    assert tracker.since(tracker.mark()).count is None


def test_without_mallinfo_blocks_stand_in(monkeypatch):
    monkeypatch.setattr("streamarena.memory._tracker_py._mallinfo2", lambda: None)
    tracker = AllocationTracker(PythonCounters())
    assert tracker.source == "blocks"
    assert tracker.stats().allocated > 100_000


def test_resident_bytes_are_those_of_this_process():
    assert 5_000_000 < (resident_bytes() or 0) < 4_000_000_000


def test_a_system_that_does_not_tell_gives_none(monkeypatch, tmp_path):
    monkeypatch.setattr("streamarena.memory.tracking._STATM", tmp_path / "missing")
    assert resident_bytes() is None


SCRIPT = "from streamarena.memory import AllocationTracker; t = AllocationTracker(); print(t.source, '|', t.refusal)"


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONMALLOC": "malloc_debug"},
        {"PYTHONMALLOC": "debug"},
        {"PYTHONTRACEMALLOC": "1"},
        {"STREAMARENA_PURE": "1"},
    ],
    ids=lambda environment: next(iter(environment.items())),
)
def test_the_hook_stays_away_from_other_allocators(environment):
    clean = {name: value for name, value in os.environ.items() if name != "STREAMARENA_REQUIRE_NATIVE"}
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, env=clean | environment, capture_output=True, text=True, check=True)
    source, _, refusal = done.stdout.strip().partition(" | ")
    assert source != "hook"
    assert refusal != "None"


def test_sections_are_attributed_to_their_scope():
    tracker = AllocationTracker()
    if tracker.source != "hook":
        pytest.skip(str(tracker.refusal))
    tracker.start()
    before = default_resources().totals()
    with request_scope() as outer, request_scope() as inner:
        with outer.section():
            held = [bytearray(10_000)]
            with inner.section():
                held.append(bytearray(30_000))
        with inner.section():
            held.append(bytearray(30_000))
        held.append(bytearray(10_000))
    tracker.stop()
    assert 10_000 <= outer.stats().section_bytes < 13_000
    assert 60_000 <= inner.stats().section_bytes < 65_000
    assert 2 <= inner.stats().section_mallocs <= 4
    totals = default_resources().totals()
    assert totals.section_bytes - before.section_bytes == inner.stats().section_bytes + outer.stats().section_bytes
    assert totals.section_mallocs - before.section_mallocs >= inner.stats().section_mallocs
    with pytest.raises(ScopeClosedError):
        inner.section()
