"""Writing server-sent events: what a server sends so that every parser reads back the same.

Invariants: what is written is one complete block; no value can break out of its field (no injection of lines); reading
it back with `SSEParser` gives the same type, id and retry, and the same data, but that CR and CRLF inside it become LF:
the format has no other line end inside data.
Cost: one `bytes` an event; two searches over data that has no line end in it.
Not here: headers, flushing, keep-alive timing.
"""

from __future__ import annotations

from streamarena.errors import InvalidFieldError

__all__ = ["encode_comment", "encode_event"]


def encode_event(
    data: str | bytes | bytearray | memoryview | None = None,
    *,
    event: str | None = None,
    id: str | None = None,  # noqa: A002 - the standard's name for the field
    retry: int | None = None,
) -> bytes:
    """Return one event as it goes on the wire, blank line included.

    Args:
        data: the payload; each of its lines becomes a `data` line. None writes no data line: such a block dispatches
            nothing, but its `id` and `retry` count. Half a surrogate pair becomes U+FFFD.
        event: the event's type; None leaves it out, which readers take as `message`.
        id: the last event id from here on; the empty string clears it.
        retry: the reconnection time in milliseconds.

    Raises:
        InvalidFieldError: `event` or `id` has a line end in it, `id` has a NUL (readers would ignore it), or `retry` is
            negative. Also a ValueError.
    """
    head = b""
    if event is not None:
        head = b"event: " + _field("event", event, "\r\n") + b"\n"
    if id is not None:
        head += b"id: " + _field("id", id, "\r\n\0") + b"\n"
    if retry is not None:
        if retry < 0:
            raise InvalidFieldError("retry", retry)
        head += b"retry: %d\n" % retry
    if data is None:
        return head + b"\n"
    raw = _utf8(data) if isinstance(data, str) else bytes(data)
    return head + b"data: " + _continued(raw, b"\ndata: ") + b"\n\n"


def encode_comment(text: str = "") -> bytes:
    """Return a comment, which keeps a connection alive and which readers drop; each line becomes one of its own."""
    return b": " + _continued(_utf8(text), b"\n: ") + b"\n\n"


def _continued(raw: bytes, separator: bytes) -> bytes:
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return raw.replace(b"\n", separator)


def _field(name: str, value: str, forbidden: str) -> bytes:
    if any(character in value for character in forbidden):
        raise InvalidFieldError(name, value)
    return _utf8(value)


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
