"""Read by mypy and pyright, never run: narrowing a chunk by its class gives its fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

from streamarena.providers.chunks import Chunk, TextChunk, UsageChunk

if TYPE_CHECKING:

    def text_of(chunk: Chunk) -> str:
        if isinstance(chunk, TextChunk):
            assert_type(chunk.text, str)
            return chunk.text
        if isinstance(chunk, UsageChunk):
            assert_type(chunk.cache_read_tokens, int | None)
        return ""
