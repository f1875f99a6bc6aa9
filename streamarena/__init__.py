"""LLM token streams in asyncio: a request is a scope, and bytes are borrowed.

The names below are imported when they are first used (PEP 562), so that `import streamarena` loads none of the rooms
behind them. Rooms can be imported by themselves: `streamarena.sse`, `streamarena.memory`, `streamarena.context`, ...
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from streamarena.client import ChunkStream, Limits, StreamClient, StreamResult, Timeouts
    from streamarena.errors import StreamArenaError
    from streamarena.memory import Arena, current_arena, request_scope
    from streamarena.pipeline import Flow, Pipeline, filter, flat_map, map, map_async, tap
    from streamarena.providers import Chunk, decoder_for, encoder_for
    from streamarena.sse import ServerSentEvent, SSEParser, encode_event

__all__ = [
    "StreamClient",
    "ChunkStream",
    "StreamResult",
    "Timeouts",
    "Limits",
    "Pipeline",
    "Flow",
    "map",
    "flat_map",
    "filter",
    "map_async",
    "tap",
    "request_scope",
    "current_arena",
    "Arena",
    "SSEParser",
    "ServerSentEvent",
    "encode_event",
    "Chunk",
    "decoder_for",
    "encoder_for",
    "StreamArenaError",
]

_ROOMS: Final[dict[str, tuple[str, ...]]] = {
    "client": ("StreamClient", "ChunkStream", "StreamResult", "Timeouts", "Limits"),
    "pipeline": ("Pipeline", "Flow", "map", "flat_map", "filter", "map_async", "tap"),
    "memory": ("request_scope", "current_arena", "Arena"),
    "sse": ("SSEParser", "ServerSentEvent", "encode_event"),
    "providers": ("Chunk", "decoder_for", "encoder_for"),
    "errors": ("StreamArenaError",),
}
_ROOM_OF: Final = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> object:
    room = _ROOM_OF.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{room}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
