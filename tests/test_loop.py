"""One place chooses the loop of our programs."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

import streamarena
from streamarena._loop import loop_factory


def test_it_is_uvloop_where_there_is_one(monkeypatch):
    wanted = "uvloop" if importlib.util.find_spec("uvloop") else "asyncio"
    assert loop_factory().__module__.partition(".")[0] == wanted
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert loop_factory() is asyncio.new_event_loop


def test_nothing_else_of_the_library_chooses_one():
    root = Path(streamarena.__file__).parent
    choosers = [path.relative_to(root).as_posix() for path in root.rglob("*.py") if "import uvloop" in path.read_text()]
    assert choosers == ["_loop.py"]
