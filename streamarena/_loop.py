"""The loop that our own programs run on: uvloop where it is installed, else the standard library's.

Invariant: no policy is set, which would change other code's loops. Cost: uvloop's import, at the first call.
Not here: choosing a loop for a user's program; the library runs on whichever loop it finds.
"""

from __future__ import annotations

import asyncio
import importlib.util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["loop_factory"]


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes the loop, for `asyncio.Runner(loop_factory=...)`."""
    if importlib.util.find_spec("uvloop") is None:  # Windows
        return asyncio.new_event_loop
    import uvloop  # noqa: PLC0415 - not on Windows

    return uvloop.new_event_loop
