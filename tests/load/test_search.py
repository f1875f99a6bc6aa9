"""The search finds the largest load that meets the objectives, within its bound of runs."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamarena.errors import ConfigurationError
from streamarena.load.search import find_capacity


def server(capacity, state="trusted"):
    async def run(level):
        return SimpleNamespace(level=level, verdict=SimpleNamespace(state=state))

    return run, lambda result: [] if result.level <= capacity else ["too slow"]


async def search(capacity, **options):
    return await find_capacity(*server(capacity), **options)


@pytest.mark.parametrize("capacity", [1, 2, 3, 7, 40, 100, 1000, 1024])
async def test_the_answer_is_the_largest_that_holds(capacity):
    found = await search(capacity, precision=1e-9, most_runs=100)
    assert found.best.level == capacity
    assert found.bounded == (capacity < 1024)


async def test_the_answer_is_near_enough_and_was_really_run():
    found = await search(777, precision=0.05)
    assert 777 / 1.06 <= found.best.level <= 777
    assert found.best in found.trials
    assert len(found.trials) <= 12


@given(st.integers(1, 5000), st.integers(1, 12))
def test_no_more_runs_are_made_than_allowed(capacity, most_runs):
    import asyncio

    found = asyncio.run(search(capacity, most_runs=most_runs))
    assert 1 <= len(found.trials) <= most_runs
    assert all((trial.level <= capacity) == (not trial.missed) for trial in found.trials)


async def test_nothing_fits_is_an_answer():
    found = await search(0.5, least=1)
    assert found.best is None
    assert len(found.trials) == 1
    assert "no load" in found.describe("users")


async def test_rates_need_not_be_whole():
    found = await search(2.75, least=0.5, whole=False, precision=0.01, most_runs=50)
    assert found.best.level == pytest.approx(2.75, rel=0.011)


async def test_a_run_limited_by_the_client_never_counts_as_met():
    run, missed = server(100, state="client-limited")
    found = await find_capacity(run, missed)
    assert found.best is None
    assert "client-limited" in found.trials[0].missed[0]


@pytest.mark.parametrize("options", [{"least": 0}, {"least": 5, "most": 4}, {"most_runs": 0}, {"precision": 0}])
async def test_bounds_without_sense_are_refused(options):
    with pytest.raises(ConfigurationError):
        await search(1, **options)
