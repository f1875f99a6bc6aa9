"""A listing of files as a model reads it: relative paths, sorted as people expect, with marks and a notice.

Rules of section 5.11 of the reference behaviour: paths relative to the listed directory, with forward slashes (a
trailing one marks a directory); compared part by part, directories before their siblings, naturally ("file2" before
"file10") and without regard to case; ignored files carry a lock or are left out; protected files carry a shield.
Cost: n log n comparisons of split paths.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["LOCK", "SHIELD", "format_files_list"]

LOCK: Final = "\U0001f512"
SHIELD: Final = "\U0001f6e1️"

_DIGITS = re.compile(r"(\d+)")


def format_files_list(
    directory: str,
    files: Iterable[str],
    *,
    did_hit_limit: bool = False,
    is_ignored: Callable[[str], bool] | None = None,
    show_ignored: bool = True,
    is_protected: Callable[[str], bool] | None = None,
    limit_notice: str = "",
    empty_notice: str = "",
) -> str:
    """Return the listing.

    Args:
        directory: absolute; files: absolute or relative to it, directories with a trailing slash.
        files: what to list.
        did_hit_limit: whether there were more; adds `limit_notice` after a blank line.
        is_ignored: whether a path (as given) is closed to the model; shown with a lock, or left out.
        show_ignored: whether closed paths are shown at all.
        is_protected: whether changes to a path always need approval; shown with a shield.
        limit_notice: says that the list was cut.
        empty_notice: stands in place of an empty list, unless it was cut.
    """
    lines: list[str] = []
    for path in sorted(files, key=lambda item: _sort_key(_relative(directory, item))):
        if is_ignored is not None and is_ignored(path):
            if show_ignored:
                lines.append(f"{LOCK} {_relative(directory, path)}")
        elif is_protected is not None and is_protected(path):
            lines.append(f"{SHIELD} {_relative(directory, path)}")
        else:
            lines.append(_relative(directory, path))
    if did_hit_limit:
        return "\n".join(lines) + f"\n\n{limit_notice}"
    return "\n".join(lines) if any(lines) else empty_notice


def _relative(directory: str, path: str) -> str:
    plain, base = path.replace("\\", "/"), directory.replace("\\", "/").rstrip("/")
    return plain.removeprefix(base + "/") if base or plain.startswith("/") else plain


def _sort_key(path: str) -> list[tuple[object, ...]]:
    parts = path.split("/")
    last = len(parts) - 1
    # A part with something after it (also the empty one of a trailing slash) is a directory: 0 before 1.
    return [(0 if index < last else 1, *_natural(part)) for index, part in enumerate(parts) if part or index < last]


def _natural(part: str) -> tuple[tuple[int, int, str], ...]:
    pieces = _DIGITS.split(part.casefold())
    return tuple((0, int(piece), "") if index % 2 else (1, 0, piece) for index, piece in enumerate(pieces) if piece)
