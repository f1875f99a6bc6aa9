"""The o200k_base vocabulary for tests that need exact counts: found on this machine or fetched once through pip."""

from __future__ import annotations

import pytest

from tests.context.vocabulary import ensure_vocabulary


@pytest.fixture(scope="session")
def vocabulary():
    """The path of the o200k_base vocabulary; the test is skipped, with the reason, where it cannot be had."""
    path, reason = ensure_vocabulary()
    if path is None:
        pytest.skip(reason)
    return path
