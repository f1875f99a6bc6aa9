"""What is in a wheel: the extensions where there is a compiler, never their sources; it builds without one too."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from streamarena import _native

ROOT = Path(__file__).parents[1]
NO_REGISTRY = ("No matching distribution", "Could not find a version", "NewConnectionError", "Name or service")
COMPILER = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]


@pytest.fixture
def sources(tmp_path):
    """A copy of what a wheel is built from, without anything that a build has left."""
    copy = tmp_path / "sources"
    rubbish = shutil.ignore_patterns("*.so", "*.pyd", "*.c", "__pycache__", "*.egg-info", "build")
    for folder in ("streamarena", "adapters"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=rubbish)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    return copy


def build_wheel(sources, destination, **variables):
    """Build a wheel as pip does for a user; return the names in it."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--disable-pip-version-check", "-w", destination, sources],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    output = done.stdout + done.stderr
    if done.returncode and any(sign in output for sign in NO_REGISTRY):
        pytest.skip("building a wheel needs setuptools and Cython from a package registry, and none answers")
    assert done.returncode == 0, output
    (wheel,) = Path(destination).glob("*.whl")
    return zipfile.ZipFile(wheel).namelist()


def extensions(names):
    return {name.partition(".")[0].replace("/", ".") for name in names if name.endswith((".so", ".pyd"))}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which(COMPILER) is None, reason=f"no C compiler: {COMPILER} is not on the path")
def test_a_wheel_has_every_extension_and_no_source_of_one(sources, tmp_path):
    names = build_wheel(sources, tmp_path / "wheel", CFLAGS="-O0")  # the contents are the question, not the speed
    assert extensions(names) == set(_native.TWINS.values())
    assert not [name for name in names if name.endswith((".c", ".pyx", ".pxd", ".h"))]
    assert {"streamarena/py.typed", "streamarena/sse/_parser_py.py", "streamarena_adapters/__init__.py"} <= set(names)


@pytest.mark.slow
def test_without_a_compiler_a_wheel_has_the_python_implementations(sources, tmp_path):
    names = build_wheel(sources, tmp_path / "wheel", CC="/bin/false", CXX="/bin/false")
    assert extensions(names) == set()
    assert {"streamarena/sse/parser.py", "streamarena/sse/_parser_py.py"} <= set(names)
