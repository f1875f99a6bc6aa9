"""A unified patch for reading: hunks only, without the four header lines.

Hunk headers always give both counts (`@@ -3,7 +3,8 @@`), an empty side counts from the line before it, and a file
without a newline at its end is marked, as patch programs do.
Cost: that of `difflib`, quadratic at worst; meant for edits of one file.
"""

from __future__ import annotations

from difflib import SequenceMatcher

__all__ = ["pretty_patch"]

_NO_NEWLINE = "\\ No newline at end of file"


def pretty_patch(old: str, new: str, *, context: int = 4) -> str:
    """Return the hunks that turn `old` into `new`, or "" when they are equal.

    Args:
        old: the text before.
        new: the text after.
        context: unchanged lines around each change.
    """
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    lines: list[str] = []
    for group in matcher.get_grouped_opcodes(context) if old != new else ():
        _, first_old, _, first_new, _ = group[0]
        _, _, last_old, _, last_new = group[-1]
        lines.append(f"@@ -{_range(first_old, last_old)} +{_range(first_new, last_new)} @@")
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                lines += [_line(" ", text) for text in before[i1:i2]]
            else:
                lines += [_line("-", text) for text in before[i1:i2]]
                lines += [_line("+", text) for text in after[j1:j2]]
    return "\n".join(lines) + "\n" if lines else ""


def _range(start: int, end: int) -> str:
    count = end - start
    return f"{start + 1 if count else start},{count}"


def _line(mark: str, text: str) -> str:
    return mark + text[:-1] if text.endswith("\n") else f"{mark}{text}\n{_NO_NEWLINE}"
