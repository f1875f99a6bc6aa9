"""`lean(client)`: the SDK's client, whose streams are lean.

Invariants: the SDK sends, authenticates, retries and raises as ever; only what reads an open response is exchanged, by
the SDK's own means: its resources take a client, and its `post` takes a class of stream. The client handed in is not
changed and stays usable.
Cost: a few small objects a request.
Not here: `.parse()`, `beta`, realtime and whatever else the SDK has, which it does itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, overload

from openai import AsyncStream, Omit, omit
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.lib.streaming.responses import ResponseStreamState
from openai.types.chat import ChatCompletionChunk as SDKChunk
from openai.types.responses import ResponseStreamEvent as SDKEvent

from streamarena_adapters._helpers import StreamManager
from streamarena_adapters._sdk import LeanRequests, Proxy, require_async
from streamarena_adapters.openai.chat_helpers import ChatHelperStream
from streamarena_adapters.openai.response_helpers import ResponseHelperStream
from streamarena_adapters.openai.streams import ChatStream, ResponseEventStream

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.chat import ChatCompletion
    from openai.types.responses import Response

__all__ = ["LeanChat", "LeanCompletions", "LeanOpenAI", "LeanResponses", "lean"]


def lean(client: AsyncOpenAI) -> LeanOpenAI:
    """Return a client whose chat and response streams are lean; everything else is `client`'s.

    Args:
        client: an `AsyncOpenAI`, `AsyncAzureOpenAI` or other subclass. Closing either closes both.

    Raises:
        ConfigurationError: the client is a synchronous one.
    """
    require_async(client)
    return LeanOpenAI(client)


_STREAMS: Final[tuple[tuple[object, type], ...]] = (
    (AsyncStream[SDKChunk], ChatStream),
    (AsyncStream[SDKEvent], ResponseEventStream),
)


class LeanOpenAI(Proxy):
    """An `AsyncOpenAI` with lean streams."""

    @property
    def chat(self) -> LeanChat:
        """Chat completions."""
        return LeanChat(self._sdk)

    @property
    def responses(self) -> LeanResponses:
        """The Responses API."""
        return LeanResponses(self._sdk)

    def with_options(self, **options: Any) -> LeanOpenAI:  # noqa: ANN401 - the SDK's
        """Return a lean client with some options changed, as the SDK's `with_options`."""
        return LeanOpenAI(self._sdk.with_options(**options))

    def copy(self, **options: Any) -> LeanOpenAI:  # noqa: ANN401 - the SDK's
        """Return a lean client with some options changed, as the SDK's `copy`."""
        return LeanOpenAI(self._sdk.copy(**options))

    async def __aenter__(self) -> Self:
        await self._sdk.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._sdk.__aexit__(kind, error, traceback)


class LeanChat(Proxy):
    """The SDK's `client.chat` with lean streams.

    Args:
        client: the SDK's.
    """

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - of any version of the SDK
        self._requests = LeanRequests(client, _STREAMS)
        super().__init__(type(client.chat)(self._requests))

    @property
    def completions(self) -> LeanCompletions:
        """Chat completions."""
        return LeanCompletions(self._sdk.completions, self._requests)


class LeanCompletions(Proxy):
    """The SDK's `client.chat.completions` with lean streams.

    Args:
        resource: the SDK's, made over `requests`.
        requests: what it sends with.
    """

    def __init__(self, resource: Any, requests: LeanRequests) -> None:  # noqa: ANN401 - of any version of the SDK
        super().__init__(resource)
        self._requests = requests

    @overload
    async def create(self, *, stream: Literal[True], **parameters: object) -> ChatStream: ...
    @overload
    async def create(self, *, stream: Literal[False] | None = None, **parameters: object) -> ChatCompletion: ...
    @overload
    async def create(self, *, stream: bool, **parameters: object) -> ChatStream | ChatCompletion: ...
    async def create(self, **parameters: object) -> ChatStream | ChatCompletion:
        """Ask for a completion: the SDK's `create`; with `stream=True` the stream is lean.

        Args:
            **parameters: the SDK's; `stream` says whether the answer comes in pieces.

        Raises:
            openai.OpenAIError: as the SDK's.
        """
        answer: ChatStream | ChatCompletion = await self._sdk.create(**parameters)
        return answer

    def stream(self, **parameters: Any) -> StreamManager[ChatHelperStream]:  # noqa: ANN401 - the SDK's
        """Return what sends the request on entering and gives a lean `ChatHelperStream`: the SDK's `stream`.

        Args:
            **parameters: the SDK's.

        Raises:
            openai.OpenAIError: as the SDK's, on entering.
        """
        wanted = parameters.get("response_format", omit)

        def make(stream: ChatStream, body: Mapping[str, Any]) -> ChatHelperStream:
            tools = body.get("tools") or ()
            state: Any = ChatCompletionStreamState(input_tools=tools, response_format=wanted)
            return ChatHelperStream(stream, state, is_rich=inspect.isclass(wanted), tools=tools)

        return StreamManager(self._sdk.stream(**parameters), self._requests, make)


class LeanResponses(Proxy):
    """The SDK's `client.responses` with lean streams.

    Args:
        client: the SDK's.
    """

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - of any version of the SDK
        self._requests = LeanRequests(client, _STREAMS)
        super().__init__(type(client.responses)(self._requests))

    @overload
    async def create(self, *, stream: Literal[True], **parameters: object) -> ResponseEventStream: ...
    @overload
    async def create(self, *, stream: Literal[False] | None = None, **parameters: object) -> Response: ...
    @overload
    async def create(self, *, stream: bool, **parameters: object) -> ResponseEventStream | Response: ...
    async def create(self, **parameters: object) -> ResponseEventStream | Response:
        """Ask for a response: the SDK's `create`; with `stream=True` the stream is lean.

        Args:
            **parameters: the SDK's; `stream` says whether the answer comes in pieces.

        Raises:
            openai.OpenAIError: as the SDK's.
        """
        answer: ResponseEventStream | Response = await self._sdk.create(**parameters)
        return answer

    def stream(self, **parameters: Any) -> StreamManager[ResponseHelperStream]:  # noqa: ANN401 - the SDK's
        """Return what sends the request on entering and gives a lean `ResponseHelperStream`: the SDK's `stream`.

        Args:
            **parameters: the SDK's.

        Raises:
            TypeError, ValueError: as the SDK's. On entering: openai.OpenAIError, as the SDK's.
        """
        wanted = parameters.get("text_format", omit)
        after: int | Omit = parameters.get("starting_after", omit)

        def make(stream: ResponseEventStream, body: Mapping[str, Any]) -> ResponseHelperStream:
            state: Any = ResponseStreamState(input_tools=body.get("tools") or (), text_format=wanted)
            return ResponseHelperStream(stream, state, None if isinstance(after, Omit) else after)

        return StreamManager(self._sdk.stream(**parameters), self._requests, make)
