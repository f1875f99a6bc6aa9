"""What the fake model says to one request: frames of chunks, made as they are needed.

Invariants: the chunks are those a real model's stream has, in that order: start, reasoning, text, tool calls, finish,
usage; content frames are never empty; the token counts of the frames add up to the usage; the request's own token
limit holds and gives the finish reason `length`. Nothing is drawn before it is needed, so a reply that nobody reads to
its end costs only what was sent.

Cost: one chunk object and one short text a frame. Not here: bytes (`frames.py`), time (`streams.py`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec

from streamarena.providers.chunks import (
    Chunk,
    FinishChunk,
    FinishReason,
    ReasoningChunk,
    StartChunk,
    TextChunk,
    ThinkingCompleteChunk,
    ToolCallPartialChunk,
    UsageChunk,
)
from streamarena.testing.model_requests import ModelRequest, ToolSpecification
from streamarena.testing.words import split_tokens, tool_arguments, words

__all__ = ["ChunkFrame", "Reply"]

_DEFAULT_REASONING: Final = 16
_ANY_TOOL: Final = ToolSpecification(
    "get_weather", {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
)


class ChunkFrame(msgspec.Struct, frozen=True):
    """Chunks that are sent together, and how many tokens they carry; 0 tokens means no content."""

    chunks: tuple[Chunk, ...]
    tokens: int = 0


class Reply:
    """One reply, iterated once.

    Args:
        request: what was asked; its settings decide lengths and kinds.
        source: draws everything.
        response_id: the provider's id of the response.

    Attributes:
        output_tokens, reasoning_tokens: counted while the frames are made.
    """

    def __init__(self, request: ModelRequest, source: random.Random, response_id: str) -> None:
        self.request = request
        self.response_id = response_id
        self.output_tokens = self.reasoning_tokens = 0
        self._source = source
        self._cut = False

    def frames(self) -> Iterator[ChunkFrame]:
        """Yield the frames of the whole reply; the first is the start, the last the finish with the usage."""
        request = self.request
        # The input's count is known from the start, and Anthropic's stream reports it there.
        known = UsageChunk(input_tokens=request.input_tokens)
        yield ChunkFrame((StartChunk(id=self.response_id, model=request.model, role="assistant"), known))
        yield from self._reasoning()
        calls = self._calls()
        if not request.tool_forced:
            yield from self._text()
        for index, tool in enumerate(calls):
            yield from self._call(index, tool)
        yield ChunkFrame(self.ending(bool(calls)))

    def ending(self, called: bool) -> tuple[Chunk, ...]:
        """Return the finish and the usage; whether it is told is the encoder's setting."""
        reason: FinishReason = "length" if self._cut else "tool_calls" if called else "stop"
        finish = FinishChunk(reason)
        usage = UsageChunk(
            input_tokens=self.request.input_tokens,
            output_tokens=self.output_tokens,
            reasoning_tokens=self.reasoning_tokens or None,
        )
        return (finish, usage)

    def _reasoning(self) -> Iterator[ChunkFrame]:
        settings = self.request.settings
        wanted = int(settings.reasoning_tokens.sample(self._source)) or (
            _DEFAULT_REASONING if self.request.reasoning_wanted else 0
        )
        before = self.output_tokens
        for text, tokens in self._pieces(islice(words(self._source), wanted)):
            yield ChunkFrame((ReasoningChunk(text),), tokens)
        self.reasoning_tokens = self.output_tokens - before
        if self.reasoning_tokens:
            yield ChunkFrame((ThinkingCompleteChunk(signature=f"c2ln{self._source.getrandbits(64):016x}"),))

    def _text(self) -> Iterator[ChunkFrame]:
        settings = self.request.settings
        if settings.text is not None:
            tokens: Iterator[str] = iter(split_tokens(settings.text))
        else:
            tokens = islice(words(self._source), int(settings.tokens.sample(self._source)))
        for text, count in self._pieces(tokens):
            yield ChunkFrame((TextChunk(text),), count)

    def _calls(self) -> list[ToolSpecification]:
        request = self.request
        count = request.settings.tool_calls or (1 if request.tool_forced else 0)
        offered = request.tools or [_ANY_TOOL]
        return [offered[index % len(offered)] for index in range(count)]

    def _call(self, index: int, tool: ToolSpecification) -> Iterator[ChunkFrame]:
        call_id = f"call_{self._source.getrandbits(64):016x}"
        arguments = tool_arguments(tool.schema, self._source)
        self.output_tokens += 1
        yield ChunkFrame((ToolCallPartialChunk(index=index, id=call_id, name=tool.name),), 1)
        # Tokens of JSON are short; four characters stand for one. A call is never cut: half of one is of no use.
        for start in range(0, len(arguments), 4):
            self.output_tokens += 1
            yield ChunkFrame((ToolCallPartialChunk(index=index, arguments=arguments[start : start + 4]),), 1)

    def _pieces(self, tokens: Iterator[str]) -> Iterator[tuple[str, int]]:
        """Join tokens to the pieces that chunks carry, stopping at the request's limit."""
        limit, size = self.request.max_tokens, self.request.settings.tokens_per_chunk
        while True:
            wanted = max(1, round(size.sample(self._source)))
            room = wanted if limit is None else min(wanted, limit - self.output_tokens)
            piece = list(islice(tokens, room)) if room > 0 else []
            if not piece:
                self._cut = self._cut or (room <= 0 and next(tokens, None) is not None)
                return
            self.output_tokens += len(piece)
            yield "".join(piece), len(piece)
