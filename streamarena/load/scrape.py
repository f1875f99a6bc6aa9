"""The server's own figures during a run: its Prometheus page, read about once a second.

Invariants: series and samples are bounded; a page that fails to come is counted and never ends the run; reading happens
in a thread and its cost is outside the streams' loop.
Source: the Prometheus text exposition format, version 0.0.4.
Not here: exporting our own figures (the Prometheus adapter).
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from streamarena.errors import StreamArenaError
from streamarena.load.server import fetch

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Scraper", "Series", "parse_metrics"]

_SERIES: Final = 500
_LINE: Final = re.compile(
    r"^([A-Za-z_:][\w:]*(?:\{[^}]*\})?)\s+([+-]?(?:[0-9.]+(?:[eE][+-]?\d+)?|Inf|NaN))(?:\s+-?\d+)?$"
)


class Series(msgspec.Struct):
    """One series over the run: first and last value, least and most, and how many times it was read."""

    first: float
    last: float
    least: float
    most: float
    reads: int = 1

    def add(self, value: float) -> None:
        """Take the next value."""
        self.last = value
        self.least, self.most = min(self.least, value), max(self.most, value)
        self.reads += 1


class Scraper:
    """Reads a metrics page while it is open: `async with Scraper(url) as scraper:`.

    Args:
        url: of the page. seconds: between two reads. headers: sent with each.

    Attributes:
        series: by name and labels, without histogram buckets. failures: reads that brought nothing.
        left_out: values of series beyond the first 500.
    """

    def __init__(self, url: str, *, seconds: float = 1.0, headers: Mapping[str, str] | None = None) -> None:
        self._url = url
        self._seconds = seconds
        self._headers = dict(headers or {})
        self._task: asyncio.Task[None] | None = None
        self.series: dict[str, Series] = {}
        self.failures = 0
        self.left_out = 0

    async def __aenter__(self) -> Self:
        await self._read()
        self._task = asyncio.ensure_future(self._read_regularly())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._task is not None:
            self._task.cancel()
        if exc_info[0] is None:
            await self._read()

    def summary(self) -> dict[str, Any]:
        """Return what changed, as JSON-like values."""
        series = {name: msgspec.structs.asdict(one) for name, one in sorted(self.series.items())}
        return {"url": self._url, "failures": self.failures, "left_out": self.left_out, "series": series}

    async def _read_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            await self._read()

    async def _read(self) -> None:
        try:
            page = await fetch(self._url, headers=self._headers, timeout=5)
        except StreamArenaError:
            self.failures += 1
            return
        for name, value in parse_metrics(page.decode("utf-8", "replace")).items():
            known = self.series.get(name)
            if known is not None:
                known.add(value)
            elif len(self.series) < _SERIES:
                self.series[name] = Series(value, value, value, value)
            else:
                self.left_out += 1


def parse_metrics(page: str) -> dict[str, float]:
    """Return the values of a metrics page by name and labels; buckets of histograms are left out."""
    found: dict[str, float] = {}
    for line in page.splitlines():
        match = None if line.startswith("#") else _LINE.match(line.strip())
        if match is not None and "_bucket{" not in match[1]:
            found[match[1]] = float(match[2])
    return found
