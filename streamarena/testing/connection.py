"""The server's side of HTTP/1.1 on one connection: httptools reads, the handler answers, in order.

Invariants: one response at a time; pipelined requests wait their turn; whatever way the client leaves, `on_lost` of the
response in progress is called once. Limits: header bytes and count, body bytes, pipelined requests; passing one gets
the client a status (431, 413, 400, 503) and a closed connection.

Cost: one parser a connection and the bytes of the request in progress; writes go to the transport as they are.
Not here: what is answered (`fake_llm.py`), and wires that break HTTP on purpose (`faults.py`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol, cast
from urllib.parse import parse_qs, unquote, urlsplit

import httptools

__all__ = [
    "HTTPConnection",
    "HTTPHandler",
    "HTTPRequest",
    "response_head",
    "REASONS",
    "MAX_HEADERS",
    "MAX_HEADER_BYTES",
    "MAX_PIPELINED",
]

MAX_HEADER_BYTES: Final = 64 * 1024
MAX_HEADERS: Final = 100
MAX_PIPELINED: Final = 16

REASONS: Final[dict[int, str]] = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    529: "Overloaded",
}


class HTTPRequest:
    """One request, read in full.

    Attributes:
        method: upper case. path: decoded, without the query. query: the query's values by name.
        target: as it came, for recordings. headers: lower-cased names. body: bytes.
        keep_alive: whether the client wants the connection afterwards.
    """

    __slots__ = ("body", "headers", "keep_alive", "method", "path", "query", "target")

    def __init__(self, method: str, target: str, headers: dict[str, str], body: bytes, *, keep_alive: bool) -> None:
        parts = urlsplit(target)
        self.method = method
        self.target = target
        self.path = unquote(parts.path)
        self.query = parse_qs(parts.query)
        self.headers = headers
        self.body = body
        self.keep_alive = keep_alive


class HTTPHandler(Protocol):
    """Whoever answers: called on the loop's thread, must not block."""

    def connection_opened(self, connection: HTTPConnection) -> bool:
        """Return False to refuse the connection."""
        ...

    def connection_closed(self, connection: HTTPConnection) -> None:
        """The connection is gone; called once for each that was opened and not refused."""
        ...

    def request_received(self, connection: HTTPConnection, request: HTTPRequest) -> None:
        """Answer `request`, now or later, and then call `connection.finish()`."""
        ...


def response_head(status: int, headers: list[tuple[str, str]]) -> bytes:
    """Return the status line and header lines of a response, with the empty line."""
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class HTTPConnection(asyncio.Protocol):
    """One accepted connection.

    Args:
        handler: answers the requests.
        max_body_bytes: largest request body that is read.

    Attributes:
        on_lost: set by whoever is answering: called if the client leaves before `finish`.
        on_writable: set by whoever is answering: called when a client that read too slowly has caught up.
        writable: False while more than the transport's high-water mark of bytes is unsent.
        closed: the connection is gone or on its way.
    """

    def __init__(self, handler: HTTPHandler, max_body_bytes: int = 64 * 2**20) -> None:
        self.on_lost: Callable[[], None] | None = None
        self.on_writable: Callable[[], None] | None = None
        self.writable = True
        self.closed = False
        self._handler = handler
        self._max_body_bytes = max_body_bytes
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[HTTPRequest] = deque()
        self._busy = False
        self._last = False
        self._refused = False
        self._reset()

    # ------------------------------------------------------------ for the one who answers

    def write(self, data: bytes) -> None:
        """Hand bytes to the transport; nothing happens once the connection is closed."""
        if not self.closed and self._transport is not None:
            self._transport.write(data)

    def finish(self) -> None:
        """The response is complete: take the next request, or close where that was agreed."""
        self._busy = False
        self.on_lost = self.on_writable = None
        if self._last:
            self.close()
        elif self._waiting:
            self._answer(self._waiting.popleft())

    def close(self) -> None:
        """Close after what was written has been sent (FIN)."""
        self.closed = True
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once; unsent bytes are dropped."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    # ------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask the handler whether there is room."""
        self._transport = cast(asyncio.Transport, transport)
        if not self._handler.connection_opened(self):
            self._refused = True
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever is answering, then the handler."""
        del exc
        self.closed = True
        self._transport = None
        self._waiting.clear()
        lost, self.on_lost, self.on_writable = self.on_lost, None, None
        if lost is not None:
            lost()
        if not self._refused:
            self._handler.connection_closed(self)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; what is not HTTP gets status 400."""
        if self._last:
            return
        self._header_bytes += len(data) if not self._in_body else 0
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # An offer such as h2c may be ignored, but the parser will not go on: answer, then close.
            self._last = True
        except (httptools.HttpParserError, UnicodeDecodeError, ValueError):
            self._reject(400)
        else:
            if not self._in_body and self._header_bytes > MAX_HEADER_BYTES:
                self._reject(431)

    def pause_writing(self) -> None:
        """The client reads slower than we write."""
        self.writable = False

    def resume_writing(self) -> None:
        """The client has caught up."""
        self.writable = True
        if self.on_writable is not None:
            self.on_writable()

    # ------------------------------------------------------------ httptools

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header line; repeated names are joined with commas."""
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text
        self._header_count += 1
        if self._header_count > MAX_HEADERS:
            self._reject(431)

    def on_headers_complete(self) -> None:
        """The head is complete: a client that waits for leave to send its body gets it."""
        self._in_body = True
        if self._headers.get("expect", "").lower() == "100-continue" and not self._busy:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._body += body
        if len(self._body) > self._max_body_bytes:
            self._reject(413)

    def on_message_complete(self) -> None:
        """A whole request: answer it, or let it wait."""
        if self._last:
            return
        request = HTTPRequest(
            self._parser.get_method().decode("ascii"),
            self._target.decode("latin-1"),
            self._headers,
            bytes(self._body),
            keep_alive=self._parser.should_keep_alive(),
        )
        self._reset()
        if not self._busy:
            self._answer(request)
        elif len(self._waiting) < MAX_PIPELINED:
            self._waiting.append(request)
        else:
            self._reject(503)

    # ------------------------------------------------------------ inside

    def _reset(self) -> None:
        self._target = b""
        self._headers: dict[str, str] = {}
        self._header_bytes = self._header_count = 0
        self._body = bytearray()
        self._in_body = False

    def _answer(self, request: HTTPRequest) -> None:
        self._busy = True
        self._last = not request.keep_alive
        self._handler.request_received(self, request)

    def _reject(self, status: int) -> None:
        """Refuse what is being read; a response in progress is cut by it, since its framing is not known here."""
        if self._last and self.closed:
            return
        self._last = True
        self._waiting.clear()
        if self._busy:
            self.abort()
        else:
            self.write(response_head(status, [("content-length", "0"), ("connection", "close")]))
            self.close()
