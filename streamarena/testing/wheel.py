"""One timer for all streams: whatever is due in the same millisecond is sent in the same wake-up.

Invariants: items fire in the order of their ticks, within a tick in the order they were added; an item is in at most
one slot; a discarded item never fires and is no longer referenced. All sends of a slice happen before any item
prepares its next one, so that the work for stream n does not delay the bytes of stream n + 1. A slice is at most
`SLICE` items: between slices the loop runs, so that new requests are read however much there is to send. The clock is
`time.monotonic()`: uvloop's own is up to 1 ms old.

Cost: a dict insert and removal an item, one `call_at` a tick however many items are due. Delays round up to the tick.
Not here: what an item does.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import time
from typing import Final, Protocol

__all__ = ["SLICE", "TimerWheel", "WheelItem"]

SLICE: Final = 64


class WheelItem(Protocol):
    """Something that is due at a time and may be due again."""

    wheel_tick: int
    """The slot that holds the item, written by the wheel; -1 while it is in none."""

    def fire(self) -> None:
        """Do what is due now; must be quick and must not raise."""
        ...

    def prepare(self) -> float | None:
        """Make the next one ready; return when it is due (`time.monotonic()`), or None to leave the wheel."""
        ...


class TimerWheel:
    """Slots of `tick` seconds, each a set of items, and one loop timer for the earliest slot.

    Args:
        loop: wakes the wheel; everything happens on its thread.
        tick: resolution, seconds.
    """

    __slots__ = ("_armed", "_handle", "_held", "_loop", "_order", "_running", "_slots", "_tick", "fired", "wake_ups")

    def __init__(self, loop: asyncio.AbstractEventLoop, tick: float = 0.001) -> None:
        self._loop = loop
        self._tick = tick
        self._slots: dict[int, dict[WheelItem, None]] = {}
        self._order: list[int] = []
        self._handle: asyncio.TimerHandle | asyncio.Handle | None = None
        self._armed = math.inf
        self._held = 0
        self._running = False
        self.fired = 0
        self.wake_ups = 0

    def __len__(self) -> int:
        return sum(map(len, self._slots.values()))

    def schedule(self, due: float, item: WheelItem) -> None:
        """Fire `item` at `due` (`time.monotonic()`, seconds), or at once where that has passed.

        An item that is already in a slot moves to the new one.
        """
        if item.wheel_tick >= 0:
            self.discard(item)
        tick = math.ceil(due / self._tick)
        slot = self._slots.get(tick)
        if slot is None:
            slot = self._slots[tick] = {}
            heapq.heappush(self._order, tick)
        slot[item] = None
        item.wheel_tick = tick
        if tick < self._armed and not self._running:
            self._arm(tick)

    def discard(self, item: WheelItem) -> None:
        """Take `item` out, if it is in."""
        slot = self._slots.get(item.wheel_tick)
        item.wheel_tick = -1
        if slot is not None:
            slot.pop(item, None)

    def hold(self, seconds: float) -> None:
        """Fire nothing for `seconds` from now; what falls due in them fires at their end."""
        self._held = max(self._held, math.ceil((time.monotonic() + seconds) / self._tick))

    def close(self) -> None:
        """Drop all items and the timer."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        for slot in self._slots.values():
            for item in slot:
                item.wheel_tick = -1
        self._slots.clear()
        self._order.clear()
        self._armed = math.inf

    def _arm(self, tick: int) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._armed = tick
        # uvloop counts in whole milliseconds from the start of its turn and rounds to the nearest: ask for a full one.
        delay = tick * self._tick - time.monotonic()
        self._handle = self._loop.call_later(math.ceil(delay * 1000) / 1000 if delay > 0 else 0, self._run)

    def _run(self) -> None:
        """Fire one slice of what is due; come back at once for more, or at the next slot's time."""
        self._handle = None
        now = time.monotonic()
        if now < self._held * self._tick:
            self._arm(self._held)
            return
        self._running = True
        self.wake_ups += 1
        due = self._take(math.floor(now / self._tick))
        for item in due:
            item.fire()
        self.fired += len(due)
        for item in due:
            again = item.prepare()
            if again is not None:
                self.schedule(again, item)
        self._running = False
        self._armed = math.inf
        while self._order and not self._slots[self._order[0]]:
            del self._slots[heapq.heappop(self._order)]
        if self._order:
            self._arm(self._order[0])

    def _take(self, now: int) -> list[WheelItem]:
        """Remove and return up to one slice of the items that are due."""
        due: list[WheelItem] = []
        while self._order and self._order[0] <= now and len(due) < SLICE:
            tick = self._order[0]
            slot = self._slots[tick]
            while slot and len(due) < SLICE:
                item = next(iter(slot))
                del slot[item]
                item.wheel_tick = -1
                due.append(item)
            if not slot:
                del self._slots[tick]
                heapq.heappop(self._order)
        return due
