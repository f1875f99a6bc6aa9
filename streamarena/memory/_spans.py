"""The choice between the compiled spans and the plain ones, made once. Type checkers always see the plain ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamarena import _native
from streamarena.memory._spans_py import Chunk, Span, SpanAllocator

__all__ = ["Chunk", "Span", "SpanAllocator"]

if not TYPE_CHECKING:
    _twin = _native.load(__name__)
    if _twin is not None:
        Chunk, Span, SpanAllocator = _twin.Chunk, _twin.Span, _twin.SpanAllocator
