"""Server-sent events: bytes to events and back (floor 1, sans-IO)."""

from __future__ import annotations

from streamarena.sse._counters import ParserCounters
from streamarena.sse.encoding import encode_comment, encode_event
from streamarena.sse.parser import ServerSentEvent, SSEParser

__all__ = ["ParserCounters", "SSEParser", "ServerSentEvent", "encode_comment", "encode_event"]
