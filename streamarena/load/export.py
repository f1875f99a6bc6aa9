"""Results as files: JSON, CSV, JSON lines of every request, HdrHistogram logs.

Invariants: JSON holds every distribution as its buckets, so that runs can be compared later; per-request lines are
written as they come and never collected; a file is complete or absent (lines of requests excepted).
Not here: pages for people (`html_report.py`).
"""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import orjson

from streamarena.load.hdr import hdr_log
from streamarena.load.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamarena.load.interval import Interval
    from streamarena.load.summary import LoadResult

__all__ = ["RequestLines", "as_document", "write_csv", "write_hdr_log", "write_json"]


class RequestLines:
    """Writes the rows of intervals to a file as they come; use it as `with RequestLines(path) as lines:`.

    Pass `lines.take` to `LoadTest(on_interval=...)`, and `rows=True` to the plan.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._file: io.BufferedWriter | None = None

    def __enter__(self) -> Self:
        self._file = self._path.open("wb")
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def take(self, interval: Interval) -> None:
        """Write an interval's rows and let go of them."""
        assert self._file is not None
        for row in interval.rows:
            self._file.write(orjson.dumps(row) + b"\n")
        self._file.flush()  # whatever becomes of this process, the file holds what was measured
        interval.rows = []


def as_document(result: LoadResult) -> dict[str, Any]:
    """Return a result as one JSON-like object: the summary and the buckets of every distribution."""
    histograms = result.totals.numbers.histograms
    return {
        **result.summary,
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "histograms": {name: histogram.buckets() for name, histogram in sorted(histograms.items())},
    }


def write_json(results: Sequence[LoadResult], path: str | Path) -> None:
    """Write one result as an object, or several as a list."""
    documents = [as_document(result) for result in results]
    content = documents[0] if len(documents) == 1 else documents
    _write(path, orjson.dumps(content))


def write_csv(results: Sequence[LoadResult], path: str | Path) -> None:
    """Write one row a result, with every figure of its summary that is a single value."""
    rows = [
        {key: value for key, value in result.summary.items() if value is None or isinstance(value, int | float | str)}
        | {"verdict": result.verdict.state}
        for result in results
    ]
    names = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, names, restval="")
    writer.writeheader()
    writer.writerows(rows)
    _write(path, out.getvalue().encode())


def write_hdr_log(result: LoadResult, path: str | Path) -> None:
    """Write every duration's distribution as a tagged line of an HdrHistogram log; values are nanoseconds."""
    histograms = result.totals.numbers.histograms
    tagged = [(each.key, histograms[each.name]) for each in METRICS if each.unit == "ns" and each.name in histograms]
    _write(path, hdr_log(tagged, seconds=result.summary["duration"] or 0.0, started=time.time()).encode())


def _write(path: str | Path, content: bytes) -> None:
    target = Path(path)
    part = target.with_name(target.name + ".part")
    part.write_bytes(content)
    part.replace(target)
