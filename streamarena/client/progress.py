"""Tells observers what a response does while it comes: its header, and its first content. Both once an attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamarena.client.observers import FirstContent, HeadersReceived, notify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamarena.client.observers import Observer
    from streamarena.client.result import Timings

__all__ = ["Progress"]


class Progress:
    """Reports one attempt."""

    __slots__ = ("_label", "_number", "_observers", "_timings")

    def __init__(self, observers: Sequence[Observer], label: str | None, number: int, timings: Timings) -> None:
        self._observers = observers
        self._label = label
        self._number = number
        self._timings = timings

    def headers(self, status: int) -> None:
        """The header is complete."""
        seconds = ((self._timings.headers or 0) - (self._timings.sent or 0)) / 1e9
        notify(self._observers, HeadersReceived(self._label, self._number, status, seconds))

    def first_content(self) -> None:
        """The first content is there."""
        seconds = self._timings.time_to_first_token or 0.0
        notify(self._observers, FirstContent(self._label, self._number, seconds))
