"""How much one stream that passes through the middleware or the relay may bring."""

from __future__ import annotations

from dataclasses import dataclass, fields

from streamarena.errors import ConfigurationError

__all__ = ["StreamLimits"]


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """How much one stream may bring.

    Attributes:
        stream_bytes: bytes of its body (`BodyTooLargeError`). Default 1 GiB.
        events: events in it (`TooManyEventsError`). Default 10 million.
        event_bytes: bytes of one event that the tap holds; a larger one passes, and the tap goes blind. Default 16 MiB.
    """

    stream_bytes: int = 2**30
    events: int = 10_000_000
    event_bytes: int = 16 * 2**20

    def __post_init__(self) -> None:
        for spec in fields(self):
            value = getattr(self, spec.name)
            if not isinstance(value, int) or value < 1:
                raise ConfigurationError(f"StreamLimits.{spec.name} must be a whole number from 1 on, not {value!r}")
