"""Calls that a forked child makes before anything else: a lock that another thread of the parent held stays held there.

Where the platform cannot fork, nothing is ever called.
"""

from __future__ import annotations

import os
from collections.abc import Callable


def after_fork(call: Callable[[], object]) -> None:
    """Have `call` made in every child that this process forks."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=call)
