"""The header of a raw request as bytes, checked, and how its body is framed.

Invariants: no name, value or target can break out of its line; a body is exactly as long as its header says; one
framing only, for a message with two is how requests are smuggled (RFC 9112, section 11.2).
Cost: one pass over the header.
Not here: sending (`exchange.py`), and which fields there ought to be: they are the caller's.
Source: RFC 9112 sections 3, 5 and 6; RFC 9110 sections 5.5 and 5.6.2.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Sequence
from typing import Final

from streamarena.errors import ConfigurationError

__all__ = ["Framing", "raw_head"]

_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE: Final = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*")
_TARGET: Final = re.compile(rb"[\x21-\x7e]+")


class Framing:
    """Writes a body: in chunks, or as many bytes as were declared.

    Args:
        length: declared bytes, or None for the chunked coding.
    """

    __slots__ = ("_left", "_length")

    def __init__(self, length: int | None) -> None:
        self._length = length
        self._left = length or 0

    def piece(self, data: bytes) -> bytes:
        """Return a piece as it is sent.

        Raises:
            ConfigurationError: more than was declared.
        """
        if self._length is None:
            return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        self._left -= len(data)
        if self._left < 0:
            raise ConfigurationError(f"the body is longer than the {self._length} bytes that its header says")
        return data

    def end(self) -> bytes:
        """Return what ends the body.

        Raises:
            ConfigurationError: less than was declared.
        """
        if self._length is None:
            return b"0\r\n\r\n"
        if self._left:
            raise ConfigurationError(
                f"the body is {self._left} bytes shorter than its content-length of {self._length}"
            )
        return b""


def raw_head(
    method: bytes, target: bytes, headers: Sequence[tuple[bytes, bytes]], body: bytes | AsyncIterable[bytes]
) -> tuple[bytes, Framing]:
    """Return the request line and the fields, and the framing that they declare.

    Raises:
        ConfigurationError: a character that may not stand there, CONNECT, no Host, or a framing that does not fit.
    """
    if not _TOKEN.fullmatch(method) or method == b"CONNECT":
        raise ConfigurationError(f"the method {method!r} cannot be sent")
    if not _TARGET.fullmatch(target):
        raise ConfigurationError("the request target holds characters that may not stand in a URL")
    seen: dict[bytes, bytes] = {}
    lines = [b"%b %b HTTP/1.1\r\n" % (method, target)]
    for name, value in headers:
        if not _TOKEN.fullmatch(name):
            raise ConfigurationError(f"{name!r} is not a header name")
        if not _VALUE.fullmatch(value):  # the value is never shown: it may be a key
            raise ConfigurationError(f"the value of header {name!r} holds a control character")
        key = name.lower()
        if key in _ONCE and key in seen:
            raise ConfigurationError(f"header {name!r} is given twice")
        seen[key] = value
        lines.append(b"%b: %b\r\n" % (name, value))
    if b"host" not in seen:
        raise ConfigurationError("the request has no Host")
    lines.append(b"\r\n")
    return b"".join(lines), _framing(seen, empty=not (isinstance(body, bytes) and body))


_ONCE: Final = frozenset((b"host", b"content-length", b"transfer-encoding"))


def _framing(fields: dict[bytes, bytes], *, empty: bool) -> Framing:
    coding, length = fields.get(b"transfer-encoding"), fields.get(b"content-length")
    if coding is not None:
        if length is not None or coding.strip().lower() != b"chunked":
            raise ConfigurationError("transfer-encoding must be 'chunked' alone, without content-length")
        return Framing(None)
    if length is None:
        if not empty:  # an iterable may turn out to be empty, and is refused at its first byte otherwise
            raise ConfigurationError("a body needs content-length or transfer-encoding")
        return Framing(0)
    if not (length.isdigit() and length.isascii() and len(length) < 20):
        raise ConfigurationError("content-length is not a number")
    return Framing(int(length))
