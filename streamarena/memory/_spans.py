"""The choice between the compiled spans and the plain ones, made once. Type checkers always see the plain ones."""

from __future__ import annotations

from streamarena.memory._spans_py import Chunk, Span, SpanAllocator

__all__ = ["IMPLEMENTATION", "Chunk", "Span", "SpanAllocator"]

IMPLEMENTATION = "py"
