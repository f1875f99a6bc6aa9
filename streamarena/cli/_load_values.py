"""Values of `streamarena load` as users write them: lists, durations, objectives, headers, stages.

Invariant: what cannot be read is a usage error that names the option and says what it expects.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click
import orjson

__all__ = [
    "DURATION",
    "JSON_OBJECT",
    "NUMBERS",
    "OBJECTIVE",
    "Objective",
    "PERCENTILES",
    "RATES",
    "read_duration",
    "read_goodput",
    "read_headers",
    "read_stages",
]

if TYPE_CHECKING:
    _Base = click.ParamType[Any]
else:
    _Base = click.ParamType  # older versions of click cannot be subscripted

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}


class Objective(NamedTuple):
    """A figure of the summary and what it must be: `p99_ttft_ms<=500`."""

    key: str
    comparison: str
    bound: float

    def __str__(self) -> str:
        return f"{self.key}{self.comparison}{self.bound:g}"

    def holds(self, summary: Mapping[str, Any]) -> bool:
        """Return whether the summary meets it; a figure that is missing does not."""
        value = summary.get(self.key)
        return isinstance(value, int | float) and _COMPARISONS[self.comparison](value, self.bound)


class _Parsed(_Base):
    """A parameter read by a function; its ValueError is the usage error."""

    def __init__(self, name: str, read: Callable[[str], object]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401 - click's own signature
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(int(part) for part in text.split(","))
    if any(number < 1 for number in numbers):
        raise ValueError("numbers of 1 or more are expected, with commas between them")
    return numbers


def _rates(text: str) -> tuple[float, ...]:
    rates = tuple(float(part) for part in text.split(","))
    if any(not rate > 0 or math.isnan(rate) for rate in rates):
        raise ValueError("positive rates or inf are expected, with commas between them")
    return rates


def _percentiles(text: str) -> tuple[float, ...]:
    percentiles = tuple(float(part) for part in text.split(","))
    if not all(0 <= percent <= 100 for percent in percentiles):
        raise ValueError("numbers from 0 to 100 are expected, with commas between them")
    return percentiles


def read_duration(text: str) -> float:
    """Return seconds: `30`, `500ms`, `30s`, `5m`, `24h`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)?", text.strip())
    if found is None:
        raise ValueError("a duration is a number of seconds, or a number with ms, s, m or h")
    return float(found[1]) * _UNITS[found[2] or ""]


def _json_object(text: str) -> dict[str, Any]:
    value = orjson.loads(text)
    if not isinstance(value, dict):
        raise ValueError("a JSON object is expected")  # noqa: TRY004 - ValueError is what becomes a usage error
    return value  # pyright: ignore[reportUnknownVariableType] - any JSON object


def _objective(text: str) -> Objective:
    found = re.fullmatch(r"\s*([\w.]+)\s*(<=|>=|<|>)\s*([\d.eE+-]+)\s*", text)
    if found is None:
        raise ValueError("an objective is a key of the result, <=, >=, < or >, and a number: p99_ttft_ms<=500")
    return Objective(found[1], found[2], float(found[3]))


NUMBERS: Final = _Parsed("n[,n...]", _numbers)
PERCENTILES: Final = _Parsed("p[,p...]", _percentiles)
RATES: Final = _Parsed("rate[,rate...]", _rates)
DURATION: Final = _Parsed("duration", read_duration)
JSON_OBJECT: Final = _Parsed("json", _json_object)
OBJECTIVE: Final = _Parsed("key<=number", _objective)


def read_goodput(values: tuple[str, ...]) -> dict[str, float]:
    """Return objectives from `ttft:500 tpot:50`, however they were split."""
    found: dict[str, float] = {}
    for part in " ".join(values).replace(",", " ").split():
        name, colon, limit = part.partition(":")
        if not colon or not re.fullmatch(r"\d+(\.\d+)?", limit):
            raise click.UsageError(f"{part!r} is no objective; write them as ttft:500 tpot:50, in milliseconds")
        found[name] = float(limit)
    return found


def read_headers(values: tuple[str, ...]) -> dict[str, str]:
    """Return headers from `Name: value`."""
    found: dict[str, str] = {}
    for value in values:
        name, colon, content = value.partition(":")
        if not colon:
            raise click.UsageError("a header is written as 'Name: value'")  # never the value: it may be a secret
        found[name.strip()] = content.strip()
    return found


def read_stages(values: tuple[str, ...]) -> list[tuple[float, float]]:
    """Return (seconds, target) from `30s:64`."""
    stages: list[tuple[float, float]] = []
    for value in values:
        length, _, target = value.partition(":")
        try:
            stages.append((read_duration(length), float(target)))
        except ValueError as error:
            raise click.UsageError(f"--stage {value!r}: stages are written as 30s:64") from error
    return stages
