"""One page that holds everything: verdict, tables, and plots of latencies, timelines, sweeps and the client's health.

Invariant: every text of the outside world (model names, error messages) is escaped.
Cost: some hundred kilobytes for a long sweep.
Not here: the page's frame (`page.py`), drawing (`plots.py`), numbers (`summary.py`), two runs (`compare_page.py`).
"""

from __future__ import annotations

import math
import operator
from html import escape
from typing import TYPE_CHECKING, Any, Final

import msgspec

from streamarena.load.metrics import METRICS
from streamarena.load.page import grid, number, page, table, verdict_mark
from streamarena.load.plots import Line, cumulative, plot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["html_report"]


def html_report(documents: Sequence[Mapping[str, Any]], *, title: str = "Load test") -> str:
    """Return a page about one or more results, each as `as_document` gives it; several are a sweep."""
    parts = [_head(documents[0])]
    if len(documents) > 1:
        parts += ["<h2>Sweep</h2>", _sweep_table(documents), grid(_sweep_plots(documents))]
    for document in documents:
        parts += [f"<h2>{escape(str(document['schedule']))}</h2>", _verdict(document), _latency_table(document)]
        parts += [_errors(document), grid(_run_plots(document))]
    parts.append(_definitions())
    return page(title, parts)


# ---------------------------------------------------------------- tables


def _head(document: Mapping[str, Any]) -> str:
    shown = f"model {document['model_id'] or '-'}, API {document['api']}, {document.get('date', '')}"
    return f'<p class="muted">{escape(shown)}</p>'


def _verdict(document: Mapping[str, Any]) -> str:
    client = document["client"]
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in client["reasons"])
    counts = ", ".join(
        f"{document[name]} {name.replace('_', ' ')}"
        for name in ("completed", "failed", "dropped", "unfinished", "left_out")
        if document[name] or name == "completed"
    )
    rates = f"{number(document['request_throughput'])} requests/s, {number(document['output_throughput'])} tokens/s"
    good = document["request_goodput"]
    goodput = f", goodput {number(good)} requests/s" if good is not None else ""
    return (
        f"<p>{verdict_mark(client['verdict'], 'client: ')}</p><ul>{reasons}</ul>"
        f"<p>{counts} in {number(document['duration'])} s; {rates}{goodput}; tokens from "
        f"{escape(str(document['token_source']))}; peak concurrency {document['peak_concurrency']}</p>"
    )


def _latency_table(document: Mapping[str, Any]) -> str:
    head = ("milliseconds", "mean", "p50", "p90", "p99", "max", "p50 error bar", "p99 error bar")
    rows: list[list[str]] = []
    for each in METRICS:
        key = f"{each.key}_ms"
        if each.unit != "ns" or f"mean_{key}" not in document:
            continue
        cells = [number(document.get(f"{which}_{key}")) for which in ("mean", "p50", "p90", "p99", "max")]
        bars = [document["error_bars_ms"].get(f"{which}_{key}") for which in ("p50", "p99")]
        cells += [f"{number(bar[0])} to {number(bar[1])}" if bar else "" for bar in bars]
        rows.append([f'<abbr title="{escape(each.definition)}">{escape(each.title)}</abbr>', *cells])
    return table(head, rows) if rows else ""


def _errors(document: Mapping[str, Any]) -> str:
    rows = [
        [escape(kind), str(error["count"]), escape(error["example"][:300])]
        for kind, error in document["errors"].items()
    ]
    return table(("error", "count", "first message"), rows, kind="words") if rows else ""


def _sweep_table(documents: Sequence[Mapping[str, Any]]) -> str:
    columns = (
        ("requests/s", "request_throughput"),
        ("tokens/s", "output_throughput"),
        ("TTFT p50", "p50_ttft_ms"),
        ("TTFT p99", "p99_ttft_ms"),
        ("ITL p50", "p50_itl_ms"),
        ("ITL p99", "p99_itl_ms"),
        ("e2e p99", "p99_e2el_ms"),
        ("failed", "failed"),
    )
    rows: list[list[str]] = []
    for document in documents:
        cells = [number(document.get(key)) for _, key in columns]
        rows.append([escape(str(document["schedule"])), *cells, verdict_mark(document["client"]["verdict"])])
    return table(("load", *(name for name, _ in columns), "client"), rows)


def _definitions() -> str:
    rows = [[escape(each.title), escape(each.definition)] for each in METRICS]
    return "<h2>What is measured</h2>" + table((), rows, kind="words")


# ---------------------------------------------------------------- plots


def _run_plots(document: Mapping[str, Any]) -> list[str]:
    return [
        *(_distribution(document, name) for name in ("ttft", "itl", "e2e")),
        _timeline(document, "Latency over time", "ms", ("p50_ttft_ms", "p99_ttft_ms", "p50_gap_ms", "p99_gap_ms")),
        _timeline(document, "Throughput over time", "a second", ("output_tokens", "chunks", "completed", "failed")),
        _timeline(document, "Requests in flight", "requests", ("active",)),
        _timeline(document, "The client: lag and error of stamps", "ms", ("p99_loop_lag_ms", "p99_stamp_error_ms")),
        _timeline(document, "The client: cores used", "cores", ("cpu",)),
    ]


def _distribution(document: Mapping[str, Any], name: str) -> str:
    each = next(one for one in METRICS if one.name == name)
    lines: list[Line] = []
    for shown, key in ((each.title, each.name), ("earliest possible", each.low), ("latest possible", each.high)):
        buckets = document["histograms"].get(key) if key else None
        if buckets:
            lines.append(Line(shown, cumulative(buckets)))
    return plot(f"{each.title}, share of samples", "ms", "% at or below", lines, log_x=True)


_SUMMED: Final = frozenset({"output_tokens", "chunks", "completed", "failed", "cpu"})


def _timeline(document: Mapping[str, Any], title: str, unit: str, keys: Sequence[str]) -> str:
    lines: list[Line] = []
    longest = max((moment["end"] - moment["start"] for moment in document["timeline"]), default=0.0)
    for key in keys:
        points: list[tuple[float, float | None]] = []
        for moment in document["timeline"]:
            value, length = moment.get(key), moment["end"] - moment["start"]
            if key in _SUMMED and value is not None:
                value = value / length if length > longest / 2 else None  # a short rest tells no rate
            points.append((moment["end"], value))
        name = key.removesuffix("_ms").replace("gap", "icl").replace("_", " ")
        if any(value for _, value in points):
            lines.append(Line(name, points, marked=len(points) < 40))
    return plot(title, "seconds from the start", unit, lines)


def _sweep_plots(documents: Sequence[Mapping[str, Any]]) -> list[str]:
    load = "request_rate" if documents[0]["request_rate"] is not None else "concurrency"
    plots: list[str] = []
    for name in ("ttft", "itl", "e2e"):
        each = next(one for one in METRICS if one.name == name)
        lines = [_sweep_line(documents, p, "output_throughput", f"{p}_{each.key}_ms", load) for p in ("p50", "p99")]
        lines[1] = msgspec.structs.replace(lines[1], labels=())
        plots.append(plot(f"{each.title} against throughput", "output tokens/s", "ms", lines))
    lines = [_sweep_line(documents, "output tokens/s", load, "output_throughput", load)]
    return [*plots, plot("Throughput against load", load.replace("_", " "), "tokens/s", lines, log_x=True)]


def _sweep_line(documents: Sequence[Mapping[str, Any]], name: str, x: str, y: str, label: str) -> Line:
    """Return one figure over another, a point a run, each with its load beside it."""
    runs = [run for run in documents if run.get(x) is not None and math.isfinite(run[x])]
    runs.sort(key=operator.itemgetter(x))
    return Line(name, [(run[x], run.get(y)) for run in runs], True, tuple(f"{run[label]:g}" for run in runs))
