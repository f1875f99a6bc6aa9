"""Errors of load tests."""

from __future__ import annotations

from streamarena.errors._base import StreamArenaError


class WorkerLostError(StreamArenaError):
    """A worker of a load test did not get ready, failed, or all of them are gone."""
