"""Streams of every wire API for the relay's tests, made by our own encoders."""

from __future__ import annotations

from itertools import pairwise

from streamarena.providers import FinishChunk, StartChunk, TextChunk, UsageChunk, encoder_for

APIS = ("openai-chat", "openai-responses", "anthropic", "gemini", "ollama")
TEXTS = ("Hello", " wor", "ld", ", how are", " you?")


def stream_of(api: str, texts: tuple[str, ...] = TEXTS) -> list[bytes]:
    """A whole stream in pieces: what each step of the answer adds to the body."""
    encoder = encoder_for(api, model="m-1")
    steps = [
        [StartChunk("id-1", "m-1", "assistant")],
        *([TextChunk(text)] for text in texts),
        [FinishChunk("stop", "stop"), UsageChunk(7, len(texts))],
    ]
    pieces = [encoder.encode(step) for step in steps] + [encoder.finish()]
    return [piece for piece in pieces if piece]


def content_type(api: str) -> str:
    """The header that belongs to a wire."""
    return encoder_for(api).content_type


def cut(body: bytes, places: list[int]) -> list[bytes]:
    """Cut a body at these places."""
    bounds = [0, *sorted({place % (len(body) + 1) for place in places}), len(body)]
    return [body[start:end] for start, end in pairwise(bounds)]
