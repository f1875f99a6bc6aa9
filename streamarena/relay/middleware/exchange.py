"""One request on its way through the middleware: what the application sends passes here, and this keeps watch over it.

The application runs in a task of its own, inside the request's scope, so that a limit, a timeout or a client that left
can end it. Everything it sends goes through `send`: a tap reads it, and the same message goes on to the server.

Invariants:
* Bytes pass unchanged and in order unless a text stage changes them; nothing is queued: the application's `send`
  returns when the server's did.
* Whatever happens, the application's task is over, timers are cancelled and the scope is closed when `serve` returns.
* After an error of ours the client is told in the form of its own API, before the header by status, after it inside the
  stream and between events only; where neither can be, the error is raised, so that the server cuts the connection: a
  stream that was cut short never looks complete. An application's own exception is always raised on.

Cost: one task, one clock and one watch a request; for each piece the tap's reading and an `await` of the server's send.
Not here: reading streams (`relay/tap.py`), changing texts (`relay/texts/`), when a client has left
(`relay/disconnect.py`), who is told (`record.py`).
"""

from __future__ import annotations

import asyncio
import re
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

from streamarena.client.clock import ContentClock
from streamarena.errors import BodyTooLargeError, CannotFitError, LimitExceededError, StreamArenaError
from streamarena.relay.asgi import body_message, field, media_type, replaced, response_messages, stream_headers
from streamarena.relay.disconnect import DisconnectWatch
from streamarena.relay.failures import failure_body, failure_of, stream_failure
from streamarena.relay.middleware.keep_alive import KeepAlive
from streamarena.relay.middleware.record import ExchangeRecord
from streamarena.relay.middleware.request_body import Replay, fit_body, holds_json, read_body, report_text, with_length
from streamarena.relay.tap import StreamTap, holds_lines, is_tapped
from streamarena.relay.texts.rewriting import Rewriter

if TYPE_CHECKING:
    from streamarena.memory import Arena
    from streamarena.relay.asgi import ASGIApp, Message, Receive, Scope, Send
    from streamarena.relay.middleware.config import MiddlewareConfig

__all__ = ["Exchange", "serve"]

_BOM: Final = b"\xef\xbb\xbf"
_ASKS_FOR_STREAM: Final = re.compile(rb'"stream"\s*:\s*true')
_FILES: Final = frozenset({"http.response.pathsend", "http.response.zerocopysend"})
"""What servers send for an application, by path or descriptor: they end a response as a body does."""
_LAST_WORD_SECONDS: Final = 5.0
"""How long a client may take to accept that its stream has failed."""


async def serve(app: ASGIApp, config: MiddlewareConfig, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one HTTP request.

    Raises:
        Exception: the application's own.
        StreamArenaError: what ended the response, where the client could not be told of it.
    """
    exchange = Exchange(app, config, scope, send)
    label = f"{scope['method']} {scope['path']}"
    with (
        config.memory.request_scope(config.quota, label) as arena,
        DisconnectWatch(receive, exchange.client_left, exchange.body_seen) as watch,
    ):
        await exchange.run(arena, watch)


class Exchange:
    """Serves one request.

    Args:
        app: the application behind the middleware.
        config: of the middleware.
        scope: of the request.
        send: the server's.
    """

    __slots__ = (
        "_app",
        "_arena",
        "_asked",
        "_clock",
        "_config",
        "_drain_left",
        "_draining",
        "_failure",
        "_finished",
        "_keep_alive",
        "_over",
        "_record",
        "_report",
        "_rewriter",
        "_scope",
        "_sending",
        "_server_send",
        "_tap",
        "_task",
        "_watch",
    )

    def __init__(self, app: ASGIApp, config: MiddlewareConfig, scope: Scope, send: Send) -> None:
        self._app = app
        self._config = config
        self._scope = scope
        self._server_send = send
        self._record = ExchangeRecord(config, scope)
        # Whether this is known to be about a stream, so that what counts for streams counts already.
        self._asked = config.paths is not None or _accepts_stream(scope)
        self._arena: Arena | None = None
        self._watch: DisconnectWatch | None = None
        self._task: asyncio.Task[None] | None = None
        self._clock: ContentClock | None = None
        self._tap: StreamTap | None = None
        self._rewriter: Rewriter | None = None
        self._keep_alive = None if config.keep_alive is None else KeepAlive(config.keep_alive, send)
        self._draining: asyncio.TimerHandle | None = None
        self._drain_left = 0
        self._failure: Exception | None = None  # ours, for the client
        self._report: str | None = None  # what was done to the request's body
        self._finished = False  # the application has sent its response to the end
        self._over = False  # it may send nothing more
        self._sending = False

    async def run(self, arena: Arena, watch: DisconnectWatch) -> None:
        """Serve the request; return when the application has.

        Raises:
            Exception: as `serve`.
        """
        self._arena, self._watch = arena, watch
        if self._asked:
            self._start_clock()
        self._task = asyncio.create_task(self._run_app(watch.receive))
        try:
            await self._attend(self._task)
        except asyncio.CancelledError as cancelled:
            self._record.finished(cancelled, whole=self._finished)
            raise
        finally:
            self._stop_timers()
        await self._conclude(self._task)

    def body_seen(self, message: Message) -> None:
        """Look at a message of the request's body, as it comes: it may ask for a stream."""
        body: bytes = message.get("body", b"")
        self._record.request_bytes += len(body)
        if not self._asked and _ASKS_FOR_STREAM.search(body):
            self._asked = True
            if self._record.status is None:
                self._start_clock()

    def client_left(self) -> None:
        """Take note that the client has left."""
        if self._finished or self._over or self._record.left:
            return
        self._record.left = True
        if self._asked or self._tap is not None:
            self._abandon()

    async def send(self, message: Message) -> None:
        """Take what the application sends and hand it to the server.

        Raises:
            OSError: the response is over for this application, as servers raise it for a client that has left.
        """
        if self._over:
            raise _ResponseOverError
        kind = message["type"]
        if kind == "http.response.body" or kind in _FILES:
            if self._rewriter is not None:
                message = self._rewrite(self._rewriter, message)
            if self._tap is not None:
                message = self._watch_over(self._tap, message)
            if not message.get("more_body", False):
                self._complete()
        elif kind == "http.response.start":
            message = self._begin(message)
        if self._rewriter is not None and not message.get("body", b"") and message.get("more_body", False):
            return  # what came waits for what follows it
        keep_alive = self._keep_alive
        if keep_alive is not None and keep_alive.pending is not None:
            await asyncio.wait({keep_alive.pending})
        if self._draining is not None:
            self._drain(message)
        else:
            await self._hand_over(message)
        if self._finished:
            self._record.finished(None, whole=True)
            if self._rewriter is not None and self._rewriter.stopped:
                self._end()

    # ------------------------------------------------------------ the way in

    async def _run_app(self, receive: Receive) -> None:
        try:
            scope, receive = await self._incoming(receive)
        except (BodyTooLargeError, CannotFitError) as error:
            self._failure = error
        else:
            await self._app(scope, receive, self.send)

    async def _incoming(self, receive: Receive) -> tuple[Scope, Receive]:
        """Return what the application is called with; its body made to fit, if that was asked for."""
        rules = self._config.context
        if rules is None or not holds_json(self._scope):
            return self._scope, receive
        body = await read_body(receive, rules.max_body_bytes, "ContextRules.max_body_bytes")
        if body is None:
            return self._scope, receive
        fitted, report = await fit_body(body, rules)
        self._report = report_text(report)
        self._record.model = report.model.id if report.model is not None else ""
        scope = self._scope if fitted is body else with_length(self._scope, len(fitted))
        return scope, Replay(fitted, receive).receive

    # ------------------------------------------------------------ the way out

    def _begin(self, message: Message) -> Message:
        """Look at the response's header; return the message to send for it."""
        given = headers = message.get("headers", ())
        streaming = is_tapped(media_type(headers)) and self._scope["method"] != "HEAD"
        if streaming and field(headers, b"content-encoding") not in (None, "identity"):
            self._config.counters.compressed += 1
            streaming = False
        if streaming:
            self._open_tap(field(headers, b"content-type"), lines=holds_lines(media_type(headers)))
            headers = stream_headers(headers)
        elif self._clock is not None:
            self._clock.stop()
        if self._report is not None and self._config.context is not None:
            headers = replaced(headers, self._config.context.report_header.lower().encode(), self._report)
        self._record.responded(int(message["status"]), streaming=streaming)
        return message if headers is given else {**message, "headers": headers}

    def _open_tap(self, content_type: str | None, *, lines: bool) -> None:
        assert self._arena is not None
        config, record = self._config, self._record
        config.counters.streams += 1
        self._tap = record.tap = StreamTap(
            content_type,
            self._arena,
            api=record.api,
            limits=config.limits,
            started=record.began_at,
            manager=config.memory,
        )
        if config.stages:
            limit = config.limits.event_bytes
            self._rewriter = Rewriter(config.stages, record.api, lines=lines, max_event_bytes=limit)
        if self._clock is None:
            self._start_clock()
        if record.left:
            self._abandon()

    def _watch_over(self, tap: StreamTap, message: Message) -> Message:
        """Let the tap read a piece; return the message to send for it."""
        body: bytes = message.get("body", b"")
        if not body:
            return message
        if self._keep_alive is not None and self._keep_alive.sent and not tap.pieces and body.startswith(_BOM):
            body = body[len(_BOM) :]  # it may stand at the very start only, and that is where a comment stands now
            message = {**message, "body": body}
        try:
            tap.feed(body)
        except LimitExceededError as error:
            self._fail(error)
            raise _ResponseOverError from error
        if tap.last_content_at == tap.last_at:
            self._record.content(tap.last_at)
            if self._clock is not None:
                self._clock.content(tap.last_at)
        return message

    def _rewrite(self, rewriter: Rewriter, message: Message) -> Message:
        """Put a piece through the text stages; return the message with what is to be sent of it now."""
        more = message.get("more_body", False)
        try:
            body = rewriter.feed(message.get("body", b""))
            if not more and not rewriter.stopped:
                body += rewriter.finish()
        except Exception as error:
            self._fail(error)
            raise _ResponseOverError from error
        return body_message(body, more=more and not rewriter.stopped)

    def _complete(self) -> None:
        """The application says its last word."""
        if self._tap is not None:
            self._tap.finish()
        if self._rewriter is not None:
            self._config.counters.unstaged += self._rewriter.unstaged
        self._finished = True
        self._stop_timers()

    async def _hand_over(self, message: Message) -> None:
        """Send a message to the server; the content clocks stand still while the client takes its time."""
        clock, since = self._clock, perf_counter_ns()
        self._sending = True
        if clock is not None:
            clock.hold()
        try:
            await self._server_send(message)
        except OSError:
            self._finished = False  # it was not taken
            self.client_left()
            if self._draining is None:
                raise
        finally:
            self._sending = False
            if clock is not None:
                clock.resume(since)

    # ------------------------------------------------------------ while it runs

    async def _attend(self, task: asyncio.Task[None]) -> None:
        """Wait for the application, through any number of cancellations, and keep the connection alive meanwhile."""
        cancelled: asyncio.CancelledError | None = None
        while not task.done():
            try:
                await self._wait(task)
            except asyncio.CancelledError as error:
                cancelled = error
                self._over = True
                task.cancel()
        if cancelled is not None:
            raise cancelled

    async def _wait(self, task: asyncio.Task[None]) -> None:
        keep_alive = self._keep_alive
        if keep_alive is None or self._finished or self._draining is not None:
            await asyncio.wait({task})
            return
        tap = self._tap
        await asyncio.wait({task}, timeout=keep_alive.wait_seconds(tap))
        if self._is_idle() and tap is not None and keep_alive.is_due(tap):
            self._config.counters.comments += 1
            self._record.kept_alive += 1
            if not await keep_alive.send(task):
                self.client_left()

    def _is_idle(self) -> bool:
        """Whether the application leaves its client, who is there, waiting for more."""
        return not (self._finished or self._over or self._sending) and self._draining is None

    def _start_clock(self) -> None:
        timeouts, began_at = self._config.timeouts, self._record.began_at
        deadline = None if timeouts.total is None else began_at + round(timeouts.total * 1e9)
        self._clock = ContentClock(asyncio.get_running_loop(), timeouts, deadline, self._fail)
        self._clock.start(began_at)

    def _fail(self, error: Exception) -> None:
        """End the application's work because a limit was met."""
        if not (self._finished or self._over):
            self._failure = error
            self._end()

    def _end(self) -> None:
        """Let the application send nothing more, and end its work."""
        self._over = True
        if self._task is not None:
            self._task.cancel()

    def _stop_timers(self) -> None:
        if self._clock is not None:
            self._clock.stop()
        if self._draining is not None:
            self._draining.cancel()

    # ------------------------------------------------------------ without a client

    def _abandon(self) -> None:
        """Do with the answer what the policy says; there is none to be had of a request that never came whole."""
        policy, watch = self._config.disconnect, self._watch
        assert watch is not None
        if self._clock is not None:
            self._clock.stop()
        if policy.mode == "cancel" or not watch.body_complete:
            self._end()
            return
        watch.quiet = True
        self._drain_left = policy.bytes
        self._draining = asyncio.get_running_loop().call_later(policy.seconds, self._end)

    def _drain(self, message: Message) -> None:
        self._record.drained = self._finished
        self._drain_left -= len(message.get("body", b""))
        if self._drain_left < 0 and not self._finished:
            self._end()

    # ------------------------------------------------------------ the end

    async def _conclude(self, task: asyncio.Task[None]) -> None:
        """Tell the client of a failure, the observers of the end, and the server of what is not ours.

        Raises:
            BaseException: as `serve`.
        """
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        ended_by_us, self._over = self._over, True
        ended_by = self._failure or error
        if self._failure is not None:
            told = await self._last_word(self._failure)
            error = None if told and isinstance(self._failure, StreamArenaError) else self._failure
        elif ended_by_us:
            error = None
        elif isinstance(error, Exception) and self._tap is not None and not self._finished:
            await self._last_word(error)
        self._record.finished(ended_by, whole=self._finished)
        if error is not None:
            raise error

    async def _last_word(self, error: BaseException) -> bool:
        """Tell the client why there is nothing more; False where that cannot be done, or is not taken in time."""
        record = self._record
        failure = failure_of(error)
        if record.status is None:
            status = 413 if isinstance(error, BodyTooLargeError) else failure.status
            failure = failure_of(error, status)
            messages: tuple[Message, ...] = response_messages(
                status, failure_body(record.api, failure), "application/json"
            )
            record.status = status
        elif self._tap is not None and self._tap.at_boundary:
            messages = (body_message(stream_failure(record.api, failure), more=False),)
        else:
            return False
        try:
            async with asyncio.timeout(_LAST_WORD_SECONDS):
                for message in messages:
                    await self._server_send(message)
        except (OSError, TimeoutError):
            return False
        return True


def _accepts_stream(scope: Scope) -> bool:
    accept = field(scope["headers"], b"accept") or ""
    return any(is_tapped(kind.partition(";")[0].strip().lower()) for kind in accept.split(","))


class _ResponseOverError(OSError):
    """The middleware has ended this response; what the application still sends goes nowhere."""

    def __init__(self) -> None:
        super().__init__("the response is over: its client has left, or a limit of the middleware was met")
