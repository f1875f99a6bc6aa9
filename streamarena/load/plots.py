"""Plots as plain SVG, drawn without a library and readable without a script: lines over two axes.

Invariants: text is escaped; what has no value makes a gap in the line and no zero; output depends on the input alone.
Colours are classes, `c0` to `c5`, which the page gives a meaning.
Not here: which plots there are (`html_report.py`, `compare_page.py`), the style (`page.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Final, TypeAlias

import msgspec

__all__ = ["Line", "Points", "cumulative", "nice_ticks", "plot"]

Points: TypeAlias = Sequence[tuple[float, float | None]]

_WIDTH: Final = 560
_HEIGHT: Final = 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 44, 46
_COLOURS: Final = 6
_GAP: Final = ' dx="14"'


class Line(msgspec.Struct, frozen=True):
    """One line: its name, its points in order, whether the points are marked, and what stands beside each."""

    name: str
    points: list[tuple[float, float | None]]
    marked: bool = False
    labels: tuple[str, ...] = ()


def plot(title: str, x_label: str, y_label: str, lines: Sequence[Line], *, log_x: bool = False) -> str:
    """Return one plot as an SVG element; a plot without any value says so.

    Args:
        title: above it.
        x_label: below it.
        y_label: beside it.
        lines: at most six have colours of their own.
        log_x: whether the x axis is logarithmic, where values span more than a power of ten; points at less than a
            ten-thousandth of the largest then stand at its left end.
    """
    if log_x:
        lines, log_x = _for_log_axis(lines)
    values = [(x, y) for line in lines for x, y in line.points if y is not None]
    parts = [f'<text x="{_LEFT}" y="18" class="title">{escape(title)}</text>']
    if not values:
        parts.append(f'<text x="{_WIDTH / 2}" y="{_HEIGHT / 2}" text-anchor="middle">nothing was measured</text>')
        return _svg(title, parts)
    xs, ys = [x for x, _ in values], [y for _, y in values]
    x_axis = _Axis(min(xs), max(xs), _LEFT, _WIDTH - _RIGHT, log=log_x)
    y_axis = _Axis(min(0.0, *ys), max(ys) * 1.05 or 1.0, _HEIGHT - _BOTTOM, _TOP, log=False)
    parts += _frame(x_axis, y_axis, x_label, y_label)
    names = ""
    for position, line in enumerate(lines):
        colour = f"c{position % _COLOURS}"
        parts += _draw(line, x_axis, y_axis, colour)
        names += f'<tspan class="name {colour}"{_GAP if position else ""}>{escape(line.name)}</tspan>'
    parts.append(f'<text x="{_LEFT}" y="{_TOP - 10}">{names}</text>')
    return _svg(title, parts)


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return about `count` round numbers between `low` and `high`."""
    if not high > low:
        return [low]
    raw = (high - low) / count
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def cumulative(buckets: Sequence[Sequence[int]]) -> list[tuple[float, float | None]]:
    """Return the share of samples (percent) at or below each value (milliseconds), thinned to some two hundred points.

    Args:
        buckets: smallest value, largest value and count of each, nanoseconds, in order.
    """
    total = sum(count for _, _, count in buckets)
    points: list[tuple[float, float | None]] = [(max(buckets[0][0], 1) / 1e6, 0.0)]
    below = 0
    for _, high, count in buckets:
        below += count
        share = 100 * below / total
        if share - (points[-1][1] or 0.0) >= 0.5 or below == total:
            points.append((max(high, 1) / 1e6, share))
    return points


class _Axis:
    """Maps values to pixels."""

    def __init__(self, low: float, high: float, start: float, end: float, *, log: bool) -> None:
        self.log = log
        self.low, self.high = low, high if high > low else low + (abs(low) or 1.0)
        self._start, self._end = start, end

    def place(self, value: float) -> float:
        """Return the pixel of a value."""
        low, high = (math.log10(self.low), math.log10(self.high)) if self.log else (self.low, self.high)
        shown = math.log10(value) if self.log else value
        return self._start + (shown - low) / (high - low) * (self._end - self._start)

    def ticks(self) -> list[float]:
        """Return where to put ticks."""
        if not self.log:
            return nice_ticks(self.low, self.high)
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        ticks = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
        inside = [tick for tick in ticks if self.low * 0.999 <= tick <= self.high * 1.001]
        return inside[:: max(1, math.ceil(len(inside) / 8))] or [self.low, self.high]


def _for_log_axis(lines: Sequence[Line]) -> tuple[list[Line], bool]:
    """Return lines that a logarithmic axis can show, and whether it is worth one."""
    xs = [x for line in lines for x, y in line.points if y is not None]
    least = max(xs, default=1.0) / 10_000
    moved = [Line(one.name, [(max(x, least), y) for x, y in one.points], one.marked, one.labels) for one in lines]
    return (moved, True) if xs and max(xs) > 10 * max(min(xs), least) else (list(lines), False)


def _frame(x_axis: _Axis, y_axis: _Axis, x_label: str, y_label: str) -> list[str]:
    bottom = _HEIGHT - _BOTTOM
    parts = [f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{_WIDTH - _RIGHT}"/>']
    for tick in x_axis.ticks():
        x = x_axis.place(tick)
        parts.append(f'<path class="grid" d="M{x:.1f} {_TOP}V{bottom}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>')
    for tick in y_axis.ticks():
        y = y_axis.place(tick)
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    middle = (_TOP + bottom) / 2
    centre = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{centre}" y="{_HEIGHT - 10}" text-anchor="middle">{escape(x_label)}</text>')
    parts.append(f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">{escape(y_label)}</text>')
    return parts


def _draw(line: Line, x_axis: _Axis, y_axis: _Axis, colour: str) -> list[str]:
    path = ""
    pen_down = False
    marks: list[str] = []
    for number, (x, y) in enumerate(line.points):
        if y is None:
            pen_down = False
            continue
        px, py = x_axis.place(x), y_axis.place(y)
        path += f"{'L' if pen_down else 'M'}{px:.1f} {py:.1f}"
        pen_down = True
        if line.marked:
            marks.append(f'<circle class="dot {colour}" cx="{px:.1f}" cy="{py:.1f}" r="3.5"/>')
        if number < len(line.labels):
            end = px > (_LEFT + _WIDTH) / 2
            place = f'x="{px - 7 if end else px + 7:.1f}" y="{py + 15:.1f}" text-anchor="{"end" if end else "start"}"'
            marks.append(f"<text {place}>{escape(line.labels[number])}</text>")
    return [f'<path class="line {colour}" d="{path}"/>', *marks]


def _svg(title: str, parts: Sequence[str]) -> str:
    inside = "".join(parts)
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">{inside}</svg>'
