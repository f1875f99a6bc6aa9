"""Every limit of the memory system in one frozen object, and the environment variables that set them.

The defaults are the budget of the original design: arenas 1 MB, pools 2 MB, interner 500 KB, tracking 100 KB, mapped
files 100 MB. Limits are ceilings and not reservations: nothing is taken before it is used.
Not here: what the limits mean in detail; each part documents its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Final

from streamarena.errors import ConfigurationError
from streamarena.memory._checks import check_counts, check_setting

__all__ = ["ENVIRONMENT", "MemoryConfig", "parse_bytes", "parse_count", "parse_counts", "parse_debug"]

_KIB: Final = 1 << 10
_MIB: Final = 1 << 20
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MOST_DIGITS: Final = 15  # a petabyte; more is a slip


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
            name, value = f"MemoryConfig({field.name}=...)", getattr(self, field.name)
            if field.name == "debug":
                if not isinstance(value, bool):
                    raise ConfigurationError(f"{name} takes True or False, not {value!r:.80}")
            elif field.name == "buffer_counts":
                check_counts(name, value)
            else:
                check_setting(name, value)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> MemoryConfig:
        """Read the configuration from `STREAMARENA_*` variables; those not set, or empty, keep their defaults.

        Variables for bytes take a unit (`500000`, `64KiB`, `100MB`), those for counts do not. `STREAMARENA_DEBUG` is a
        list of what to debug: `memory` is all there is.

        Raises:
            ConfigurationError: a value cannot be used; the message names the variable and what it takes.
        """
        source = os.environ if environ is None else environ
        changes = {name: parse(source[key], key) for key, (name, parse) in ENVIRONMENT.items() if source.get(key)}
        return cls(**changes)  # type: ignore[arg-type]  # ENVIRONMENT pairs every field with a parser of its type


_UNITS: Final = {"B": 1, "kB": 1000, "KiB": _KIB, "MB": 1000**2, "MiB": _MIB, "GB": 1000**3, "GiB": 1 << 30}
_FACTORS: Final = {"": 1, **{unit.lower(): factor for unit, factor in _UNITS.items()}}
_DEBUGGED: Final = ("memory",)


def parse_bytes(text: str, name: str = "size") -> int:
    """Read a size such as `500000`, `64KiB` or `100MB`; capital and small letters are the same.

    Raises:
        ConfigurationError: the text is no size; `name` says which setting it was.
    """
    number = text.strip().rstrip(_LETTERS)
    factor = _FACTORS.get(text.strip()[len(number) :].lower())
    if factor is None or not _is_number(number.rstrip(" ")):
        units = ", ".join(_UNITS)
        raise ConfigurationError(
            f"{name}={text!r:.80} is no size in bytes: it takes a whole number, alone or with one of the units {units}"
        )
    return int(number) * factor


def parse_count(text: str, name: str = "count") -> int:
    """Read a whole number; raises as `parse_bytes`."""
    if not _is_number(text.strip()):
        raise ConfigurationError(f"{name}={text!r:.80} is no count: it takes a whole number, without a unit")
    return int(text)


def parse_counts(text: str, name: str = "counts") -> tuple[int, ...]:
    """Read whole numbers with commas between them; raises as `parse_bytes`."""
    return tuple(parse_count(part, name) for part in text.split(","))


def parse_debug(text: str, name: str = "STREAMARENA_DEBUG") -> bool:
    """Read the list of what to debug, and tell whether memory is in it.

    Raises:
        ConfigurationError: a name in it is unknown, `1` and `true` among them.
    """
    wanted = [part.strip() for part in text.split(",")]
    unknown = [part for part in wanted if part not in _DEBUGGED]
    if unknown:
        raise ConfigurationError(
            f"{name}={text!r:.80} is a list of what to debug, with commas between; {unknown[0]!r:.40} is not one of: "
            f"{', '.join(_DEBUGGED)}"
        )
    return "memory" in wanted


ENVIRONMENT: Final[dict[str, tuple[str, Callable[[str, str], object]]]] = {
    "STREAMARENA_ARENA_BYTES": ("arena_bytes", parse_bytes),
    "STREAMARENA_POOL_BYTES": ("pool_bytes", parse_bytes),
    "STREAMARENA_BUFFER_COUNTS": ("buffer_counts", parse_counts),
    "STREAMARENA_POOL_OBJECTS": ("pool_objects", parse_count),
    "STREAMARENA_INTERNER_BYTES": ("interner_bytes", parse_bytes),
    "STREAMARENA_INTERNER_ENTRIES": ("interner_entries", parse_count),
    "STREAMARENA_INTERNER_TEXT_BYTES": ("interner_text_bytes", parse_bytes),
    "STREAMARENA_TRACKING_BYTES": ("tracking_bytes", parse_bytes),
    "STREAMARENA_FILE_BYTES": ("file_bytes", parse_bytes),
    "STREAMARENA_DEBUG": ("debug", parse_debug),
}
"""The setting that each variable sets, and what reads it."""


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
