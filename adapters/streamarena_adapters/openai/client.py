"""`lean(client)`: the SDK's client, whose streams are lean.

Invariants: the SDK sends, authenticates, retries and raises as ever; only what reads an open response is exchanged, by
the SDK's own means: `with_raw_response` and `parse(to=...)`. The client handed in is not changed and stays usable.
Cost: one proxy object a resource; a stream's request goes through the SDK's wrapper for raw responses.
Not here: `.parse()`, `beta`, realtime and whatever else the SDK has, which it does itself.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from streamarena_adapters._sdk import require_async
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


class _Proxy:
    """Something of the SDK's with a few attributes of ours in front."""

    def __init__(self, sdk: Any) -> None:  # noqa: ANN401 - a client or resource of any version of the SDK
        self._sdk = sdk

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the SDK has
        return getattr(self._sdk, name)

    def __repr__(self) -> str:
        return f"lean({self._sdk!r})"


class LeanOpenAI(_Proxy):
    """An `AsyncOpenAI` with lean streams."""

    @property
    def chat(self) -> LeanChat:
        """Chat completions."""
        return LeanChat(self._sdk.chat)

    @property
    def responses(self) -> LeanResponses:
        """The Responses API."""
        return LeanResponses(self._sdk.responses)

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


class LeanChat(_Proxy):
    """The SDK's `client.chat` with lean streams."""

    @property
    def completions(self) -> LeanCompletions:
        """Chat completions."""
        return LeanCompletions(self._sdk.completions)


class LeanCompletions(_Proxy):
    """The SDK's `client.chat.completions` with lean streams."""

    @overload
    async def create(self, *, stream: Literal[True], **parameters: object) -> ChatStream: ...
    @overload
    async def create(self, *, stream: Literal[False] | None = None, **parameters: object) -> ChatCompletion: ...
    @overload
    async def create(self, *, stream: bool, **parameters: object) -> ChatStream | ChatCompletion: ...
    async def create(self, *, stream: bool | None = None, **parameters: object) -> ChatStream | ChatCompletion:
        """Ask for a completion: the SDK's `create`; with `stream=True` the stream is lean.

        Args:
            stream: whether the answer comes in pieces.
            **parameters: the SDK's.

        Raises:
            openai.OpenAIError: as the SDK's.
        """
        if not stream:
            whole: ChatCompletion = await self._sdk.create(stream=stream, **parameters)
            return whole
        raw = await self._sdk.with_raw_response.create(stream=True, **parameters)
        lean_stream: ChatStream = raw.parse(to=ChatStream)
        return lean_stream


class LeanResponses(_Proxy):
    """The SDK's `client.responses` with lean streams."""

    @overload
    async def create(self, *, stream: Literal[True], **parameters: object) -> ResponseEventStream: ...
    @overload
    async def create(self, *, stream: Literal[False] | None = None, **parameters: object) -> Response: ...
    @overload
    async def create(self, *, stream: bool, **parameters: object) -> ResponseEventStream | Response: ...
    async def create(self, *, stream: bool | None = None, **parameters: object) -> ResponseEventStream | Response:
        """Ask for a response: the SDK's `create`; with `stream=True` the stream is lean.

        Args:
            stream: whether the answer comes in pieces.
            **parameters: the SDK's.

        Raises:
            openai.OpenAIError: as the SDK's.
        """
        if not stream:
            whole: Response = await self._sdk.create(stream=stream, **parameters)
            return whole
        raw = await self._sdk.with_raw_response.create(stream=True, **parameters)
        lean_stream: ResponseEventStream = raw.parse(to=ResponseEventStream)
        return lean_stream
