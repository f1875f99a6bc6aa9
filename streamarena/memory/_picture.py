"""Draws a memory report with matplotlib, which the `report` extra brings. One panel for each source, one time axis."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from streamarena.errors import MissingExtraError

if TYPE_CHECKING:
    from streamarena.memory.profiling import MemoryReport


def draw(report: MemoryReport, path: str) -> None:
    """Write the picture; the ending of `path` chooses the format."""
    try:
        # not pyplot: it keeps global state and asks for a display
        figure_class: Any = importlib.import_module("matplotlib.figure").Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "report", "a picture of the memory report") from error
    figure = figure_class(figsize=(9, 1.2 * max(1, len(report.names)) + 0.8), layout="constrained")
    panels = figure.subplots(max(1, len(report.names)), 1, sharex=True, squeeze=False)
    start = report.snapshots[0].at if report.snapshots else 0.0
    seconds = [each.at - start for each in report.snapshots]
    for (panel,), name in zip(panels, report.names, strict=False):
        panel.plot(seconds, [each[name] for each in report.snapshots], linewidth=1)
        panel.set_ylabel(name, rotation=0, ha="right")
        panel.margins(x=0)
        for each in report.snapshots:
            if each.mark is not None:
                panel.axvline(each.at - start, linewidth=0.5, linestyle="--")
                panel.annotate(each.mark, (each.at - start, 1), xycoords=("data", "axes fraction"), fontsize=6)
    panels[-1][0].set_xlabel("seconds")
    figure.savefig(path)
