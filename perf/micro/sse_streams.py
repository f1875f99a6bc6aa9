"""Streams to be parsed: four shapes as providers send them, seeded, and the ways of cutting them into reads."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

PIECES = {"256 B": 256, "4 KiB": 4096, "64 KiB": 65536, "one event": 0}
"""How a stream is cut: bytes a read, or 0 for one event a read."""

WORDS = ("the", "stream", "of", "tokens", "caf\u00e9", "is", "read", "as", "it", "comes", "\u2014", "in", "parts", "\n")


def openai_chat(events: int, chance: random.Random) -> bytes:
    """About 230 bytes an event, one data line, LF."""
    return b"".join(
        b"data: %b\n\n"
        % _json(
            id="chatcmpl-9f2b1c7d4e5a6b8c9d0e",
            object="chat.completion.chunk",
            created=1763600000,
            model="gpt-4o-mini-2024-07-18",
            system_fingerprint="fp_0aa8d3e20b",
            choices=[{"index": 0, "delta": {"content": " " + chance.choice(WORDS)}, "finish_reason": None}],
        )
        for _ in range(events)
    )


def anthropic(events: int, chance: random.Random) -> bytes:
    """About 135 bytes an event, with its type on a line before."""
    return b"".join(
        b"event: content_block_delta\ndata: %b\n\n"
        % _json(type="content_block_delta", index=0, delta={"type": "text_delta", "text": " " + chance.choice(WORDS)})
        for _ in range(events)
    )


def gemini(events: int, chance: random.Random) -> bytes:
    """About 1,000 bytes an event, several words in each, CRLF."""
    return b"".join(
        b"data: %b\r\n\r\n"
        % _json(
            candidates=[
                {
                    "content": {"parts": [{"text": " ".join(chance.choices(WORDS, k=120))}], "role": "model"},
                    "index": 0,
                }
            ],
            usageMetadata={"promptTokenCount": 12, "candidatesTokenCount": 40, "totalTokenCount": 52},
            modelVersion="gemini-2.5-flash",
        )
        for _ in range(events)
    )


def bare_text(events: int, chance: random.Random) -> bytes:
    """A word an event and ids, as plain relays send it: about 25 bytes."""
    return b"".join(b"id: %d\ndata: %b\n\n" % (number, chance.choice(WORDS[:10]).encode()) for number in range(events))


SHAPES: dict[str, tuple[Callable[[int, random.Random], bytes], int]] = {
    "openai-chat": (openai_chat, 3000),
    "anthropic": (anthropic, 3000),
    "gemini": (gemini, 600),
    "bare text": (bare_text, 4000),
}
"""Each shape: who writes it, and how many events a measured stream has."""


def stream_of(shape: str) -> bytes:
    """Return the stream of a shape, the same in every run."""
    write, events = SHAPES[shape]
    return write(events, random.Random(shape))


def pieces_of(stream: bytes, size: int) -> list[bytes]:
    """Cut a stream into reads of `size` bytes, or, for 0, into its events."""
    if size:
        return [stream[start : start + size] for start in range(0, len(stream), size)]
    end = b"\r\n\r\n" if b"\r\n\r\n" in stream else b"\n\n"
    return [event + end for event in stream.split(end)[:-1]]


def _json(**fields: object) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
