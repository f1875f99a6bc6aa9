"""Reading files that somebody else may have put there: instructions in a workspace or a home directory.

Invariants: only regular files inside the given roots are opened, and of each link only so many steps are followed; a
device, a pipe or a link out of the roots is refused, never read; what is read is UTF-8 (a byte order mark is dropped)
and no larger than the limit. Every refusal is an error that names the path.
The check and the opening use the resolved path and refuse a link there, so swapping a file for a link in between is
refused as well; a directory on the way that is swapped at that moment is not noticed.
Cost: one resolution and one read a file.
Not here: which files are looked for (`instructions.py`).
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Final

from streamarena.errors import PackError, PromptTooLargeError, UnsafePathError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["MAX_FILE_BYTES", "MAX_SYMLINK_DEPTH", "read_safely", "resolve_safely"]

MAX_FILE_BYTES: Final = 256 * 1024
MAX_SYMLINK_DEPTH: Final = 5


def resolve_safely(path: Path, roots: Sequence[Path]) -> Path | None:
    """Return the real path of something inside the roots; None if there is nothing.

    Raises:
        UnsafePathError: it leads out of every root, or through more than `MAX_SYMLINK_DEPTH` links.
    """
    step = path
    for _ in range(MAX_SYMLINK_DEPTH + 1):
        if not step.is_symlink():
            break
        step = step.parent / step.readlink()
    else:
        raise UnsafePathError(str(path), f"more than {MAX_SYMLINK_DEPTH} links lead from here")
    try:
        real = path.resolve(strict=True)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, RuntimeError) as error:  # a loop of links: OSError from 3.13 on, RuntimeError before
        raise UnsafePathError(str(path), f"cannot be resolved: {error}") from error
    if not any(real.is_relative_to(root.resolve()) for root in roots):
        raise UnsafePathError(str(path), f"leads to {real}, outside of {' and '.join(map(str, roots))}")
    return real


def read_safely(path: Path, roots: Sequence[Path], *, limit: int = MAX_FILE_BYTES) -> str | None:
    """Return the text of a file; None if there is none, or if it is binary (holds a NUL byte).

    Args:
        path: the file, perhaps a link.
        roots: directories that the real file must lie in.
        limit: bytes.

    Raises:
        UnsafePathError: it is no regular file, or lies elsewhere.
        PromptTooLargeError: it is larger than `limit`.
        PackError: it cannot be read, or is not UTF-8.
    """
    real = resolve_safely(path, roots)
    if real is None:
        return None
    raw = _read_bytes(real, path, limit)
    if len(raw) > limit:
        raise PromptTooLargeError(str(path), limit, len(raw), "max_file_bytes")
    if b"\0" in raw:
        return None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PackError(str(path), raw.count(b"\n", 0, error.start) + 1, "not UTF-8") from error


def _read_bytes(real: Path, path: Path, limit: int) -> bytes:
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
        flags |= getattr(os, name, 0)
    try:
        descriptor = os.open(real, flags)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            raise UnsafePathError(str(path), "is not a plain file") from error
        raise PackError(str(path), 0, f"cannot be read: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnsafePathError(str(path), "is not a plain file")
        return file.read(limit + 1)
