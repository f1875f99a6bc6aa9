"""A response on the wire: a plan of head and body frames, and its rendering as HTTP/1.1.

A `Plan` says what is sent; `render` turns it into `Frame`s of bytes, each with the delay before it. Faults
(`faults.py`) change the plan before it is rendered, or the frames after it, so nothing else knows of them.

Invariants: the head travels with the first body frame that has no delay of its own, as from a server that flushes once;
a frame with tokens is content and gets a send stamp; the last frame has an action other than `SEND`.
Cost: two short bytes objects a frame. Not here: time and sockets (`streams.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Final

import msgspec

from streamarena.testing.connection import response_head

__all__ = ["Action", "Frame", "LAST_CHUNK", "Plan", "as_json_array", "chunked", "render"]

LAST_CHUNK: Final = b"0\r\n\r\n"


class Action(Enum):
    """What happens after a frame's bytes were sent."""

    SEND = "send"
    """The next frame follows."""
    END = "end"
    """The response is complete, in a plan before the framing's own end; the connection serves the next request."""
    CLOSE = "close"
    """The server closes the connection (FIN)."""
    ABORT = "abort"
    """The server drops the connection (RST where unread bytes are left)."""
    STALL = "stall"
    """Nothing more is sent until the client leaves."""


class Frame(msgspec.Struct):
    """Bytes and the seconds between the previous frame's due time and this one's."""

    delay: float
    data: bytes
    tokens: int = 0
    action: Action = Action.SEND


class Plan(msgspec.Struct):
    """A response before it is rendered.

    Args:
        status: HTTP status. headers: names and values, without those about framing.
        body: frames of body bytes, with their delays and token counts.
        length: bytes of the body where it is known; None means chunked transfer coding.
    """

    status: int
    headers: list[tuple[str, str]]
    body: Iterator[Frame]
    length: int | None = None

    def head(self) -> bytes:
        """Return the status line and headers."""
        framing = ("transfer-encoding", "chunked") if self.length is None else ("content-length", str(self.length))
        return response_head(self.status, [*self.headers, framing])


def chunked(data: bytes) -> bytes:
    """Return `data` as one chunk of chunked transfer coding (RFC 9112, section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def as_json_array(body: Iterator[Frame]) -> Iterator[Frame]:
    """Turn server-sent events into one JSON array, which is how Gemini streams unless it is asked for `alt=sse`."""
    before = b"["
    for frame in body:
        data = b""
        for line in frame.data.splitlines():
            if line.startswith(b"data: "):
                data += before + line.removeprefix(b"data: ")
                before = b",\r\n"
        if frame.action is Action.END:
            data += b"]" if before != b"[" else b"[]"
        yield Frame(frame.delay, data, frame.tokens, frame.action)


def render(plan: Plan) -> Iterator[Frame]:
    """Yield the frames of the whole response, as HTTP."""
    wrap = plan.length is None
    pending: bytes | None = plan.head()
    for frame in plan.body:
        data = chunked(frame.data) if wrap else frame.data
        if pending is not None:
            if frame.delay > 0:
                yield Frame(0.0, pending)
            else:
                data = pending + data
            pending = None
        if frame.action is Action.END and wrap:
            data += LAST_CHUNK
        yield Frame(frame.delay, data, frame.tokens, frame.action)
        if frame.action is not Action.SEND:
            return
    yield Frame(0.0, (pending or b"") + (LAST_CHUNK if wrap else b""), action=Action.END)
