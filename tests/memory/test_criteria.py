"""The table of criteria: groups run in processes of their own, and a miss is printed as a miss."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from perf.criteria.criterion import Criterion, print_table, verdict
from perf.criteria.groups import GROUPS
from perf.criteria.rows.soak import DETECTORS, Readings, slope

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_group_is_measured_and_printed():
    command = [sys.executable, "-m", "perf.criteria", "--quick", "--only", "files"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=50)
    assert "file cache under pins" in done.stdout
    assert "1 met, 0 MISSED, 0 not run, 0 failed" in done.stdout


def test_every_group_is_listed():
    command = [sys.executable, "-m", "perf.criteria", "--list"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=50)
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(GROUPS)


@pytest.mark.parametrize("option", [["--quick"], ["--only", "files"], ["--hours", "1"]], ids=lambda option: option[0])
def test_only_a_full_run_becomes_a_baseline(option):
    command = [sys.executable, "-m", "perf.criteria", "--save-baseline", *option]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 2
    assert "a baseline is a full run" in done.stderr


def test_a_miss_is_printed_as_a_miss(capsys):
    rows = [
        Criterion("one", "< 1", "2", "counted", verdict(False)),
        Criterion("two", "< 1", "0", "counted " * 20, verdict(True)),
        Criterion("three", "< 1", "-", "later", "not run"),
    ]
    print_table(rows)
    printed = capsys.readouterr().out
    assert "MISSED" in printed.splitlines()[2]
    assert printed.splitlines()[-1] == "1 met, 1 MISSED, 1 not run, 0 failed"


@pytest.mark.parametrize("leak", [0.0, 5.0])
def test_a_slope_is_found_through_noise(leak):
    readings = Readings(40)
    for window in range(40):
        readings.take(window * 1000)
        readings.columns["blocks"][window] = leak * window * 1000 + (window * 7919) % 13
    assert slope(readings, "blocks") == pytest.approx(leak, abs=0.001)
    assert set(DETECTORS) <= set(readings.columns)
