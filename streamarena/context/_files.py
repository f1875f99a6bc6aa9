"""Writing a file so that it appears whole, or stays as it was, and is never readable by more people than before.

Invariants: the permissions of a file that is replaced are kept, a new one is the user's alone (0600), because
conversations are private; a link is followed, not replaced; nothing is left behind on failure or interruption.
Cost: one write of everything, one fsync. Not here: locking; the last of two writers wins.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

__all__ = ["PRIVATE_MODE", "write_whole"]

PRIVATE_MODE: Final = 0o600


def write_whole(path: Path, pieces: Iterable[bytes]) -> None:
    """Write the pieces to a file that takes the place of `path` once it is complete.

    Raises:
        OSError: the file cannot be written. Errors of the pieces pass.
    """
    target = Path(os.path.realpath(path))
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)  # of an earlier process with this id that was killed
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            part.chmod(stat.S_IMODE(target.stat().st_mode))
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
