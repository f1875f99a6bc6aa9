"""What a running load test shows: one line, or a live table of rates, percentiles, errors and the client's health.

Invariants: everything goes to standard error, so that results can be piped; nothing is drawn more than twice a second;
without a terminal nothing is drawn, since a log has no use for a line that is written over; without rich (the extra
`cli`) the live view says so.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Final

import click

from streamarena.errors import MissingExtraError
from streamarena.load.metrics import HEADLINE, METRICS

if TYPE_CHECKING:
    from streamarena.load import LoadPlan, Totals

__all__ = ["show_progress"]

_DRAW_SECONDS: Final = 0.5

Show = Callable[["Totals"], None]


@contextlib.contextmanager
def show_progress(plan: LoadPlan, kind: str) -> Generator[Show | None]:
    """Give what is called with the totals after each interval; None where nothing is to be shown."""
    if kind == "none" or not sys.stderr.isatty():
        yield None
    elif kind == "live":
        with _live(plan) as show:
            yield show
    else:
        yield lambda totals: click.echo(f"\r{progress_line(plan, totals):<100}", err=True, nl=False)
        click.echo("\r" + " " * 100 + "\r", err=True, nl=False)


def progress_line(plan: LoadPlan, totals: Totals) -> str:
    """Return the state of a run in one line."""
    counters = totals.numbers.counters
    ttft = totals.numbers.histograms.get("ttft")
    p50 = ttft.percentile(50) if ttft is not None else None
    latency = f", TTFT p50 {p50 / 1e6:.1f} ms" if p50 is not None else ""
    return (
        f"{plan.schedule.describe()}: {_ended(counters)}{_of(plan)} requests, {counters['failed']} failed,"
        f" {counters['chunks']} chunks{latency}"
    )


@contextlib.contextmanager
def _live(plan: LoadPlan) -> Generator[Show]:
    try:
        from rich.console import Console
        from rich.live import Live
    except ImportError as error:
        raise MissingExtraError("rich", "cli", "the live view") from error
    drawn = 0.0
    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:

        def show(totals: Totals) -> None:
            nonlocal drawn
            if time.monotonic() - drawn >= _DRAW_SECONDS:
                drawn = time.monotonic()
                live.update(live_table(plan, totals), refresh=True)

        yield show


def live_table(plan: LoadPlan, totals: Totals) -> Any:  # noqa: ANN401 - a rich renderable
    """Return the state of a run as a table of rich."""
    from rich.console import Group
    from rich.table import Table

    counters, health = totals.numbers.counters, totals.total_health()
    latest = totals.timeline[-1] if totals.timeline else None
    rates = Table(show_header=False, box=None)
    rates.add_row("load", plan.schedule.describe())
    rates.add_row("progress", f"{_ended(counters)}{_of(plan)} requests, {_elapsed(plan, totals)}")
    if latest is not None and latest.end > latest.start:
        length = latest.end - latest.start
        chunks, done = latest.counters.get("chunks", 0) / length, latest.counters.get("completed", 0) / length
        rates.add_row("now", f"{done:.1f} requests/s, {chunks:.0f} chunks/s, {latest.active} in flight")
    errors = ", ".join(f"{kind} {error.count}" for kind, error in totals.numbers.errors.items())
    rates.add_row("errors", errors or "none")
    cores = health.cpu / health.wall * len(totals.health) if health.wall else 0.0
    lag = _milliseconds(totals, "stamp_error", 99)
    rates.add_row("client", f"{cores:.2f} cores, stamp error p99 {lag}, lost workers {len(totals.lost)}")
    latencies = Table("milliseconds", "p50", "p90", "p99", box=None)
    for each in METRICS:
        if each.name in HEADLINE and each.name in totals.numbers.histograms:
            latencies.add_row(each.title, *(_milliseconds(totals, each.name, percent) for percent in (50, 90, 99)))
    return Group(rates, "", latencies)


def _ended(counters: Any) -> int:  # noqa: ANN401 - a Counter
    return sum(counters[name] for name in ("completed", "failed", "dropped", "unfinished", "left_out"))


def _of(plan: LoadPlan) -> str:
    return f"/{plan.total_requests}" if plan.total_requests is not None else ""


def _elapsed(plan: LoadPlan, totals: Totals) -> str:
    seconds = totals.timeline[-1].end if totals.timeline else 0.0
    return f"{seconds:.0f} s" + (f" of {plan.total_seconds:.0f}" if plan.total_seconds is not None else "")


def _milliseconds(totals: Totals, name: str, percent: float) -> str:
    histogram = totals.numbers.histograms.get(name)
    value = histogram.percentile(percent) if histogram is not None else None
    return "-" if value is None else f"{value / 1e6:.2f}"
