"""Results: the flat JSON keys that users' scripts know, and a table to read.

Keys follow vLLM's benchmark (`mean_ttft_ms`, `p99_itl_ms`, `request_throughput`, ...), with our own beside them. A
figure that was not measured is absent or None, never 0.
Not here: files (`export.py`, `html_report.py`), comparing (`compare.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streamarena.load.metrics import HEADLINE, METRICS, Metric
from streamarena.load.schedule import ClosedLoop, OpenLoop
from streamarena.load.totals import Totals, coarse_percentile
from streamarena.load.verdict import Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamarena.histogram import Histogram
    from streamarena.load.plan import LoadPlan

__all__ = ["PERCENTILES", "LoadResult", "summarise"]

PERCENTILES: Final = (50.0, 90.0, 95.0, 99.0)
_ALWAYS: Final = (50.0, 90.0, 99.0)
"""Scripts parse these, so results have them whatever else is asked for; tables show what was asked for."""


class LoadResult:
    """What a load test found.

    Attributes:
        summary: everything as JSON-like values; durations in milliseconds, rates a second.
        verdict: whether the client could have caused it.
        totals: the histograms behind it. plan: what was run. percentiles: shown in the table.
    """

    def __init__(self, plan: LoadPlan, totals: Totals, percentiles: Sequence[float] = PERCENTILES) -> None:
        self.plan = plan
        self.totals = totals
        self.percentiles = tuple(percentiles)
        self.verdict: Verdict = judge(totals)
        self.summary: dict[str, Any] = summarise(plan, totals, self.verdict, sorted({*percentiles, *_ALWAYS}))

    def histogram(self, name: str) -> Histogram | None:
        """Return the distribution of a metric in its own unit (nanoseconds for durations), or None."""
        return self.totals.numbers.histograms.get(name)

    def table(self) -> str:
        """Return the result as text of less than 100 columns."""
        return _table(self.summary, self.percentiles)


def summarise(plan: LoadPlan, totals: Totals, verdict: Verdict, percentiles: Sequence[float]) -> dict[str, Any]:
    """Return the summary of a run; see `LoadResult.summary`."""
    return {
        "api": plan.api,
        "model_id": plan.model,
        "num_prompts": plan.request_count,
        **_load(plan),
        **_totals(totals),
        **_distributions(totals, percentiles),
        "errors": {kind: {"count": e.count, "example": e.example} for kind, e in totals.numbers.errors.items()},
        "goodput_objectives_ms": dict(plan.goodput),
        "client": _client(totals, verdict),
        "timeline": _timeline(totals),
    }


def _load(plan: LoadPlan) -> dict[str, Any]:
    schedule = plan.schedule
    return {
        "schedule": schedule.describe(),
        "concurrency": schedule.concurrency if isinstance(schedule, ClosedLoop) else None,
        "request_rate": schedule.rate if isinstance(schedule, OpenLoop) else None,
        "max_concurrency": schedule.concurrency if isinstance(schedule, ClosedLoop) else schedule.max_concurrency,
        "seed": plan.seed,
    }


def _totals(totals: Totals) -> dict[str, Any]:
    counters = totals.numbers.counters
    duration = totals.measured_seconds
    rate = 1 / duration if duration else None
    tokens_in, tokens_out = counters["input_tokens"], counters["output_tokens"]
    from_usage, from_chunks = counters["tokens_from_usage"], counters["tokens_from_chunks"]
    source = "usage" if not from_chunks else "chunks" if not from_usage else "usage and chunks"
    return {
        "duration": duration,
        "started": counters["started"],
        "completed": counters["completed"],
        "failed": counters["failed"],
        "dropped": counters["dropped"],
        "unfinished": counters["unfinished"],
        "left_out": counters["left_out"],
        "peak_concurrency": totals.peak_active,
        "total_input_tokens": tokens_in,
        "total_output_tokens": tokens_out,
        "total_chunks": counters["chunks"],
        "token_source": source if from_usage or from_chunks else None,
        "request_throughput": counters["completed"] * rate if rate else None,
        "request_goodput": counters["good"] * rate if rate and totals.has_objectives else None,
        "output_throughput": tokens_out * rate if rate else None,
        "total_token_throughput": (tokens_in + tokens_out) * rate if rate else None,
        "chunk_throughput": counters["chunks"] * rate if rate else None,
    }


def _distributions(totals: Totals, percentiles: Sequence[float]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    bars: dict[str, list[float | None]] = {}
    for each in METRICS:
        histogram = totals.numbers.histograms.get(each.name)
        if histogram is None or not histogram.count:
            continue
        scale, suffix = (1e6, f"{each.key}_ms") if each.unit == "ns" else (1, each.key)
        assert histogram.mean is not None
        assert histogram.deviation is not None
        found[f"mean_{suffix}"] = histogram.mean / scale
        found[f"std_{suffix}"] = histogram.deviation / scale
        found[f"min_{suffix}"], found[f"max_{suffix}"] = _scaled([histogram.minimum, histogram.maximum], scale)
        found[f"median_{suffix}"] = _scaled(histogram.percentiles([50]), scale)[0]
        for percent, value in zip(percentiles, _scaled(histogram.percentiles(percentiles), scale), strict=True):
            found[f"p{percent:g}_{suffix}"] = value
        if each.low:
            bars |= _bars(totals, each, percentiles)
    return {**found, "error_bars_ms": bars}


def _bars(totals: Totals, each: Metric, percentiles: Sequence[float]) -> dict[str, list[float | None]]:
    histograms = totals.numbers.histograms
    low, high = histograms.get(each.low), histograms.get(each.high or each.name)
    if low is None or high is None:
        return {}
    lows, highs = (_scaled(end.percentiles(percentiles), 1e6) for end in (low, high))
    return {f"p{percent:g}_{each.key}_ms": [a, b] for percent, a, b in zip(percentiles, lows, highs, strict=True)}


def _scaled(values: Sequence[int | None], scale: float) -> list[float | None]:
    return [None if value is None else value / scale for value in values]


def _client(totals: Totals, verdict: Verdict) -> dict[str, Any]:
    health = totals.total_health()
    chunks = totals.numbers.counters["chunks"]
    return {
        "verdict": verdict.state,
        "reasons": list(verdict.reasons),
        "workers": len(totals.health),
        "lost_workers": {str(worker): reason for worker, reason in totals.lost.items()},
        "cpu_seconds": health.cpu / 1e9,
        "cpu_seconds_per_1000_chunks": health.cpu / 1e6 / chunks if chunks else None,
        "cpu_share": health.cpu / health.wall if health.wall else None,
        "busy_share": health.busy / health.wall if health.wall else None,
        "run_queue_share": health.run_wait / health.wall if health.wall and health.run_wait is not None else None,
        "peak_memory_bytes": health.memory,
        "chunks_sharing_a_read": totals.numbers.counters["merged_chunks"],
    }


def _timeline(totals: Totals) -> list[dict[str, Any]]:
    moments: list[dict[str, Any]] = []
    for moment in totals.timeline:
        shown: dict[str, Any] = {"start": moment.start, "end": moment.end, "active": moment.active, "cpu": moment.cpu}
        for name in ("started", "completed", "failed", "dropped", "chunks", "output_tokens"):
            shown[name] = moment.counters.get(name, 0)
        for name, counts in moment.histograms.items():
            for percent in (50, 99):
                value = coarse_percentile(counts, percent)
                shown[f"p{percent}_{name}_ms"] = None if value is None else value / 1e6
        moments.append(shown)
    return moments


# ---------------------------------------------------------------- text


def _table(summary: dict[str, Any], percentiles: Sequence[float]) -> str:
    lines = [
        f"{summary['schedule']}: {_counts(summary)} in {_number(summary['duration'])} s",
        f"{_number(summary['request_throughput'])} requests/s, {_tokens(summary)}",
    ]
    if summary["request_goodput"] is not None:
        lines.append(f"{_number(summary['request_goodput'])} requests/s meet every objective (goodput)")
    lines += _latencies(summary, [f"p{percent:g}" for percent in percentiles])
    for kind, error in summary["errors"].items():
        message = " ".join(error["example"].split())  # an error page has lines of its own
        lines.append(f"error {kind}: {error['count']} times, first: {message[:200]}")
    client = summary["client"]
    error = _number(summary.get("p99_stamp_error_ms"))
    share = _percent(client["cpu_share"])
    lines += ["", f"client: {client['verdict']}; {share} of a core, stamp error p99 {error} ms"]
    lines += [f"  {reason}" for reason in client["reasons"]]
    return "\n".join(lines)


def _latencies(summary: dict[str, Any], percentiles: Sequence[str]) -> list[str]:
    """Return the lines of the latencies that were measured; the error bar is that of the last percentile."""
    last = percentiles[-1] if percentiles else "p99"
    columns = ("mean", *percentiles, "max")
    rows: list[str] = []
    for name in (*HEADLINE, *_EXTRA):
        each = next(one for one in METRICS if one.name == name)
        key = f"{each.key}_ms"
        if f"mean_{key}" in summary:
            shown = [_number(summary.get(f"{which}_{key}")) for which in columns]
            bar = summary["error_bars_ms"].get(f"{last}_{key}")
            rows.append(_row(each.title, (*shown, f"{_number(bar[0])} .. {_number(bar[1])}" if bar else "")))
    return ["", _row("milliseconds", (*columns, f"{last} error bar")), *rows] if rows else []


_EXTRA: Final = ("ttft_scheduled", "e2e_scheduled", "schedule_lag")


def _counts(summary: dict[str, Any]) -> str:
    names = (("dropped", "dropped"), ("unfinished", "unfinished"), ("left_out", "left out"))
    also = "".join(f", {summary[name]} {word}" for name, word in names if summary[name])
    return f"{summary['completed']} completed, {summary['failed']} failed{also}"


def _tokens(summary: dict[str, Any]) -> str:
    source = f" (tokens from {summary['token_source']})" if summary["token_source"] else ""
    rate = f"{_number(summary['output_throughput'])} output tokens/s{source}"
    return f"{rate}, peak concurrency {summary['peak_concurrency']}"


def _row(title: str, cells: Sequence[str]) -> str:
    return f"{title:<27}" + "".join(f"{cell:>9}" for cell in cells[:-1]) + f"  {cells[-1]}"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"
