"""Delays and lengths drawn from named distributions, the same every time for the same seed.

Invariants: a sample is never negative and never infinite; `mean` is what the samples tend to before that cut at zero.
A distribution holds no state: the caller passes its own `random.Random`, so two streams never disturb each other's
draws. `str(distribution)` can be parsed again, which is how options travel to another process.

Cost: one draw of `random.Random`; a fixed value costs a comparison.
Not here: the wait itself (`wheel.py`).
"""

from __future__ import annotations

import math
import random
from typing import Final, Literal, TypeAlias

import msgspec

from streamarena.errors import ConfigurationError

__all__ = ["Distribution", "DistributionKind", "DistributionLike", "parse_distribution"]

DistributionKind: TypeAlias = Literal["fixed", "uniform", "normal", "exponential", "lognormal"]

# How many numbers each kind takes, and what they are called in messages.
_PARAMETERS: Final[dict[str, tuple[str, ...]]] = {
    "fixed": ("value",),
    "uniform": ("low", "high"),
    "normal": ("mean", "standard deviation"),
    "exponential": ("mean",),
    "lognormal": ("mean", "standard deviation"),
}

_UNITS: Final = (("ms", 1e-3), ("us", 1e-6), ("s", 1.0))


class Distribution(msgspec.Struct, frozen=True):
    """A named distribution with one or two parameters, in seconds, tokens or whatever the caller counts.

    Args:
        kind: `fixed`, `uniform`, `normal` (cut at zero), `exponential` or `lognormal`.
        first: the value, the lower bound or the mean.
        second: the upper bound of `uniform`, the standard deviation of `normal` and `lognormal`; else unused.
            For `lognormal` both describe the samples themselves, not their logarithm.
    """

    kind: DistributionKind
    first: float
    second: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.first) and math.isfinite(self.second)) or self.first < 0 or self.second < 0:
            raise ConfigurationError(f"a distribution takes finite numbers that are not negative, not {self}")
        if self.kind == "uniform" and self.second < self.first:
            raise ConfigurationError(f"the high end of {self} lies below its low end")

    def __str__(self) -> str:
        numbers = (self.first, self.second)[: len(_PARAMETERS[self.kind])]
        return ":".join((self.kind, *(format(number, ".12g") for number in numbers)))

    @property
    def mean(self) -> float:
        """The expected value, before samples below zero are cut."""
        return (self.first + self.second) / 2 if self.kind == "uniform" else self.first

    def sample(self, source: random.Random) -> float:
        """Draw one value, never below zero, from `source`."""
        kind, first, second = self.kind, self.first, self.second
        if kind == "fixed":
            return first
        if kind == "uniform":
            return source.uniform(first, second)
        if kind == "normal":
            return max(0.0, source.gauss(first, second))
        if first <= 0:
            return 0.0
        if kind == "exponential":
            return source.expovariate(1 / first)
        # The moments of a lognormal give those of the normal beneath it.
        spread = math.log1p((second / first) ** 2)
        return source.lognormvariate(math.log(first) - spread / 2, math.sqrt(spread))


DistributionLike: TypeAlias = float | str | Distribution
"""A number (fixed), a text such as `"20ms"`, `"normal:0.5:0.1"` or `"exponential:200ms"`, or a `Distribution`."""


def parse_distribution(value: DistributionLike) -> Distribution:
    """Make a distribution from a number, a text or a distribution.

    Args:
        value: see `DistributionLike`; numbers in a text may end in `s`, `ms` or `us`.

    Raises:
        ConfigurationError: an unknown kind, a wrong count of numbers, or something that is not a number.
    """
    if isinstance(value, Distribution):
        return value
    if not isinstance(value, str):
        return Distribution("fixed", float(value))
    head, *tail = value.strip().split(":")
    kind, numbers = (head.strip(), tail) if tail else ("fixed", [head])
    if kind not in _PARAMETERS:
        raise ConfigurationError(f"unknown distribution {kind!r}; known: {', '.join(_PARAMETERS)}")
    if len(numbers) != len(_PARAMETERS[kind]):
        wanted = " and ".join(_PARAMETERS[kind])
        raise ConfigurationError(f"{kind!r} takes {wanted} separated by colons, not {value!r}")
    first, second = [_number(number, value) for number in numbers] + [0.0] * (2 - len(numbers))
    return Distribution(kind, first, second)  # type: ignore[arg-type]  # checked against the table above


def _number(text: str, whole: str) -> float:
    """Read one number with an optional unit of time."""
    text = text.strip()
    unit, factor = next((row for row in _UNITS if text.endswith(row[0])), ("", 1.0))
    try:
        return float(text.removesuffix(unit)) * factor
    except ValueError:
        raise ConfigurationError(f"{text!r} in {whole!r} is not a number") from None
