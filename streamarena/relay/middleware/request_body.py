"""The JSON body of a request, taken whole so that its history can be made to fit, and handed on as one message.

Invariants: a body that needs nothing reaches the application byte for byte; one that is larger than allowed is refused
before it is held; a body that is no JSON object with messages passes as it is.
Costs the body, held until the application takes it. Long histories are counted in a thread, so that other streams of
the loop go on.
Not here: what fitting means (`streamarena.context.request`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from streamarena.context import prepare_request_bytes
from streamarena.errors import BodyTooLargeError
from streamarena.relay.asgi import field, media_type, replaced

if TYPE_CHECKING:
    from streamarena.context.request import RequestReport
    from streamarena.relay.asgi import Message, Receive, Scope
    from streamarena.relay.middleware.config import ContextRules

__all__ = ["Replay", "fit_body", "holds_json", "read_body", "report_text", "with_length"]

_COUNTED_ON_THE_LOOP: Final = 32_768
"""Bytes of a body whose tokens are counted without a thread: a few milliseconds at most."""


def holds_json(scope: Scope) -> bool:
    """Tell whether a request brings a JSON body that can be read as it is."""
    headers = scope["headers"]
    kind = media_type(headers)
    plain = field(headers, b"content-encoding") in (None, "identity")
    return scope["method"] == "POST" and plain and (kind == "application/json" or kind.endswith("+json"))


async def read_body(receive: Receive, limit: int, setting: str) -> bytes | None:
    """Take the whole body; None if the client left meanwhile.

    Args:
        receive: messages of the request.
        limit: the most bytes taken.
        setting: what raises the limit, for the error.

    Raises:
        BodyTooLargeError: there are more. What follows is not read.
    """
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        piece: bytes = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise BodyTooLargeError(limit, size, setting)
        pieces.append(piece)
        if not message.get("more_body", False):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def fit_body(body: bytes, rules: ContextRules) -> tuple[bytes, RequestReport]:
    """Make a body's history fit its model's window.

    Raises:
        CannotFitError: what must stay is larger than the window.
    """

    def fit() -> tuple[bytes, RequestReport]:
        return prepare_request_bytes(
            body,
            max_input_tokens=rules.max_input_tokens,
            strategy=rules.policy,
            repair=rules.repair,
            require_last=rules.require_last,
        )

    return fit() if len(body) <= _COUNTED_ON_THE_LOOP else await asyncio.to_thread(fit)


def report_text(report: RequestReport) -> str:
    """Say in one header value what was done."""
    if report.api is None:
        return "not applied"
    parts = [
        "changed" if report.changed else "unchanged",
        f"dropped={len(report.dropped)}",
        f"repaired={len(report.repairs)}",
        f"tokens={report.tokens + report.fixed_tokens}",
        f"budget={report.budget + report.fixed_tokens}",
        "counted=exactly" if report.exact else "counted=roughly",
    ]
    return "; ".join(parts)


def with_length(scope: Scope, size: int) -> Scope:
    """Return the scope of a request whose body now has this many bytes."""
    return {**scope, "headers": replaced(scope["headers"], b"content-length", str(size))}


class Replay:
    """Hands a body that was taken whole to the application, and after it what else there is to receive."""

    __slots__ = ("_body", "_receive")

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def receive(self) -> Message:
        """Return the body at the first call."""
        body, self._body = self._body, None
        if body is not None:
            return {"type": "http.request", "body": body, "more_body": False}
        return await self._receive()
