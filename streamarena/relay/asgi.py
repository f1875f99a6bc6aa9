"""ASGI in types, header fields as ASGI carries them, and the fields that keep proxies from holding a stream back.

Invariants: names are lower-case bytes and are compared so; `replaced` leaves one field of its name and never a second;
a list of headers that somebody else holds is not changed, a new one is returned.
Costs one walk over the fields for each question: a response has a dozen of them.
Not here: parsing of HTTP, which the server did.

Source: ASGI specification 3.0, "HTTP & WebSocket ASGI Message Format" 2.5.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final, TypeAlias

__all__ = [
    "ASGIApp",
    "Headers",
    "Message",
    "Receive",
    "Scope",
    "Send",
    "body_message",
    "disconnect_message",
    "field",
    "media_type",
    "replaced",
    "response_messages",
    "start_message",
    "stream_headers",
    "without",
]

# ASGI leaves scopes and messages open for extensions, and every framework types them as open mappings. A TypedDict is
# not one of those, so with TypedDicts no framework's application could be passed to us without a cast.
Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]


def field(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    """Return the first field of this lower-case name; None where there is none."""
    for key, value in headers:
        if key.lower() == name:
            return value.decode("latin-1")
    return None


def media_type(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the content type without its parameters, lower-case; empty where there is none."""
    return (field(headers, b"content-type") or "").partition(";")[0].strip().lower()


def without(headers: Iterable[tuple[bytes, bytes]], *names: bytes) -> Headers:
    """Return the fields but those of these lower-case names."""
    return [(key, value) for key, value in headers if key.lower() not in names]


def replaced(headers: Iterable[tuple[bytes, bytes]], name: bytes, value: str) -> Headers:
    """Return the fields with exactly one of this lower-case name.

    Args:
        headers: as they are.
        name: of the field.
        value: what it is to say; what Latin-1 cannot write becomes `?`, a line end a space: a value that came from a
            request must not become a field of its own.
    """
    line = value.replace("\r", " ").replace("\n", " ").replace("\0", " ")
    return [*without(headers, name), (name, line.encode("latin-1", "replace"))]


_DIRECTIVES: Final = ("no-cache", "no-transform")


def stream_headers(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return the header of a response whose pieces must reach the reader as they come.

    `X-Accel-Buffering: no` is what nginx and those who follow it obey; `no-transform` keeps proxies from compressing,
    for which they collect; a `Cache-Control` that is there keeps its directives. `Content-Length` goes, since what is
    said in the stream's own form (keep-alive comments, errors) is not part of what the application counted.
    """
    fields = list(headers)
    said = field(fields, b"cache-control") or ""
    known = {directive.strip().lower() for directive in said.split(",")}
    directives = [said] if said.strip() else []
    directives += [directive for directive in _DIRECTIVES if directive not in known]
    fields = replaced(without(fields, b"content-length"), b"cache-control", ", ".join(directives))
    return replaced(fields, b"x-accel-buffering", "no")


def start_message(status: int, headers: Headers) -> Message:
    """Return the message that opens a response."""
    return {"type": "http.response.start", "status": status, "headers": headers}


def body_message(body: bytes, *, more: bool) -> Message:
    """Return a message with a piece of a response's body."""
    return {"type": "http.response.body", "body": body, "more_body": more}


def disconnect_message() -> Message:
    """Return what `receive` says once the client has gone."""
    return {"type": "http.disconnect"}


def response_messages(status: int, body: bytes, content_type: str, headers: Headers = []) -> tuple[Message, Message]:  # noqa: B006 - never changed
    """Return both messages of a response whose body is whole."""
    fields = [
        (b"content-type", content_type.encode("latin-1")),
        (b"content-length", str(len(body)).encode()),
        *headers,
    ]
    return start_message(status, fields), body_message(body, more=False)
