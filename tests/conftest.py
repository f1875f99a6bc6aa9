"""What every test may use: both event loops, and the choice of other vector files."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping

import pytest
from hypothesis import HealthCheck, settings

# Neither says anything about the code: on a machine with other work every example may be slow.
settings.register_profile("streamarena", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("streamarena")


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run every asynchronous test on the standard library's loop and, where it exists, on uvloop."""
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.SelectorEventLoop}
    if sys.platform != "win32":
        import uvloop

        factories["uvloop"] = uvloop.new_event_loop
    return factories
