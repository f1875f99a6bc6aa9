"""Chaos between caller, relay and model server: a small one of `python -m perf.macro.relay_chaos`."""

from __future__ import annotations

import pytest

from perf.macro.relay_chaos import run
from tests.support.counting import nothing_left


@pytest.mark.slow
async def test_every_outcome_is_explained_and_nothing_is_left():
    async with nothing_left(5.0):
        report = await run(150, 11)
    assert report.good, (report.unexplained, report.left)
    assert sum(report.callers.values()) == 150
    assert report.repeated
    assert report.relay["complete"]
