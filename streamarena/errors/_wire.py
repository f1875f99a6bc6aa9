"""Errors of what comes over the wire: limits of events, headers and bodies, connections, and times that ran out."""

from __future__ import annotations

from streamarena.errors._base import LimitExceededError, StreamArenaError


class EventTooLargeError(LimitExceededError):
    """One server-sent event is larger than `max_event_bytes`."""

    what = "a server-sent event"


class HeaderTooLargeError(LimitExceededError):
    """The header of a response has too many bytes or fields."""

    what = "a response header"


class BodyTooLargeError(LimitExceededError):
    """A body, or its decompressed form, is larger than allowed."""

    what = "a body"


class InvalidFieldError(StreamArenaError, ValueError):
    """A value that a field of a server-sent event cannot carry: the reader would see other lines, or ignore it.

    Attributes:
        field: the field's name; value: what it was to carry.
    """

    def __init__(self, field: str, value: object) -> None:
        super().__init__(f"the field {field} of a server-sent event cannot carry {value!r:.80}")
        self.field = field
        self.value = value


class ConnectionFailedError(StreamArenaError):
    """No connection could be made: refused, unreachable, name not found, or TLS refused the peer.

    Attributes:
        host: the host asked for; port: its port. The operating system's error is the `__cause__`.
    """

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"cannot connect to {host}:{port}: {reason}")
        self.host = host
        self.port = port
        self.reason = reason


class CircuitOpenError(StreamArenaError):
    """A target is not asked: it failed too often lately.

    Attributes:
        server: `host:port`. seconds: after which one request may try again.
    """

    def __init__(self, server: str, seconds: float) -> None:
        super().__init__(f"{server} failed too often lately and is left alone for {seconds:.1f} s more")
        self.server = server
        self.seconds = seconds


class PoolClosedError(StreamArenaError):
    """The client or pool has been closed."""


class ProtocolError(StreamArenaError):
    """The peer sent something that is not HTTP/1.1."""


class StreamClosedError(StreamArenaError):
    """The stream was closed on this side and cannot be read any further."""


class StreamTruncatedError(StreamArenaError):
    """The peer ended the stream before its end was announced.

    Attributes:
        received: body bytes received before the cut.
    """

    def __init__(self, reason: str, received: int = 0) -> None:
        super().__init__(f"the stream was cut short after {received} bytes: {reason}")
        self.reason = reason
        self.received = received
