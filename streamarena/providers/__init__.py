"""Events to chunks and back, one file for each wire API (floor 1, sans-IO)."""

from __future__ import annotations

from streamarena.providers.accumulator import Accumulator, FragmentArena
from streamarena.providers.assembly import ToolCallAssembler
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
from streamarena.providers.detection import detect_api
from streamarena.providers.dialects import DIALECTS, Dialect
from streamarena.providers.framing import Framer, LineFramer, framer_for, framing_of, last_events
from streamarena.providers.interfaces import NO_CHUNKS, Decoder, Encoder, Framing, WireEvent
from streamarena.providers.partial_json import PartialJSON
from streamarena.providers.registry import APIS, WIRES, decoder_for, encoder_for, wire_of
from streamarena.providers.replies import Block, Reply, ReplyChoice
from streamarena.providers.tags import Run, TagMatcher
from streamarena.providers.tools import ParsedCall, mcp_tool_name, parse_call, same_mcp_tool

__all__ = [
    "decoder_for",
    "encoder_for",
    "APIS",
    "WIRES",
    "wire_of",
    "detect_api",
    "framer_for",
    "framing_of",
    "last_events",
    "Framer",
    "LineFramer",
    "Accumulator",
    "FragmentArena",
    "ToolCallAssembler",
    "PartialJSON",
    "ParsedCall",
    "parse_call",
    "mcp_tool_name",
    "same_mcp_tool",
    "TagMatcher",
    "Run",
    "Reply",
    "ReplyChoice",
    "Block",
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
