"""Every limit of the memory system in one frozen object, and the environment variables that set them.

The defaults are the budget of the original design: arenas 1 MB, pools 2 MB, interner 500 KB, tracking 100 KB, mapped
files 100 MB. Limits are ceilings and not reservations: nothing is taken before it is used.
Not here: what the limits mean in detail; each part documents its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

from streamarena.errors import ConfigurationError

__all__ = ["ENVIRONMENT", "MemoryConfig", "parse_bytes"]

_KIB: Final = 1 << 10
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryConfig:
    """The limits of one memory manager. All sizes are bytes.

    Attributes:
        arena_bytes: free arena chunks kept for the next request, in the whole process.
        pool_bytes: idle buffers kept, over all tiers.
        buffer_counts: idle buffers kept at most, by tier (4 KiB, 64 KiB, 1 MiB).
        pool_objects: idle objects kept at most, in each object pool.
        interner_bytes: texts and tables of the interner, as `sys.getsizeof` counts them.
        interner_entries: texts kept at most.
        interner_text_bytes: length of a text, in bytes of UTF-8, above which it is not interned.
        tracking_bytes: history of the profiler.
        file_bytes: mapped, pinned and not yet released bytes of files.
        debug: poison memory that was given back, remember where everything was taken, warn about what was not returned.
    """

    arena_bytes: int = _MIB
    pool_bytes: int = 2 * _MIB
    buffer_counts: tuple[int, int, int] = (100, 50, 10)
    pool_objects: int = 256
    interner_bytes: int = 500_000
    interner_entries: int = 4096
    interner_text_bytes: int = 256
    tracking_bytes: int = 100_000
    file_bytes: int = 100 * _MIB
    debug: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value: object = getattr(self, field.name)
            numbers: tuple[object, ...] = self.buffer_counts if field.name == "buffer_counts" else (value,)
            if any(not isinstance(number, int) or number < 0 for number in numbers):
                raise ConfigurationError(f"MemoryConfig.{field.name} must be a number from 0 on, not {value!r}")
        if len(self.buffer_counts) != 3:
            raise ConfigurationError("MemoryConfig.buffer_counts takes three numbers: for 4 KiB, 64 KiB and 1 MiB")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> MemoryConfig:
        """Read the configuration from `STREAMARENA_*` variables; those that are not set keep their defaults.

        Sizes may carry a unit: `500000`, `64KiB`, `100MB`. `STREAMARENA_DEBUG` is a list of rooms; `memory` is ours.

        Raises:
            ConfigurationError: a value is not a size; the message names the variable.
        """
        source = os.environ if environ is None else environ
        changes = {name: parse_bytes(source[key], key) for key, name in ENVIRONMENT.items() if source.get(key)}
        rooms = {room.strip() for room in source.get("STREAMARENA_DEBUG", "").split(",")}
        return cls(debug="memory" in rooms, **changes)  # type: ignore[arg-type]  # ENVIRONMENT names integer fields only


ENVIRONMENT: Final[dict[str, str]] = {
    "STREAMARENA_ARENA_BYTES": "arena_bytes",
    "STREAMARENA_POOL_BYTES": "pool_bytes",
    "STREAMARENA_POOL_OBJECTS": "pool_objects",
    "STREAMARENA_INTERNER_BYTES": "interner_bytes",
    "STREAMARENA_INTERNER_ENTRIES": "interner_entries",
    "STREAMARENA_TRACKING_BYTES": "tracking_bytes",
    "STREAMARENA_FILE_BYTES": "file_bytes",
}

_UNITS = {"": 1, "b": 1, "kb": 1000, "kib": _KIB, "mb": 1000**2, "mib": _MIB, "gb": 1000**3, "gib": 1 << 30}
_SIZE = re.compile(r"\s*([0-9]{1,15})\s*([A-Za-z]{0,3})\s*", re.ASCII)


def parse_bytes(text: str, name: str = "size") -> int:
    """Read a size such as `500000`, `64KiB` or `100MB`.

    Raises:
        ConfigurationError: the text is no size; `name` says which setting it was.
    """
    match = _SIZE.fullmatch(text)
    unit = _UNITS.get(match[2].lower()) if match else None
    if match is None or unit is None:
        raise ConfigurationError(f"{name}={text!r} is not a size in bytes, such as 500000, 64KiB or 100MB")
    return int(match[1]) * unit
