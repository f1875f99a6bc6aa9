"""The frame of the pages for people: one style for light and dark, tables, numbers.

Invariants: a page is one file, without scripts, and loads nothing from anywhere; what comes from the outside world
(model names, error messages) is escaped by whoever puts it into a page.
Colours of lines are names (`c0` to `c5`) that the style gives a meaning for each scheme.
Not here: what stands on a page (`html_report.py`, `compare_page.py`), plots (`plots.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

__all__ = ["grid", "number", "page", "table", "verdict_mark", "write_page"]

_STYLE: Final = """
:root{color-scheme:light dark;--page:#fff;--text:#1f2937;--strong:#111827;--soft:#4b5563;--faint:#6b7280;
--line:#e5e7eb;--grid:#f3f4f6;--good:#d1fae5;--good-text:#065f46;--bad:#fee2e2;--bad-text:#991b1b;
--c0:#2563eb;--c1:#dc2626;--c2:#059669;--c3:#b45309;--c4:#7c3aed;--c5:#0e7490}
@media(prefers-color-scheme:dark){:root{--page:#111418;--text:#d7dce3;--strong:#f3f4f6;--soft:#a9b3c1;--faint:#8b95a4;
--line:#2c333d;--grid:#1f252d;--good:#064e3b;--good-text:#a7f3d0;--bad:#6b1d1d;--bad-text:#fecaca;
--c0:#7aa2ff;--c1:#ff8080;--c2:#4ade9a;--c3:#f5b04c;--c4:#c4a2ff;--c5:#5cc8e0}}
body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;max-width:1180px;padding:24px;color:var(--text);
background:var(--page)}
h1{font-size:22px;margin:0}h2{font-size:18px;margin:32px 0 8px}p{margin:6px 0}h1,h2{color:var(--strong)}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:8px 0}.scroll{overflow-x:auto}
th,td{padding:4px 12px;text-align:right;border-bottom:1px solid var(--line)}
th:first-child,td:first-child,.words td{text-align:left}th,td{white-space:nowrap}.words td{white-space:normal}
td{vertical-align:top}
th{font-weight:600;color:var(--soft)}td abbr{text-decoration:none;border-bottom:1px dotted var(--faint)}
.verdict{display:inline-block;padding:1px 9px;border-radius:4px;font-weight:600;white-space:nowrap}
.trusted{background:var(--good);color:var(--good-text)}.limited{background:var(--bad);color:var(--bad-text)}
.muted{color:var(--faint)}.clear td{font-weight:600;color:var(--strong)}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(440px,100%),1fr));gap:16px}
svg{width:100%;height:auto;border:1px solid var(--line);border-radius:6px}
svg text{font:11px system-ui,sans-serif;fill:var(--soft)}svg text.title{font-size:13px;font-weight:600;
fill:var(--strong)}
.axis{stroke:var(--faint);fill:none}.grid{stroke:var(--grid);fill:none}
.line{stroke:var(--c);stroke-width:1.6;fill:none}svg .dot,svg .name{fill:var(--c)}
.c0{--c:var(--c0)}.c1{--c:var(--c1)}.c2{--c:var(--c2)}.c3{--c:var(--c3)}.c4{--c:var(--c4)}.c5{--c:var(--c5)}
@media print{svg,table{break-inside:avoid}}
""".strip()


def page(title: str, parts: Sequence[str]) -> str:
    """Return a whole page; `parts` are its elements, as they stand."""
    body = "\n".join(part for part in parts if part)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n'
        f"<body><h1>{escape(title)}</h1>\n{body}</body></html>\n"
    )


def write_page(content: str, path: str | Path) -> None:
    """Write a page; it is there as a whole or not at all."""
    target = Path(path)
    part = target.with_name(target.name + ".part")
    part.write_text(content, encoding="utf-8")
    part.replace(target)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, kind: str = "", kinds: Sequence[str] = ()) -> str:
    """Return a table; cells are HTML. `kind` is a class of the table, `kinds` those of its rows."""
    classes = [*kinds, *[""] * (len(rows) - len(kinds))]
    lines = [f"<tr>{''.join(f'<th>{cell}</th>' for cell in head)}</tr>"] if head else []
    lines += [
        f"<tr{f' class={name!r}' if name else ''}>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>"
        for name, row in zip(classes, rows, strict=True)
    ]
    return f'<div class="scroll"><table{f" class={kind!r}" if kind else ""}>{"".join(lines)}</table></div>'


def grid(plots: Sequence[str]) -> str:
    """Return plots beside and below one another."""
    return f'<div class="plots">{"".join(plots)}</div>'


def number(value: float | None) -> str:
    """Return a number as tables show it; a missing one is a dash."""
    if value is None or isinstance(value, int):
        return "-" if value is None else str(value)
    return f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"


def verdict_mark(state: str, prefix: str = "") -> str:
    """Return a verdict on the client, coloured."""
    kind = "trusted" if state == "trusted" else "limited"
    return f'<span class="verdict {kind}">{escape(prefix + state)}</span>'
