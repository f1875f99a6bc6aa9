"""The choice between compiled twins and Python: made once, told, forced either way by the environment."""

from __future__ import annotations

import subprocess
import sys

import pytest

from streamarena import _native
from streamarena.errors import ConfigurationError

TELL = "from streamarena import _native; print([(one.compiled, one.reason) for one in _native.implementations()])"
HIDE = "import sys; sys.modules.update(dict.fromkeys(__import__('streamarena._native')._native.TWINS.values())); "


def run(code, **variables):
    return subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, timeout=30, check=False
    )


def test_every_twin_has_an_answer_and_a_reason():
    answers = {one.module: one for one in _native.implementations()}
    assert answers.keys() == _native.TWINS.keys()
    assert all(one.reason for one in answers.values())


@pytest.mark.parametrize("value", ["1", "true"])
def test_pure_forces_python_even_where_native_is_required(value):
    done = run(TELL, STREAMARENA_PURE=value, STREAMARENA_REQUIRE_NATIVE="1")
    assert done.returncode == 0, done.stderr
    assert "(True," not in done.stdout
    assert done.stdout.count("(False, 'STREAMARENA_PURE is set')") == len(_native.TWINS)


def test_a_missing_twin_falls_back_and_says_so():
    done = run(HIDE + TELL)
    assert done.returncode == 0, done.stderr
    assert "(True," not in done.stdout
    assert done.stdout.count("the extension is not built") == len(_native.TWINS)


def test_a_missing_twin_is_fatal_where_native_is_required():
    done = run(HIDE + TELL, STREAMARENA_REQUIRE_NATIVE="1")
    assert done.returncode == 1
    assert "ConfigurationError: STREAMARENA_REQUIRE_NATIVE is set and streamarena." in done.stderr


def test_the_switches_are_off_when_empty_or_zero():
    done = run(HIDE + TELL, STREAMARENA_REQUIRE_NATIVE="0", STREAMARENA_PURE="")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("the extension is not built") == len(_native.TWINS)


def test_a_free_threaded_interpreter_runs_python(monkeypatch):
    monkeypatch.setattr(_native.sysconfig, "get_config_var", lambda name: 1 if name == "Py_GIL_DISABLED" else None)
    monkeypatch.setenv("STREAMARENA_REQUIRE_NATIVE", "1")
    monkeypatch.delenv("STREAMARENA_PURE", raising=False)
    monkeypatch.setattr(_native, "_decisions", {})
    assert _native.load("streamarena.sse.parser") is None
    assert _native._decisions["streamarena.sse.parser"].reason == "a free-threaded interpreter"


def test_an_error_inside_a_twin_is_not_taken_for_its_absence(monkeypatch, tmp_path):
    (tmp_path / "broken_twin.py").write_text("raise ZeroDivisionError")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(_native.TWINS, "broken", "broken_twin")
    monkeypatch.delenv("STREAMARENA_PURE", raising=False)
    with pytest.raises(ZeroDivisionError):
        _native.load("broken")


def test_requiring_a_twin_that_is_not_there_names_the_cure(monkeypatch):
    monkeypatch.setitem(_native.TWINS, "missing", "no_such_twin")
    monkeypatch.setenv("STREAMARENA_REQUIRE_NATIVE", "1")
    monkeypatch.delenv("STREAMARENA_PURE", raising=False)
    with pytest.raises(ConfigurationError, match="C compiler"):
        _native.load("missing")
