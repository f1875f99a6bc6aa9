"""Chunks of one stream, put together to the reply, in the request's arena.

Invariants: linear in the length of the reply, however it was cut; blocks keep the order in which they began; a fragment
is copied once into the arena and once out of it. Without an arena the fragments are kept in lists of its own.
Costs a list append a chunk; one allocation in the arena for all that one batch brought to a block.
Limits: `max_bytes`, with `BodyTooLargeError`; what was collected before stays readable.
Not here: parsing tool arguments (`partial_json.py`, `tools.py`); the APIs' forms of a reply (`messages.py`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final, Protocol, SupportsBytes

from streamarena.errors import BodyTooLargeError
from streamarena.providers.calls import CallFragment, CallNumbers
from streamarena.providers.chunks import (
    Chunk,
    ErrorChunk,
    FinishChunk,
    GroundingChunk,
    GroundingSource,
    ReasoningChunk,
    StartChunk,
    TextChunk,
    ThinkingCompleteChunk,
    ToolCallEndChunk,
    UsageChunk,
)
from streamarena.providers.registry import wire_of
from streamarena.providers.replies import Block, BlockKind, Reply, ReplyChoice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Accumulator", "DEFAULT_MAX_BYTES", "FragmentArena"]

DEFAULT_MAX_BYTES: Final = 64 * 2**20
_BLOCK_BYTES: Final = 256  # what an empty block costs, so that a million of them also meet the limit


class FragmentArena(Protocol):
    """What an accumulator needs of an arena; `streamarena.memory.Arena` has it."""

    def alloc_bytes(self, data: bytes, /) -> SupportsBytes:
        """Copy bytes into the arena and return what gives them back."""
        ...


class Accumulator:
    """Collect chunks; `reply()` and `message()` may be asked at any time, also after a cut.

    Args:
        api: the API whose form `message` gives; any name that `decoder_for` takes.
        arena: where fragments are kept. It may also be set as the attribute `arena` before the first chunk; the reply
            must be read before that scope ends.
        max_bytes: characters, and 256 for each block, that one reply may have.
        share: returns the one str that stands for a text everywhere, such as `StringInterner.text`. What every reply
            repeats goes through it: the model's name, the names of tools, the provider's word for the end.
    """

    def __init__(
        self,
        api: str = "openai-chat",
        *,
        arena: FragmentArena | None = None,
        max_bytes: int = DEFAULT_MAX_BYTES,
        share: Callable[[str], str] = str,
    ) -> None:
        self.api = api
        self.max_bytes = max_bytes
        self._share = share
        self._wire = wire_of(api)
        self.reset(arena)

    def reset(self, arena: FragmentArena | None = None) -> None:
        """Forget the reply and take a new arena, or none."""
        self.arena = arena
        self._id: str | None = None
        self._model: str | None = None
        self._usage: UsageChunk | None = None
        self._error: ErrorChunk | None = None
        self._sources: list[GroundingSource] = []
        self._choices: dict[int, _Choice] = {}
        self._calls = CallNumbers()
        self._touched: list[_OpenBlock] = []
        self._size = 0

    def add(self, chunk: Chunk) -> None:
        """Take one chunk; `extend` is cheaper for many."""
        self.extend((chunk,))

    def extend(self, chunks: Iterable[Chunk]) -> None:
        """Take what one read brought.

        Raises:
            BodyTooLargeError: the reply is longer than `max_bytes`.
            ScopeClosedError, QuotaExceededError: from the arena.
        """
        for chunk in chunks:
            if isinstance(chunk, TextChunk):
                self._append("refusal" if chunk.refusal else "text", chunk.index, chunk.text)
            else:
                self._take(chunk)
        touched = self._touched
        if touched:
            self._touched = []
            for block in touched:
                self._size += block.keep(self.arena)
        if self._size > self.max_bytes:
            raise BodyTooLargeError(self.max_bytes, self._size, "Accumulator(max_bytes=...)")

    def reply(self) -> Reply:
        """Return all that has come so far."""
        choices = (
            ReplyChoice(index, tuple(block.whole() for block in choice.blocks), choice.finish)
            for index, choice in sorted(self._choices.items())
        )
        return Reply(self._id, self._model, tuple(choices), self._usage, tuple(self._sources), self._error)

    def message(self, api: str | None = None, *, created: int = 0) -> dict[str, Any]:
        """Return the reply as the API would have given it without streaming, ready for JSON.

        Args:
            api: another API than the accumulator's own.
            created: seconds since 1970, for the APIs that say when.

        Raises:
            ConfigurationError: no API has this name.
        """
        # Imported here, because the forms need every encoder, and a process should pay only for the wires it speaks.
        forms = importlib.import_module("streamarena.providers.messages").MESSAGES
        message: dict[str, Any] = forms[self._wire if api is None else wire_of(api)](self.reply(), created)
        return message

    # ------------------------------------------------------------ chunks

    def _take(self, chunk: Chunk) -> None:
        match chunk:
            case ReasoningChunk():
                block = self._append("reasoning", chunk.index, chunk.text)
                block.signature = chunk.signature or block.signature
            case UsageChunk():
                self._usage = chunk
            case FinishChunk():
                self._choice(chunk.index).finish = self._shared(chunk)
            case StartChunk():
                self._id = chunk.id or self._id
                if chunk.model:
                    self._model = self._share(chunk.model)
            case ThinkingCompleteChunk():
                self._sign(chunk)
            case GroundingChunk():
                self._sources.extend(chunk.sources)
                self._size += sum(_BLOCK_BYTES + len(source.snippet or "") for source in chunk.sources)
            case ErrorChunk():
                self._error = chunk
            case ToolCallEndChunk() | TextChunk():
                pass  # a call's end adds nothing; texts went the short way
            case _:
                self._call(self._calls.fragment(chunk))

    def _append(self, kind: BlockKind, index: int, text: str) -> _OpenBlock:
        choice = self._choices.get(index) or self._choice(index)
        block = choice.current
        if block is None or block.kind != kind:
            block = self._begin(choice, kind)
        self._add_to(block, text)
        return block

    def _call(self, fragment: CallFragment) -> None:
        choice = self._choice(fragment.choice)
        block = choice.calls.get(fragment.number)
        if block is None:
            block = choice.calls[fragment.number] = self._begin(choice, "tool_call")
        block.id = block.id or fragment.id or ""
        if fragment.name and not block.name:
            block.name = self._share(fragment.name)
        if fragment.arguments:
            self._add_to(block, fragment.arguments)

    def _shared(self, chunk: FinishChunk) -> FinishChunk:
        """Return the same end of a choice, with the provider's word for it shared."""
        if chunk.raw_reason is None:
            return chunk
        return FinishChunk(chunk.reason, self._share(chunk.raw_reason), chunk.index, chunk.stop_sequence)

    def _sign(self, chunk: ThinkingCompleteChunk) -> None:
        choice = self._choice(0)
        block = choice.current
        if chunk.redacted or block is None or block.kind != "reasoning":
            block = self._begin(choice, "redacted_reasoning" if chunk.redacted else "reasoning")
        block.signature = chunk.signature
        self._size += len(chunk.signature)
        choice.current = None  # what follows is another block

    def _choice(self, index: int) -> _Choice:
        choice = self._choices.get(index)
        if choice is None:
            self._size += _BLOCK_BYTES
            choice = self._choices[index] = _Choice()
        return choice

    def _begin(self, choice: _Choice, kind: BlockKind) -> _OpenBlock:
        self._size += _BLOCK_BYTES
        block = choice.current = _OpenBlock(kind)
        choice.blocks.append(block)
        return block

    def _add_to(self, block: _OpenBlock, text: str) -> None:
        if not block.pending:
            self._touched.append(block)
        block.pending.append(text)


class _Choice:
    """The blocks of one choice; `current` is the one that more text of its kind belongs to."""

    __slots__ = ("blocks", "calls", "current", "finish")

    def __init__(self) -> None:
        self.blocks: list[_OpenBlock] = []
        self.calls: dict[int, _OpenBlock] = {}
        self.current: _OpenBlock | None = None
        self.finish: FinishChunk | None = None


class _OpenBlock:
    """A block that may still grow: what this batch brought, and what was kept before, in the arena or here."""

    __slots__ = ("id", "kept", "kind", "name", "pending", "signature", "spans")

    def __init__(self, kind: BlockKind) -> None:
        self.kind: BlockKind = kind
        self.id = self.name = ""
        self.signature: str | None = None
        self.pending: list[str] = []
        self.kept: list[str] = []
        self.spans: list[SupportsBytes] = []

    def keep(self, arena: FragmentArena | None) -> int:
        """Move what is pending to where it stays; return its characters."""
        text = self.pending[0] if len(self.pending) == 1 else "".join(self.pending)
        self.pending = []
        if arena is None:
            self.kept.append(text)
        else:
            # Text from a tolerant reader of someone else's may hold half a pair; it must come back as it was.
            self.spans.append(arena.alloc_bytes(text.encode("utf-8", "surrogatepass")))
        return len(text)

    def whole(self) -> Block:
        text = "".join(self.kept)
        if self.spans:
            text = b"".join(map(bytes, self.spans)).decode("utf-8", "surrogatepass") + text
        return Block(self.kind, text, self.id, self.name, self.signature)
