"""The measuring harness: interleaving, medians, ratios within a round, and what it writes down."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from perf import measure
from perf.measure import Contender, Sample, interleave

ROOT = Path(__file__).parents[2]


def scripted(*seconds, units=10.0):
    """A contender that says what it took: the first is the round that is thrown away."""
    turns = iter(seconds)
    return lambda: Sample(units, next(turns))


def test_figures_are_medians_and_ratios_are_taken_within_a_round():
    table = interleave(
        "title",
        [
            Contender("ours", scripted(9.0, 1.0, 2.0, 3.0)),
            Contender("theirs", scripted(9.0, 4.0, 4.0, 30.0)),
        ],
        baseline="ours",
        rounds=3,
    )
    assert table.row("ours").per_unit == pytest.approx(0.2)
    assert table.row("theirs").per_unit == pytest.approx(0.4)
    assert table.row("theirs").ratio == pytest.approx(4.0)  # of 4, 2 and 10; the medians alone would say 2
    assert table.ratio("theirs", "ours") == pytest.approx(2.0)
    assert table.row("ours").rounds == 3


def test_rounds_are_interleaved_and_begin_with_another_contender_each_time():
    order = []

    def noting(name):
        def work():
            order.append(name)
            return Sample(1, 1.0)

        return work

    interleave("t", [Contender(name, noting(name)) for name in "abc"], baseline="a", rounds=2)
    assert "".join(order) == "abc" + "bca" + "cab"


def test_short_work_is_repeated_until_a_turn_is_long_enough(monkeypatch):
    monkeypatch.setattr(measure, "SHORTEST_TURN", 1.0)
    calls = []

    def work():
        calls.append(1)
        return Sample(5, 0.3)

    table = interleave("t", [Contender("a", work)], baseline="a", rounds=1)
    assert len(calls) == 2 * 4
    assert table.row("a").per_unit == pytest.approx(0.06)


def test_cpu_time_is_measured_where_the_contender_does_not_say():
    table = interleave("t", [Contender("sum", lambda: sum(range(20_000)) and 20_000)], baseline="sum", rounds=2)
    assert 0 < table.row("sum").per_unit < 1e-4


def test_a_contender_that_does_nothing_is_an_error():
    with pytest.raises(RuntimeError, match="idle did no work"):
        interleave("t", [Contender("idle", lambda: 0)], baseline="idle", rounds=1)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2.5, "2.5 s"), (0.0123, "12.3 ms"), (4.2e-6, "4.2 us"), (1.5e-7, "150 ns"), (5e-10, "0.5 ns")],
)
def test_durations_have_a_unit_that_suits_them(seconds, text):
    assert measure.duration(seconds) == text


def test_a_report_names_the_machine_in_general_terms_only(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(measure, "PERF", tmp_path)
    table = interleave("a title", [Contender("a", scripted(1, 1))], baseline="a", rounds=1)
    path = measure.report("name", [table], save_baseline=True)
    written = json.loads(path.read_text("utf-8"))
    assert written["tables"][0]["rows"][0]["name"] == "a"
    assert written["machine"].keys() == {"cores", "architecture", "system", "python", "implementations"}
    assert (tmp_path / "baseline" / "name.json").read_text("utf-8") == path.read_text("utf-8")
    assert "a title" in capsys.readouterr().out


def test_every_bench_of_the_table_can_be_imported_and_run():
    from perf.__main__ import BENCHES

    for name, (module, about) in BENCHES.items():
        source = ROOT / (module.replace(".", "/") + ".py")
        package = ROOT / module.replace(".", "/") / "__init__.py"
        assert source.exists() or package.exists(), name
        assert about


def test_the_command_lists_benches_and_refuses_unknown_ones():
    listed = subprocess.run(
        [sys.executable, "-m", "perf", "--list"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "sse " in listed.stdout
    wrong = subprocess.run(
        [sys.executable, "-m", "perf", "nonsense"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 2
    assert "nonsense" in wrong.stderr
