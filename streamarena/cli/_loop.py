"""Running a command's coroutine on the best loop there is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from streamarena._loop import loop_factory

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["run"]

T = TypeVar("T")


def run(main: Coroutine[object, object, T]) -> T:
    """Run a coroutine to its end; an interrupt cancels it and ends the command with exit code 130."""
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(main)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
