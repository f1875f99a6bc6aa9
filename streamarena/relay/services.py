"""What all exchanges of a relay share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from streamarena.client import Timeouts
    from streamarena.memory import MemoryManager
    from streamarena.relay.access import Access
    from streamarena.relay.observing import ExchangeObserver
    from streamarena.relay.places import Places
    from streamarena.relay.routing import Router
    from streamarena.relay.settings import RelaySettings

__all__ = ["Services"]


class Services(msgspec.Struct, frozen=True):
    """What all exchanges share.

    Attributes:
        stream_timeouts: where the caller asked for a stream. whole_timeouts: where it waits for a whole reply.
    """

    settings: RelaySettings
    router: Router
    places: Places
    access: Access
    observers: tuple[ExchangeObserver, ...]
    memory: MemoryManager
    stream_timeouts: Timeouts
    whole_timeouts: Timeouts
