"""A conversation that grows: append, replace, rewind, snapshots without copying, token totals kept up to date.

Invariants: messages are never changed, only replaced; a snapshot never sees what happens after it; the token total is
the sum of the counts of the messages, each counted once; a history has a limit on its length.
Structure: full chunks of 1,024 messages are tuples and shared by every snapshot, the open tail is copy-on-write.

Cost: append 0.3 us; snapshot 1 us and one pointer for each thousand messages; the first append after a snapshot copies
at most 1,023 pointers; replacing copies one chunk; the total counts only what is new. Saving and loading are linear.
Not here: thread safety (a history belongs to one task), and what to send (`trimming.py`, `native.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Self, cast, overload

from streamarena.context._files import write_whole
from streamarena.context._json import exact_json
from streamarena.context.messages import Message
from streamarena.context.usage import context_tokens
from streamarena.errors import ContextError, HistoryTooLongError
from streamarena.memory import CopyOnWrite

__all__ = ["CHUNK_MESSAGES", "HistorySnapshot", "MAX_MESSAGES", "MessageHistory"]

CHUNK_MESSAGES: Final = 1024
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
MAX_MESSAGES: Final = 1_000_000


class HistorySnapshot(Sequence[Message]):
    """A history as it was at one moment; reads like a list. Release it, or use it in a `with`, to spare a later copy.

    Attributes:
        tokens: the total at that moment; None where the history has no counter.
    """

    __slots__ = ("_chunks", "_tail", "tokens")

    def __init__(self, chunks: list[tuple[Message, ...]], tail: CopyOnWrite[list[Message]], tokens: int | None) -> None:
        self._chunks = chunks
        self._tail = tail
        self.tokens = tokens

    def __len__(self) -> int:
        return len(self._chunks) * CHUNK_MESSAGES + len(self._tail.value)

    @overload
    def __getitem__(self, index: int) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> list[Message]: ...
    def __getitem__(self, index: int | slice) -> Message | list[Message]:
        return _item(self._chunks, self._tail.value, index)

    def __iter__(self) -> Iterator[Message]:
        return _walk(self._chunks, self._tail.value)

    def release(self) -> None:
        """Give the snapshot up: it cannot be read afterwards, and the history's next write copies nothing for it."""
        self._tail.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class MessageHistory(Sequence[Message]):
    """The messages of one conversation.

    Args:
        messages: the first messages.
        counter: tokens of one message; needed for `tokens` and `tokens_at`.
        max_messages: the limit, default 1,000,000.
        ui_messages: the user-interface store that belongs to it, for `context_tokens`.
    """

    def __init__(
        self,
        messages: Iterable[Message] = (),
        *,
        counter: Callable[[Message], int] | None = None,
        max_messages: int = MAX_MESSAGES,
        ui_messages: list[Message] | None = None,
    ) -> None:
        self.counter = counter
        self.max_messages = max_messages
        self.ui_messages: list[Message] = [] if ui_messages is None else ui_messages
        self._chunks: list[tuple[Message, ...]] = []
        self._tail = _tail_of([])
        self._counts: list[int | None] = []
        self._uncounted: list[int] = []
        self._total = 0
        self.extend(messages)

    def __len__(self) -> int:
        return len(self._counts)

    @overload
    def __getitem__(self, index: int) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> list[Message]: ...
    def __getitem__(self, index: int | slice) -> Message | list[Message]:
        return _item(self._chunks, self._tail.value, index)

    def __iter__(self) -> Iterator[Message]:
        return _walk(self._chunks, self._tail.value)

    def append(self, message: Message) -> None:
        """Add a message at the end.

        Raises:
            HistoryTooLongError: the history is at its limit; it stays as it is.
        """
        size = len(self._counts)
        if size >= self.max_messages:
            raise HistoryTooLongError(self.max_messages, size + 1, "MessageHistory(max_messages=...)")
        tail = self._tail.edit()
        tail.append(message)
        self._counts.append(None)
        self._uncounted.append(size)
        if len(tail) == CHUNK_MESSAGES:
            self._chunks.append(tuple(tail))
            self._tail.release()
            self._tail = _tail_of([])

    def extend(self, messages: Iterable[Message]) -> None:
        """Add messages at the end, one after the other."""
        for message in messages:
            self.append(message)

    def replace(self, index: int, message: Message) -> None:
        """Put another message in one's place.

        Raises:
            IndexError: there is no message at `index`; negative indices count from the end.
        """
        index = self._position(index)
        chunk, offset = divmod(index, CHUNK_MESSAGES)
        if chunk < len(self._chunks):
            old = self._chunks[chunk]
            self._chunks[chunk] = (*old[:offset], message, *old[offset + 1 :])
        else:
            self._tail.edit()[offset] = message
        counted = self._counts[index]
        if counted is not None:
            self._total -= counted
            self._counts[index] = None
            self._uncounted.append(index)

    def replace_all(self, messages: Sequence[Message]) -> None:
        """Take over another list, such as a policy's result; messages that are the same objects keep their counts."""
        counts = {id(message): count for message, count in zip(self, self._counts, strict=True) if count is not None}
        kept = list(self)  # keeps the objects alive while their ids are compared
        self.rewind(0)
        for message in messages:
            self.append(message)
            count = counts.get(id(message))
            if count is not None:
                self._counts[-1] = count
                self._uncounted.pop()
                self._total += count
        del kept

    def rewind(self, length: int) -> None:
        """Forget everything after the first `length` messages; clean up tags yourself (`cleanup_after_truncation`)."""
        length = max(0, min(length, len(self)))
        whole, rest = divmod(length, CHUNK_MESSAGES)
        tail = self._chunks[whole] if whole < len(self._chunks) else self._tail.value
        fresh = _tail_of(list(tail[:rest]))
        self._tail.release()
        self._tail = fresh
        del self._chunks[whole:]
        self._total -= sum(count for count in self._counts[length:] if count is not None)
        del self._counts[length:]
        self._uncounted = [index for index in self._uncounted if index < length]

    def snapshot(self) -> HistorySnapshot:
        """Return the history as it is now, without copying messages."""
        return HistorySnapshot([*self._chunks], self._tail.share(), None if self.counter is None else self.tokens)

    @property
    def tokens(self) -> int:
        """The tokens of all messages; counts those that are new.

        Raises:
            ContextError: the history has no counter.
        """
        for index in self._uncounted:
            if self._counts[index] is None:
                count = self._counts[index] = self._counter()(self[index])
                self._total += count
        self._uncounted.clear()
        return self._total

    def tokens_at(self, index: int) -> int:
        """Return the tokens of one message, counted once.

        Raises:
            ContextError: the history has no counter.
            IndexError: there is no message at that index.
        """
        index = self._position(index)
        known = self._counts[index]
        if known is None:
            known = self._counts[index] = self._counter()(self[index])
            self._total += known
        return known

    def counted(self) -> Callable[[Message], int]:
        """Return a counter that answers from this history's counts and counts other messages itself.

        For `trim_messages(history, counter=history.counted())`; valid until the history changes.
        """
        _ = self.tokens
        counts = {id(message): count for message, count in zip(self, self._counts, strict=True)}
        count_new = self._counter()

        def count(message: Message) -> int:
            known = counts.get(id(message))
            return count_new(message) if known is None else known

        return count

    def context_tokens(self, *, classic: bool = False) -> float:
        """Return the context's size at the last request, by the user-interface store (section 1.4)."""
        return context_tokens(self.ui_messages, generation="classic" if classic else "native")

    def save(self, path: Path) -> None:
        """Write the history as JSON lines; the file appears whole or stays as it was.

        A file that is replaced keeps its permissions, a new one is the user's alone.

        Raises:
            ContextError: a message holds what JSON cannot: NaN, infinity, an integer of thousands of digits, an object.
            OSError: the file cannot be written.
        """
        write_whole(path, (_line(index, message) for index, message in enumerate(self)))

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        counter: Callable[[Message], int] | None = None,
        max_messages: int = MAX_MESSAGES,
        recover: bool = False,
    ) -> MessageHistory:
        """Read a history from JSON lines.

        Args:
            path: the file.
            counter: as for the class.
            max_messages: as for the class.
            recover: leave out a last line that is not whole, instead of refusing the file.

        Raises:
            ContextError: a line is not a JSON object; the message names it.
            HistoryTooLongError: there are more lines than `max_messages`.
            OSError: the file cannot be read.
        """
        history = cls(counter=counter, max_messages=max_messages)
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                message = _parsed(line)
                if message is not None:
                    history.append(message)
                elif not (recover and not line.endswith(b"\n")):
                    raise ContextError(f"{path}: line {number} is not a JSON object")
        return history

    def _position(self, index: int) -> int:
        size = len(self._counts)
        if not -size <= index < size:
            raise IndexError(f"there is no message {index} in a history of {size}")
        return index % size

    def _counter(self) -> Callable[[Message], int]:
        if self.counter is None:
            raise ContextError("this history has no counter; give one with MessageHistory(counter=...)")
        return self.counter


def _tail_of(messages: list[Message]) -> CopyOnWrite[list[Message]]:
    return CopyOnWrite(messages, copy=list[Message].copy)


def _item(chunks: list[tuple[Message, ...]], tail: list[Message], index: int | slice) -> Message | list[Message]:
    size = len(chunks) * CHUNK_MESSAGES + len(tail)
    if isinstance(index, slice):
        return [_at(chunks, tail, position) for position in range(*index.indices(size))]
    if not -size <= index < size:
        raise IndexError(f"there is no message {index} in a history of {size}")
    return _at(chunks, tail, index % size)


def _at(chunks: list[tuple[Message, ...]], tail: list[Message], position: int) -> Message:
    chunk, offset = divmod(position, CHUNK_MESSAGES)
    return chunks[chunk][offset] if chunk < len(chunks) else tail[offset]


def _walk(chunks: list[tuple[Message, ...]], tail: list[Message]) -> Iterator[Message]:
    for chunk in chunks:
        yield from chunk
    yield from tail


def _line(index: int, message: Message) -> bytes:
    # The standard library's writer, because orjson turns NaN into null and has no integers beyond 64 bits.
    try:
        text = json.dumps(dict(message), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        if _LONE_SURROGATE.search(text):  # JSON can escape one, UTF-8 cannot hold it
            text = json.dumps(dict(message), separators=(",", ":"))
        return f"{text}\n".encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ContextError(f"message {index} cannot be saved: {error}") from error


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        value = exact_json(line)
    except ValueError:
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None
