"""A whole reply as plain data.

Invariants: blocks stand in the order in which they began; every text is whole; nothing ever changes.
Not here: collecting chunks (`accumulator.py`), the forms that the APIs give a reply (`messages.py`).
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

from streamarena.providers.chunks import (
    ErrorChunk,
    FinishChunk,
    FinishReason,
    GroundingSource,
    ToolCallChunk,
    UsageChunk,
)

__all__ = ["Block", "BlockKind", "Reply", "ReplyChoice"]

BlockKind: TypeAlias = Literal["text", "refusal", "reasoning", "redacted_reasoning", "tool_call"]


class Block(msgspec.Struct, frozen=True, gc=False):
    """One block of a reply.

    Attributes:
        kind: what it is; a `redacted_reasoning` has nothing but its signature.
        text: the text, the reasoning, or a tool call's arguments as JSON text.
        id, name: of a tool call.
        signature: of reasoning.
    """

    kind: BlockKind
    text: str = ""
    id: str = ""
    name: str = ""
    signature: str | None = None


class ReplyChoice(msgspec.Struct, frozen=True):
    """One of the answers that were asked for."""

    index: int
    blocks: tuple[Block, ...]
    finish: FinishChunk | None = None

    def joined(self, kind: BlockKind) -> str:
        """Return the text of all blocks of a kind."""
        return "".join(block.text for block in self.blocks if block.kind == kind)

    @property
    def tool_calls(self) -> tuple[ToolCallChunk, ...]:
        """The calls, numbered from 0 in the order in which they began."""
        calls = [block for block in self.blocks if block.kind == "tool_call"]
        return tuple(ToolCallChunk(b.id, b.name, b.text, number, self.index) for number, b in enumerate(calls))


class Reply(msgspec.Struct, frozen=True):
    """All that a stream brought.

    Attributes:
        choices: by index; one for most wires, none if nothing came.
        usage: the last snapshot; None if the provider gave none.
        error: what ended the stream, if it was the provider's error.
    """

    id: str | None = None
    model: str | None = None
    choices: tuple[ReplyChoice, ...] = ()
    usage: UsageChunk | None = None
    sources: tuple[GroundingSource, ...] = ()
    error: ErrorChunk | None = None

    @property
    def text(self) -> str:
        """The answer of the first choice: its text and, should there be one, its refusal."""
        return "".join(block.text for block in self._first.blocks if block.kind in ("text", "refusal"))

    @property
    def reasoning(self) -> str:
        """The reasoning of the first choice."""
        return self._first.joined("reasoning")

    @property
    def tool_calls(self) -> tuple[ToolCallChunk, ...]:
        """The tool calls of the first choice."""
        return self._first.tool_calls

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why the first choice ended; None if it was cut."""
        return self._first.finish.reason if self._first.finish else None

    @property
    def _first(self) -> ReplyChoice:
        return self.choices[0] if self.choices else _NO_CHOICE


_NO_CHOICE: Final = ReplyChoice(0, ())
