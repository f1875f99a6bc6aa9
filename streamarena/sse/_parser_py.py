"""The server-sent events parser, in Python: bytes in, events out. The reference for the compiled twin beside it.

Theory. CR, LF and CRLF end a line, which is where `bytes.splitlines` splits (`str.splitlines` knows more line ends).
Neither byte occurs inside a UTF-8 sequence, so each value is decoded on its own. A piece that ends in CR has ended its
line; an LF that opens the next piece belongs to it and is skipped.

Invariants:
* How the bytes are cut never matters: the events, `last_event_id`, `retry` and `counters` after all input are the same.
* Nothing keeps a view of what was fed. Between two calls only the unfinished line and the fields of the unfinished
  block are kept; an unfinished comment or unknown field is forgotten as it comes.
* What is kept is at most `max_event_bytes`; an event that would pass it ends the stream with `EventTooLargeError`.
* No input makes it raise anything else.

Cost: linear in the bytes fed, whatever the cut; one copy of the piece if it is not `bytes`, one of each event's data.
It deliberately does not decode text, reconnect, read a clock, or know any provider (`data: : keepalive` is an event
unless `lenient` is set).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NoReturn

from streamarena.errors import ConfigurationError, EventTooLargeError, StreamArenaError, StreamClosedError
from streamarena.sse._arena_tail import ArenaTail
from streamarena.sse._counters import ParserCounters
from streamarena.sse._event_py import ServerSentEvent

if TYPE_CHECKING:
    from streamarena.memory.arena import Arena

__all__ = ["SSEParser"]

BOM: Final = b"\xef\xbb\xbf"
FIELDS: Final = (b"data", b"event", b"id", b"retry")
DECIDED: Final = 7  # after this many bytes of a line ("data: :") it is known which field it is
MAX_RETRY_DIGITS: Final = 640  # what int() converts under every setting of sys.set_int_max_str_digits()

# What an unfinished line is: worth keeping, or why the rest of it is being thrown away.
KEPT, COMMENT, UNKNOWN = 0, 1, 2


class SSEParser:
    """Parse one stream of server-sent events (WHATWG HTML, "Server-sent events", 9.2.5 and 9.2.6).

    Feed it what each read brought, deliver what it returns, and call `close()` where the input ends. One parser serves
    one stream at a time; `reset()` makes it ready for another. It is not thread-safe.

    Args:
        max_event_bytes: the most bytes that one event may hold back: its `data` lines as they came, and its longest
            other line. Default 16 MiB, above what images and tool results in one event take.
        on_comment: called with the text of each comment (without the colon and one space), after the piece that brought
            it was parsed. What it raises leaves `feed` and loses that call's events.
        lenient: treat a `data` line whose value begins with a colon as a comment: some gateways send their keep-alive
            as `data: : keepalive`. Off by default, for it may be somebody's text.

    Attributes:
        last_event_id: the last event id of the stream, as the last complete block left it; empty if none was set.
        retry: the reconnection time in milliseconds that the stream asked for, or None. It counts from its own line on.
    """

    __slots__ = (
        "_arena_tail",
        "_bom",
        "_closed",
        "_comments",
        "_cut",
        "_data",
        "_event",
        "_failure",
        "_held",
        "_id",
        "_in_block",
        "_lenient",
        "_max",
        "_on_comment",
        "_retry",
        "_seen_bytes",
        "_seen_comments",
        "_seen_dropped",
        "_seen_events",
        "_skip",
        "_skip_lf",
        "_tail",
        "last_event_id",
        "retry",
    )

    def __init__(
        self,
        max_event_bytes: int = 16 * 2**20,
        *,
        on_comment: Callable[[str], object] | None = None,
        lenient: bool = False,
    ) -> None:
        if max_event_bytes < 1:
            raise ConfigurationError(f"max_event_bytes must be at least 1, not {max_event_bytes}")
        self.last_event_id = ""
        self.retry: int | None = None
        self._max = max_event_bytes
        self._on_comment = on_comment
        self._lenient = lenient
        self._bom: bytes | None = b""  # what has come of a byte order mark, or None when that is settled
        self._skip_lf = False  # the last piece ended in CR: an LF that opens the next one belongs to it
        self._tail: bytes | bytearray = b""  # the unfinished line, where no arena keeps it
        self._arena_tail = ArenaTail()
        self._skip = KEPT  # or why the unfinished line is being thrown away
        self._data: list[bytes] = []  # the open block: its data, bytes of its data lines, type, id, retry
        self._held = 0
        self._event = "message"
        self._id = ""
        self._retry: int | None = None
        self._in_block = False
        self._comments: list[str] = []  # for on_comment, after the piece
        self._failure: StreamArenaError | None = None  # what ended the stream; every later call raises it
        self._closed = False
        self._cut = False
        self._seen_bytes = self._seen_events = self._seen_comments = self._seen_dropped = 0

    @property
    def arena(self) -> Arena | None:
        """The arena that keeps the unfinished line between two reads; None (the default) keeps it in the parser.

        Set it for each request, and reset the parser before the request's scope ends.
        """
        return self._arena_tail.arena

    @arena.setter
    def arena(self, arena: Arena | None) -> None:
        unfinished = self._arena_tail.take() or bytes(self._tail)
        self._arena_tail.arena = arena
        self._tail = unfinished
        if arena is not None:
            self._move_tail()

    @property
    def counters(self) -> ParserCounters:
        """What this stream has brought so far."""
        return ParserCounters(self._seen_bytes, self._seen_events, self._seen_comments, self._seen_dropped)

    def feed(self, data: bytes | bytearray | memoryview) -> list[ServerSentEvent]:
        """Parse the next bytes of the stream and return the events that they complete, in order.

        Args:
            data: any bytes-like object; it is borrowed for this call only and may be overwritten afterwards.

        Raises:
            EventTooLargeError: an event passed `max_event_bytes`. Events that the same call completed before it are
                returned first and the next call raises; so does every later one, until `reset()`.
            MemoryScopeError: likewise, where `arena` refused to keep the unfinished line.
            StreamClosedError: `close()` was called before.
        """
        if self._closed or self._failure is not None:
            self._refuse()
        piece = data if type(data) is bytes else memoryview(data).tobytes()
        self._seen_bytes += len(piece)
        events: list[ServerSentEvent] = []
        if piece:
            try:
                if self._arena_tail.arena is None:
                    self._scan(piece, events)
                else:
                    self._scan_with_arena(piece, events)
            except StreamArenaError as error:
                self._failure = error
                self._drop_block()
            self._seen_events += len(events)
            if self._comments:
                self._report_comments()
            if self._failure is not None and not events:
                self._refuse()
        return events

    def close(self) -> bool:
        """End the input; an unfinished block is dropped, as the standard says.

        Returns:
            True if the input was cut inside a block: after a field of it, or inside a line that is no comment or
            unknown field. Later calls return the same.

        Raises:
            EventTooLargeError, MemoryScopeError: as the last `feed` would have, had it had no events to deliver.
        """
        if not self._closed:
            if self._failure is not None:
                self._refuse()
            start = self._arena_tail.head if self._arena_tail else bytes(self._tail[:DECIDED])
            self._cut = self._in_block or (bool(start) and self._decide(start) == KEPT)
            self._closed = True
            self._drop_block()
        return self._cut

    def reset(self, *, keep_last_event_id: bool = True) -> None:
        """Be ready for a new stream; whatever is unfinished is dropped.

        Args:
            keep_last_event_id: True for a reconnection: `last_event_id`, `retry` and `counters` go on. False for an
                unrelated stream: everything is as in a new parser, but for the settings; `arena` is None.
        """
        self._drop_block()
        if not keep_last_event_id:
            self.last_event_id = ""
            self.retry = None
            self._id = ""
            self._arena_tail.arena = None
            self._seen_bytes = self._seen_events = self._seen_comments = self._seen_dropped = 0
        self._bom = b""
        self._skip_lf = False
        self._closed = False
        self._cut = False
        self._failure = None
        self._comments.clear()

    # ------------------------------------------------------------ pieces

    def _refuse(self) -> NoReturn:
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        raise StreamClosedError("this parser was closed; reset() makes it ready for another stream")

    def _drop_block(self) -> None:
        """Forget the unfinished block and line; an id that no blank line committed goes with them."""
        self._tail = b""
        self._arena_tail.drop()
        self._skip = KEPT
        self._start_block()
        self._id = self.last_event_id

    def _start_block(self) -> None:
        self._data.clear()
        self._held = 0
        self._event = "message"
        self._retry = None
        self._in_block = False

    def _report_comments(self) -> None:
        comments, self._comments = self._comments, []
        if self._on_comment is not None:
            for comment in comments:
                self._on_comment(comment)

    def _scan_with_arena(self, piece: bytes, events: list[ServerSentEvent]) -> None:
        """Scan with the unfinished line in the arena; a line that goes on is not taken out for each piece of it."""
        tail = self._arena_tail
        if len(tail) > DECIDED and b"\n" not in piece and b"\r" not in piece:
            self._check_size(len(tail) + len(piece))
            tail.append(piece)
            return
        self._tail = tail.take()
        self._scan(piece, events)
        self._move_tail()

    def _move_tail(self) -> None:
        if self._tail:
            unfinished, self._tail = bytes(self._tail), b""
            self._arena_tail.append(unfinished)

    def _scan(self, piece: bytes, events: list[ServerSentEvent]) -> None:
        if self._bom is not None:
            piece = self._without_bom(piece)
        if self._skip_lf and piece:
            self._skip_lf = False
            piece = piece.removeprefix(b"\n")
        lines, tail = self._split(piece)
        if lines:
            careful = self._lenient or len(self._tail) + len(piece) > self._max
            if self._skip:
                self._count_dropped(self._skip)
                self._skip = KEPT
                del lines[0]
            elif self._tail:
                lines[0] = bytes(self._tail) + lines[0]
                self._tail = b""
            self._take_lines(lines, events, careful=careful)
        if tail and not self._skip:
            self._keep_tail(tail)

    def _split(self, piece: bytes) -> tuple[list[bytes], bytes]:
        """Return the lines that end in this piece, and what follows the last of them."""
        if b"\r" not in piece:
            lines = piece.split(b"\n")
            return lines, lines.pop()
        self._skip_lf = piece.endswith(b"\r")
        lines = piece.splitlines()
        return lines, b"" if piece.endswith((b"\r", b"\n")) else lines.pop()

    def _without_bom(self, piece: bytes) -> bytes:
        """Drop one byte order mark at the very start of the stream, also when its bytes come apart."""
        assert self._bom is not None
        start = self._bom + piece
        if len(start) < len(BOM) and BOM.startswith(start):
            self._bom = start
            return b""
        self._bom = None
        return start.removeprefix(BOM)

    # ------------------------------------------------------------ blocks

    def _take_lines(self, lines: list[bytes], events: list[ServerSentEvent], *, careful: bool) -> None:
        """Take complete lines. Blocks of a type, an id and one data line take a short way, unless `careful` forbids."""
        by_field = careful or self._in_block
        event_id = self.last_event_id
        data: bytes | None = None
        event: str | None = None
        block_id: str | None = None
        for line in lines:
            if not line:
                if by_field:
                    self._dispatch(events)
                    event_id, by_field = self.last_event_id, careful
                    continue
                if block_id is not None:
                    self.last_event_id = self._id = event_id = block_id
                if data is not None:
                    events.append(ServerSentEvent(data, event or "message", event_id))
                data = event = block_id = None
            elif by_field:
                self._take_line(line)
            elif data is None and line.startswith(b"data: "):
                data = line[6:]
            elif line.startswith(b"event: "):
                event = line[7:].decode("utf-8", "replace")
            elif line.startswith(b"id: ") and b"\0" not in line:
                block_id = line[4:].decode("utf-8", "replace")
            else:
                self._open_block(data, event, block_id)
                data = event = block_id = None
                by_field = True
                self._take_line(line)
        self._open_block(data, event, block_id)

    def _open_block(self, data: bytes | None, event: str | None, block_id: str | None) -> None:
        """Hand over what the short way has found of a block that it cannot finish."""
        if data is not None:
            self._data.append(data)
            self._held += len(b"data: ") + len(data) + 1
            self._in_block = True
        if event is not None:
            self._event = event or "message"
            self._in_block = True
        if block_id is not None:
            self._id = block_id
            self._in_block = True

    def _dispatch(self, events: list[ServerSentEvent]) -> None:
        """End a block: its id is committed, and with data in it there is an event (9.2.6, "dispatch the event")."""
        self.last_event_id = self._id
        if self._data:
            data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
            events.append(ServerSentEvent(data, self._event, self._id, self._retry))
        if self._in_block:
            self._start_block()

    # ------------------------------------------------------------ lines

    def _take_line(self, line: bytes) -> None:
        """Take one complete line that is not blank (9.2.6, "process the field")."""
        if line.startswith(b":"):
            self._comment(line[1:], len(line))
            return
        name, _, value = line.partition(b":")
        if name not in FIELDS:
            self._count_dropped(UNKNOWN)
            return
        value = value.removeprefix(b" ")
        if self._lenient and name == b"data" and value.startswith(b":"):
            self._comment(value[1:], len(line))
            return
        self._check_size(len(line))
        if name == b"data":
            self._in_block = True
            self._data.append(value)
            self._held += len(line) + 1
        elif name == b"event":
            self._in_block = True
            self._event = value.decode("utf-8", "replace") or "message"
        elif name == b"id":
            self._take_id(value)
        else:
            self._take_retry(value)

    def _take_id(self, value: bytes) -> None:
        if b"\0" in value:
            self._count_dropped(UNKNOWN)
            return
        self._in_block = True
        self._id = value.decode("utf-8", "replace")

    def _take_retry(self, value: bytes) -> None:
        digits = value.lstrip(b"0") or b"0"
        if not value.isdigit() or len(digits) > MAX_RETRY_DIGITS:  # bytes.isdigit() knows ASCII digits only
            self._count_dropped(UNKNOWN)
            return
        self._in_block = True
        self.retry = self._retry = int(digits)

    def _comment(self, text: bytes, line_bytes: int) -> None:
        self._count_dropped(COMMENT)
        if self._on_comment is not None:
            self._check_size(line_bytes)
            self._comments.append(text.removeprefix(b" ").decode("utf-8", "replace"))

    def _count_dropped(self, why: int) -> None:
        if why == COMMENT:
            self._seen_comments += 1
        else:
            self._seen_dropped += 1

    def _check_size(self, line_bytes: int) -> None:
        if self._held + line_bytes > self._max:
            raise EventTooLargeError(self._max, self._held + line_bytes, "max_event_bytes")

    # ------------------------------------------------------------ the unfinished line

    def _keep_tail(self, piece: bytes) -> None:
        """Keep more of the unfinished line, or start throwing it away as soon as it is known to be of no use."""
        size = len(piece) + self._held
        if piece.startswith(b"data: ") and size < self._max and not self._tail and not self._lenient:
            self._tail = piece  # nearly every tail is of this kind
            return
        undecided = len(self._tail) <= DECIDED
        if not self._tail:
            self._tail = piece
        else:
            if type(self._tail) is bytes:
                self._tail = bytearray(self._tail)
            self._tail += piece
        if undecided:
            kind = self._decide(bytes(self._tail[:DECIDED]))
            if kind == UNKNOWN or (kind == COMMENT and self._on_comment is None):
                self._tail = b""
                self._skip = kind
                return
        if len(self._tail) > DECIDED:
            self._check_size(len(self._tail))

    def _decide(self, start: bytes) -> int:
        """Say from a line's first bytes whether the line may count."""
        name, colon, value = start.partition(b":")
        if colon and not name:
            return COMMENT
        if not (name in FIELDS if colon else any(field.startswith(name) for field in FIELDS)):
            return UNKNOWN
        if self._lenient and name == b"data" and value.removeprefix(b" ").startswith(b":"):
            return COMMENT
        return KEPT
