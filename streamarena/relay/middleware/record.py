"""What is known of one request on its way through the middleware, and who is told of it.

Invariants: each moment is told once, `ExchangeFinished` last; a stream that its provider did not end counts as failed,
whatever the application thought of it. Cost: a few attributes; the moments are made only where somebody watches.
Not here: what happens to the request (`exchange.py`).
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING

from streamarena.client.observers import notify
from streamarena.errors import StreamTruncatedError
from streamarena.providers.paths import api_of_path
from streamarena.relay.observing import ExchangeFinished, FirstContentSent, ResponseStarted

if TYPE_CHECKING:
    from streamarena.client.observers import Outcome
    from streamarena.relay.asgi import Scope
    from streamarena.relay.middleware.config import MiddlewareConfig
    from streamarena.relay.tap import StreamTap

__all__ = ["ExchangeRecord"]


class ExchangeRecord:
    """The record of one request.

    Args:
        config: whose counters and observers.
        scope: of the request.

    Attributes:
        began_at: nanosecond stamp of the request's start. responded_at: of its response's header, or None.
        status: of the response, or None. model: that the request named, as far as it was looked at.
        request_bytes: of the request's body, as far as it has come. kept_alive: comments sent.
        tap: what watches the response's body, or None.
        left: whether the client has left before the end. drained: whether its answer was taken to the end all the same.
    """

    __slots__ = (
        "_config",
        "_content_told",
        "_finished_told",
        "_number",
        "_path_api",
        "_scope",
        "began_at",
        "drained",
        "kept_alive",
        "left",
        "model",
        "request_bytes",
        "responded_at",
        "status",
        "tap",
    )

    def __init__(self, config: MiddlewareConfig, scope: Scope) -> None:
        self._config = config
        self._scope = scope
        self._path_api = config.api or api_of_path(scope["path"])
        config.counters.requests += 1
        self._number = config.counters.requests
        self._content_told = self._finished_told = False
        self.began_at = perf_counter_ns()
        self.responded_at: int | None = None
        self.status: int | None = None
        self.model = ""
        self.tap: StreamTap | None = None
        self.left = self.drained = False
        self.kept_alive = self.request_bytes = 0

    @property
    def api(self) -> str | None:
        """The wire API: as configured, as seen in the stream, or as the path says."""
        return (self.tap.api if self.tap is not None else None) or self._path_api

    def responded(self, status: int, *, streaming: bool) -> None:
        """The response's header is here."""
        self.status = status
        self.responded_at = perf_counter_ns()
        if self._config.observers:
            seconds = self._seconds(self.responded_at)
            path = self._scope["path"]
            notify(self._config.observers, ResponseStarted(self._number, path, status, streaming, seconds, self.model))

    def content(self, now: int) -> None:
        """Content is here, maybe the first."""
        if not self._content_told:
            self._content_told = True
            if self._config.observers:
                moment = FirstContentSent(self._number, self._scope["path"], self._seconds(now))
                notify(self._config.observers, moment)

    def finished(self, error: BaseException | None, *, whole: bool) -> None:
        """The request is over. Only the first call counts.

        Args:
            error: what ended it early.
            whole: whether the application sent its response to the end.
        """
        if self._finished_told:
            return
        self._finished_told = True
        outcome, error = self._outcome(error, whole=whole)
        counters = self._config.counters
        counters.failed += outcome == "failed"
        counters.left += outcome == "left"
        counters.drained += self.drained
        if self._config.observers:
            notify(self._config.observers, self._moment(outcome, error))

    def _outcome(self, error: BaseException | None, *, whole: bool) -> tuple[Outcome, BaseException | None]:
        if self.left:
            return "left", error
        tap = self.tap
        if error is None and tap is not None:
            error = tap.error
            if error is None and tap.complete is False:
                error = StreamTruncatedError("the body ended without the provider's own end of the stream", tap.bytes)
        if error is None and not whole:
            error = StreamTruncatedError("the application returned before its response was complete")
        return ("complete" if error is None else "failed"), error

    def _moment(self, outcome: Outcome, error: BaseException | None) -> ExchangeFinished:
        tap = self.tap
        return ExchangeFinished(
            number=self._number,
            method=self._scope["method"],
            path=self._scope["path"],
            outcome=outcome,
            error=error,
            status=self.status,
            api=self.api,
            model=(tap.model if tap is not None else None) or self.model,
            seconds=self._seconds(perf_counter_ns()),
            started_seconds=None if self.responded_at is None else self._seconds(self.responded_at),
            stream=tap.summary() if tap is not None else None,
            drained=self.drained,
            kept_alive=self.kept_alive,
            request_bytes=self.request_bytes,
        )

    def _seconds(self, stamp: int) -> float:
        return (stamp - self.began_at) / 1e9
