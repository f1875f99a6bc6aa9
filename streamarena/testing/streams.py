"""One reply on its way out: waits for its slot, sends each frame when it is due, stops when the client leaves.

Invariants: the queue's slot and the wheel's place are given back exactly once, however the reply ends; frames keep
their own grid of due times, except that a reply later than a whole gap starts a new grid, so that a server that was
held up goes on at its pace and does not hurry; a client that reads too slowly stops its reply, not the server.

Cost: one wheel item a reply, at most one rendered frame in memory. Not here: what is sent (`frames.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from streamarena.testing.frames import Action, Frame

if TYPE_CHECKING:
    from streamarena.testing.connection import HTTPConnection
    from streamarena.testing.queueing import ServiceQueue
    from streamarena.testing.records import RequestRecord, ServerStatistics
    from streamarena.testing.wheel import TimerWheel

__all__ = ["ReplyStream"]


class ReplyStream:
    """A reply that sends itself.

    Args:
        wheel, queue, statistics: the server's.
        connection: where to. record: what is noted.
        frames: called once, when the request has its slot.

    Attributes:
        on_end: called with this stream when it has ended, before its slot goes to the next.
    """

    __slots__ = (
        "_connection",
        "_due",
        "_frames",
        "_make_frames",
        "_next",
        "_queue",
        "_statistics",
        "_wheel",
        "on_end",
        "record",
        "wheel_tick",
    )

    def __init__(
        self,
        *,
        wheel: TimerWheel,
        queue: ServiceQueue,
        statistics: ServerStatistics,
        connection: HTTPConnection,
        record: RequestRecord,
        frames: Callable[[], Iterator[Frame]],
    ) -> None:
        self.wheel_tick = -1
        self.record = record
        self.on_end: Callable[[ReplyStream], object] | None = None
        self._wheel = wheel
        self._queue = queue
        self._statistics = statistics
        self._connection: HTTPConnection | None = connection
        self._make_frames = frames
        self._frames: Iterator[Frame] | None = None
        self._next: Frame | None = None
        self._due = 0.0

    def start(self) -> bool:
        """Enter the queue; False where it is full and the caller has to refuse the request."""
        connection = self._connection
        assert connection is not None
        connection.on_lost = self._lost
        if self._queue.enter(self, self._admitted):
            return True
        connection.on_lost = None
        self._connection = None
        return False

    def stop(self, outcome: str) -> None:
        """Give everything back; the connection is left to the caller."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        connection.on_lost = connection.on_writable = None
        self._wheel.discard(self)
        self._frames = self._next = None
        self._statistics.end(self.record, outcome)
        if self.on_end is not None:
            self.on_end(self)
        self._queue.leave(self)

    def fire(self) -> None:
        """Send the frame that is due."""
        connection, frame = self._connection, self._next
        if connection is None or frame is None or not connection.writable:
            return
        self._next = None
        if frame.tokens:
            self.record.stamp(frame.tokens)
            self._statistics.frames += 1
        elif not self.record.setup:
            self.record.setup = time.monotonic_ns()
        self._statistics.sent_bytes += len(frame.data)
        if frame.data:
            connection.write(frame.data)
        if frame.action is not Action.SEND:
            self._act(connection, frame.action)

    def prepare(self) -> float | None:
        """Render the next frame and say when it is due; None while there is nothing to wait for."""
        connection, frames = self._connection, self._frames
        if connection is None or frames is None:
            return None
        if not connection.writable:
            connection.on_writable = self._writable
            return None
        if self._next is None:
            frame = next(frames, None)
            if frame is None:
                return None
            now = time.monotonic()
            late = now - self._due > max(frame.delay, 0.002)
            self._due = (now if late else self._due) + frame.delay
            self._next = frame
        return self._due

    def _admitted(self) -> None:
        """Called by the queue: the request has its slot."""
        self.record.admitted = time.monotonic_ns()
        self._due = time.monotonic()
        self._frames = self._make_frames()
        due = self.prepare()
        if due is not None:
            self._wheel.schedule(due, self)

    def _writable(self) -> None:
        """The client has caught up: go on at once, on a new grid."""
        if self._connection is not None:
            self._connection.on_writable = None
            self._due = time.monotonic()
            self._wheel.schedule(self._due, self)

    def _lost(self) -> None:
        self.stop("cancelled")

    def _act(self, connection: HTTPConnection, action: Action) -> None:
        """Do what ends this reply; a stall keeps the connection, the slot and the watch for the client's leaving."""
        if action is Action.STALL:
            self._frames = None
            return
        # A response that is complete and then closed is finished; one that is dropped has failed.
        self.stop("finished" if action is Action.END or self.record.fault in _COMPLETE else "failed")
        if action is Action.ABORT:
            connection.abort()
        elif action is Action.CLOSE:
            connection.close()
        else:
            connection.finish()


_COMPLETE = frozenset({"close-idle"})
