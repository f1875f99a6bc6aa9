# cython: language_level=3, binding=False, embedsignature=True
# cython: boundscheck=False, wraparound=False, initializedcheck=False, nonecheck=False
"""The server-sent events parser, compiled. The twin of `_parser_py.py`, which says what it must do and why.

Theory. One pass over the borrowed buffer: the next LF and the next CR are looked for with memchr, each byte once for
each of the two, and the line between is taken where it lies. Only a line that began in an earlier piece is put together
in `tail`, and only a block with several data lines is put together in `joined`.

Invariants beyond those of the reference:
* No Python code runs between the first and the last byte of a piece (events have no garbage-collector header, comments
  are reported afterwards), so that nothing can feed the parser or move its buffers while pointers into them are held.
* The interpreter lock is held throughout; the fed buffer is exported for the length of the call only.

Cost: for an event of at most 400 bytes of data one event object and one bytes object, both from the interpreter's own
small-object allocator: no malloc. Both buffers are kept for the next event, up to `KEPT_BYTES` each.
It deliberately does not scan with vector instructions of its own: memchr of the C library does.
"""

import sys

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.string cimport memchr, memcmp

from streamarena.sse._lines cimport (
    COMMENT,
    DECIDED,
    KEPT,
    MAX_RETRY_DIGITS,
    UNKNOWN,
    Buffer,
    append,
    are_digits,
    clear,
    decide,
    find,
    name_length,
    release,
)

from streamarena.errors import ConfigurationError, EventTooLargeError, StreamArenaError, StreamClosedError
from streamarena.sse._arena_tail import ArenaTail
from streamarena.sse._counters import ParserCounters
from streamarena.sse._event_py import decode_json

__all__ = ["SSEParser", "ServerSentEvent"]

cdef str MESSAGE = "message"
cdef const char* BOM = b"\xef\xbb\xbf"


@cython.final
@cython.no_gc
@cython.freelist(256)
cdef class ServerSentEvent:
    """An event as the stream's rules define it; see `_event_py.ServerSentEvent`, whose behaviour this has."""

    cdef readonly bytes raw_data
    cdef readonly str event
    cdef readonly str id
    cdef readonly object retry

    def __init__(self, bytes raw_data not None=b"", str event not None="message", str id not None="", retry=None):
        self.raw_data = raw_data
        self.event = event
        self.id = id
        self.retry = retry

    @property
    def data(self):
        """The data as text, decoded at each access. Bytes that are not UTF-8 become U+FFFD."""
        return PyUnicode_DecodeUTF8(PyBytes_AS_STRING(self.raw_data), len(self.raw_data), b"replace")

    def json(self, type=None):
        """Decode the data as JSON: into `type` with msgspec, into plain objects with orjson without one."""
        return decode_json(self.raw_data, type)

    def __eq__(self, other):
        if not isinstance(other, ServerSentEvent):
            return NotImplemented
        return self._values() == (<ServerSentEvent>other)._values()

    def __hash__(self):
        return hash(self._values())

    def __repr__(self):
        values = zip(("raw_data", "event", "id", "retry"), self._values())
        return f"ServerSentEvent({', '.join(f'{name}={value!r}' for name, value in values)})"

    def __reduce__(self):
        return ServerSentEvent, self._values()

    cdef tuple _values(self):
        return self.raw_data, self.event, self.id, self.retry


cdef inline str text_of(const char* start, Py_ssize_t length):
    return PyUnicode_DecodeUTF8(start, length, b"replace")


@cython.final
cdef class SSEParser:
    """Parse one stream of server-sent events; see `_parser_py.SSEParser`, whose behaviour this has to the byte."""

    cdef readonly str last_event_id
    cdef readonly object retry
    cdef Py_ssize_t max_bytes
    cdef object on_comment
    cdef bint lenient
    # The beginning of the stream and of the piece.
    cdef int bom  # bytes of a byte order mark that have come, or -1 when that is settled
    cdef bint skip_lf
    # The unfinished line: here, or between two calls in an arena.
    cdef Buffer tail
    cdef object arena_tail
    cdef bint has_arena
    cdef int skip
    # The open block: its first data line, all of them where there are several, their sizes, type, id, retry.
    cdef bytes first
    cdef Buffer joined
    cdef Py_ssize_t lines, held
    cdef str event, id
    cdef object block_retry
    cdef bint in_block
    # The type that the last event line named: streams repeat few types.
    cdef bytes type_bytes
    cdef str type_text
    cdef list comments
    cdef object failure
    cdef bint closed
    cdef bint cut
    cdef long long seen_bytes, seen_events, seen_comments, seen_dropped

    def __init__(self, max_event_bytes=16 * 2**20, *, on_comment=None, bint lenient=False):
        if max_event_bytes < 1:
            raise ConfigurationError(f"max_event_bytes must be at least 1, not {max_event_bytes}")
        self.max_bytes = min(max_event_bytes, sys.maxsize // 4)  # so that sums of two sizes cannot overflow
        self.on_comment = on_comment
        self.lenient = lenient
        self.type_bytes = b""
        self.type_text = MESSAGE
        self.comments = []
        self.arena_tail = ArenaTail()
        self._reset(False)

    def __dealloc__(self):
        release(&self.tail)
        release(&self.joined)

    @property
    def arena(self):
        """The arena that keeps the unfinished line between two reads; None (the default) keeps it in the parser."""
        return self.arena_tail.arena

    @arena.setter
    def arena(self, arena):
        self._take_tail()
        self.arena_tail.arena = arena
        self.has_arena = arena is not None
        if self.has_arena:
            self._move_tail()

    @property
    def counters(self):
        """What this stream has brought so far."""
        return ParserCounters(self.seen_bytes, self.seen_events, self.seen_comments, self.seen_dropped)

    def feed(self, data):
        """Parse the next bytes of the stream and return the events that they complete, in order."""
        cdef list events
        if self.closed or self.failure is not None:
            self._refuse()
        events = []
        self._feed(data, events)
        if self.comments:
            self._report_comments()
        if self.failure is not None and not events:
            self._refuse()
        return events

    def close(self):
        """End the input; return True if it was cut inside a block."""
        if not self.closed:
            if self.failure is not None:
                self._refuse()
            if self.arena_tail:
                start = self.arena_tail.head
            else:
                start = self.tail.start[:min(self.tail.length, <Py_ssize_t>DECIDED)]
            self.cut = self.in_block or self._is_useful(start)
            self.closed = True
            self._drop_block()
        return self.cut

    def reset(self, *, bint keep_last_event_id=True):
        """Be ready for a new stream; whatever is unfinished is dropped."""
        self._reset(keep_last_event_id)

    # ------------------------------------------------------------ pieces

    cdef int _reset(self, bint keep_last_event_id) except -1:
        self._drop_block()
        if not keep_last_event_id:
            self.last_event_id = self.id = ""
            if self.has_arena:
                self.arena_tail.arena = None
                self.has_arena = False
            self.retry = None
            self.seen_bytes = self.seen_events = self.seen_comments = self.seen_dropped = 0
        self.bom = 0
        self.skip_lf = False
        self.closed = False
        self.cut = False
        self.failure = None
        self.comments.clear()
        return 0

    cdef int _refuse(self) except -1:
        if self.failure is not None:
            raise self.failure.with_traceback(None)
        raise StreamClosedError("this parser was closed; reset() makes it ready for another stream")

    cdef int _drop_block(self) except -1:
        clear(&self.tail)
        if self.has_arena:
            self.arena_tail.drop()
        self.skip = KEPT
        self._start_block()
        self.id = self.last_event_id
        return 0

    cdef void _start_block(self) noexcept:
        self.first = None
        clear(&self.joined)
        self.lines = 0
        self.held = 0
        self.event = MESSAGE
        self.block_retry = None
        self.in_block = False

    cdef int _report_comments(self) except -1:
        comments, self.comments = self.comments, []
        if self.on_comment is not None:
            for comment in comments:
                self.on_comment(comment)
        return 0

    cdef int _feed(self, data, list events) except -1:
        cdef Py_buffer view
        try:
            PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        except BufferError:  # a view with steps
            data = memoryview(data).tobytes()
            PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            self.seen_bytes += view.len
            if self.has_arena:
                self._scan_with_arena(<const char*>view.buf, view.len, events)
            else:
                self._scan(<const char*>view.buf, <const char*>view.buf + view.len, events)
        except StreamArenaError as error:
            self.failure = error
        finally:
            PyBuffer_Release(&view)
            self.seen_events += len(events)
        if self.failure is not None:
            self._drop_block()
        return 0

    cdef int _scan_with_arena(self, const char* start, Py_ssize_t length, list events) except -1:
        """Scan with the unfinished line in the arena; a line that goes on is not taken out for each piece of it."""
        cdef Py_ssize_t kept = len(self.arena_tail)
        if kept > DECIDED and memchr(start, b"\n", length) == NULL and memchr(start, b"\r", length) == NULL:
            if not self._is_too_large(kept + length):
                self.arena_tail.append(PyBytes_FromStringAndSize(start, length))
            return 0
        self._take_tail()
        if self._scan(start, start + length, events) == 0:
            self._move_tail()
        return 0

    cdef int _take_tail(self) except -1:
        cdef bytes line
        if self.has_arena and self.arena_tail:
            line = self.arena_tail.take()
            append(&self.tail, PyBytes_AS_STRING(line), len(line))
        return 0

    cdef int _move_tail(self) except -1:
        if self.tail.length:
            line = PyBytes_FromStringAndSize(self.tail.start, self.tail.length)
            clear(&self.tail)
            self.arena_tail.append(line)
        return 0

    cdef int _scan(self, const char* start, const char* end, list events) except -1:
        """Take every line of the piece; return 1 if an event was too large, and 0 otherwise."""
        cdef const char* line_feed
        cdef const char* carriage_return
        cdef const char* stop
        if start < end and self.bom >= 0:
            start = self._skip_bom(start, end)
        if start < end and self.skip_lf:
            self.skip_lf = False
            start += start[0] == b"\n"
        carriage_return = find(start, end, b"\r")
        line_feed = start - 1
        while start < end:
            if line_feed < start:
                line_feed = start if start[0] == b"\n" else find(start, end, b"\n")
            if carriage_return < start:
                carriage_return = find(start, end, b"\r")
            stop = min(line_feed, carriage_return)
            if stop == end:
                return self._keep_tail(start, end - start)
            if self._end_line(start, stop - start, events):
                return 1
            start = stop + 1
            if stop == carriage_return:
                if start == end:
                    self.skip_lf = True
                elif start[0] == b"\n":
                    start += 1
        return 0

    cdef const char* _skip_bom(self, const char* start, const char* end) except NULL:
        """Drop one byte order mark at the very start of the stream, also when its bytes come apart."""
        while start < end and self.bom < 3:
            if start[0] != BOM[self.bom]:
                if self.bom > 0:  # what looked like one begins a line, and no field that counts begins so
                    self.skip = UNKNOWN
                self.bom = -1
                return start
            self.bom += 1
            start += 1
        if self.bom == 3:
            self.bom = -1
        return start

    # ------------------------------------------------------------ lines

    cdef int _end_line(self, const char* start, Py_ssize_t length, list events) except -1:
        """Take a line whose end has come, and whose beginning may have come in earlier pieces."""
        cdef int result
        if self.skip:
            self._count_dropped(self.skip)
            self.skip = KEPT
        elif self.tail.length:
            append(&self.tail, start, length)
            result = self._take_line(self.tail.start, self.tail.length)
            clear(&self.tail)
            return result
        elif length:
            return self._take_line(start, length)
        else:
            self._dispatch(events)
        return 0

    cdef int _take_line(self, const char* start, Py_ssize_t length) except -1:
        """Take one complete line that is not blank; return 1 if its event is too large."""
        cdef const char* end = start + length
        cdef const char* value
        cdef Py_ssize_t name
        if start[0] == b":":
            return self._comment(start + 1, length - 1, length)
        name = name_length(start, length)
        if name == 0:
            self._count_dropped(UNKNOWN)
            return 0
        value = start + name + 1 if length > name else end
        if value < end and value[0] == b" ":
            value += 1
        if self.lenient and name == 4 and value < end and value[0] == b":":
            return self._comment(value + 1, end - value - 1, length)
        if self._is_too_large(length):
            return 1
        if name == 4:
            return self._take_data(value, end - value, length)
        if name == 2:
            return self._take_id(value, end - value)
        if start[0] == b"e":
            return self._take_event(value, end - value)
        return self._take_retry(value, end - value)

    cdef int _take_data(self, const char* value, Py_ssize_t length, Py_ssize_t line_length) except -1:
        if self.lines == 0:
            self.first = PyBytes_FromStringAndSize(value, length)
        else:
            if self.lines == 1:
                append(&self.joined, PyBytes_AS_STRING(self.first), len(self.first))
            append(&self.joined, b"\n", 1)
            append(&self.joined, value, length)
        self.in_block = True
        self.lines += 1
        self.held += line_length + 1
        return 0

    cdef int _take_event(self, const char* value, Py_ssize_t length) except -1:
        cdef bytes known = self.type_bytes
        if length != len(known) or memcmp(value, PyBytes_AS_STRING(known), length) != 0:
            text = text_of(value, length)
            if length > 64:
                self.in_block = True
                self.event = text
                return 0
            self.type_bytes = PyBytes_FromStringAndSize(value, length)
            self.type_text = text or MESSAGE
        self.in_block = True
        self.event = self.type_text
        return 0

    cdef int _take_id(self, const char* value, Py_ssize_t length) except -1:
        if memchr(value, 0, length) != NULL:
            self._count_dropped(UNKNOWN)
            return 0
        self.id = text_of(value, length)
        self.in_block = True
        return 0

    cdef int _take_retry(self, const char* value, Py_ssize_t length) except -1:
        cdef bint valid = are_digits(value, length)
        while length > 1 and value[0] == b"0":
            value += 1
            length -= 1
        if not valid or length > MAX_RETRY_DIGITS:
            self._count_dropped(UNKNOWN)
            return 0
        self.retry = self.block_retry = int(PyBytes_FromStringAndSize(value, length))
        self.in_block = True
        return 0

    cdef int _comment(self, const char* text, Py_ssize_t length, Py_ssize_t line_length) except -1:
        self._count_dropped(COMMENT)
        if self.on_comment is not None:
            if self._is_too_large(line_length):
                return 1
            if length and text[0] == b" ":
                text += 1
                length -= 1
            self.comments.append(text_of(text, length))
        return 0

    cdef void _count_dropped(self, int why) noexcept:
        if why == COMMENT:
            self.seen_comments += 1
        else:
            self.seen_dropped += 1

    cdef bint _is_too_large(self, Py_ssize_t line_length) except -1:
        cdef Py_ssize_t size = self.held + line_length
        if size <= self.max_bytes:
            return False
        self.failure = EventTooLargeError(self.max_bytes, size, "max_event_bytes")
        return True

    cdef int _dispatch(self, list events) except -1:
        """End a block: its id is committed, and with data in it there is an event."""
        cdef ServerSentEvent event
        self.last_event_id = self.id
        if self.lines:
            event = ServerSentEvent.__new__(ServerSentEvent)
            if self.lines == 1:
                event.raw_data = self.first
            else:
                event.raw_data = PyBytes_FromStringAndSize(self.joined.start, self.joined.length)
            event.event = self.event
            event.id = self.id
            event.retry = self.block_retry
            events.append(event)
        if self.in_block:
            self._start_block()
        return 0

    # ------------------------------------------------------------ the unfinished line

    cdef bint _is_useful(self, bytes start) noexcept:
        return len(start) > 0 and decide(PyBytes_AS_STRING(start), len(start), self.lenient) == KEPT

    cdef int _keep_tail(self, const char* start, Py_ssize_t length) except -1:
        """Keep more of the unfinished line, or start throwing it away as soon as it is known to be of no use."""
        cdef bint undecided = self.tail.length <= DECIDED
        cdef int kind = KEPT
        if self.skip:
            return 0
        if undecided and self.tail.length == 0:
            kind = decide(start, length, self.lenient)  # before the copy: a long comment is not worth one
        if kind == KEPT or (kind == COMMENT and self.on_comment is not None):
            append(&self.tail, start, length)
            if undecided:
                kind = decide(self.tail.start, self.tail.length, self.lenient)
        if kind == UNKNOWN or (kind == COMMENT and self.on_comment is None):
            clear(&self.tail)
            self.skip = kind
            return 0
        return self.tail.length > DECIDED and self._is_too_large(self.tail.length)
