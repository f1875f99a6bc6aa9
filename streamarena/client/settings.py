"""What a client may be told: timeouts and limits, each with a default, a unit and the error that names it.

Values are checked when they are given, so that a wrong one fails where it was written and not in the first request.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from streamarena.errors import ConfigurationError

__all__ = ["Limits", "Timeouts"]

_KIB: Final = 2**10
_MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Time limits of one request, in seconds; None means no limit.

    Attributes:
        connect: name look-up, TCP and TLS together (`ConnectTimeoutError`). Default 10.
        pool: waiting for a connection while `Limits.max_connections` are in use (`PoolTimeoutError`). Default 60.
        first_content: from the request being sent to the first content (`FirstContentTimeoutError`). Default 120.
        idle: between two pieces of content (`IdleTimeoutError`). Default 60.
        total: from the call to the end of the stream (`TotalTimeoutError`). Default None.
        pings_are_content: whether comments, pings and role-only chunks reset the two content timers. Default False:
            a provider that only pings is hanging.

    The first-content and idle clocks stand still while reading is paused or while a batch awaits the consumer, so a
    slow consumer never times out its own stream.
    """

    connect: float | None = 10.0
    pool: float | None = 60.0
    first_content: float | None = 120.0
    idle: float | None = 60.0
    total: float | None = None
    pings_are_content: bool = False

    def __post_init__(self) -> None:
        for name in ("connect", "pool", "first_content", "idle", "total"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigurationError(f"Timeouts.{name} must be a positive number of seconds or None, not {value!r}")


@dataclass(frozen=True, slots=True)
class Limits:
    """Size limits of a client.

    Attributes:
        max_connections: connections open or being opened at once; a request beyond that waits its turn, first come,
            first served. Default 1,000.
        max_idle_connections: connections kept for reuse. Default 100.
        idle_expiry: seconds after which an unused connection is closed. Default 30.
        header_bytes: bytes of one response's header (`HeaderTooLargeError`). Default 64 KiB.
        header_count: fields of one response's header (`HeaderTooLargeError`). Default 100.
        event_bytes: bytes of one event (`EventTooLargeError`). Default 16 MiB.
        stream_bytes: bytes of one response body, decompressed (`BodyTooLargeError`). Default 1 GiB.
        expansion_bytes: bytes that one read of a compressed body may become (`BodyTooLargeError`). Default 4 MiB.
        error_bytes: bytes kept of an error's body. Default 64 KiB.
        pending_bytes: received bytes whose chunks await the consumer; reading pauses beyond. Default 256 KiB.
        pending_items: chunks that await the consumer; reading pauses beyond. Default 4,096.
        result_bytes: bytes kept for `result()` (`BodyTooLargeError`). Default 64 MiB.
    """

    max_connections: int = 1000
    max_idle_connections: int = 100
    idle_expiry: float = 30.0
    header_bytes: int = 64 * _KIB
    header_count: int = 100
    event_bytes: int = 16 * _MIB
    stream_bytes: int = 1024 * _MIB
    expansion_bytes: int = 4 * _MIB
    error_bytes: int = 64 * _KIB
    pending_bytes: int = 256 * _KIB
    pending_items: int = 4096
    result_bytes: int = 64 * _MIB

    def __post_init__(self) -> None:
        for spec in fields(self):
            value = getattr(self, spec.name)
            least = 0 if spec.name == "max_idle_connections" else 1e-9
            if not value >= least:
                raise ConfigurationError(f"Limits.{spec.name} must be positive, not {value!r}")
