"""What an observer of a client is told: one frozen object for each moment of a request.

Invariants: moments of one request come in order, `StreamFinished` last and exactly once, whatever happened; none of
them holds a key, a header or a body. An observer is called synchronously, for `HeadersReceived` and `FirstContent`
inside the read callback: it must not block. What it raises is logged and never reaches the stream.
Cost: nothing without observers; with them a handful of calls a stream, never one a chunk.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, TypeVar

import msgspec

if TYPE_CHECKING:
    from streamarena.client.result import Timings
    from streamarena.client.retry import Attempt
    from streamarena.providers import FinishReason, UsageChunk

__all__ = [
    "AttemptFailed",
    "AttemptStarted",
    "FirstContent",
    "HeadersReceived",
    "Moment",
    "Observer",
    "Outcome",
    "StreamFinished",
    "notify",
]

_log = logging.getLogger("streamarena.client")

Outcome: TypeAlias = Literal["complete", "failed", "left"]
"""A stream came to its proper end; ended with an error; or was left before its end, by `break` or cancellation."""


class AttemptStarted(msgspec.Struct, frozen=True):
    """A request is about to be sent. `server` is `host:port`; `model` is empty where the body does not name it."""

    label: str | None
    number: int
    server: str
    api: str
    model: str


class HeadersReceived(msgspec.Struct, frozen=True):
    """A response's header is there; `seconds` since the request was sent."""

    label: str | None
    number: int
    status: int
    seconds: float


class FirstContent(msgspec.Struct, frozen=True):
    """The first text, reasoning or tool call came; `seconds` since the request was sent: time to first token."""

    label: str | None
    number: int
    seconds: float


class AttemptFailed(msgspec.Struct, frozen=True):
    """An attempt ended with an error and another one follows after `attempt.waited` seconds."""

    label: str | None
    attempt: Attempt


class StreamFinished(msgspec.Struct, frozen=True):
    """The request is over: everything about it in one object, so that exporters need no other moment.

    Attributes:
        outcome: see `Outcome`. error: what ended it early; None for "complete", and "left" by `break`.
        attempts: all of them. server, api, model: of the one that was read, which is the last but where a second
            request was sent beside it and given up. status, timings, bytes_received, chunks: of its response.
        content_chunks: those of the chunks that brought text, reasoning or a part of a tool call.
        usage: as far as the provider has told it; with an outcome other than "complete" it may be a part.
        response_id, response_model, finish_reason: as the provider told them, or None.
    """

    label: str | None
    outcome: Outcome
    error: BaseException | None
    server: str
    api: str
    model: str
    status: int | None
    attempts: tuple[Attempt, ...]
    timings: Timings
    bytes_received: int
    chunks: int
    content_chunks: int
    usage: UsageChunk | None
    response_id: str | None
    response_model: str | None
    finish_reason: FinishReason | None


Moment: TypeAlias = AttemptStarted | HeadersReceived | FirstContent | AttemptFailed | StreamFinished


class Observer(Protocol):
    """Is told the moments of every request of a client."""

    def __call__(self, moment: Moment, /) -> None:
        """Take one moment; look at its class for what it is."""
        ...


_MomentT = TypeVar("_MomentT")


def notify(observers: Sequence[Callable[[_MomentT], object]], moment: _MomentT) -> None:
    """Tell everybody; what one of them raises is logged."""
    for observer in observers:
        try:
            observer(moment)
        except Exception:  # noqa: BLE001 - an observer must not harm the stream it watches
            _log.exception("an observer failed at %s", type(moment).__name__)
