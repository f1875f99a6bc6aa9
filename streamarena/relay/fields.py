"""Header fields that pass the relay, in both directions, and those that do not. Tables, and one walk for each.

Invariants: fields that belong to one connection stay on it (RFC 9110, 7.6.1: those listed there, and those that
`Connection` names); a caller's key, cookies and address never reach an upstream unless the target was told to forward
the key; an upstream's cookies never reach a caller. `Content-Length` of a request is made anew.
Not here: the bytes of a header (`client/raw_framing.py` checks them once more).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from streamarena.relay.asgi import Headers

__all__ = ["KEY_FIELDS", "caller_key", "query_without_key", "request_fields", "response_fields"]

_HOP_BY_HOP: Final = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
        *(b"proxy-authenticate", b"proxy-authorization", b"proxy-authentication-info"),
    }
)
KEY_FIELDS: Final = (b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key")
"""Where the APIs look for a key."""
_NOT_SENT: Final = frozenset(
    {
        *_HOP_BY_HOP,
        *KEY_FIELDS,
        *(b"host", b"content-length", b"accept-encoding", b"expect", b"cookie", b"http2-settings"),
        # Where the caller is, and who stands between, is nobody's business at the model's.
        *(b"forwarded", b"via", b"x-real-ip", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"),
        *(b"x-forwarded-port", b"x-forwarded-server", b"x-forwarded-prefix", b"true-client-ip", b"cf-connecting-ip"),
    }
)
# These name the owner of the key; with another key they would be refused.
_WITH_OWN_KEY: Final = frozenset({*_NOT_SENT, b"openai-organization", b"openai-project"})
_NOT_RETURNED: Final = frozenset({*_HOP_BY_HOP, b"set-cookie", b"set-cookie2", b"alt-svc"})


def request_fields(headers: Headers, *, keep_key: bool) -> Headers:
    """Return the fields of a caller's request that are sent on.

    Args:
        headers: names in lower case, as ASGI has them.
        keep_key: whether the caller's own key is among them.
    """
    dropped = (_NOT_SENT - frozenset(KEY_FIELDS)) if keep_key else _WITH_OWN_KEY
    named = _named_by_connection(headers)
    return [(name, value) for name, value in headers if name not in dropped and name not in named]


def response_fields(headers: Headers) -> Headers:
    """Return the fields of an upstream's response that are sent back, names in lower case as ASGI wants them."""
    lower = [(name.lower(), value) for name, value in headers]
    named = _named_by_connection(lower)
    return [(name, value) for name, value in lower if name not in _NOT_RETURNED and name not in named]


def caller_key(headers: Headers) -> str | None:
    """Return the key that a caller sends, in whichever API's way; None where it sends none."""
    for name, value in headers:
        if name in KEY_FIELDS:
            text = value.decode("latin-1").strip()
            scheme, _, rest = text.partition(" ")
            return rest.strip() if name == b"authorization" and scheme.lower() == "bearer" else text
    return None


_KEY_PARAMETER: Final = re.compile(rb"(?:^|&)(?:key|api[-_]?key|access_token)=[^&]*", re.IGNORECASE)


def query_without_key(query: bytes) -> bytes:
    """Return a query without the parameters in which some APIs take a key."""
    return _KEY_PARAMETER.sub(b"", query).lstrip(b"&") if query else query


def _named_by_connection(headers: Iterable[tuple[bytes, bytes]]) -> frozenset[bytes]:
    names = [value for name, value in headers if name == b"connection"]
    return frozenset(part.strip().lower() for value in names for part in value.split(b",")) if names else _NONE


_NONE: Final[frozenset[bytes]] = frozenset()
