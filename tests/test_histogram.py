"""Histograms: three digits whatever the size, merged without loss, percentiles of all samples."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamarena.errors import ConfigurationError
from streamarena.histogram import Histogram, bucket_bounds, bucket_of

durations = st.integers(0, 10**13)


@given(durations)
def test_a_bucket_holds_its_values_and_is_no_wider_than_a_thousandth(value):
    low, high = bucket_bounds(bucket_of(value))
    assert low <= value <= high
    assert high - low <= value / 1000


@given(st.integers(0, 2**44 - 2))
def test_buckets_follow_one_another_without_a_hole(value):
    here, following = bucket_of(value), bucket_of(value + 1)
    assert following in {here, here + 1}
    if following != here:
        assert bucket_bounds(following)[0] == value + 1


@given(st.lists(durations, min_size=1, max_size=200), st.sampled_from([0, 1, 50, 90, 99, 100]))
def test_percentiles_are_those_of_the_samples_to_a_thousandth(values, percent):
    found = Histogram(values).percentile(percent)
    exact = sorted(values)[max(1, math.ceil(percent * len(values) / 100)) - 1]
    assert found == pytest.approx(exact, rel=1e-3, abs=0.5)


@given(st.lists(durations, max_size=100), st.lists(durations, max_size=100))
def test_merging_is_what_one_histogram_would_have_counted(left, right):
    merged, one, whole = Histogram(left), Histogram(), Histogram(left + right)
    one.add_all(right)
    merged.merge(one)
    for name in ("counts", "count", "total", "squares", "minimum", "maximum"):
        assert getattr(merged, name) == getattr(whole, name)


@given(st.lists(durations, min_size=1, max_size=100))
def test_mean_deviation_and_extremes_are_exact(values):
    histogram = Histogram(values)
    assert histogram.mean == pytest.approx(statistics.fmean(values))
    assert histogram.deviation == pytest.approx(statistics.pstdev(values), rel=1e-6, abs=1e-3)
    assert (histogram.minimum, histogram.maximum) == (min(values), max(values))


def test_memory_depends_on_distinct_values_and_not_on_how_many_there_were():
    histogram = Histogram()
    for _ in range(100):
        histogram.add_all(range(10_000_000, 10_001_000))
    assert histogram.count == 100_000
    assert len(histogram.counts) <= 2


def test_an_empty_histogram_has_nothing_instead_of_zero():
    empty = Histogram()
    assert empty.percentile(99) is None
    assert empty.mean is None
    assert empty.deviation is None
    assert empty.buckets() == []


def test_many_percentiles_come_in_the_order_they_were_asked_for():
    histogram = Histogram(range(1, 101))
    assert histogram.percentiles([99, 1, 50]) == [99, 1, 50]
    assert histogram.buckets()[0] == (1, 1, 1)


@pytest.mark.parametrize("percent", [-1, 101])
def test_a_percentile_beyond_the_hundred_is_refused(percent):
    with pytest.raises(ConfigurationError):
        Histogram([1]).percentile(percent)


def test_negative_values_count_as_zero():
    histogram = Histogram()
    histogram.add(-5, times=3)
    assert (histogram.minimum, histogram.count, bucket_of(-5)) == (0, 3, 0)
