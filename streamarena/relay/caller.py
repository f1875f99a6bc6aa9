"""The caller's side of an exchange: what was sent to it, what is held back, whether it is still there.

Invariants: a response is begun once and ended at most once; what is held back goes out whole and in order, or not at
all; nothing is sent to a caller that has left. Holding back ends at `hold_bytes`: then another answer is not possible
any more.
Cost: one message a piece.
Not here: why something is held back (`exchange.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from streamarena.relay.asgi import body_message, response_messages, start_message

if TYPE_CHECKING:
    from streamarena.relay.asgi import Headers, Scope, Send

__all__ = ["DIRECT", "Caller", "DirectWriter"]

DIRECT: Final = "streamarena.direct"
"""The extension of an ASGI scope under which a server offers a `DirectWriter`."""


class DirectWriter(Protocol):
    """What a server may offer beside `send`: writing without a coroutine, from inside a callback."""

    def serves(self, send: Send) -> bool:
        """Tell whether this is `send` itself, and not something that a middleware put around it."""
        ...

    def write(self, data: bytes) -> bool:
        """Write a piece of a body whose response was begun; False where the reader should be waited for (`send`)."""
        ...


class Caller:
    """Sends one response.

    Args:
        send: the server's.
        scope: of the request; it may offer a `DirectWriter`.
        hold_bytes: how much is held back at most.

    Attributes:
        direct: writes pieces without a coroutine; None where the server offers nothing such.
        left: whether it has gone; set by who notices.
        status: of the response that was begun; None before. ended: whether it is whole. sent: bytes of its body.
    """

    __slots__ = ("_begun", "_held", "_held_bytes", "_hold_bytes", "_send", "direct", "ended", "left", "sent", "status")

    def __init__(self, send: Send, scope: Scope, hold_bytes: int) -> None:
        extensions: dict[str, Any] = scope.get("extensions") or {}
        offered: DirectWriter | None = extensions.get(DIRECT)
        self.direct = offered if offered is not None and offered.serves(send) else None
        self._send = send
        self._hold_bytes = hold_bytes
        self._begun: tuple[int, Headers] | None = None
        self._held: list[bytes] = []
        self._held_bytes = 0
        self.left = False
        self.ended = False
        self.status: int | None = None
        self.sent = 0

    @property
    def holding(self) -> bool:
        """Whether a response was begun and is held back."""
        return self._begun is not None

    def begin(self, status: int, headers: Headers) -> None:
        """Begin a response and hold it back, until `commit` or `discard`."""
        self._begun = (status, headers)

    async def commit(self) -> None:
        """Send what was held back, and hold back nothing more."""
        if self._begun is None:
            return
        (status, headers), self._begun = self._begun, None
        self.status = status
        held = b"".join(self._held)
        self._held.clear()
        if self.left:
            return
        await self._send(start_message(status, headers))
        if held:
            self.sent += len(held)
            await self._send(body_message(held, more=True))

    def discard(self) -> None:
        """Forget what was held back: another answer follows."""
        self._begun = None
        self._held.clear()
        self._held_bytes = 0

    async def write(self, data: bytes) -> None:
        """Send a piece of the body, or hold it back."""
        if self._begun is not None:
            self._held.append(data)
            self._held_bytes += len(data)
            if self._held_bytes > self._hold_bytes:
                await self.commit()
        elif not self.left:
            self.sent += len(data)
            await self._send(body_message(data, more=True))

    async def end(self, data: bytes = b"") -> None:
        """Send what is held back, the last piece, and the end."""
        await self.commit()
        if not self.left:
            self.sent += len(data)
            await self._send(body_message(data, more=False))
        self.ended = True

    async def answer(self, status: int, body: bytes, content_type: str, headers: Headers) -> None:
        """Send a whole response, in place of what may be held back."""
        self.discard()
        self.status = status
        self.ended = True
        if not self.left:
            self.sent += len(body)
            for message in response_messages(status, body, content_type, headers):
                await self._send(message)
