"""`lean(client)`: the SDK's client, whose message streams are lean.

Invariants: the SDK sends, authenticates, retries and raises as ever; only what reads an open response is exchanged, by
the SDK's own means: its resources take a client, and its `post` takes a class of stream. The client handed in is not
changed and stays usable.
Cost: a few small objects a request.
Not here: `.parse()`, `beta` and whatever else the SDK has, which it does itself.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, overload

from anthropic import NOT_GIVEN, AsyncStream
from anthropic.types import RawMessageStreamEvent as SDKEvent

from streamarena_adapters._helpers import StreamManager
from streamarena_adapters._sdk import LeanRequests, Proxy, require_async
from streamarena_adapters.anthropic.helpers import MessageStream
from streamarena_adapters.anthropic.streams import MessageEventStream

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from anthropic.types import Message

__all__ = ["LeanAnthropic", "LeanMessages", "lean"]


def lean(client: AsyncAnthropic) -> LeanAnthropic:
    """Return a client whose message streams are lean; everything else is `client`'s.

    Args:
        client: an `AsyncAnthropic` or another asynchronous client of the SDK's. Closing either closes both.

    Raises:
        ConfigurationError: the client is a synchronous one.
    """
    require_async(client)
    return LeanAnthropic(client)


class LeanAnthropic(Proxy):
    """An `AsyncAnthropic` with lean streams."""

    @property
    def messages(self) -> LeanMessages:
        """Messages."""
        return LeanMessages(self._sdk)

    def with_options(self, **options: Any) -> LeanAnthropic:  # noqa: ANN401 - the SDK's
        """Return a lean client with some options changed, as the SDK's `with_options`."""
        return LeanAnthropic(self._sdk.with_options(**options))

    def copy(self, **options: Any) -> LeanAnthropic:  # noqa: ANN401 - the SDK's
        """Return a lean client with some options changed, as the SDK's `copy`."""
        return LeanAnthropic(self._sdk.copy(**options))

    async def __aenter__(self) -> Self:
        await self._sdk.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._sdk.__aexit__(kind, error, traceback)


class LeanMessages(Proxy):
    """The SDK's `client.messages` with lean streams.

    Args:
        client: the SDK's.
    """

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - of any version of the SDK
        self._requests = LeanRequests(client, _STREAMS)
        super().__init__(type(client.messages)(self._requests))

    @overload
    async def create(self, *, stream: Literal[True], **parameters: object) -> MessageEventStream: ...
    @overload
    async def create(self, *, stream: Literal[False] = False, **parameters: object) -> Message: ...
    @overload
    async def create(self, *, stream: bool, **parameters: object) -> MessageEventStream | Message: ...
    async def create(self, **parameters: object) -> MessageEventStream | Message:
        """Ask for a message: the SDK's `create`; with `stream=True` the stream is lean.

        Args:
            **parameters: the SDK's; `stream` says whether the answer comes in pieces.

        Raises:
            anthropic.AnthropicError: as the SDK's.
        """
        answer: MessageEventStream | Message = await self._sdk.create(**parameters)
        return answer

    def stream(self, **parameters: object) -> StreamManager[MessageStream]:
        """Return what sends the request on entering and gives a lean `MessageStream`: the SDK's `stream`.

        Args:
            **parameters: the SDK's.

        Raises:
            TypeError: as the SDK's. On entering: anthropic.AnthropicError, as the SDK's.
        """
        output_format = parameters.get("output_format", NOT_GIVEN)
        return StreamManager(
            self._sdk.stream(**parameters), self._requests, lambda stream, _: MessageStream(stream, output_format)
        )


_STREAMS: Final[tuple[tuple[object, type], ...]] = ((AsyncStream[SDKEvent], MessageEventStream),)
