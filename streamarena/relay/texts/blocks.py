"""A streamed body cut into raw blocks, the bytes of each event as they came: what is not changed stays as it is.

Invariants: the blocks joined are the bytes that were fed, whatever the cuts; a block of server-sent events ends with
its blank line, one of NDJSON with its line end; only an unfinished block is kept, and at most `max_bytes` of it.
Cost: one search; a copy for each block. Not here: what an event means (`streamarena.sse`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from streamarena.errors import EventTooLargeError

__all__ = ["Block", "BlockSplitter", "read_block", "with_data"]

# CR, LF and CRLF end a line (WHATWG HTML, 9.2.6). A CR at the end of a piece is taken as a line end; the LF that may
# follow begins the next block, where a blank line says nothing.
_BLANK_LINE: Final = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")
_DATA_LINE: Final = re.compile(rb"(?:\A|(?<=[\r\n])|(?<=\A\xef\xbb\xbf))data(?:: ?([^\r\n]*))?(?=[\r\n]|\Z)")
_NAME_LINE: Final = re.compile(rb"(?:\A|(?<=[\r\n]))event: ?([^\r\n]*)")


class BlockSplitter:
    """Cuts one body.

    Args:
        lines: whether each line is a block (NDJSON), instead of each event.
        max_bytes: the most bytes of one block.
        setting: what raises that limit, for the error.
    """

    __slots__ = ("_held", "_lines", "_max", "_setting")

    def __init__(self, *, lines: bool, max_bytes: int, setting: str) -> None:
        self._lines = lines
        self._max = max_bytes
        self._setting = setting
        self._held = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Return the blocks that these bytes complete.

        Raises:
            EventTooLargeError: a block is larger than `max_bytes`.
        """
        held = self._held
        searched = max(len(held) - 3, 0)  # the beginning of a blank line may be there
        held += data
        blocks: list[bytes] = []
        start = 0
        for end in self._ends(held, searched):
            blocks.append(bytes(held[start:end]))
            start = end
        del held[:start]
        if len(held) > self._max or any(len(block) > self._max for block in blocks):
            raise EventTooLargeError(self._max, max(map(len, (*blocks, held))), self._setting)
        return blocks

    def _ends(self, held: bytearray, start: int) -> Iterator[int]:
        """Give the ends of the blocks. Where there is no CR, which is nearly everywhere, no pattern is needed."""
        if not self._lines and b"\r" in held:
            yield from (end.end() for end in _BLANK_LINE.finditer(held, start))
            return
        end = b"\n" if self._lines else b"\n\n"
        at = held.find(end, start)
        while at >= 0:
            yield at + len(end)
            at = held.find(end, at + len(end))

    def rest(self) -> bytes:
        """Return what the end of the body left unfinished, and keep nothing."""
        rest = bytes(self._held)
        self._held.clear()
        return rest


class Block(NamedTuple):
    """What a block holds.

    Attributes:
        raw: its bytes. data: its payload; None where it has none. name: its event type.
        spans: where in `raw` the payload's lines are.
    """

    raw: bytes
    data: bytes | None
    name: str
    spans: tuple[tuple[int, int], ...]


def read_block(raw: bytes, *, lines: bool) -> Block:
    """Read a block; `lines` as for the splitter."""
    if lines:
        stripped = raw.strip()
        start = raw.find(stripped)
        return Block(raw, stripped or None, "message", ((start, start + len(stripped)),))
    # One line of data and nothing else, as most are.
    if raw.startswith(b"data: ") and raw.find(b"\n") == len(raw) - 2 and b"\r" not in raw:
        return Block(raw, raw[6:-2], "message", ((6, len(raw) - 2),))
    spans = tuple((line.end() if line[1] is None else line.start(1), line.end()) for line in _DATA_LINE.finditer(raw))
    name = _NAME_LINE.search(raw)
    data = b"\n".join(raw[start:end] for start, end in spans) if spans else None
    return Block(raw, data, name[1].decode("utf-8", "replace") if name else "message", spans)


def with_data(block: Block, data: bytes) -> bytes:
    """Return the block with another payload; every byte beside the payload stays. JSON has no raw line ends."""
    (start, end), *others = block.spans
    raw = bytearray(block.raw)
    for other_start, other_end in reversed(others):
        line_start = raw.rfind(b"data", 0, other_start)
        del raw[line_start : other_end + _line_end_length(raw, other_end)]
    raw[start:end] = data.replace(b"\n", b" ")
    return bytes(raw)


def _line_end_length(raw: bytearray, at: int) -> int:
    return 2 if raw.startswith(b"\r\n", at) else min(1, len(raw) - at)
