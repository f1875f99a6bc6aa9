"""Distributions: what texts mean, and that samples have the moments that were asked for."""

from __future__ import annotations

import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamarena.errors import ConfigurationError
from streamarena.testing import Distribution, parse_distribution

KINDS = ["fixed:0.2", "uniform:0.1:0.3", "normal:0.2:0.05", "exponential:0.2", "lognormal:0.2:0.1"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.2", Distribution("fixed", 0.2)),
        (3, Distribution("fixed", 3.0)),
        ("200ms", Distribution("fixed", 0.2)),
        (" normal : 1s : 50ms ", Distribution("normal", 1.0, 0.05)),
        ("exponential:500us", Distribution("exponential", 0.0005)),
    ],
    ids=str,
)
def test_texts_and_numbers(text, expected):
    assert parse_distribution(text) == expected


@pytest.mark.parametrize("text", ["", "abc", "normal:1", "fixed:1:2", "weird:1", "-1", "uniform:3:1", "nan", "inf"])
def test_what_makes_no_distribution_is_refused(text):
    with pytest.raises(ConfigurationError):
        parse_distribution(text)


@pytest.mark.parametrize("text", KINDS)
def test_text_round_trip(text):
    assert str(parse_distribution(text)) == text


@pytest.mark.parametrize("text", KINDS)
def test_samples_have_the_mean_and_never_fall_below_zero(text):
    distribution = parse_distribution(text)
    source = random.Random(1)
    samples = [distribution.sample(source) for _ in range(20_000)]
    assert min(samples) >= 0
    assert statistics.fmean(samples) == pytest.approx(distribution.mean, rel=0.03)
    if distribution.kind in {"normal", "lognormal"}:
        assert statistics.stdev(samples) == pytest.approx(distribution.second, rel=0.05)


@given(st.sampled_from(KINDS), st.integers())
def test_the_same_seed_gives_the_same_samples(text, seed):
    distribution = parse_distribution(text)
    first, second = random.Random(seed), random.Random(seed)
    assert [distribution.sample(first) for _ in range(5)] == [distribution.sample(second) for _ in range(5)]
