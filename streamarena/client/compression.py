"""Compressed bodies: gzip, deflate and brotli, a piece at a time, within a limit.

Invariants: at most `PIECE` bytes are decompressed before they are handed on, and one read gives at most
`Limits.expansion_bytes`: a small body cannot fill memory. A compressed body that ends early is a cut stream.
Cost: one allocation a piece. Streams are not asked for in compressed form: events are small, and a compressor holds
them back; but some servers compress anyway, and a user may ask with an `accept-encoding` of their own.
Sources: RFC 9110 section 8.4 (content codings), RFC 1950-1952, RFC 7932. Servers send "deflate" with and without the
zlib wrapper; both are read.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Iterator
from typing import Any, Final, Protocol

from streamarena.errors import BodyTooLargeError, MissingExtraError, ProtocolError, StreamTruncatedError

__all__ = ["Coding", "Decompressor", "PIECE", "decompressor_for"]

PIECE: Final = 64 * 2**10
_HEADER_BYTES: Final = 2  # RFC 1950, section 2.2


class Decompressor:
    """Decompresses one body.

    Args:
        coding: what undoes the compression.
        limit: bytes that one `feed` may give: one for each fragment, or for all that one read brought.
    """

    __slots__ = ("_coding", "_limit", "_received")

    def __init__(self, coding: Coding, limit: int) -> None:
        self._coding = coding
        self._limit = limit
        self._received = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Give what `data` brings, in pieces.

        Raises:
            BodyTooLargeError: it is more than the limit; the pieces before it were given.
            ProtocolError: the body is not what its content coding says.
        """
        if not data:
            return
        self._received += len(data)
        given = 0
        try:
            for piece in self._coding.pieces(data):
                given += len(piece)
                if given > self._limit:
                    raise BodyTooLargeError(self._limit, given, "Limits.expansion_bytes")
                yield piece
        except (zlib.error, ValueError) as error:
            raise ProtocolError(f"the compressed body is broken: {error}") from error

    def finish(self) -> None:
        """Take the end of the body.

        Raises:
            StreamTruncatedError: the compressed data does not end here.
        """
        if self._received and not self._coding.ended():
            raise StreamTruncatedError("the compressed body has no end", self._received)


class Coding(Protocol):
    """One content coding."""

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Give what `data` brings, at most `PIECE` bytes at a time; raises zlib.error or ValueError."""
        ...

    def ended(self) -> bool:
        """Whether the compressed data is complete."""
        ...


def decompressor_for(encoding: str, limit: int) -> Decompressor | None:
    """Return what undoes a `content-encoding`; None where there is nothing to undo.

    Raises:
        ProtocolError: it is unknown, or several are laid over each other.
        MissingExtraError: brotli is not installed.
    """
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        return None
    if name in {"gzip", "x-gzip"}:
        return Decompressor(_Zlib((zlib.MAX_WBITS | 16,)), limit)
    if name == "deflate":
        return Decompressor(_Zlib((zlib.MAX_WBITS, -zlib.MAX_WBITS)), limit)
    if name == "br":
        return Decompressor(_Brotli(), limit)
    raise ProtocolError(f"the content coding {name[:40]!r} is not understood")


class _Zlib:
    """Gzip and deflate; `windows` are tried in this order on the first bytes."""

    def __init__(self, windows: tuple[int, ...]) -> None:
        self._windows = windows
        self._object = zlib.decompressobj(windows[0])
        self._begun = False
        self._start = b""  # of a header that is not whole yet

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """See `Coding`."""
        if not self._begun:
            data = self._start + data
            if len(data) < _HEADER_BYTES:  # whether there is a zlib header cannot be told from one byte
                self._start = data
                return
            self._start = b""
        while data:
            if self._object.eof:  # another member of the same body
                self._object = zlib.decompressobj(self._windows[0])
            piece = self._first(data) if not self._begun else self._object.decompress(data, PIECE)
            if piece:
                yield piece
            data = self._object.unused_data if self._object.eof else self._object.unconsumed_tail
        while len(piece := b"" if self._object.eof else self._object.decompress(b"", PIECE)):
            yield piece

    def ended(self) -> bool:
        """See `Coding`."""
        return self._object.eof and not self._start

    def _first(self, data: bytes) -> bytes:
        self._begun = True
        try:
            return self._object.decompress(data, PIECE)
        except zlib.error:
            if len(self._windows) == 1:
                raise
            self._object = zlib.decompressobj(self._windows[1])
            return self._object.decompress(data, PIECE)


class _Brotli:
    def __init__(self) -> None:
        try:
            self._module: Any = importlib.import_module("brotli")
        except ImportError:
            raise MissingExtraError("brotli", "brotli", "a body in brotli") from None
        self._object: Any = self._module.Decompressor()

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """See `Coding`."""
        try:
            while True:
                piece: bytes = self._object.process(data, output_buffer_limit=PIECE)
                if piece:
                    yield piece
                data = b""
                if self._object.is_finished() or (not piece and self._object.can_accept_more_data()):
                    return
        except self._module.error as error:
            raise ValueError(str(error)) from error

    def ended(self) -> bool:
        """See `Coding`."""
        return bool(self._object.is_finished())
