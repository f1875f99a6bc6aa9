"""Time limits that passed. Each says what took too long and which setting is the limit."""

from __future__ import annotations

from streamarena.errors._base import StreamArenaError


class StreamTimeoutError(StreamArenaError, TimeoutError):
    """A time limit passed. `.seconds` is the limit."""

    what = "the request"
    setting = "timeouts"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"{self.what} took longer than {seconds:g} s; the limit is {self.setting}")
        self.seconds = seconds


class ConnectTimeoutError(StreamTimeoutError):
    """Name look-up, TCP and TLS together took too long."""

    what = "connecting"
    setting = "Timeouts.connect"


class PoolTimeoutError(StreamTimeoutError):
    """No connection of the pool became free in time."""

    what = "waiting for a free connection"
    setting = "Timeouts.pool"


class FirstContentTimeoutError(StreamTimeoutError):
    """The first content did not arrive in time; pings, comments and role-only chunks are not content."""

    what = "the wait for the first content"
    setting = "Timeouts.first_content"


class IdleTimeoutError(StreamTimeoutError):
    """No content arrived for too long; pings and comments are not content."""

    what = "the wait for more content"
    setting = "Timeouts.idle"


class TotalTimeoutError(StreamTimeoutError):
    """The whole request took too long."""

    what = "the whole request"
    setting = "Timeouts.total"


class ReadTimeoutError(StreamTimeoutError):
    """No bytes of a raw response came for too long."""

    what, setting = "the wait for more bytes", "RawTimeouts.read"


class WriteTimeoutError(StreamTimeoutError):
    """The network took nothing of a raw request for too long."""

    what, setting = "the wait to send more bytes", "RawTimeouts.write"
