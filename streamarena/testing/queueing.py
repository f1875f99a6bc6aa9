"""A model server's queue: service slots, one prefill at a time, and decoding that slows as the batch grows.

The model, in three rules. A request waits, first come first served, until one of `slots` is free. Its prefill then
takes `input_tokens / prefill_tokens_per_second` of a resource that all requests share, so prefills wait for each
other. Its inter-token latency is multiplied by `1 + batch_slowdown * (others being served)`. Beyond `max_queue`
waiting requests the server refuses, as real ones do with status 429 or 503. Past saturation the waiting line, and
with it time to first token, grows without bound in an open-loop test, which is what saturation looks like.

Invariants: a slot given is given back once; the order of arrival is kept; a waiter that left is never served.
Cost: O(1) a request. Not here: clocks (the caller passes the time) and sockets.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["ServiceQueue"]


class ServiceQueue:
    """Slots and the line before them.

    Args:
        slots: requests served at once; None means as many as come.
        max_queue: requests that may wait; the next one is refused.
        prefill_tokens_per_second: shared speed of reading prompts; None means that it costs nothing.
        batch_slowdown: by what share each other request in service lengthens the inter-token latency.
    """

    def __init__(
        self,
        slots: int | None = None,
        max_queue: int = 100_000,
        prefill_tokens_per_second: float | None = None,
        batch_slowdown: float = 0.0,
    ) -> None:
        self.slots = slots
        self.max_queue = max_queue
        self.prefill_tokens_per_second = prefill_tokens_per_second
        self.batch_slowdown = batch_slowdown
        self.in_service = 0
        self.refused = 0
        self.peak_waiting = 0
        self._prefill_free_at = 0.0
        self._waiting: dict[object, Callable[[], None]] = {}

    @property
    def waiting(self) -> int:
        """How many requests wait for a slot."""
        return len(self._waiting)

    def enter(self, ticket: object, admit: Callable[[], None]) -> bool:
        """Ask for a slot: `admit` is called now or when one is free.

        Args:
            ticket: names the request, for `leave`.
            admit: called once, synchronously, when the request has its slot.

        Returns:
            False where the line is full and the request is refused.
        """
        if self.slots is None or self.in_service < self.slots:
            self.in_service += 1
            admit()
            return True
        if len(self._waiting) >= self.max_queue:
            self.refused += 1
            return False
        self._waiting[ticket] = admit
        self.peak_waiting = max(self.peak_waiting, len(self._waiting))
        return True

    def leave(self, ticket: object) -> None:
        """Give back the slot, or the place in the line, of a request that entered."""
        if self._waiting.pop(ticket, None) is not None:
            return
        self.in_service -= 1
        if self._waiting and (self.slots is None or self.in_service < self.slots):
            following = next(iter(self._waiting))
            admit = self._waiting.pop(following)
            self.in_service += 1
            admit()

    def prefill(self, now: float, input_tokens: int) -> float:
        """Return when a prompt of `input_tokens`, admitted at `now` (seconds), has been read."""
        if not self.prefill_tokens_per_second:
            return now
        start = max(now, self._prefill_free_at)
        self._prefill_free_at = start + input_tokens / self.prefill_tokens_per_second
        return self._prefill_free_at

    @property
    def slowdown(self) -> float:
        """The factor on inter-token latencies at the present load."""
        return 1.0 + self.batch_slowdown * max(0, self.in_service - 1)
