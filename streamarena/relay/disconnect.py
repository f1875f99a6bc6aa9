"""What happens when a client leaves before its answer is complete, and how that is noticed at once.

A server tells of it through `receive`, and only to somebody who waits there. `DisconnectWatch` waits from the first
line on, also while the application waits for its model, and hands the application the messages it asks for.

Invariants: messages of the request body reach the application unchanged and in order; at most one of them is held
here, so that an upload meets the application's own pace; after the client has left, every call of the application's
`receive` says so, however often it asks.
Cost: one task a request, and one future where the application asks for more than has come.
Not here: what ends the application.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

from streamarena.errors import ConfigurationError
from streamarena.relay.asgi import disconnect_message

if TYPE_CHECKING:
    from types import TracebackType

    from streamarena.relay.asgi import Message, Receive

__all__ = ["DisconnectMode", "DisconnectPolicy", "DisconnectWatch"]

DisconnectMode: TypeAlias = Literal["cancel", "drain"]


@dataclass(frozen=True, slots=True)
class DisconnectPolicy:
    """What to do with an answer whose client has left.

    Attributes:
        mode: "cancel" ends the application's work at once, so that the model stops; "drain" lets it go on unheard, so
            that the provider's usage is known, within both bounds below. Default "cancel".
        seconds: how long to drain. Default 30.
        bytes: how much to drain. Default 16 MiB.
    """

    mode: DisconnectMode = "cancel"
    seconds: float = 30.0
    bytes: int = 16 * 2**20

    def __post_init__(self) -> None:
        if self.mode not in ("cancel", "drain"):
            raise ConfigurationError(f'DisconnectPolicy.mode is "cancel" or "drain", not {self.mode!r}')
        for name in ("seconds", "bytes"):
            if not getattr(self, name) > 0:
                raise ConfigurationError(f"DisconnectPolicy.{name} must be positive, not {getattr(self, name)!r}")


class DisconnectWatch:
    """Waits at `receive` for the length of a request: `with DisconnectWatch(receive, on_disconnect) as watch`.

    Args:
        receive: the server's.
        on_disconnect: called once, when the client has left.
        on_message: called with each message of the request body as it comes.

    Attributes:
        disconnected: whether the client has left. body_complete: whether the whole request had come by then.
        quiet: while true the application is not told that the client has left: what drains an answer sets it.
    """

    __slots__ = (
        "_error",
        "_held",
        "_on_disconnect",
        "_on_message",
        "_receive",
        "_task",
        "_turn",
        "body_complete",
        "disconnected",
        "quiet",
    )

    def __init__(
        self,
        receive: Receive,
        on_disconnect: Callable[[], object],
        on_message: Callable[[Message], object] | None = None,
    ) -> None:
        self._receive = receive
        self._on_disconnect = on_disconnect
        self._on_message = on_message
        self._held: Message | None = None
        self._error: Exception | None = None
        self._turn = asyncio.Event()  # set whenever either side has something new to look at
        self._task: asyncio.Task[None] | None = None
        self.disconnected = False
        self.body_complete = False
        self.quiet = False

    def __enter__(self) -> Self:
        self._task = asyncio.create_task(self._watch(), name="streamarena: disconnect watch")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        # Not awaited, so that a second cancellation cannot come in between: it ends in the loop's next turn.
        assert self._task is not None
        self._task.cancel()

    async def receive(self) -> Message:
        """Return the next message, as the server's `receive` does. For the application.

        Raises:
            Exception: what the server's `receive` raised.
        """
        while True:
            if self._held is not None:
                message, self._held = self._held, None
                self._wake()
                return message
            if self._error is not None:
                raise self._error
            if self.disconnected and not self.quiet:
                return disconnect_message()
            await self._turn.wait()

    def speak(self) -> None:
        """Stop being quiet: tell the application now."""
        self.quiet = False
        self._wake()

    async def _watch(self) -> None:
        try:
            while True:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    break
                if self._on_message is not None:
                    self._on_message(message)
                self._held = message
                self.body_complete = not message.get("more_body", False)
                self._wake()
                # What follows the last piece of a body can only be the disconnect: it is waited for at once.
                while not self.body_complete and self._holds():
                    await self._turn.wait()
        except Exception as error:  # noqa: BLE001 - it is raised to the application, whose `receive` this is
            self._error = error
            self._wake()
            return
        self.disconnected = True
        self._on_disconnect()
        self._wake()

    def _holds(self) -> bool:
        return self._held is not None

    def _wake(self) -> None:
        """Let everybody who waits look again."""
        turn, self._turn = self._turn, asyncio.Event()
        turn.set()
