"""A caller's request, checked and read: what passes on is what one server and another will understand alike.

Refused are: two lengths or a length and a coding (RFC 9112, 11.2), line ends and NUL in fields, paths that climb or
hide (`..`, `//`, encoded slashes and dots, backslashes), absolute-form targets, bodies past the limit also when they
only become so decompressed, and, where the API is known, bodies that are no JSON object.
Invariants: nothing is read past the limit; nothing of a body is in an error. Where the API is known, a
compressed body is passed on decompressed, since it has to be looked into.
Cost: one walk over the fields; one pass over the JSON that makes nothing of what it skips.
Not here: HTTP itself, which the server parsed; who may call (`access.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from streamarena.client import ENDPOINTS
from streamarena.client.compression import decompressor_for
from streamarena.errors import (
    BodyTooLargeError,
    MissingExtraError,
    ProtocolError,
    RequestRefusedError,
    StreamTruncatedError,
)
from streamarena.relay.asgi import Headers, Receive, Scope, without
from streamarena.relay.settings import TRANSLATED

__all__ = ["API_PATHS", "ClientLeftError", "RelayRequest", "check_line", "path_of", "read_request", "with_model"]

API_PATHS: Final[Mapping[str, str]] = {f"/v1{ENDPOINTS[api].path}": api for api in TRANSLATED}
"""Whole paths, not endings: `/v1/threads/t/messages` is another thing than `/v1/messages`."""
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_HEADER_BYTES: Final = 64 * 2**10
_HEADER_COUNT: Final = 100
_PATH: Final = re.compile(rb"/[\x21-\x7e]*")
# What servers disagree about: an empty or climbing segment, and the same in disguise.
_TRICK: Final = re.compile(rb"//|/\.{1,2}(?:/|$)|\\|%(?:2e|2f|5c|00|0a|0d|25)", re.IGNORECASE)
_BAD_VALUE: Final = re.compile(rb"[\x00\r\n]")


class ClientLeftError(Exception):
    """The caller left before its request was whole, or before the answer to it was."""


class RelayRequest(msgspec.Struct):
    """A request.

    Attributes:
        method: in capitals. path: as on the wire, below the mount point. query: behind the question mark.
        headers: as they came. body: whole.
        api: what the path speaks; None for paths that mean nothing special here.
        model: what the body names; None where it names none. stream: whether it asks for one.
    """

    method: str
    path: bytes
    query: bytes
    headers: Headers
    body: bytes
    api: str | None
    model: str | None = None
    stream: bool = False


class _Wanted(msgspec.Struct):
    """The members of a body that the relay needs; the others are passed over."""

    model: str | None = None
    stream: bool | None = None


_decoder: Final = msgspec.json.Decoder(_Wanted)


async def read_request(scope: Scope, receive: Receive, max_bytes: int) -> RelayRequest:
    """Read a request.

    Raises:
        RequestRefusedError: it is not passed on; `.status` says why.
        ClientLeftError: the caller left before its body was whole.
    """
    method, path = check_line(scope)
    headers: Headers = list(scope["headers"])
    length, coding = _check_fields(headers)
    api = API_PATHS.get(path.decode("ascii")) if method == "POST" else None
    if length is not None and length > max_bytes:
        raise _too_large(max_bytes)
    body = await _read_body(receive, max_bytes)
    if api is not None and coding:
        body = _decompressed(body, coding, max_bytes)
        headers = without(headers, b"content-encoding")
    request = RelayRequest(method, path, scope.get("query_string", b""), headers, body, api)
    if api is not None:
        _look_into(request, strict=True)
    elif body and not coding and method == "POST":
        _look_into(request, strict=False)
    return request


def path_of(scope: Scope) -> str:
    """Return the decoded path of a request, below the mount point."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if root and path.startswith(root + "/") else path


def check_line(scope: Scope) -> tuple[str, bytes]:
    """Return method and path of a request, below the mount point.

    Raises:
        RequestRefusedError: another method, or a path with which one could get somewhere else.
    """
    method: str = scope["method"]
    if method not in _METHODS:
        raise RequestRefusedError(405, f"the method {method[:20]!r} is not passed on")
    raw: bytes | None = scope.get("raw_path")
    path = raw if raw is not None else str(scope["path"]).encode("utf-8")
    root = str(scope.get("root_path", "")).encode("utf-8")
    if root and path.startswith(root + b"/"):
        path = path[len(root) :]
    if not _PATH.fullmatch(path) or _TRICK.search(path):
        raise RequestRefusedError(400, "the path is not passed on: it climbs, hides a slash or is no path")
    if not _QUERY.fullmatch(scope.get("query_string", b"")):
        raise RequestRefusedError(400, "the query holds characters that may not stand there")
    return method, path


_QUERY: Final = re.compile(rb"[\x21\x22\x24-\x7e]*")


def _check_fields(headers: Headers) -> tuple[int | None, str]:
    """Return the declared length and the content coding.

    Raises:
        RequestRefusedError: fields that two servers may read differently, or too many of them.
    """
    lengths: list[bytes] = []
    coding = ""
    chunked = False
    size = 0
    for name, value in headers:
        size += len(name) + len(value) + 4
        if _BAD_VALUE.search(value) or _BAD_VALUE.search(name):
            raise RequestRefusedError(400, "a header field holds a line end")
        if name == b"content-length":
            lengths.append(value.strip())
        elif name == b"transfer-encoding":
            chunked = True
            if value.strip().lower() != b"chunked":
                raise RequestRefusedError(501, "the transfer coding is not understood")
        elif name == b"content-encoding":
            coding += value.decode("latin-1").strip().lower().removeprefix("identity")
    if size > _HEADER_BYTES or len(headers) > _HEADER_COUNT:
        raise RequestRefusedError(431, f"more than {_HEADER_BYTES} bytes or {_HEADER_COUNT} fields of header")
    if len(lengths) > 1 or (lengths and chunked):
        raise RequestRefusedError(400, "the length of the body is said more than once")
    if not lengths:
        return None, coding
    if not (lengths[0].isdigit() and len(lengths[0]) < 20):
        raise RequestRefusedError(400, "the length of the body is no number")
    return int(lengths[0]), coding


async def _read_body(receive: Receive, max_bytes: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeftError
        piece: bytes = message.get("body", b"")
        if piece:
            size += len(piece)
            if size > max_bytes:
                raise _too_large(max_bytes)
            pieces.append(piece)
        if not message.get("more_body", False):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _decompressed(body: bytes, coding: str, max_bytes: int) -> bytes:
    try:
        decompressor = decompressor_for(coding, max_bytes)
        if decompressor is None:
            return body
        whole = b"".join(decompressor.feed(body))
        decompressor.finish()
        return whole
    except BodyTooLargeError:
        raise _too_large(max_bytes) from None
    except StreamTruncatedError:
        raise RequestRefusedError(400, "the compressed body has no end") from None
    except (ProtocolError, MissingExtraError):
        raise RequestRefusedError(415, f"the content coding {coding[:40]!r} is not understood here") from None


def _too_large(max_bytes: int) -> RequestRefusedError:
    return RequestRefusedError(
        413, f"the body is larger than {max_bytes} bytes; the limit is RelayLimits.request_bytes"
    )


def _look_into(request: RelayRequest, *, strict: bool) -> None:
    """Take model and stream from the body; with `strict` it has to be an object that has the first."""
    try:
        wanted = _decoder.decode(request.body)
    except msgspec.ValidationError as error:
        if strict:
            problem, _, place = str(error).partition(" - at `$.")
            raise RequestRefusedError(400, f"the body: {problem}", place.rstrip("`") or None) from None
        return
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if strict:
            raise RequestRefusedError(400, f"the body is not JSON: {error}") from None
        return
    if strict and not wanted.model:
        raise RequestRefusedError(400, "the body names no model", "model")
    request.model = wanted.model
    request.stream = wanted.stream or False


def with_model(body: bytes, model: str) -> bytes:
    """Return a JSON body that names another model; every other member keeps its bytes."""
    members: dict[str, Any] = _members.decode(body)
    members["model"] = model
    return msgspec.json.encode(members)


_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
