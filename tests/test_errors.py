"""The error tree: one root, and names that read as they are imported."""

from __future__ import annotations

import pickle
import traceback

import pytest

from streamarena import errors


@pytest.mark.parametrize("name", errors.__all__)
def test_an_error_reads_as_it_is_imported(name):
    kind = getattr(errors, name)
    assert issubclass(kind, errors.StreamArenaError)
    assert pickle.loads(pickle.dumps(kind)) is kind
    shown = traceback.format_exception_only(kind.__new__(kind, "reason"))[-1]
    assert shown.startswith(f"streamarena.errors.{name}")


def test_a_second_consumer_is_one_of_our_errors_and_a_runtime_error():
    assert issubclass(errors.StreamInUseError, RuntimeError)
