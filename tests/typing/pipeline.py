"""Read by mypy and pyright, never run: item types follow through pipelines, `|`, sources and boundaries."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, TypeGuard, assert_type

from streamarena.pipeline import BatchIterator, Flow, Pipeline, filter, flat_map, map, map_async, stateful, tap
from streamarena.providers.chunks import Chunk, TextChunk

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    class SplitLines:
        def __init__(self, max_line: int = 65536) -> None: ...
        def feed(self, item: str) -> Iterable[str]: ...
        def flush(self) -> Iterable[str]: ...

    async def embed(text: str) -> list[float]: ...
    def is_text(chunk: Chunk) -> TypeGuard[TextChunk]: ...
    def is_also_text(chunk: Chunk) -> TypeIs[TextChunk]: ...
    def bool_of(item: object) -> bool: ...
    def text_of(chunk: TextChunk) -> str: ...

    class Chunks(BatchIterator[Chunk]):
        async def receive_batch(self) -> list[Chunk] | None: ...

    def pipelines() -> None:
        assert_type(map(text_of), Pipeline[TextChunk, str])
        assert_type(Pipeline(text_of), Pipeline[TextChunk, str])
        assert_type(Pipeline(text_of, str.strip, len), Pipeline[TextChunk, int])
        assert_type(Pipeline(text_of, SplitLines()), Pipeline[TextChunk, str])
        assert_type(Pipeline(text_of, stateful(SplitLines)), Pipeline[TextChunk, str])
        assert_type(Pipeline(text_of, map_async(embed, concurrency=4)), Pipeline[TextChunk, list[float]])
        assert_type(Pipeline(filter(is_text), text_of), Pipeline[Chunk, str])
        assert_type(Pipeline(filter(is_also_text), text_of), Pipeline[Chunk, str])
        assert_type(Pipeline(text_of, str.strip) | str.encode, Pipeline[TextChunk, bytes])
        assert_type(map(text_of) | flat_map(str.split) | tap(print), Pipeline[TextChunk, str])
        assert_type(Pipeline(text_of) | SplitLines, Pipeline[TextChunk, str])
        eight = Pipeline(text_of, str.strip, str.strip, str.strip, str.strip, str.strip, str.strip, str.encode)
        assert_type(eight, Pipeline[TextChunk, bytes])
        assert_type(Pipeline(text_of, str.encode).run([TextChunk("a")]), list[bytes])

    async def flows(chunks: Chunks, items: AsyncIterator[str]) -> None:
        assert_type(chunks | filter(TextChunk), Flow[TextChunk])
        assert_type(chunks | tap(print) | filter(bool_of), Flow[Chunk])
        assert_type(chunks | filter(is_text) | text_of, Flow[str])
        assert_type(chunks | filter(TextChunk) | text_of | SplitLines, Flow[str])
        assert_type(chunks | filter(TextChunk) | text_of | map_async(embed, concurrency=2), Flow[list[float]])
        assert_type(Pipeline(str.strip, len).over(items), Flow[int])
        assert_type(Pipeline(str.strip, len).over(["a"]), Flow[int])
        async for chunk in chunks:
            assert_type(chunk, Chunk)
        async for batch in (chunks | filter(TextChunk)).batches():
            assert_type(batch, list[TextChunk])
        async with chunks | filter(TextChunk) | text_of as texts:
            assert_type(await texts.next_batch(), list[str] | None)
            await texts.for_each(print)

    def refused(chunks: Chunks) -> None:
        Pipeline(text_of, text_of)  # type: ignore[misc]  # a str is no chunk  # pyright: ignore[reportArgumentType]
