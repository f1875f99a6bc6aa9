"""One request through the relay, from its first line to its end, over all its attempts.

Invariants:
* From the first line on the caller's leaving is raced against everything that is awaited, and so are the time limits:
  either ends the wait by cancelling this request's own task, which then takes the cancellation back.
* Whatever an attempt took (a place, a connection, the tap's parser) goes back when it ends, synchronously.
* A caller sees one answer: of an attempt that another one may follow nothing is sent before the first content.
* Observers hear `ExchangeFinished` last and exactly once.
Cost: one task for the watch; what a piece costs is in `passing.py`.
Not here: what a caller is told (`answers.py`), whom to ask (`routing.py`).
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from streamarena.client.clock import ContentClock
from streamarena.client.connection import ResponseHead
from streamarena.client.observers import notify
from streamarena.client.rejection import rejection
from streamarena.client.retry import Course
from streamarena.errors import RequestRefusedError, StreamArenaError, StreamTimeoutError, StreamTruncatedError
from streamarena.memory import Arena
from streamarena.relay.answers import Refusal, answer_for, told
from streamarena.relay.caller import Caller
from streamarena.relay.disconnect import DisconnectWatch
from streamarena.relay.failures import stream_failure
from streamarena.relay.intake import API_PATHS, ClientLeftError, RelayRequest, path_of, read_request, with_model
from streamarena.relay.observing import ExchangeFinished, FirstContentSent, ResponseStarted
from streamarena.relay.passing import Passage
from streamarena.relay.translation import translate_request

if TYPE_CHECKING:
    from streamarena.client import RawResponse
    from streamarena.client.observers import Outcome
    from streamarena.relay.asgi import Receive, Scope, Send
    from streamarena.relay.routing import Choice, Plan
    from streamarena.relay.services import Services
    from streamarena.relay.translation import TranslatedRequest

__all__ = ["Exchange"]

_ERROR_BYTES: Final = 64 * 2**10
"""So much of an upstream's error is passed on; a longer one is replaced."""


class Exchange:
    """One request.

    Args:
        services: the relay's.
        number: of the request.
        scope, receive, send: the server's.
    """

    def __init__(self, services: Services, number: int, scope: Scope, receive: Receive, send: Send) -> None:
        self._services = services
        self._number = number
        self._scope = scope
        self._receive = receive
        self._caller = Caller(send, scope, services.settings.limits.hold_bytes)
        self._started = time.perf_counter_ns()
        self._task = asyncio.current_task()
        self._stopped: BaseException | None = None  # why this task cancelled itself
        self._request: RelayRequest | None = None
        self._arena = Arena(label="relay", resources=services.memory.resources)
        self._passage: Passage | None = None
        self._refusal: Refusal | None = None
        self._error: BaseException | None = None
        self._answered_at: int | None = None
        self._target = ""
        self._attempts = 0
        self._asking = False  # an upstream is at work for this request
        self._drained_from: int | None = None
        self._drain_end: asyncio.TimerHandle | None = None
        self._over = False

    async def run(self) -> None:
        """Serve the request; cancellation from outside ends it and everything it asked for."""
        try:
            with DisconnectWatch(self._receive, self._caller_left) as watch:
                try:
                    await self._serve(watch)
                except asyncio.CancelledError as cancelled:
                    stopped = self._taken_back()
                    if stopped is None:
                        self._error = cancelled
                        raise
                    await self._fail(stopped)
                except Exception as error:  # noqa: BLE001 - every failure becomes an answer, and the observers' to tell
                    await self._fail(error)
        finally:
            self._over = True
            if self._drain_end is not None:
                self._drain_end.cancel()
            if self._services.observers:
                notify(self._services.observers, self._finished())
            self._arena.close()

    # ------------------------------------------------------------ attempts

    async def _serve(self, watch: DisconnectWatch) -> None:
        services = self._services
        services.access.check(self._scope["headers"])
        await services.places.take()
        try:
            limits = services.settings.limits
            try:
                async with asyncio.timeout(limits.request_seconds):
                    request = self._request = await read_request(self._scope, watch.receive, limits.request_bytes)
            except TimeoutError:
                raise RequestRefusedError(
                    408, "the body took too long; the limit is RelayLimits.request_seconds"
                ) from None
            await self._ask(request, services.router.plan(request))
        finally:
            services.places.give_back()

    async def _ask(self, request: RelayRequest, plan: Plan) -> None:
        total = self._services.settings.timeouts.total
        course = Course(plan.policy, len(plan.choices))
        course.deadline = None if total is None else self._started + round(total * 1e9)
        plan.policy.budget.request()
        while True:
            course.begin()
            try:
                await self._attempt(request, plan.choices[course.target], course)
                return
            except StreamArenaError as error:
                # Nothing but the end may follow what the caller has seen, and nobody asks for one who has left.
                wait = None if self._caller.status is not None or self._caller.left else course.after(error)
                if wait is None:
                    raise
            self._caller.discard()
            self._passage = self._refusal = None
            await asyncio.sleep(wait)

    async def _attempt(self, request: RelayRequest, choice: Choice, course: Course) -> None:
        upstream = choice.upstream
        api = upstream.api_for(request.api)
        translated: TranslatedRequest | None = None
        body = request.body
        if upstream.translates(request.api):
            assert api is not None
            assert request.api is not None
            translated = translate_request(body, request.api, api, choice.model)
            body = translated.body
        elif choice.model is not None and request.model is not None:
            body = with_model(body, choice.model)
        await upstream.places.take()
        response: RawResponse | None = None
        timeouts = self._services.stream_timeouts if request.stream else self._services.whole_timeouts
        clock = ContentClock(asyncio.get_running_loop(), timeouts, course.deadline, self._stop)
        try:
            self._target, self._attempts, self._asking = upstream.name, self._attempts + 1, True
            clock.start(time.perf_counter_ns())
            response = await upstream.client.send(upstream.request(request, body, api))
            if response.status >= 400:
                await self._refuse(response, choice)
            passage = self._passage = Passage(
                self._services,
                self._caller,
                clock,
                response,
                api=api,
                request_api=request.api,
                translated=translated,
                arena=self._arena,
                started=self._started,
                on_content=self._content_sent if self._services.observers else None,
            )
            if self._caller.left:
                passage.drain(self._services.settings.disconnect.bytes)
            await passage.run(hold=course.may_go_on, commit=self._commit)
        except asyncio.CancelledError:
            stopped = self._taken_back() if isinstance(self._stopped, StreamTimeoutError) else None
            if stopped is None:
                raise
            raise stopped from None
        finally:
            self._asking = False
            if response is not None:
                response.close()
            clock.stop()
            upstream.places.give_back()

    async def _refuse(self, response: RawResponse, choice: Choice) -> None:
        """Read a response that is no success, and raise it."""
        body = b""
        while len(body) <= _ERROR_BYTES and (batch := await response.next_batch()):
            body += b"".join(batch)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        whole = len(body) <= _ERROR_BYTES
        translates = choice.upstream.translates(self._request.api if self._request is not None else None)
        self._refusal = Refusal(choice.upstream, response.status, response.headers, body, whole and not translates)
        raise rejection(ResponseHead(response.status, headers), body[:_ERROR_BYTES])

    async def _commit(self) -> None:
        """Send what was held back, and from now on everything."""
        if not self._caller.holding:
            return
        self._answered_at = time.perf_counter_ns()
        await self._caller.commit()
        if self._services.observers and self._caller.status is not None:
            streaming = self._passage is not None and self._passage.streaming
            seconds = self._seconds(self._answered_at)
            model = "" if self._request is None else self._request.model or ""
            moment = ResponseStarted(
                self._number, self._path, self._caller.status, streaming, seconds, model, self._target
            )
            notify(self._services.observers, moment)

    def _content_sent(self) -> None:
        seconds = self._seconds(time.perf_counter_ns())
        notify(self._services.observers, FirstContentSent(self._number, self._path, seconds))

    # ------------------------------------------------------------ what ends it early

    def _stop(self, error: BaseException) -> None:
        """End whatever this request waits for."""
        if self._stopped is None and not self._over and self._task is not None:
            self._stopped = error
            self._task.cancel()

    def _taken_back(self) -> BaseException | None:
        """Take this task's cancellation of itself back; return why it was, or None where it came from outside."""
        if self._stopped is None or self._task is None or self._task.uncancel():
            return None
        stopped, self._stopped = self._stopped, None
        return stopped

    def _caller_left(self) -> None:
        """Take the caller's leaving: end everything, or read on for a while so that the usage is known."""
        if self._over or self._caller.ended:
            return
        self._caller.left = True
        policy = self._services.settings.disconnect
        if policy.mode == "cancel" or not self._asking:
            self._stop(ClientLeftError())
            return
        self._drained_from = 0 if self._passage is None else self._passage.received
        if self._passage is not None:
            self._passage.drain(policy.bytes)
        loop = asyncio.get_running_loop()
        self._drain_end = loop.call_later(policy.seconds, self._stop, ClientLeftError())

    async def _fail(self, error: BaseException) -> None:
        """Tell the caller, in the form that its answer has taken by now."""
        caller, passage = self._caller, self._passage
        self._error = error
        self._over = True  # what happens now is told to nobody: a caller that leaves lets every `send` return
        if caller.left or isinstance(error, ClientLeftError):
            caller.left = True
            return
        api = API_PATHS.get(path_of(self._scope))
        if caller.status is None:
            if caller.holding and passage is not None and passage.tap is not None and error is passage.tap.error:
                await self._commit()  # the upstream's own stream says it
                await caller.end()
                return
            await caller.answer(*answer_for(error, api, self._refusal))
        elif not caller.ended and passage is not None and passage.at_boundary:
            await caller.end(stream_failure(api, told(error)))
        # Else the answer stays without its end, so that nobody takes it for a whole one: the server cuts it off.

    # ------------------------------------------------------------ the end

    @property
    def _path(self) -> str:
        return str(self._scope.get("path", ""))

    def _seconds(self, stamp: int) -> float:
        return (stamp - self._started) / 1e9

    def _finished(self) -> ExchangeFinished:
        request, caller, passage = self._request, self._caller, self._passage
        summary = None if passage is None else passage.summary()
        error = self._error
        if error is None and summary is not None:
            error = summary.error
            if error is None and summary.complete is False:
                error = StreamTruncatedError(
                    "the body ended without the provider's own end of the stream", summary.bytes
                )
        outcome: Outcome = "left" if caller.left else "complete" if error is None else "failed"
        return ExchangeFinished(
            number=self._number,
            method=str(self._scope.get("method", "")),
            path=self._path,
            outcome=outcome,
            error=None if caller.left else error,
            status=caller.status,
            api=None if request is None else request.api,
            model="" if request is None else request.model or "",
            seconds=self._seconds(time.perf_counter_ns()),
            started_seconds=None if self._answered_at is None else self._seconds(self._answered_at),
            stream=summary,
            drained=self._drained_from is not None,
            target=self._target,
            attempts=self._attempts,
            request_bytes=0 if request is None else len(request.body),
        )
