"""A request as bytes: base URL, header lines, JSON body.

Invariants: no header name or value can break out of its line; the key is in exactly one header and in no repr; the body
of a call is the user's members with the API's own streaming members under them, so that a user's choice wins.
Cost: one bytes object a request.
Source: RFC 9112 section 3 (request line), RFC 9110 section 5 (fields), RFC 3986 (URLs).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import msgspec
import orjson

from streamarena.client.pool import Origin
from streamarena.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamarena.client.endpoints import Endpoint

__all__ = ["BaseURL", "build_request", "parse_base_url", "request_body", "request_head", "with_body"]

_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BAD_VALUE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_USER_AGENT: Final = "streamarena/0.1"


class BaseURL(msgspec.Struct, frozen=True):
    """A base URL taken apart: where to connect, what to send as Host, and what every path begins with."""

    origin: Origin
    host_header: str
    prefix: str


def parse_base_url(url: str) -> BaseURL:
    """Take a base URL apart.

    Raises:
        ConfigurationError: not an http or https URL with a host, or one that carries a password, query or fragment.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"the base URL {url!r} cannot be read: {error}") from error
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ConfigurationError(f"the base URL must begin with http:// or https:// and name a host, not {url!r}")
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigurationError(
            "the base URL may hold no user name, password, query or fragment; keys go into api_key="
        )
    host = parts.hostname
    port = port or _DEFAULT_PORTS[parts.scheme]
    shown = f"[{host}]" if ":" in host else host
    host_header = shown if port == _DEFAULT_PORTS[parts.scheme] else f"{shown}:{port}"
    prefix = quote(parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=-._~")
    return BaseURL(Origin(parts.scheme, host, port), host_header, prefix)


def request_body(endpoint: Endpoint, members: Mapping[str, Any]) -> bytes:
    """Return the JSON body that asks `endpoint` for a stream.

    Raises:
        ConfigurationError: the members cannot be written as JSON.
    """
    body = {**endpoint.stream_fields, **members}
    if not endpoint.model_in_body:
        body.pop("model", None)
    try:
        return orjson.dumps(body)
    except TypeError as error:
        raise ConfigurationError(f"the request cannot be written as JSON: {error}") from error


def build_request(url: BaseURL, path: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """Return a whole POST request, or with `body` None the header of one whose body follows in chunks.

    Raises:
        ConfigurationError: a header or the path holds what may not stand there.
    """
    return with_body(request_head(url, path, headers), body)


def request_head(url: BaseURL, path: str, headers: Mapping[str, str]) -> bytes:
    """Return what a POST request begins with, whatever its body: all but the field that says how long that is.

    Raises:
        ConfigurationError: a header or the path holds what may not stand there.
    """
    target = url.prefix + path
    if not target.isascii() or any(character <= " " for character in target):
        raise ConfigurationError(f"the request path {target!r} holds characters that may not stand in a URL")
    fields = {
        "host": url.host_header,
        "user-agent": _USER_AGENT,
        "accept": "text/event-stream",
        "accept-encoding": "identity",
        "content-type": "application/json",
    }
    for name, value in headers.items():
        _check_field(name, value)
        fields[name.lower()] = value
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST {target} HTTP/1.1\r\n{lines}".encode("latin-1")


def with_body(head: bytes, body: bytes | None) -> bytes:
    """Return a whole request, or with `body` None the header of one whose body follows in chunks."""
    if body is None:
        return head + b"transfer-encoding: chunked\r\n\r\n"
    return b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body)


def _check_field(name: str, value: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"{name!r} is not a header name")
    if _BAD_VALUE.search(value):
        raise ConfigurationError(f"the value of header {name!r} holds a control character")  # never the value: a secret
    try:
        value.encode("latin-1")
    except UnicodeEncodeError as error:
        raise ConfigurationError(f"the value of header {name!r} holds characters beyond Latin-1") from error
    if name.lower() in {"content-length", "transfer-encoding", "host", "connection"}:
        raise ConfigurationError(f"header {name!r} is set by the client itself")
