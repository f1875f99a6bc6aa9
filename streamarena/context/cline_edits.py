"""Cline's edits beside a history: repeated file contents replaced, notices put in, all of it revocable by time.

Behaviour of section 1.8 of the reference (Cline 3.59). When the previous request has filled the window, every file that
was read more than once keeps only its newest content; if that saves 30 % of the characters in range, nothing is dropped
this time. Otherwise a notice replaces the first assistant text and the deleted range grows.
Invariants: the history itself is never changed; an edit is a (time, text) of one block of one message, the newest one
shows, and rewinding to a time removes those after it.

Cost: texts are scanned only when the window is full, each once; scanning is linear.
Not here: the ranges and pairing (`cline.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import orjson

from streamarena.context._files import write_whole
from streamarena.context._javascript import utf16
from streamarena.context.cline import (
    FIRST_DROPPED,
    ClineWindow,
    DeletedRange,
    Keep,
    cline_messages,
    next_truncation_range,
)
from streamarena.context.messages import Block, Message, block_type, content_blocks
from streamarena.context.texts import Notices, notices
from streamarena.errors import ContextError

__all__ = ["ClineContextManager", "ClineRequest", "EditType", "FILE_BLOCK", "MIN_SAVED_SHARE", "TextEdit"]

MIN_SAVED_SHARE: Final = 0.3
FILE_BLOCK: Final = 1  # the block that holds a file's content: the one after the tool's description

_TOOL_HEAD: Final = re.compile(r"\[(\S+) for '([^']+)'\] Result:")
_ALTERING: Final = frozenset({"replace_in_file", "write_to_file"})


class EditType(IntEnum):
    """What kind of message an edit is in; the numbers are those of the stored form."""

    UNDEFINED = 0
    NO_FILE_READ = 1
    READ_FILE_TOOL = 2
    ALTER_FILE_TOOL = 3
    FILE_MENTION = 4


class TextEdit(msgspec.Struct, frozen=True):
    """A text that shows in place of a block's own from `time` on (milliseconds since the epoch).

    `replaced` and `mentioned` are the files whose content was replaced, and all files, of a block with file mentions.
    """

    time: float
    text: str
    replaced: tuple[str, ...] = ()
    mentioned: tuple[str, ...] = ()


class _MessageEdits(msgspec.Struct):
    kind: EditType
    blocks: dict[int, list[TextEdit]] = msgspec.field(default_factory=dict[int, list[TextEdit]])


class ClineRequest(msgspec.Struct, frozen=True):
    """What to send, and the range that is left out from now on.

    Attributes:
        messages: the request's messages. deleted: the range. truncated: whether it grew just now.
        saved_share: share of characters that replacing repeated files saved, where that was tried.
    """

    messages: list[Message]
    deleted: DeletedRange | None
    truncated: bool = False
    saved_share: float | None = None


class _Read(msgspec.Struct, frozen=True):
    """One place where a file's content stands."""

    index: int
    kind: EditType
    search: str
    replacement: str


class ClineContextManager:
    """The policy named `cline`: keeps the edits and the deleted range of one conversation.

    Args:
        deleted: the range left out until now.
        texts: the fixed texts; default: the catalogue's.
    """

    name = "cline"

    def __init__(self, deleted: DeletedRange | None = None, texts: Notices | None = None) -> None:
        self.deleted = deleted
        self._texts = texts or notices()
        self._edits: dict[int, _MessageEdits] = {}

    def prepare(
        self, messages: Sequence[Message], *, previous_total: float, window: ClineWindow, time: float
    ) -> ClineRequest:
        """Return what to send now (programmatic path), and drop or replace something where the window is full.

        Args:
            messages: the whole history.
            previous_total: tokens of the previous request: input, output and cache. 0 where there was none.
            window: the model's window.
            time: of the previous request, in milliseconds since the epoch; the edits made now carry it.
        """
        truncated, saved = False, None
        if previous_total >= window.max_allowed_size and previous_total:
            keep: Keep = "quarter" if previous_total / 2 > window.max_allowed_size else "half"
            updated = self._replace_repeated_files(messages, time)
            if updated:
                saved = self._saved_share(messages, updated)
            if saved is None or saved < MIN_SAVED_SHARE:
                self._note_truncation(time)
                self.deleted = next_truncation_range(messages, self.deleted, keep)
                truncated = True
        return ClineRequest(self.shown(messages), self.deleted, truncated, saved)

    def shown(self, messages: Sequence[Message]) -> list[Message]:
        """Return what is sent with the edits and the range as they are."""
        if len(messages) <= 1:
            return list(messages)
        edited = [self._edited(index, message) for index, message in enumerate(messages)] if self._edits else messages
        return cline_messages(edited, self.deleted, missing_text=self._texts.result_missing)

    def compact_first_message(self, messages: Sequence[Message], time: float) -> None:
        """Replace the first user message's text by a fixed one, as a summary does when it takes its place."""
        blocks = content_blocks(messages[0]) if messages else None
        if 0 not in self._edits and blocks and block_type(blocks[0]) == "text" and blocks[0].get("text"):
            edit = TextEdit(time, self._texts.first_message_compacted)
            self._edits[0] = _MessageEdits(EditType.UNDEFINED, {0: [edit]})
        self._note_truncation(time)

    def rewind(self, time: float) -> None:
        """Remove every edit made after a time, for a checkpoint that goes back to it."""
        for index, edits in list(self._edits.items()):
            for block, changes in list(edits.blocks.items()):
                kept = [change for change in changes if change.time <= time]
                if kept:
                    edits.blocks[block] = kept
                else:
                    del edits.blocks[block]
            if not edits.blocks:
                del self._edits[index]

    def save(self, path: Path) -> None:
        """Write the edits to a file in the reference's form; it appears whole or stays as it was."""
        write_whole(path, [orjson.dumps(self.stored())])

    def load(self, path: Path) -> None:
        """Take the edits from a file.

        Raises:
            ContextError: the file does not have the reference's form.
            OSError: it cannot be read.
        """
        try:
            self._edits = _restored(orjson.loads(path.read_bytes()))
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise ContextError(f"{path} does not hold edits of a history: {error}") from error

    def stored(self) -> list[Any]:
        """Return the edits in the reference's stored form: index, kind, and (time, kind, text, metadata) by block."""
        return [
            [
                index,
                [
                    int(edits.kind),
                    [
                        [block, [[e.time, "text", [e.text], _metadata(edits.kind, e)] for e in changes]]
                        for block, changes in edits.blocks.items()
                    ],
                ],
            ]
            for index, edits in self._edits.items()
        ]

    def _note_truncation(self, time: float) -> None:
        if 1 not in self._edits:
            edit = TextEdit(time, self._texts.history_truncated)
            self._edits[1] = _MessageEdits(EditType.UNDEFINED, {0: [edit]})

    def _edited(self, index: int, message: Message) -> Message:
        edits = self._edits.get(index)
        blocks = content_blocks(message)
        if edits is None or blocks is None:
            return message
        changed: list[Block] = list(blocks)
        for block, changes in edits.blocks.items():
            if block < len(changed) and block_type(changed[block]) == "text":
                changed[block] = {**changed[block], "text": changes[-1].text}
        return {**message, "content": changed}

    def _start(self) -> int:
        return self.deleted[1] + 1 if self.deleted is not None else FIRST_DROPPED

    def _replace_repeated_files(self, messages: Sequence[Message], time: float) -> set[int]:
        """Replace all but the newest content of every file; return the indices of the messages that changed."""
        reads: dict[str, list[_Read]] = {}
        mentioned: dict[int, tuple[str, ...]] = {}
        for index in range(self._start(), len(messages)):
            self._find_reads(index, messages[index], reads, mentioned)
        updated: set[int] = set()
        mentions: dict[int, tuple[str, tuple[str, ...]]] = {}
        for path, places in reads.items():
            for place in places[:-1]:
                updated.add(place.index)
                if place.kind is EditType.FILE_MENTION:
                    text, replaced = mentions.get(place.index) or self._mention_text(place.index, messages)
                    text = text.replace(place.search, place.replacement, 1)
                    mentions[place.index] = text, (*replaced, path)
                else:
                    edits = self._edits.setdefault(place.index, _MessageEdits(place.kind))
                    edits.blocks.setdefault(FILE_BLOCK, []).append(TextEdit(time, place.replacement))
        for index, (text, replaced) in mentions.items():
            edits = self._edits.setdefault(index, _MessageEdits(EditType.FILE_MENTION))
            edits.blocks.setdefault(FILE_BLOCK, []).append(TextEdit(time, text, replaced, mentioned[index]))
        return updated

    def _find_reads(
        self, index: int, message: Message, reads: dict[str, list[_Read]], mentioned: dict[int, tuple[str, ...]]
    ) -> None:
        done: tuple[str, ...] = ()
        edits = self._edits.get(index)
        if edits is not None:
            changes = edits.blocks.get(FILE_BLOCK)
            if edits.kind is not EditType.FILE_MENTION:
                return
            if changes:
                if len(changes[-1].replaced) == len(changes[-1].mentioned):
                    return
                done = changes[-1].replaced
        blocks = content_blocks(message)
        if message.get("role") != "user" or not blocks or block_type(blocks[0]) != "text":
            return
        second = _text(blocks[FILE_BLOCK]) if len(blocks) > FILE_BLOCK else None
        head = _TOOL_HEAD.fullmatch(_text(blocks[0]) or "")
        if head is not None and head[1] == "read_file":
            read = _Read(index, EditType.READ_FILE_TOOL, "", self._texts.duplicate_file_read)
            reads.setdefault(head[2], []).append(read)
        elif head is not None and head[1] in _ALTERING and second is not None:
            replaced = _without_final_content(second, self._texts.duplicate_file_read)
            if replaced is not None:
                read = _Read(index, EditType.ALTER_FILE_TOOL, "", replaced)
                reads.setdefault(head[2], []).append(read)
        elif second is not None:
            paths: list[str] = []
            for path, whole in _mentions(second):
                paths.append(path)
                if path not in done:
                    text = f'<file_content path="{path}">{self._texts.duplicate_file_read}</file_content>'
                    reads.setdefault(path, []).append(_Read(index, EditType.FILE_MENTION, whole, text))
            if paths:
                mentioned[index] = tuple(paths)

    def _mention_text(self, index: int, messages: Sequence[Message]) -> tuple[str, tuple[str, ...]]:
        edits = self._edits.get(index)
        if edits is not None and edits.blocks.get(FILE_BLOCK):
            last = edits.blocks[FILE_BLOCK][-1]
            return last.text, last.replaced
        blocks = content_blocks(messages[index]) or ()
        return "".join(_text(block) or "" for block in blocks[FILE_BLOCK : FILE_BLOCK + 1]), ()

    def _saved_share(self, messages: Sequence[Message], updated: set[int]) -> float:
        total = saved = 0
        for index in (*range(min(FIRST_DROPPED, len(messages))), *range(self._start(), len(messages))):
            for position, block in enumerate(content_blocks(messages[index]) or ()):
                size, less = self._block_size(index, position, block, updated)
                total += size
                saved += less
        return saved / total if total else 0.0

    def _block_size(self, index: int, position: int, block: Block, updated: set[int]) -> tuple[int, int]:
        """Return the characters of a block before the edits of this round, and how many those save."""
        if block_type(block) == "image":
            source: Mapping[str, Any] = block.get("source") or {}
            return (len(source.get("data") or "") if source.get("type") == "base64" else 0), 0
        own = _text(block)
        if not own:
            return 0, 0
        edits = self._edits.get(index)
        changes = edits.blocks.get(position) if edits is not None else None
        if not changes:
            return _size(own), 0
        now = _size(changes[-1].text)
        if index not in updated:
            return now, 0
        before = _size(changes[-2].text) if len(changes) > 1 else _size(own)
        return before, before - now


def _text(block: Block) -> str | None:
    return str(block.get("text") or "") if block_type(block) == "text" else None


def _size(text: str) -> int:
    return len(utf16(text))


def _metadata(kind: EditType, edit: TextEdit) -> list[list[str]]:
    return [list(edit.replaced), list(edit.mentioned)] if kind is EditType.FILE_MENTION else []


def _restored(stored: Any) -> dict[int, _MessageEdits]:  # noqa: ANN401 - JSON of a file, checked by unpacking
    edits: dict[int, _MessageEdits] = {}
    for index, (kind, blocks) in cast("list[Any]", stored):
        edits[int(index)] = _MessageEdits(
            EditType(kind),
            {
                int(block): [
                    TextEdit(time, content[0], *(tuple(names) for names in metadata[:2]))
                    for time, _, content, metadata in changes
                ]
                for block, changes in blocks
            },
        )
    return edits


def _mentions(text: str) -> list[tuple[str, str]]:
    """Return (path, whole element) of every file content in a text; linear."""
    found: list[tuple[str, str]] = []
    opening, closing = '<file_content path="', "</file_content>"
    start = text.find(opening)
    while start >= 0:
        quote = text.find('"', start + len(opening))
        if quote < 0:
            break
        if text[quote + 1 : quote + 2] != ">":
            start = text.find(opening, start + 1)
            continue
        end = text.find(closing, quote + 2)
        if end < 0:
            break
        end += len(closing)
        found.append((text[start + len(opening) : quote], text[start:end]))
        start = text.find(opening, end)
    return found


def _without_final_content(text: str, notice: str) -> str | None:
    """Return a tool's report with the altered file's content replaced; None where there is none in it."""
    opening, closing = '<final_file_content path="', "</final_file_content>"
    start = text.find(opening)
    head_end = text.find('">', start + len(opening)) if start >= 0 else -1
    end = text.find(closing, head_end + 2) if head_end >= 0 else -1
    if end < 0:
        return None
    return f"{text[: head_end + 2]} {notice} {text[end:]}"
