"""Comments that keep a silent stream's connection alive: between two events, and never inside one.

Proxies and load balancers cut connections that are silent for long, and a model may think for minutes. A comment is a
line that every reader of server-sent events drops (WHATWG HTML, 9.2.6); lines of JSON have no such thing.

Invariants: a comment is sent only where the stream so far ends with a whole event; one at a time; while the server
takes it, nothing else is sent; it is not content, so it moves no timeout.
Cost: one timer for each period of silence, and a task for each comment.
"""

from __future__ import annotations

import asyncio
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

from streamarena.relay.asgi import body_message

if TYPE_CHECKING:
    from streamarena.relay.asgi import Send
    from streamarena.relay.tap import StreamTap

__all__ = ["COMMENT", "KeepAlive"]

COMMENT: Final = b": keep-alive\n\n"
_LOOKS_A_PERIOD: Final = 20
"""How often a period a comment that is due, and cannot be sent where the stream stands, is tried again."""


class KeepAlive:
    """The comments of one stream.

    Args:
        seconds: of silence after which one is due.
        send: the server's.

    Attributes:
        pending: the comment that the server has not taken yet; wait for it before anything else is sent.
        sent: how many were sent.
    """

    __slots__ = ("_last", "_period", "_send", "pending", "sent")

    def __init__(self, seconds: float, send: Send) -> None:
        self._period = round(seconds * 1e9)
        self._send = send
        self._last = perf_counter_ns()
        self.pending: asyncio.Future[None] | None = None
        self.sent = 0

    def wait_seconds(self, tap: StreamTap | None) -> float:
        """Return in how many seconds to look again."""
        return max(self._due_at(tap) - perf_counter_ns(), self._period // _LOOKS_A_PERIOD) / 1e9

    def is_due(self, tap: StreamTap) -> bool:
        """Tell whether the stream has been silent for long enough and stands between two events."""
        return perf_counter_ns() >= self._due_at(tap) and tap.takes_comments

    async def send(self, application: asyncio.Task[None]) -> bool:
        """Send a comment, for as long as the application runs; False if the server would not take it.

        Cancellation gives the comment up.
        """
        comment = self.pending = asyncio.ensure_future(self._send(body_message(COMMENT, more=True)))
        self._last = perf_counter_ns()
        self.sent += 1
        try:
            await asyncio.wait({application, comment}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            comment.cancel()
            await asyncio.wait({comment})  # the server is given one message at a time
            self.pending = None
        return comment.cancelled() or comment.exception() is None

    def _due_at(self, tap: StreamTap | None) -> int:
        return max(self._last, tap.last_at if tap is not None else 0) + self._period
