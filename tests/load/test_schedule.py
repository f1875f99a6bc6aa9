"""Schedules: repeatable, of the asked rate, and the same whoever deals them out."""

from __future__ import annotations

import itertools
import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamarena.errors import ConfigurationError
from streamarena.load import ClosedLoop, OpenLoop, Stage, TraceArrivals
from streamarena.load.schedule import Levels
from streamarena.load.sending import share_of


def first(schedule, count, seed=0):
    return list(itertools.islice(schedule.times(seed), count))


@pytest.mark.parametrize("pattern", ["constant", "poisson", "gamma"])
def test_the_same_seed_gives_the_same_arrivals(pattern):
    schedule = OpenLoop(10, pattern, burstiness=0.5)
    assert first(schedule, 100, 7) == first(schedule, 100, 7)
    if pattern != "constant":
        assert first(schedule, 100, 7) != first(schedule, 100, 8)


@pytest.mark.parametrize(
    ("pattern", "burstiness", "variation"),
    [("constant", 1, 0), ("poisson", 1, 1), ("gamma", 4, 0.5), ("gamma", 0.25, 2)],
    ids=["constant", "poisson", "smoother", "burstier"],
)
def test_gaps_have_the_mean_and_variation_of_their_process(pattern, burstiness, variation):
    times = first(OpenLoop(50, pattern, burstiness), 20_000)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert statistics.fmean(gaps) == pytest.approx(1 / 50, rel=0.05)
    assert statistics.pstdev(gaps) * 50 == pytest.approx(variation, rel=0.05, abs=1e-6)


def test_a_ramp_grows_from_nothing_to_the_rate():
    times = first(OpenLoop(100, "constant", ramp_up=10), 1500)
    assert sum(time < 5 for time in times) == pytest.approx(125, abs=1)  # a quarter of the ramp's 500
    assert sum(time < 10 for time in times) == pytest.approx(500, abs=1)
    assert sum(10 <= time < 15 for time in times) == pytest.approx(500, abs=1)


def test_stages_end_a_run_whose_rate_falls_to_nothing():
    schedule = OpenLoop(10, "constant", stages=(Stage(10, 10), Stage(10, 0)))
    times = list(schedule.times(0))
    assert len(times) == pytest.approx(150, abs=1)
    assert max(times) <= 20


def test_an_infinite_rate_sends_everything_at_once():
    assert set(first(OpenLoop(math.inf), 1000)) == {0.0}


def test_a_trace_begins_at_nought_and_can_be_played_faster():
    assert list(TraceArrivals((100.0, 101.0, 104.0), speed=2).times(0)) == [0.0, 0.5, 2.0]


@given(st.integers(1, 200), st.integers(1, 9))
def test_shares_add_up(whole, workers):
    assert sum(share_of(whole, index, workers) for index in range(workers)) == whole


levels = st.lists(
    st.builds(Stage, st.floats(0, 100).map(lambda s: round(s, 2)), st.integers(0, 50)), min_size=0, max_size=5
)


@given(st.integers(0, 20), levels, st.floats(0, 500))
def test_the_time_of_an_area_is_when_the_area_is_reached(start, stages, area):
    shape = Levels(start, stages)
    time = shape.time_of(area)
    if time is None:
        assert shape.points[-1][1] == 0
        return
    reached = 0.0
    for (t0, l0), (t1, l1) in itertools.pairwise([*shape.points, (math.inf, shape.points[-1][1])]):
        end = min(t1, time)
        if end <= t0:
            continue
        at_end = l0 if math.isinf(t1) else l0 + (l1 - l0) * (end - t0) / (t1 - t0)
        reached += (l0 + at_end) / 2 * (end - t0)
    assert reached == pytest.approx(area, rel=1e-6, abs=1e-6)


@given(st.integers(0, 20), levels, st.integers(0, 50), st.floats(0, 400))
def test_a_user_is_present_from_the_first_moment_the_level_is_above_its_number(start, stages, user, now):
    shape = Levels(start, stages)
    at = shape.next_above(user, now)
    if at is None:
        assert shape.points[-1][1] <= user
    else:
        assert at >= now
        assert shape.at(at + 1e-6) > user or shape.at(at) > user


@pytest.mark.parametrize(
    "make",
    [
        lambda: ClosedLoop(0),
        lambda: ClosedLoop(1, ramp_up=-1),
        lambda: ClosedLoop(1, max_rate=0),
        lambda: OpenLoop(0),
        lambda: OpenLoop(1, "random"),
        lambda: OpenLoop(1, burstiness=0),
        lambda: OpenLoop(1, max_concurrency=0),
        lambda: OpenLoop(math.inf, ramp_up=1),
        lambda: TraceArrivals((1.0, 0.5)),
        lambda: TraceArrivals((), speed=0),
        lambda: Levels(1, [Stage(-1, 1)]),
    ],
)
def test_what_cannot_be_scheduled_is_refused(make):
    with pytest.raises(ConfigurationError):
        make()
