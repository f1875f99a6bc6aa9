"""Refuses settings and sizes that are none, where they are given and not where they would first be used.

A setting that is wrong is a `ConfigurationError` that names it, with what it takes; a size in a call that is wrong is a
TypeError or ValueError, as for any argument. True and False are no numbers here.
"""

from __future__ import annotations

from typing import cast

from streamarena.errors import ConfigurationError

__all__ = ["check_counts", "check_setting", "check_size"]


def check_setting(name: str, value: object, least: int = 0) -> None:
    """Refuse what is no whole number from `least` on.

    Args:
        name: the setting as it is written, such as `ObjectPool(max_size=...)`.
        value: what was given.
        least: the smallest that it takes.

    Raises:
        ConfigurationError: it is none; the message names the setting.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigurationError(f"{name} takes a whole number from {least} on, not {value!r:.80}")


def check_counts(name: str, counts: object) -> None:
    """Refuse what is not one whole number from 0 on for each tier of buffers.

    Raises:
        ConfigurationError: as `check_setting`.
    """
    numbers = cast("tuple[object, ...]", counts) if isinstance(counts, tuple) else ()
    if len(numbers) != 3:
        raise ConfigurationError(f"{name} takes three numbers, for 4 KiB, 64 KiB and 1 MiB, not {counts!r:.80}")
    for count in numbers:
        check_setting(name, count)


def check_size(size: object) -> None:
    """Refuse what is no number of bytes.

    Raises:
        TypeError: `size` is not an int.
        ValueError: it is negative.
    """
    if not isinstance(size, int):
        raise TypeError(f"a size is a whole number of bytes, not {size!r:.80}")
    if size < 0:
        raise ValueError(f"a size cannot be {size} bytes")
