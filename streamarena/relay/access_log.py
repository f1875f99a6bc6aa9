"""The access log: one JSON line for each request, when it is over.

Invariants: no content, no header, no query, no key, no address of a caller; texts that came from outside are cut at 128
characters and escaped as JSON, so that no line can pretend to be another. A log that cannot be written is given up with
one warning and never harms a request.
Cost: one dump and one write a request.
Not here: where the lines go; rotation is the reader's of standard output.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from streamarena.providers.encoders.parts import dump
from streamarena.relay.observing import ExchangeFinished

if TYPE_CHECKING:
    from streamarena.relay.observing import ExchangeMoment

__all__ = ["AccessLog"]

_log: Final = logging.getLogger("streamarena.relay")
_TEXT: Final = 128


class AccessLog:
    """An observer that writes one line a request.

    Args:
        write: takes a line with its end.
        clock: says what time it is.
    """

    def __init__(
        self, write: Callable[[bytes], object], clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._write: Callable[[bytes], object] | None = write
        self._clock = clock

    def __call__(self, moment: ExchangeMoment) -> None:
        """Write a line where a request is over."""
        if self._write is None or not isinstance(moment, ExchangeFinished):
            return
        try:
            self._write(dump(self._line(moment)) + b"\n")
        except OSError as error:
            self._write = None
            _log.warning("the access log cannot be written any more: %s", error.strerror)

    def _line(self, moment: ExchangeFinished) -> dict[str, Any]:
        stream = moment.stream
        usage = None if stream is None else stream.usage
        line = {
            "time": self._clock().isoformat(timespec="milliseconds"),
            "number": moment.number,
            "method": moment.method[:_TEXT],
            "path": moment.path[:_TEXT],
            "api": moment.api,
            "model": moment.model[:_TEXT] or None,
            "target": moment.target or None,
            "attempts": moment.attempts,
            "status": moment.status,
            "outcome": moment.outcome,
            "error": None if moment.error is None else type(moment.error).__name__,
            "drained": moment.drained or None,
            "seconds": round(moment.seconds, 6),
            "first_content_seconds": None if stream is None else _rounded(stream.first_content_seconds),
            "request_bytes": moment.request_bytes,
            "stream_bytes": None if stream is None else stream.bytes,
            "events": None if stream is None else stream.events,
            "finish_reason": None if stream is None else stream.finish_reason,
            "input_tokens": None if usage is None else usage.input_tokens,
            "output_tokens": None if usage is None else usage.output_tokens,
        }
        return {name: value for name, value in line.items() if value is not None}


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
