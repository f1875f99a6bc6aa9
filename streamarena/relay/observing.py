"""What an observer of the middleware or the relay is told: one frozen object for each moment of a request.

Invariants: moments of one request come in order, `ExchangeFinished` last and exactly once, whatever happened; none of
them holds a key, a header, a query or a body. An observer is called synchronously on the event loop and must not
block. What it raises is logged and never reaches the stream (`client.observers.notify`).
Cost: nothing without observers; with them a handful of calls a request, never one a chunk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

import msgspec

if TYPE_CHECKING:
    from streamarena.client.observers import Outcome
    from streamarena.relay.summary import TapSummary

__all__ = ["ExchangeFinished", "ExchangeMoment", "ExchangeObserver", "FirstContentSent", "ResponseStarted"]


class ResponseStarted(msgspec.Struct, frozen=True):
    """A response's header is about to go to the client.

    Attributes:
        number: of the request, counted from 1 in this process's middleware or relay.
        path: of the request, without its query. status: of the response.
        streaming: whether a tap watches its body. seconds: since the request came.
        model: as far as it is known by now. target: of the relay's, that answers.
    """

    number: int
    path: str
    status: int
    streaming: bool
    seconds: float
    model: str = ""
    target: str = ""


class FirstContentSent(msgspec.Struct, frozen=True):
    """The first text, reasoning or tool call is on its way to the client; `seconds` since the request came."""

    number: int
    path: str
    seconds: float


class ExchangeFinished(msgspec.Struct, frozen=True):
    """The request is over: everything about it in one object, so that exporters need no other moment.

    Attributes:
        number, path: as before. method: of the request.
        outcome: "complete"; "failed", and then `error` says how; "left" by the client before its end.
        error: what ended it early; the provider's own error inside a stream too.
        status: of the response; None where none was begun.
        api: the wire API; None where it was not recognised. model: empty where nobody named it.
        seconds: from the request to its end. started_seconds: to the response's header; None without one.
        stream: what the tap saw; None for a response that is not a stream, or is compressed.
        drained: whether the stream was read on after its client had left.
        kept_alive: keep-alive comments sent.
        target: of the relay's, which answered last; empty where none was asked. attempts: how often one was asked.
        request_bytes: of the request's body.
    """

    number: int
    method: str
    path: str
    outcome: Outcome
    error: BaseException | None
    status: int | None
    api: str | None
    model: str
    seconds: float
    started_seconds: float | None
    stream: TapSummary | None
    drained: bool = False
    kept_alive: int = 0
    target: str = ""
    attempts: int = 0
    request_bytes: int = 0


ExchangeMoment: TypeAlias = ResponseStarted | FirstContentSent | ExchangeFinished


class ExchangeObserver(Protocol):
    """Is told the moments of every request that passes through."""

    def __call__(self, moment: ExchangeMoment, /) -> None:
        """Take one moment; look at its class for what it is."""
        ...
