"""The page itself: one file without references to anything else, and the events that fill it.

Invariants: off unless a setting turns it on. The page holds no data; its events are given out only to somebody who
shows the token, or, where there is none, to a browser on this machine: from a loopback address, by a loopback name (a
name of somebody else's that points here is refused) and through no proxy. A token travels in a header and never in an
address. Nothing that came in with a request is ever made markup of.
Cost: a snapshot a second for each who looks, eight at most.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson

from streamarena.errors import ConfigurationError
from streamarena.relay.asgi import body_message, field, response_messages, start_message, stream_headers
from streamarena.sse import encode_event

if TYPE_CHECKING:
    from streamarena.relay.asgi import Headers, Receive, Scope, Send
    from streamarena.relay.status.board import Board

__all__ = ["PAGE_PATH", "PageSettings", "StatusPage"]

PAGE_PATH: Final = "/_streamarena"
_EVENTS_PATH: Final = f"{PAGE_PATH}/events"
_MAX_VIEWERS: Final = 8
_INTERVAL_SECONDS: Final = 1.0
_LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


class PageSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Whether there is a page at `/_streamarena`, and who may look.

    Attributes:
        enabled: default False.
        token_variable: names the environment variable with the token that a viewer has to show. None (default): only
            browsers on this machine may look.
    """

    enabled: bool = False
    token_variable: str | None = None


class StatusPage:
    """An ASGI application for the paths of the page.

    Args:
        board: what is shown.
        settings: who may look.
        environment: where the token is.
        ended: asked each second; once it says yes, the events end.

    Raises:
        ConfigurationError: the variable of the token is not set.
    """

    def __init__(
        self,
        board: Board,
        settings: PageSettings,
        environment: Mapping[str, str],
        ended: Callable[[], bool] = lambda: False,
    ) -> None:
        self._board = board
        self._ended = ended
        self._viewers = 0
        self._token: bytes | None = None
        if settings.token_variable is not None:
            token = environment.get(settings.token_variable, "").strip()
            if not token:
                raise ConfigurationError(f"page: the environment variable {settings.token_variable} is not set")
            self._token = token.encode("utf-8")

    @staticmethod
    def serves(path: str) -> bool:
        """Tell whether a path is the page's."""
        return path in {PAGE_PATH, f"{PAGE_PATH}/", _EVENTS_PATH}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for the page or its events."""
        if scope["method"] not in {"GET", "HEAD"}:
            await _answer(send, 405, "only GET", [(b"allow", b"GET, HEAD")])
        elif scope["path"] != _EVENTS_PATH:
            text, policy = _page()
            for message in response_messages(200, text, "text/html; charset=utf-8", [*_GUARDS, policy]):
                await send(message)
        elif (refusal := self._refusal(scope)) is not None:
            await _answer(send, 401 if self._token is not None else 403, refusal)
        elif scope["method"] == "HEAD":
            await _answer(send, 405, "only GET", [(b"allow", b"GET")])
        elif self._viewers >= _MAX_VIEWERS:
            await _answer(send, 503, f"{_MAX_VIEWERS} are looking already", [(b"retry-after", b"5")])
        else:
            self._viewers += 1
            try:
                await self._events(receive, send)
            finally:
                self._viewers -= 1

    async def _events(self, receive: Receive, send: Send) -> None:
        headers = stream_headers([(b"content-type", b"text/event-stream"), *_GUARDS])
        await send(start_message(200, headers))
        leaving = asyncio.create_task(_left(receive), name="streamarena: page viewer")
        try:
            while not leaving.done() and not self._ended():
                data = orjson.dumps(self._board.snapshot()).decode()
                await send(body_message(encode_event(data, event="snapshot"), more=True))
                await asyncio.wait({leaving}, timeout=_INTERVAL_SECONDS)
            if not leaving.done():
                await send(body_message(b"", more=False))
        finally:
            leaving.cancel()

    def _refusal(self, scope: Scope) -> str | None:
        """Return why this viewer may not look; None where it may."""
        headers: Headers = scope["headers"]
        if self._token is not None:
            scheme, _, given = (field(headers, b"authorization") or "").partition(" ")
            right = hmac.compare_digest(given.strip().encode("utf-8"), self._token)
            return None if right and scheme.lower() == "bearer" else "show the token"
        if not _is_loopback((scope.get("client") or ("",))[0]):
            return "without a token only browsers on this machine may look"
        if any(name.startswith((b"x-forwarded", b"forwarded", b"via", b"x-real-ip")) for name, _ in headers):
            return "through a proxy only with a token"
        name = re.sub(r":\d+$", "", field(headers, b"host") or "")
        return None if name in _LOCAL_NAMES else f"not by the name {name[:100]!r}"


_GUARDS: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)


@cache
def _page() -> tuple[bytes, tuple[bytes, bytes]]:
    """Return the page, and the policy that lets nothing run or load but what is in it."""
    text = files("streamarena.relay.status").joinpath("index.html").read_bytes()
    parts = {name: re.findall(rb"<%b>(.*?)</%b>" % (name, name), text, re.DOTALL)[0] for name in (b"script", b"style")}
    hashes = {name: base64.b64encode(hashlib.sha256(part).digest()) for name, part in parts.items()}
    policy = b"default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    policy += b"; script-src 'sha256-%b'; style-src 'sha256-%b'" % (hashes[b"script"], hashes[b"style"])
    return text, (b"content-security-policy", policy)


async def _left(receive: Receive) -> None:
    """Return once the viewer has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(send: Send, status: int, problem: str, headers: Headers = []) -> None:  # noqa: B006 - never changed
    body: dict[str, Any] = {"error": {"message": problem}}
    for message in response_messages(status, orjson.dumps(body), "application/json", [*_GUARDS, *headers]):
        await send(message)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
