"""What one request needs to read its wire, kept in the memory manager's pools between requests.

`request_pool` holds parsers with their decoders, `response_pool` accumulators, `token_pool` the lists that carry a
read's chunks. All three are leased to the request's arena, so they go back, reset, when it ends, last taken first.
`interner` holds what every reply repeats, so that a thousand kept results hold one name of their model.
Cost: three leases a request in place of some dozen allocations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamarena.providers import Accumulator, Framer, decoder_for, framer_for, framing_of
from streamarena.sse import SSEParser

if TYPE_CHECKING:
    from streamarena.memory import Arena, MemoryManager

__all__ = ["WireState", "lease_accumulator", "lease_batch", "lease_wire_state"]


class WireState:
    """A decoder and the parser in front of it.

    Args:
        api: the wire API.
        event_bytes: the largest event.
    """

    __slots__ = ("_api", "_event_bytes", "_parser", "decoder")

    def __init__(self, api: str, event_bytes: int) -> None:
        self._api = api
        self._event_bytes = event_bytes
        self._parser = SSEParser(event_bytes)
        self.decoder = decoder_for(api)

    def framer(self, content_type: str | None, first_bytes: bytes, arena: Arena) -> Framer:
        """Return what cuts this body into events; the unfinished tail of one is kept in the arena.

        Raises:
            UnexpectedContentError: the body is no stream.
        """
        if framing_of(content_type, first_bytes, self._api) != "sse":
            return framer_for(content_type, first_bytes, self._api, max_event_bytes=self._event_bytes)
        self._parser.arena = arena
        return self._parser

    def reset(self) -> None:
        """Forget the stream that was read."""
        self._parser.reset(keep_last_event_id=False)
        self.decoder.reset()


def lease_wire_state(manager: MemoryManager, arena: Arena, api: str, event_bytes: int) -> WireState:
    """Take a parser and decoder for the length of a request."""
    pool = manager.request_pool.pool(
        f"{api}, events to {event_bytes} bytes", lambda: WireState(api, event_bytes), WireState.reset
    )
    return arena.lease(pool.acquire()).value


def lease_accumulator(manager: MemoryManager, arena: Arena, api: str, max_bytes: int) -> Accumulator:
    """Take an accumulator for the length of a request; it keeps its fragments in the arena."""
    pool = manager.response_pool.pool(
        f"{api}, to {max_bytes} bytes",
        lambda: Accumulator(api, max_bytes=max_bytes, share=manager.interner.text),
        Accumulator.reset,
    )
    accumulator = arena.lease(pool.acquire()).value
    accumulator.arena = arena
    return accumulator


def lease_batch(manager: MemoryManager, arena: Arena) -> list[Any]:
    """Take the list that carries what one read brings, for the length of a request."""
    return arena.lease(manager.token_pool.acquire()).value
