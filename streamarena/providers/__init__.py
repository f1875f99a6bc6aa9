"""Events to chunks and back, one file for each wire API (floor 1, sans-IO)."""

from __future__ import annotations

from streamarena.providers.chunks import (
    Chunk,
    ChunkKind,
    ErrorChunk,
    FinishChunk,
    FinishReason,
    GroundingChunk,
    GroundingSource,
    ReasoningChunk,
    StartChunk,
    TextChunk,
    ThinkingCompleteChunk,
    ToolCallChunk,
    ToolCallDeltaChunk,
    ToolCallEndChunk,
    ToolCallPartialChunk,
    ToolCallStartChunk,
    UsageChunk,
)
from streamarena.providers.dialects import DIALECTS, Dialect
from streamarena.providers.interfaces import NO_CHUNKS, Decoder, Encoder, Framing, WireEvent
from streamarena.providers.registry import APIS, WIRES, decoder_for, encoder_for, wire_of

__all__ = [
    "decoder_for",
    "encoder_for",
    "APIS",
    "WIRES",
    "wire_of",
    "DIALECTS",
    "Dialect",
    "Decoder",
    "Encoder",
    "Framing",
    "WireEvent",
    "NO_CHUNKS",
    "Chunk",
    "ChunkKind",
    "ErrorChunk",
    "FinishChunk",
    "FinishReason",
    "GroundingChunk",
    "GroundingSource",
    "ReasoningChunk",
    "StartChunk",
    "TextChunk",
    "ThinkingCompleteChunk",
    "ToolCallChunk",
    "ToolCallDeltaChunk",
    "ToolCallEndChunk",
    "ToolCallPartialChunk",
    "ToolCallStartChunk",
    "UsageChunk",
]
