"""`streamarena profile`: the program runs as it would have run, and its memory is reported."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROGRAM = """
import sys, time
from streamarena.memory import default_manager
held = [default_manager().buffers.acquire(100) for _ in range(7)]
print("arguments", sys.argv[1:], __name__)
time.sleep(0.2)
sys.exit(3)
"""


def profile(*arguments, cwd=None):
    command = [sys.executable, "-m", "streamarena", "profile", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=50, cwd=cwd)


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM, "utf-8")
    return path


def test_a_script_runs_with_its_arguments_and_exit_code(program, tmp_path):
    report = tmp_path / "report.json"
    done = profile("--interval", "0.05", "--json", str(report), "--", str(program), "--option", "x")
    assert done.returncode == 3, done.stderr
    assert done.stdout == "arguments ['--option', 'x'] __main__\n"
    assert "leases" in done.stderr
    found = json.loads(report.read_text("utf-8"))
    assert found["current"]["leases"] == 7
    assert found["taken"] >= 3


def test_a_module_behind_an_interpreter_runs_too(program):
    done = profile("--", "python", "-m", "program", "y", cwd=program.parent)
    assert (done.returncode, done.stdout) == (3, "arguments ['y'] __main__\n"), done.stderr


def test_the_live_view_shows_the_sources(program):
    done = profile("--live", "--interval", "0.05", "--", str(program))
    assert done.returncode == 3
    assert done.stdout == "arguments [] __main__\n"
    assert "leases" in done.stderr


def test_a_program_that_raises_keeps_its_traceback_and_the_report(tmp_path):
    path = tmp_path / "program.py"
    path.write_text("raise ValueError('of the program')", "utf-8")
    done = profile("--", str(path))
    assert done.returncode == 1
    assert "ValueError: of the program" in done.stderr
    assert "resident" in done.stderr


@pytest.mark.parametrize("arguments", [["python"], ["-m"], ["no-such-command-here"]], ids=" ".join)
def test_what_is_no_python_program_is_refused(arguments):
    done = profile("--", *arguments)
    assert done.returncode == 2
    assert "script" in done.stderr.lower()
