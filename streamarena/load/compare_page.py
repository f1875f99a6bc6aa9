"""Two or more runs side by side as a page: figures, intervals of their differences, distributions laid over each other.

Not here: the arithmetic (`compare.py`), the page's frame (`page.py`), drawing (`plots.py`).
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from streamarena.load.compare import compare, compare_rates, doubts
from streamarena.load.metrics import METRICS
from streamarena.load.page import grid, number, page, table, verdict_mark
from streamarena.load.plots import Line, cumulative, plot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streamarena.load.compare import Pair

__all__ = ["compare_page"]

_DRAWN = ("ttft", "gap", "itl", "e2e")


def compare_page(pairs: Sequence[Pair], *, title: str = "Load tests compared") -> str:
    """Return a page about pairs of runs."""
    runs: dict[str, Mapping[str, Any]] = {}
    for pair in pairs:
        runs |= {pair.base_name: pair.base, pair.other_name: pair.other}
    parts = ["<h2>Runs</h2>", _runs(runs)]
    for pair in pairs:
        parts += [f"<h2>{escape(pair.other_name)} against {escape(pair.base_name)}</h2>", _doubts(pair)]
        parts += [_differences(pair), grid(_plots(pair))]
    parts.append(
        '<p class="muted">Intervals are 95 % bootstrap intervals of the difference. Requests of one run that slow each'
        " other down are not independent, so they are the least there could be: a run compared with itself repeated"
        " tells more.</p>"
    )
    return page(title, parts)


def _runs(runs: Mapping[str, Mapping[str, Any]]) -> str:
    columns = (
        ("completed", "completed"),
        ("failed", "failed"),
        ("requests/s", "request_throughput"),
        ("tokens/s", "output_throughput"),
        ("TTFT p50", "p50_ttft_ms"),
        ("TTFT p99", "p99_ttft_ms"),
        ("e2e p99", "p99_e2el_ms"),
    )
    rows = [
        [
            escape(name if str(run["schedule"]) in name else f"{name} ({run['schedule']})"),
            *(number(run.get(key)) for _, key in columns),
            verdict_mark(run["client"]["verdict"]),
        ]
        for name, run in runs.items()
    ]
    return table(("run", *(name for name, _ in columns), "client"), rows)


def _doubts(pair: Pair) -> str:
    found = "; ".join(f"{escape(name)} is {escape(state)}" for name, state in doubts(pair))
    return f"<p>{found}: what differs may be the client's.</p>" if found else ""


def _differences(pair: Pair) -> str:
    titles = {each.key: each.title for each in METRICS}
    found = compare(pair.base, pair.other)
    rows = [
        [
            f"{escape(titles[one.metric])} {one.statistic}",
            number(one.base),
            number(one.other),
            f"{one.other - one.base:+.2f}",
            f"{100 * (one.other - one.base) / one.base:+.1f} %" if one.base else "",
            f"{one.low:+.2f} to {one.high:+.2f}",
            "clear" if one.is_clear else "",
        ]
        for one in found
    ]
    kinds = ["clear" if one.is_clear else "" for one in found]
    for key, base, other in compare_rates(pair):
        share = f"{100 * (other - base) / base:+.1f} %" if base else ""
        rows.append([key.replace("_", " "), number(base), number(other), f"{other - base:+.2f}", share, "", ""])
    head = ("milliseconds; a second", "base", "other", "difference", "change", "95 % interval", "")
    return table(head, rows, kinds=kinds)


def _plots(pair: Pair) -> list[str]:
    drawn: list[str] = []
    for each in METRICS:
        first, second = (run["histograms"].get(each.name) for run in (pair.base, pair.other))
        if each.name in _DRAWN and first and second:
            lines = [Line(pair.base_name, cumulative(first)), Line(pair.other_name, cumulative(second))]
            drawn.append(plot(f"{each.title}, share of samples", "ms", "% at or below", lines, log_x=True))
    return drawn
