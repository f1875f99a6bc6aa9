"""The profiler: a bounded history that reaches from the first to the last, slopes, and three forms of report."""

from __future__ import annotations

import importlib.util
import json
import sys
from sys import getsizeof

import pytest

from streamarena.errors import MissingExtraError
from streamarena.memory import MemoryManager
from streamarena.memory.profiling import MemoryProfiler


def growing(start=0, step=1):
    values = iter(range(start, 1 << 40, step))
    return lambda: next(values)


def test_a_snapshot_has_every_source():
    profiler = MemoryProfiler({"a": lambda: 1, "b": lambda: 2})
    snapshot = profiler.sample(10.0, mark="warm")
    assert snapshot.as_dict() == {"a": 1, "b": 2}
    assert (snapshot["b"], snapshot.at, snapshot.mark) == (2, 10.0, "warm")
    with pytest.raises(KeyError):
        _ = snapshot["c"]
    assert "warm" in repr(snapshot)


def test_the_history_is_bounded_and_reaches_from_the_first_to_the_last():
    profiler = MemoryProfiler({"a": growing()}, max_bytes=10_000)
    for second in range(10_000):
        profiler.sample(float(second))
        assert len(profiler._history) <= profiler.capacity
    report = profiler.report()
    assert report.snapshots[0].at == 0.0
    assert report.snapshots[-1].at > 9_000
    assert report.taken == 10_000
    assert report.peaks["a"] == 9_999
    gaps = [later.at - earlier.at for earlier, later in zip(report.snapshots, report.snapshots[1:], strict=False)]
    assert max(gaps) <= 4 * min(gaps)


def test_the_history_takes_no_more_bytes_than_it_may():
    profiler = MemoryProfiler({name: lambda: 1 << 40 for name in "abcdefghij"}, max_bytes=100_000)
    for second in range(3_000):
        profiler.sample(float(second))
        held = profiler._history
    taken = getsizeof(held) + sum(getsizeof(s) + 16 + getsizeof(s.at) + getsizeof(s._values) for s in held)
    assert taken <= 100_000


def test_marked_snapshots_stay():
    profiler = MemoryProfiler({"a": lambda: 1}, max_bytes=5_000)
    for second in range(5_000):
        profiler.sample(float(second), mark="moment" if second == 1001 else None)
    assert [each.at for each in profiler.report().snapshots if each.mark] == [1001.0]


def test_marks_alone_do_not_break_the_limit():
    profiler = MemoryProfiler({"a": lambda: 1}, max_bytes=5_000)
    for second in range(1_000):
        profiler.sample(float(second), mark="m")
    assert len(profiler.report().snapshots) <= profiler.capacity


def test_a_leak_has_a_slope_and_its_absence_has_none():
    profiler = MemoryProfiler({"leak": growing(0, 100), "flat": lambda: 7})
    for second in range(100):
        profiler.sample(second / 2)
    slopes = profiler.report().slopes
    assert slopes["leak"].per_second == pytest.approx(200)
    assert slopes["leak"].fit == pytest.approx(1)
    assert slopes["leak"].growth == pytest.approx(99 * 100)
    assert slopes["flat"].per_second == slopes["flat"].fit == 0


@pytest.mark.parametrize("times", [[], [1.0], [1.0, 1.0]], ids=["none", "one", "same moment"])
def test_too_little_history_has_no_slope(times):
    profiler = MemoryProfiler({"a": growing()})
    for now in times:
        profiler.sample(now)
    report = profiler.report()
    assert report.slopes["a"].per_second == 0
    assert "a" in report.to_text()
    json.loads(report.to_json())


def test_a_source_that_raises_is_counted_and_does_not_cost_the_others():
    profiler = MemoryProfiler({"broken": lambda: 1 // 0, "a": lambda: 5})
    assert profiler.sample(0.0).as_dict() == {"broken": 0, "a": 5}
    assert profiler.report().failures == {"broken": 1}


def test_clear_forgets():
    profiler = MemoryProfiler({"a": lambda: 5})
    profiler.sample(0.0)
    profiler.clear()
    assert profiler.report().snapshots == ()
    assert profiler.report().peaks == {"a": 0}


def test_the_report_as_json_and_text():
    profiler = MemoryProfiler({"arenas": growing(0, 10)})
    for second in range(50):
        profiler.sample(100.0 + second, mark="warm" if second == 5 else None)
    report = json.loads(profiler.report().to_json())
    assert report["current"] == {"arenas": 490}
    assert report["snapshots"][5] == {"seconds": 5.0, "mark": "warm", "arenas": 50}
    assert report["slopes"]["arenas"]["per_second"] == pytest.approx(10)
    text = profiler.report().to_text(width=10)
    assert "arenas" in text
    assert "+36,000" in text
    assert text.splitlines()[1].endswith("█")
    assert len(text.splitlines()[1].split()[-1]) == 10


def test_a_manager_is_profiled_whole():
    manager = MemoryManager()
    with manager.request_scope() as arena:
        arena.alloc_bytes(b"x")
        arena.buffer(1)
        snapshot = manager.profiler.sample(0.0)
    assert snapshot["arenas"] == 4096
    assert snapshot["leases"] == 1
    assert manager.tracker.running
    assert snapshot["resident"] > 5_000_000 or sys.platform != "linux"
    assert snapshot["blocks"] > 1000
    assert manager.profiler.report().failures == {}


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_report_as_a_picture(tmp_path, ending):
    if importlib.util.find_spec("matplotlib") is None:
        pytest.skip("the report extra is not installed")
    profiler = MemoryProfiler({"a": growing(), "b": lambda: 1})
    for second in range(20):
        profiler.sample(float(second), mark="warm" if second == 5 else None)
    path = tmp_path / f"report.{ending}"
    profiler.report().to_picture(str(path))
    assert path.read_bytes()[:5] in {b"\x89PNG\r", b"<?xml"}


def test_a_picture_without_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"streamarena\[report\]"):
        MemoryProfiler({"a": lambda: 1}).report().to_picture("x.png")
