"""One HTTP/1.1 connection: bytes from the loop's shared buffer go through httptools to the exchange that is under way.

Invariants:
* One exchange at a time; a connection goes back to its pool only after a complete response, with nothing behind it.
* Nothing received is kept here: `buffer_updated` parses the borrowed bytes and returns.
* Bytes that come while no exchange is under way, or behind a complete response, close the connection.
* Header bytes and fields are limited; httptools alone would take a header of any size.
Cost: one parser and one protocol object a connection; a read of one fragment is handed on without a copy, of several
joined in one.
Not here: pooling (`pool.py`), the meaning of bodies (`stream.py`), timeouts.
Source: RFC 9112 (HTTP/1.1), sections 6 (message body length), 7 (transfer codings) and 9 (connections).
"""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Final, Protocol, cast

import httptools

from streamarena.errors import (
    HeaderTooLargeError,
    ProtocolError,
    StreamArenaError,
    StreamTruncatedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamarena.client.receive_buffer import ReceiveBuffer
    from streamarena.memory.tracking import AllocationSlot

__all__ = ["Connection", "Exchange", "ResponseHead"]


_FEW_PARTS: Final = 8
"""Fragments of one read up to which each is parsed by itself instead of all joined into one."""


class ResponseHead:
    """The status and header of a response; names are lower-cased, repeated fields joined by comma (RFC 9110, 5.3)."""

    __slots__ = ("headers", "status")

    def __init__(self, status: int, headers: dict[str, str]) -> None:
        self.status = status
        self.headers = headers

    def __repr__(self) -> str:
        return f"ResponseHead({self.status}, {len(self.headers)} fields)"


class Exchange(Protocol):
    """What a connection tells the request that it serves. Every call is synchronous, inside a read callback."""

    def head_received(self, head: ResponseHead) -> None:
        """Take the final response header (informational 1xx responses are passed over)."""
        ...

    def part_received(self, data: bytes, /) -> None:
        """Take a fragment of the body; more of the same read follows."""
        ...

    def read_done(self, data: bytes, whole: bool, /) -> None:
        """Take all of the body that one read brought, transfer coding removed, and whether that was the last of it."""
        ...

    def exchange_failed(self, error: Exception) -> None:
        """Take the error that ended the response early; the connection is closed already."""
        ...


class Connection(asyncio.BufferedProtocol):
    """A connection to one origin.

    Attributes:
        reused: whether an earlier exchange was completed on it.
        responses: complete responses so far.
        uploading: whether a part of the request's body is still to be sent.
        last_used: the loop's time at which the last exchange ended, set by the pool.
    """

    __slots__ = (
        "_body_until_close",
        "_complete",
        "_drained",
        "_exchange",
        "_field_bytes",
        "_field_count",
        "_head_done",
        "_head_read",
        "_headers",
        "_informational",
        "_keep_alive",
        "_lost",
        "_max_header_bytes",
        "_max_header_count",
        "_on_lost",
        "_parser",
        "_parts",
        "_receive_buffer",
        "_received",
        "_response_started",
        "_section",
        "_transport",
        "last_used",
        "on_body",
        "responses",
        "uploading",
    )

    def __init__(
        self,
        receive_buffer: ReceiveBuffer,
        max_header_bytes: int,
        max_header_count: int,
        on_lost: Callable[[Connection], None],
    ) -> None:
        self._receive_buffer = receive_buffer
        self._max_header_bytes = max_header_bytes
        self._max_header_count = max_header_count
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self.on_body = self._parts.append  # httptools calls it for each fragment: no frame of Python for any
        self._parser = httptools.HttpResponseParser(self)
        self._exchange: Exchange | None = None
        self._section: AllocationSlot | None = None  # of the exchange's arena, while allocations are counted
        self._headers: dict[str, str] = {}
        self._lost = False
        self._complete = False
        self._drained: asyncio.Future[None] | None = None  # while the kernel takes no more
        self.uploading = False
        self.responses = 0
        self.last_used = 0.0
        self._begin()

    # ------------------------------------------------------------ for the pool and the request

    @property
    def reused(self) -> bool:
        """Whether an earlier exchange was completed on this connection."""
        return self.responses > 0

    @property
    def usable(self) -> bool:
        """Whether another request can be sent: open, idle, and no stray bytes have come."""
        transport = self._transport
        return not self._lost and self._exchange is None and transport is not None and not transport.is_closing()

    @property
    def response_started(self) -> bool:
        """Whether any byte of the current response has come."""
        return self._response_started

    def send(self, request: bytes, exchange: Exchange, section: AllocationSlot | None = None) -> None:
        """Send a whole request and let `exchange` hear of its response.

        Args:
            request: header and body.
            exchange: hears of the response.
            section: what the read callbacks allocate is attributed to it.

        Raises:
            ProtocolError: the connection is not usable.
        """
        if not self.usable or self._transport is None:
            raise ProtocolError("a request was sent on a connection that is closed or busy")
        self._begin()
        self._exchange = exchange
        self._section = section
        self._transport.write(request)

    @property
    def is_open(self) -> bool:
        """Whether anything can still be sent."""
        return self._transport is not None and not self._lost and not self._transport.is_closing()

    def send_more(self, data: bytes) -> None:
        """Send more of a request; nothing happens once the connection has ended."""
        if self._transport is not None and not self._lost:
            self._transport.write(data)

    async def drained(self) -> None:
        """Wait until the transport takes more, or the connection ends."""
        if self._drained is not None:
            await asyncio.shield(self._drained)

    def pause_reading(self) -> None:
        """Stop reading: the peer feels it once the kernel's buffers are full."""
        if self._transport is not None and not self._lost:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if self._transport is not None and not self._lost:
            self._transport.resume_reading()

    def abort(self) -> None:
        """Close at once, without flushing; synchronous, so that no second cancellation can interrupt it."""
        self._exchange = None
        if self._transport is not None:
            self._transport.abort()

    def fail(self, error: Exception) -> None:
        """Close at once and let the exchange under way, if any, hear why; synchronous."""
        exchange, self._exchange = self._exchange, None
        if self._transport is not None:
            self._transport.abort()
        if exchange is not None:
            exchange.exchange_failed(error)

    def detach(self) -> bool:
        """End the exchange from the request's side; return whether the connection can serve another request."""
        complete = self._complete and self._keep_alive and not self.uploading
        self._exchange = None
        if complete and self.usable:
            return True
        self.abort()
        return False

    # ------------------------------------------------------------ asyncio.BufferedProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports do not inherit from asyncio's

    def get_buffer(self, sizehint: int) -> memoryview:
        """Lend the loop's receive buffer for one read."""
        del sizehint
        return self._receive_buffer.view

    def buffer_updated(self, nbytes: int) -> None:
        """Parse what one read brought, then wake the consumer once."""
        section = self._section
        if section is not None:
            section.__enter__()  # a with block would cost every read a frame more
        try:
            exchange = self._exchange
            if exchange is None:
                self.abort()  # an idle connection has nothing to say
                return
            self._response_started = True
            error: Exception | None = None
            try:
                self._parser.feed_data(self._receive_buffer.view[:nbytes])
            except (httptools.HttpParserError, httptools.HttpParserUpgrade) as caught:
                error = caught
                self._keep_alive = False  # what stands behind a whole response is not ours to read
            if not self._head_done:
                self._head_read += nbytes  # httptools collects a field of any length and tells of it at its end
                if error is None and self._head_read > self._max_header_bytes:
                    error = HeaderTooLargeError(self._max_header_bytes, self._head_read, "Limits.header_bytes")
            elif error is None or self._parts:
                exchange.read_done(self._take_parts(exchange), self._complete)
            if error is not None and not self._complete:
                self.fail(_cause_of(error))
        finally:
            if section is not None:
                section.__exit__(None, None, None)

    def pause_writing(self) -> None:
        """Remember that the transport takes no more for now."""
        if self._drained is None:
            self._drained = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """Let whoever waits go on."""
        waiting, self._drained = self._drained, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def eof_received(self) -> bool:
        """Let the transport close: a half-closed server has nothing more to say."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the exchange how its response ended, then the pool."""
        self._lost = True
        self.resume_writing()
        exchange, self._exchange = self._exchange, None
        if exchange is not None and not self._complete:
            if self._body_until_close and exc is None:
                self._complete = True
                exchange.read_done(b"", True)
            else:
                reason = "the server closed the connection" if exc is None else f"the connection broke: {exc}"
                error = StreamTruncatedError(reason, self._received)
                error.__cause__ = exc
                exchange.exchange_failed(error)
        self._on_lost(self)
        self._transport = None
        del self._parser  # it holds this connection too: together they would wait for the collector

    # ------------------------------------------------------------ httptools callbacks

    def on_message_begin(self) -> None:
        """Refuse a response that nobody asked for."""
        if self._complete:
            raise ProtocolError("the server sent more after the end of its response")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect one field, within the limits; trailer fields are counted and dropped."""
        self._field_count += 1
        self._field_bytes += len(name) + len(value) + 4
        if self._field_count > self._max_header_count:
            raise HeaderTooLargeError(self._max_header_count, self._field_count, "Limits.header_count", "fields")
        if self._field_bytes > self._max_header_bytes:
            raise HeaderTooLargeError(self._max_header_bytes, self._field_bytes, "Limits.header_bytes")
        if not self._head_done:
            key = _field_name(name) if len(name) <= 64 else name.decode("latin-1").lower()
            text = value.decode("latin-1")
            earlier = self._headers.get(key)
            self._headers[key] = text if earlier is None else f"{earlier}, {text}"

    def on_headers_complete(self) -> None:
        """Hand the header on, unless it is an informational one."""
        status = self._parser.get_status_code()
        self._informational = 100 <= status < 200
        if self._informational:
            self._headers = {}
            return
        self._head_done = True
        headers = self._headers
        self._body_until_close = "content-length" not in headers and "chunked" not in headers.get(
            "transfer-encoding", ""
        )
        self._keep_alive = self._parser.should_keep_alive() and not self._body_until_close
        if self._exchange is not None:
            self._exchange.head_received(ResponseHead(status, headers))

    def on_message_complete(self) -> None:
        """Remember that the response is whole; the exchange hears of it at the end of the read."""
        if self._informational:
            self._informational = False
            return
        self._complete = True
        self.responses += 1

    # ------------------------------------------------------------ private

    def _take_parts(self, exchange: Exchange) -> bytes:
        """Return what is to be handed on: many fragments joined, of a few the last one, the others told of before."""
        parts = self._parts
        if len(parts) == 1:  # of a paced stream nearly always
            data = parts[0]
            parts.clear()
            self._received += len(data)
            return data
        self._received += sum(map(len, parts))
        if len(parts) > _FEW_PARTS:
            data = b"".join(parts)
        else:  # joining these would ask malloc for more than it saves; so does a list that is popped empty
            data = parts[-1] if parts else b""
            for number in range(len(parts) - 1):
                exchange.part_received(parts[number])
        parts.clear()
        return data

    def _begin(self) -> None:
        self._parts.clear()
        self._headers = {}
        self._head_done = False
        self._head_read = 0
        self._field_bytes = 0
        self._field_count = 0
        self._received = 0
        self._complete = False
        self._keep_alive = False
        self._informational = False
        self._body_until_close = False
        self._response_started = False


@functools.lru_cache(maxsize=256)
def _field_name(name: bytes) -> str:
    """Return a field's name in lower case, one shared text for each name: a thousand streams hold the same ten."""
    return name.decode("latin-1").lower()


def _cause_of(error: Exception) -> Exception:
    """Return what a callback raised inside httptools, unchanged, or what httptools itself found wrong."""
    if isinstance(error, StreamArenaError):
        return error
    if isinstance(error, httptools.HttpParserCallbackError) and isinstance(error.__context__, Exception):
        return error.__context__
    if isinstance(error, httptools.HttpParserUpgrade):
        return ProtocolError("the server answered with a change of protocol that nobody asked for")
    wrapped = ProtocolError(f"the response is not HTTP/1.1: {error}")
    wrapped.__cause__ = error
    return wrapped
