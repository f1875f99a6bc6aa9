"""One page that holds everything: verdict, tables, and plots of latencies, timelines, sweeps and the client's health.

Invariants: the page is one file, without scripts, and loads nothing from anywhere; every text of the outside world
(model names, error messages) is escaped.
Cost: some hundred kilobytes for a long sweep. Not here: drawing (`plots.py`), numbers (`summary.py`).
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from streamarena.load.metrics import HEADLINE, METRICS
from streamarena.load.plots import Line, plot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["html_report", "write_html"]

_STYLE: Final = """
body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;max-width:1180px;padding:24px;color:#1f2937;background:#fff}
h1{font-size:22px;margin:0}h2{font-size:18px;margin:32px 0 8px}p{margin:6px 0}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:8px 0}
th,td{padding:4px 12px;text-align:right;border-bottom:1px solid #e5e7eb}th:first-child,td:first-child{text-align:left}
th{font-weight:600;color:#4b5563}td abbr{text-decoration:none;border-bottom:1px dotted #9ca3af}
.verdict{display:inline-block;padding:3px 10px;border-radius:4px;font-weight:600}
.trusted{background:#d1fae5;color:#065f46}.limited{background:#fee2e2;color:#991b1b}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(440px,1fr));gap:16px}
svg{width:100%;height:auto;border:1px solid #e5e7eb;border-radius:6px;background:#fff}
svg text{font:11px system-ui,sans-serif}svg text:not([fill]){fill:#4b5563}
svg text.title{font-size:13px;font-weight:600;fill:#111827}
.axis{stroke:#6b7280;fill:none}.grid{stroke:#f3f4f6;fill:none}.muted{color:#6b7280}
""".strip()


def html_report(documents: Sequence[Mapping[str, Any]], *, title: str = "Load test") -> str:
    """Return a page about one or more results, each as `as_document` gives it; several are a sweep."""
    parts = [f"<h1>{escape(title)}</h1>", _head(documents[0])]
    if len(documents) > 1:
        parts += ["<h2>Sweep</h2>", _sweep_table(documents), _plots(_sweep_plots(documents))]
    for document in documents:
        parts += [f"<h2>{escape(str(document['schedule']))}</h2>", _verdict(document), _table(document)]
        parts += [_errors(document), _plots(_run_plots(document))]
    parts.append(_definitions())
    body = "\n".join(part for part in parts if part)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n'
        f"<body>{body}</body></html>\n"
    )


def write_html(documents: Sequence[Mapping[str, Any]], path: str | Path, *, title: str = "Load test") -> None:
    """Write the page of `html_report`."""
    Path(path).write_text(html_report(documents, title=title), encoding="utf-8")


# ---------------------------------------------------------------- tables


def _head(document: Mapping[str, Any]) -> str:
    shown = f"model {document['model_id'] or '-'}, API {document['api']}, {document.get('date', '')}"
    return f'<p class="muted">{escape(shown)}</p>'


def _verdict(document: Mapping[str, Any]) -> str:
    client = document["client"]
    kind = "trusted" if client["verdict"] == "trusted" else "limited"
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in client["reasons"])
    counts = ", ".join(
        f"{document[name]} {name.replace('_', ' ')}"
        for name in ("completed", "failed", "dropped", "unfinished", "left_out")
        if document[name] or name == "completed"
    )
    rates = f"{_number(document['request_throughput'])} requests/s, {_number(document['output_throughput'])} tokens/s"
    good = document["request_goodput"]
    goodput = f", goodput {_number(good)} requests/s" if good is not None else ""
    lost = "".join(f"<li>worker {escape(w)} lost: {escape(why)}</li>" for w, why in client["lost_workers"].items())
    return (
        f'<p><span class="verdict {kind}">client: {escape(client["verdict"])}</span></p><ul>{reasons}{lost}</ul>'
        f"<p>{counts} in {_number(document['duration'])} s; {rates}{goodput}; tokens from "
        f"{escape(str(document['token_source']))}; peak concurrency {document['peak_concurrency']}</p>"
    )


def _table(document: Mapping[str, Any]) -> str:
    rows = ["<tr><th>milliseconds</th><th>mean</th><th>p50</th><th>p90</th><th>p99</th><th>max</th>"]
    rows[0] += "<th>p50 error bar</th><th>p99 error bar</th></tr>"
    for each in METRICS:
        key = f"{each.key}_ms"
        if each.unit != "ns" or f"mean_{key}" not in document:
            continue
        cells = [_number(document.get(f"{which}_{key}")) for which in ("mean", "p50", "p90", "p99", "max")]
        bars = [document["error_bars_ms"].get(f"{which}_{key}") for which in ("p50", "p99")]
        cells += [f"{_number(bar[0])} to {_number(bar[1])}" if bar else "" for bar in bars]
        name = f'<abbr title="{escape(each.definition)}">{escape(each.title)}</abbr>'
        rows.append(f"<tr><td>{name}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    return f"<table>{''.join(rows)}</table>"


def _errors(document: Mapping[str, Any]) -> str:
    if not document["errors"]:
        return ""
    rows = "".join(
        f"<tr><td>{escape(kind)}</td><td>{error['count']}</td><td>{escape(error['example'][:300])}</td></tr>"
        for kind, error in document["errors"].items()
    )
    return f"<table><tr><th>error</th><th>count</th><th>first message</th></tr>{rows}</table>"


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
    head = "".join(f"<th>{name}</th>" for name, _ in columns)
    rows = [f"<tr><th>load</th>{head}<th>client</th></tr>"]
    for document in documents:
        cells = "".join(f"<td>{_number(document.get(key))}</td>" for _, key in columns)
        verdict = escape(document["client"]["verdict"])
        rows.append(f"<tr><td>{escape(str(document['schedule']))}</td>{cells}<td>{verdict}</td></tr>")
    return f"<table>{''.join(rows)}</table>"


def _definitions() -> str:
    rows = "".join(f"<tr><td>{escape(m.title)}</td><td>{escape(m.definition)}</td></tr>" for m in METRICS)
    return f"<h2>What is measured</h2><table>{rows}</table>"


def _number(value: float | None) -> str:
    if value is None or isinstance(value, int):
        return "-" if value is None else str(value)
    return f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"


# ---------------------------------------------------------------- plots


def _plots(drawn: Sequence[str]) -> str:
    return f'<div class="plots">{"".join(drawn)}</div>'


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
            lines.append(Line(shown, _curve(buckets)))
    return plot(f"{each.title}, share of samples", "ms", "% at or below", lines, log_x=True)


def _curve(buckets: Sequence[Sequence[int]]) -> list[tuple[float, float | None]]:
    """Return a cumulative curve from buckets, thinned to some two hundred points."""
    total = sum(count for _, _, count in buckets)
    points: list[tuple[float, float | None]] = []
    below = 0
    for _, high, count in buckets:
        below += count
        share = 100 * below / total
        if not points or share - (points[-1][1] or 0.0) >= 0.5 or below == total:
            points.append((max(high, 1) / 1e6, share))
    return points


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
        name = key.removesuffix("_ms").replace("_", " ")
        if any(value for _, value in points):
            lines.append(Line(name, points, marked=len(points) < 40))
    return plot(title, "seconds from the start", unit, lines)


def _sweep_plots(documents: Sequence[Mapping[str, Any]]) -> list[str]:
    def points(x: str, y: str) -> list[tuple[float, float | None]]:
        return sorted((d[x], d.get(y)) for d in documents if d.get(x) is not None)

    plots: list[str] = []
    for name in HEADLINE:
        each = next(one for one in METRICS if one.name == name)
        if name not in {"ttft", "itl", "e2e"}:
            continue
        lines = [Line(p, points("output_throughput", f"{p}_{each.key}_ms"), marked=True) for p in ("p50", "p99")]
        plots.append(plot(f"{each.title} against throughput", "output tokens/s", "ms", lines))
    load = "request_rate" if documents[0]["request_rate"] is not None else "concurrency"
    lines = [Line("output tokens/s", points(load, "output_throughput"), marked=True)]
    return [*plots, plot("Throughput against load", load.replace("_", " "), "tokens/s", lines, log_x=True)]
