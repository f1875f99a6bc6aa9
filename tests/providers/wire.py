"""Helpers of this room's tests: events without a parser, chunks as plain data, the text of what was decoded."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import msgspec

from streamarena.sse import ServerSentEvent, SSEParser

VECTORS = Path(__file__).parents[1] / "vectors" / "providers"


class PlainEvent(msgspec.Struct):
    """The least that a decoder needs of an event."""

    raw_data: bytes
    event: str = "message"


def event(data: Any, name: str = "message") -> PlainEvent:
    """Make an event from bytes, from text, or from a value that becomes JSON."""
    if isinstance(data, bytes):
        return PlainEvent(data, name)
    return PlainEvent(data.encode() if isinstance(data, str) else json.dumps(data).encode(), name)


def plain(chunks: Any) -> list[dict[str, Any]]:
    """Return chunks as `{"kind": ..., fields that are not at their default}`."""
    return [_plain(chunk) for chunk in chunks]


def _plain(chunk: Any) -> dict[str, Any]:
    fields = {}
    for field in msgspec.structs.fields(chunk):
        value = getattr(chunk, field.name)
        if field.required or value != field.default:
            fields[field.name] = json.loads(msgspec.json.encode(value))
    return {"kind": chunk.kind, **fields}


def vector_cases() -> list[tuple[str, dict[str, Any]]]:
    """Return (test id, case) of every vector file; a case carries its file's `api`."""
    cases = []
    for path in sorted(VECTORS.glob("*.json")):
        document = json.loads(path.read_text("utf-8"))
        cases += [(f"{path.stem}-{case['name']}", {"api": document["api"], **case}) for case in document["cases"]]
    return cases


def events_of(case: dict[str, Any]) -> list[PlainEvent]:
    """Return a case's events: each is a JSON value, a string of raw data, or {"event": name, "data": either}."""
    events = []
    for item in case["events"]:
        if isinstance(item, dict) and set(item) <= {"event", "data", "base64"} and ("data" in item or "base64" in item):
            data = base64.b64decode(item["base64"]) if "base64" in item else item["data"]
            events.append(event(data, item.get("event", "message")))
        else:
            events.append(event(item))
    return events


def sse_events(wire: bytes) -> list[ServerSentEvent]:
    """Return the events of a whole body."""
    parser = SSEParser()
    events = parser.feed(wire)
    parser.close()
    return events
