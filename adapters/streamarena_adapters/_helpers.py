"""What the SDKs' `.stream()` helpers need over lean streams: a manager, a stream that folds, texts that grow.

Invariants: what is plain (a piece of text, a piece of arguments) is a light event, and joins a run; everything else is
handed to the SDK's own accumulator, after the run as one event. So the SDK's state is exact whenever it is looked at,
and the work is linear in what came: nothing is joined, copied or parsed again for each piece.
Not here: which pieces are plain, and the SDKs' accumulators (`openai/`, `anthropic/`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, Self, TypeVar, cast

import msgspec

from streamarena_adapters._light import Light

if TYPE_CHECKING:
    import pydantic

    from streamarena_adapters._sdk import LeanRequests

__all__ = ["Fragments", "HelperEvent", "HelperStream", "StreamManager"]

_Stream = TypeVar("_Stream", bound="HelperStream")


class Fragments:
    """A text that grows, and what it was at each moment.

    Cost: a list's append for a piece; looking at the text joins what came since the last look.
    """

    __slots__ = ("_joined", "_parts", "_upto")

    def __init__(self, text: str = "") -> None:
        self._parts = [text]
        self._joined = ""
        self._upto = 0

    def add(self, text: str) -> int:
        """Add a piece; return the moment after it."""
        self._parts.append(text)
        return len(self._parts)

    def at(self, moment: int) -> str:
        """Return the text as it was at a moment."""
        if moment < self._upto:
            return "".join(self._parts[:moment])
        if moment > self._upto:
            self._joined += "".join(self._parts[self._upto : moment])
            self._upto = moment
        return self._joined


class HelperEvent(msgspec.Struct, kw_only=True, gc=False):
    """A light event of a helper, with the attributes of the SDK's class that a subclass names."""

    _sdk_type: ClassVar[type[pydantic.BaseModel]]

    def to_sdk(self) -> Any:  # noqa: ANN401 - of the class that the subclass names
        """Return the SDK's own object; a new one at each call."""
        made: dict[str, Any] = {name: _plain(getattr(self, name)) for name in self._sdk_type.model_fields}
        return self._sdk_type.model_construct(**made)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the SDK's object has
        if name.startswith("__") or name in self._sdk_type.model_fields:
            raise AttributeError(name)
        return getattr(self.to_sdk(), name)


class _RawStream(Protocol):
    @property
    def response(self) -> Any: ...  # noqa: ANN401 - the HTTP library's
    async def __anext__(self) -> Any: ...  # noqa: ANN401 - a light event
    async def close(self) -> None: ...


class HelperStream:
    """A helper's stream: an asynchronous iterator and context manager.

    Args:
        raw: a lean stream. fold: what the helper yields for one of its items.
    """

    def __init__(self, raw: _RawStream, fold: Callable[[Any], Iterable[Any]]) -> None:
        self._raw = raw
        self._fold = fold
        self._ready: deque[Any] = deque()

    @property
    def response(self) -> Any:  # noqa: ANN401 - the HTTP library's
        """The HTTP library's response."""
        return self._raw.response

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:  # noqa: ANN401 - light events and the SDK's
        ready = self._ready
        while not ready:
            ready.extend(self._fold(await self._raw.__anext__()))
        return ready.popleft()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the response and give the connection back; over our transport nothing is awaited. Repeatable."""
        await self._raw.close()

    async def until_done(self) -> Self:
        """Read to the end.

        Raises:
            what iterating raises.
        """
        async for _ in self:
            pass
        return self


class StreamManager(Generic[_Stream]):
    """Sends a helper's request on entering, and closes its stream on leaving: `async with client....stream(...)`.

    Args:
        sdk_manager: the SDK's, which has the request. requests: what sends it.
        make: makes the helper's stream of the lean one and of the request's body.
    """

    def __init__(
        self,
        sdk_manager: Any,  # noqa: ANN401 - the SDK's
        requests: LeanRequests,
        make: Callable[[Any, Mapping[str, Any]], _Stream],
    ) -> None:
        self._sdk_manager = sdk_manager
        self._requests = requests
        self._make = make
        self._stream: _Stream | None = None

    async def __aenter__(self) -> _Stream:
        await self._sdk_manager.__aenter__()
        self._stream = self._make(self._requests.last_stream, self._requests.last_body)
        return self._stream

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._stream is not None:
            await self._stream.close()


def _plain(value: object) -> object:
    """Return the SDK's objects for light ones."""
    if isinstance(value, list):
        return [_plain(item) for item in cast("list[object]", value)]
    return value.to_sdk() if isinstance(value, Light) else value
