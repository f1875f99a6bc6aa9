"""Running a command's coroutine on the best loop there is: uvloop where it exists, else the standard library's."""

from __future__ import annotations

import asyncio
import importlib.util
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["loop_factory", "run"]

T = TypeVar("T")


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes the loop; never a policy, which would change other code's loops."""
    if importlib.util.find_spec("uvloop") is None:  # Windows
        return asyncio.new_event_loop
    import uvloop

    return uvloop.new_event_loop


def run(main: Coroutine[object, object, T]) -> T:
    """Run a coroutine to its end; an interrupt cancels it and ends the command with exit code 130."""
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(main)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
