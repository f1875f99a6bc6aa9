"""Where batches come from: two protocols, and adapters for everything else that can be iterated.

Invariants:
    * `next_batch` gives a list, or None when the stream has ended well; an empty list means nothing.
    * Whoever runs a flow to its end, or closes it, closes what it read from.

Costs one call per batch where the source has batches of its own. An asynchronous iterable gives batches of one item:
nobody can know whether its next item is ready without waiting for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol, TypeAlias, TypeVar, cast

__all__ = ["BatchSource", "PushSource", "BatchStream", "Source", "batch_source", "close_source"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_SLICE = 64  # items of a synchronous iterable that travel as one batch


class BatchSource(Protocol[T_co]):
    """A source that is asked for batches."""

    async def next_batch(self) -> Sequence[T_co] | None:
        """Wait for the next batch; None when the stream has ended, and at every call after that."""
        ...


class PushSource(Protocol[T_co]):
    """A source that can also deliver synchronously, inside the callback that reads."""

    async def for_each_batch(self, callback: Callable[[Sequence[T_co]], object], /) -> None:
        """Call `callback` with each batch as it arrives; return when the stream has ended well.

        An exception of the callback closes the source and is raised from here, unchanged.
        """
        ...


class BatchStream(Protocol[T_co]):
    """A stream of some other kind whose `batches()` gives lists."""

    def batches(self) -> AsyncIterable[Sequence[T_co]]:
        """The stream as lists, each with all that one read brought."""
        ...


Source: TypeAlias = BatchSource[T] | BatchStream[T] | AsyncIterable[T] | Iterable[T]
"""What a pipeline can stand over."""


def batch_source(source: Source[T]) -> BatchSource[T]:
    """A `BatchSource` for anything that has batches or can be iterated.

    Raises:
        TypeError: it is nothing of the kind.
    """
    # By name, because an isinstance with a protocol costs more than everything else that starts a flow.
    if hasattr(source, "next_batch"):
        return cast(BatchSource[T], source)
    if hasattr(source, "batches"):
        return _Batches(cast(BatchStream[T], source).batches())
    if isinstance(source, AsyncIterable):
        return _Items(source)
    if isinstance(source, Iterable):
        return _Slices(source)
    raise TypeError(f"a pipeline stands over batches or an iterable, asynchronous or not, not {type(source).__name__}")


async def close_source(source: object) -> None:
    """Close a source that can be closed: an asynchronous generator, a stream, a flow."""
    close = getattr(source, "aclose", None)
    if close is not None:
        await close()


class _Batches:
    """Over an asynchronous iterable of lists."""

    def __init__(self, batches: AsyncIterable[Sequence[Any]]) -> None:
        self._batches: AsyncIterator[Sequence[Any]] = aiter(batches)

    async def next_batch(self) -> Sequence[Any] | None:
        return await anext(self._batches, None)

    async def aclose(self) -> None:
        await close_source(self._batches)


class _Items:
    """Over an asynchronous iterable of items."""

    def __init__(self, items: AsyncIterable[Any]) -> None:
        self._items: AsyncIterator[Any] = aiter(items)

    async def next_batch(self) -> list[Any] | None:
        async for item in self._items:
            return [item]
        return None

    async def aclose(self) -> None:
        await close_source(self._items)


class _Slices:
    """Over a synchronous iterable, which must not block; the loop gets a turn before each slice."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._items: Iterator[Any] = iter(items)

    async def next_batch(self) -> list[Any] | None:
        await asyncio.sleep(0)
        return list(islice(self._items, _SLICE)) or None
