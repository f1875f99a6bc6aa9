"""One request over all its attempts: sends it, decides what follows a failure, owns what it took until it is closed.

Invariants:
* Nothing that was shown to the consumer is shown twice, unless the policy says "restart", and then a `StartChunk`
  with the attempt's number stands between. Chunks before the first content are held back while a repeat is possible.
* Closing is synchronous and repeatable; observers hear `StreamFinished` exactly once.
* The error that is raised is the last attempt's; earlier ones are in `attempts`.
Cost: with neither policy nor fallbacks no step on the way of a batch.
Not here: what is worth repeating (`retry.py`), one response (`receiver.py`), the consumer's side (`stream.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from streamarena.client.clock import ContentClock
from streamarena.client.intake import Intake
from streamarena.client.observers import AttemptFailed, AttemptStarted, StreamFinished, notify
from streamarena.client.progress import Progress
from streamarena.client.receiver import Receiver
from streamarena.client.result import StreamResult, Timings, build_result
from streamarena.client.retry import Attempt, Course, RetryPolicy
from streamarena.client.upload import Upload
from streamarena.client.wire_state import lease_accumulator, lease_batch, lease_wire_state
from streamarena.errors import (
    CircuitOpenError,
    ProviderError,
    StreamArenaError,
    StreamTruncatedError,
    TotalTimeoutError,
)
from streamarena.memory import Arena
from streamarena.memory.tracking import counting
from streamarena.providers import StartChunk

if TYPE_CHECKING:
    from streamarena.client.connection import Connection
    from streamarena.client.intake import Mode
    from streamarena.client.observers import Observer, Outcome
    from streamarena.client.pool import ConnectionPool
    from streamarena.client.settings import Limits, Timeouts
    from streamarena.client.targets import Asked, Route
    from streamarena.client.wire_state import WireState
    from streamarena.memory import MemoryManager
    from streamarena.providers import Accumulator

__all__ = ["Services", "Session"]


class Services(msgspec.Struct, frozen=True):
    """What all sessions of a client share. `routes` are the targets in the order in which they are asked."""

    pool: ConnectionPool
    memory: MemoryManager
    limits: Limits
    routes: tuple[Route, ...]
    retry: RetryPolicy | None
    observers: tuple[Observer, ...]
    resend_stale: bool


class Session:
    """One request.

    Args:
        services: the client's.
        asked: what the user asked for.
        request: the same, written for the first target.
        timeouts, keep_result, label: of this request.

    Attributes:
        arena: the request's scope, from `open` on. receiver: of the current attempt.
        timings: of the current attempt; `started` is the request's.
        attempts: all of them, in order.
        resilient: whether a failure may be followed by another attempt.
    """

    __slots__ = (
        "_answered",
        "_asked",
        "_closed",
        "_course",
        "_deadline",
        "_final",
        "_held",
        "_keep_result",
        "_keeper",
        "_label",
        "_model",
        "_partial",
        "_request",
        "_services",
        "_shown",
        "_stale",
        "_timeouts",
        "_upload",
        "_wire",
        "_wire_api",
        "arena",
        "attempts",
        "receiver",
        "resilient",
        "timings",
    )

    def __init__(
        self,
        services: Services,
        asked: Asked,
        request: bytes,
        timeouts: Timeouts,
        *,
        keep_result: bool,
        label: str | None,
    ) -> None:
        self._services = services
        self._asked: Asked | None = asked
        self._request: bytes | None = request
        self._timeouts = timeouts
        self._keep_result = keep_result
        self._label = label
        self._course = Course(services.retry, len(services.routes))
        self._model = ""  # known only where observers want it
        self._stale = False  # the last attempt met a kept connection that was dead
        self._deadline: int | None = None
        self._wire: WireState | None = None
        self._wire_api = ""
        self._keeper: Accumulator | None = None
        self._upload: Upload | None = None
        self._held: list[Any] = []
        self._shown = False  # content has been handed to the consumer
        self._final = False  # the error stands
        self._closed = False
        self._answered = False  # the current attempt has its header
        self._partial: StreamResult | None = None
        self.arena = Arena(label=label or services.routes[0].api, resources=services.memory.resources)
        self.receiver: Receiver | None = None
        self.timings = Timings(started=time.perf_counter_ns())
        self.attempts: list[Attempt] = []
        self.resilient = services.retry is not None or len(services.routes) > 1

    @property
    def route(self) -> Route:
        """The target of the current attempt."""
        return self._services.routes[self._course.target]

    @property
    def closed(self) -> bool:
        """Whether everything was given back."""
        return self._closed

    @property
    def keeper(self) -> Accumulator | None:
        """What the result is made of, if it is kept."""
        return self._keeper

    async def open(self) -> None:
        """Send the request, again as often as the policy says, until a response is known to be a stream.

        Raises:
            StreamArenaError: the last attempt's error. Whatever was taken is given back then, on cancellation too.
        """
        total = self._timeouts.total
        self._deadline = None if total is None else self.timings.started + round(total * 1e9)
        self._course.deadline = self._deadline
        if self._services.retry is not None:
            self._services.retry.budget.request()
        try:
            await self._send()
        except BaseException as error:
            self.close(error)
            raise
        if not self.resilient:  # it will not be sent again, and a thousand open streams would keep a thousand
            self._asked = self._request = None

    async def next_batch(self, mode: Mode) -> list[Any] | None:
        """As `Receiver.next_batch`, over all attempts. For resilient sessions; the others ask their receiver."""
        while True:
            receiver = self.receiver
            assert receiver is not None
            try:
                batch = await receiver.next_batch()
            except StreamArenaError as error:
                if self._final or error is not receiver.error:
                    raise
                if not await self._recover(error):
                    self._final = True
                    if self._held:
                        return self._give()
                    raise
                assert self.receiver is not None
                self.receiver.choose(mode)
                if self._shown:
                    policy = self._services.retry
                    continues = policy is not None and policy.after_content == "continue"
                    return [StartChunk(attempt=len(self.attempts), continues=continues)]
                continue
            if batch is None:
                return self._give() or None
            if self._shown:
                return batch
            self._held += batch
            if mode == "events" or any(chunk.is_content for chunk in batch):
                self._shown = True
                return self._give()

    def result(self, keeper: Accumulator, *, complete: bool, error: BaseException | None = None) -> StreamResult:
        """Return what is known of the answer."""
        receiver = self.receiver
        result = build_result(
            keeper, self.timings, receiver.received if receiver else 0, receiver.count if receiver else 0
        )
        result.attempts = len(self.attempts)
        result.attempt_log = tuple(self.attempts)
        result.complete = complete
        result.error = error
        return result

    def new_list(self) -> list[Any]:
        """Take the list that carries what one read brings, until the session is closed."""
        return lease_batch(self._services.memory, self.arena)

    def partial(self) -> StreamResult | None:
        """Return what is known so far, or was known when the session was closed; None if nothing was kept."""
        keeper, receiver = self._keeper, self.receiver
        if self._closed or keeper is None or receiver is None:
            return self._partial
        complete = receiver.ended and receiver.error is None
        return self.result(keeper, complete=complete, error=receiver.error)

    def close(self, error: BaseException | None = None) -> None:
        """Give everything back and tell the observers; synchronous and repeatable.

        Args:
            error: what the request is left with, if anything.
        """
        if self._closed:
            return
        receiver = self.receiver
        try:
            outcome, problem = _outcome(receiver, error)
            self._judge_end(problem)
            if outcome != "complete" and self._keeper is not None and receiver is not None and receiver.count:
                self._partial = self.result(self._keeper, complete=False, error=problem)
        finally:
            self._closed = True
            self._keeper = self._wire = None  # both go back to their pools, and to other requests
            if self._upload is not None:
                self._upload.stop()
            if receiver is not None:
                receiver.close()
            self.arena.close()
        if self._services.observers:
            self._tell_end(outcome, problem)

    def _judge_end(self, problem: BaseException | None) -> None:
        """Hold a stream that broke off after its header against its target, once."""
        if self._answered and problem is not None and self._course.blames(problem):
            self.route.judge(False)
        self._answered = False

    # ------------------------------------------------------------ attempts

    async def _send(self) -> None:
        """Send until a response is known to be a stream."""
        while True:
            connection: Connection | None = None
            receiver = self._begin()
            try:
                self.route.admit()
                connection = await self._connection()
                clock = ContentClock(asyncio.get_running_loop(), self._timeouts, self._deadline, receiver.time_out)
                section = self.arena.section() if counting() else None
                pings = self._timeouts.pings_are_content
                receiver.start(connection, self._written(), clock, pings_are_content=pings, section=section)
                self._begin_upload(connection, receiver, clock)
                await receiver.wait_for_head()
                self.route.judge(True)
                self._answered = True
                return
            except CircuitOpenError as error:
                receiver.close()
                failure: Exception = error
            except BaseException as error:
                receiver.close()
                self.route.judge(False if self._course.blames(error) else None)
                if not isinstance(error, Exception):
                    raise
                failure = error
            if self._upload is not None:  # its body was made once
                self._note(failure, None)
                raise failure
            dead = isinstance(failure, StreamTruncatedError) and _was_stale(connection)
            stale = dead and self._services.resend_stale and not self._stale
            self._stale = stale
            if stale:
                self._note(failure, 0.0)
                self._course.void()
            elif not await self._goes_on(failure):
                raise failure

    def _begin_upload(self, connection: Connection, receiver: Receiver, clock: ContentClock) -> None:
        """Send a body that is made while it is sent; the wait for content begins when it is out."""
        body = None if self._asked is None else self._asked.body
        if not isinstance(body, AsyncIterable):
            return
        clock.hold()

        def sent() -> None:
            if not receiver.ended:
                self.timings.sent = time.perf_counter_ns()
                clock.release()

        self._upload = Upload(connection, body, sent)

    def _begin(self) -> Receiver:
        """Make the receiver of a new attempt."""
        services, route = self._services, self.route
        self._course.begin()
        self.timings.begin()
        if self._wire is None or self._wire_api != route.api:
            self._wire_api = route.api
            self._wire = lease_wire_state(services.memory, self.arena, route.api, services.limits.event_bytes)
            if self._keep_result:
                bytes_kept = services.limits.result_bytes
                self._keeper = lease_accumulator(services.memory, self.arena, route.api, bytes_kept)
        else:
            self._wire.reset()
        intake = Intake(self._wire, self._keeper, services.limits.stream_bytes, self.arena)
        receiver = self.receiver = Receiver(intake, services.limits, self.timings, services.pool.release)
        self.attempts.append(Attempt(len(self.attempts) + 1, route.server, route.api))
        if services.observers:
            receiver.progress = Progress(services.observers, self._label, len(self.attempts), self.timings)
            self._model = "" if self._asked is None else route.model_of(self._asked)
            started = AttemptStarted(self._label, len(self.attempts), route.server, route.api, self._model)
            notify(services.observers, started)
        return receiver

    def _written(self) -> bytes:
        if self._request is None:
            assert self._asked is not None
            self._request = self.route.write(self._asked)
        return self._request

    async def _connection(self) -> Connection:
        taking = self._services.pool.acquire(self.route.origin, self._timeouts.pool, fresh=self._stale)
        if self._deadline is None:
            return await taking
        limit = asyncio.timeout((self._deadline - time.perf_counter_ns()) / 1e9)
        try:
            async with limit:
                return await taking
        except TimeoutError as error:
            if limit.expired():
                raise TotalTimeoutError(self._timeouts.total or 0.0) from error
            raise

    # ------------------------------------------------------------ after a failure

    async def _recover(self, error: StreamArenaError) -> bool:
        """After a stream failed, open another if the policy allows it; return whether there is one."""
        self._judge_end(error)
        policy = self._services.retry
        if self._upload is not None:
            return False
        if self._shown:
            if policy is None or policy.after_content == "fail":
                return False
            if policy.continuation is not None and not self._continue_with(policy):
                return False
        if not await self._goes_on(error):
            return False
        if self._keeper is not None and not (self._shown and policy is not None and policy.continuation is not None):
            self._keeper.reset(self.arena)
        self._held.clear()
        await self._send()
        return True

    def _continue_with(self, policy: RetryPolicy) -> bool:
        """Have the user write the request for the rest."""
        assert policy.continuation is not None
        assert self._asked is not None
        partial, body = self.partial(), self._asked.body
        if partial is None or not isinstance(body, Mapping):
            return False
        self._asked = msgspec.structs.replace(self._asked, body=policy.continuation(body, partial))
        self._request = None
        return True

    async def _goes_on(self, error: Exception) -> bool:
        """Decide what follows an error; if another attempt does, wait for its time and return True."""
        before = self._course.target
        wait = self._course.after(error, shown=self._shown)
        if self._course.target != before:
            self._request = None
        self._note(error, wait)
        if wait:
            await asyncio.sleep(wait)
        return wait is not None

    def _note(self, error: Exception, waited: float | None) -> None:
        status = error.status if isinstance(error, ProviderError) else None
        started = self.timings.attempted
        seconds = (time.perf_counter_ns() - started) / 1e9
        attempt = msgspec.structs.replace(self.attempts[-1], error=error, status=status, seconds=seconds, waited=waited)
        self.attempts[-1] = attempt
        if waited is not None and self._services.observers:
            notify(self._services.observers, AttemptFailed(self._label, attempt))

    def _give(self) -> list[Any]:
        held, self._held = self._held, []
        return held

    def _tell_end(self, outcome: Outcome, problem: BaseException | None) -> None:
        receiver, route = self.receiver, self.route
        head = None if receiver is None else receiver.head
        intake = None if receiver is None else receiver.intake
        started, finished = (None, None) if intake is None else (intake.started, intake.finished)
        moment = StreamFinished(
            label=self._label,
            outcome=outcome,
            error=problem,
            server=route.server,
            api=route.api,
            model=self._model,
            status=None if head is None else head.status,
            attempts=tuple(self.attempts),
            timings=self.timings,
            bytes_received=receiver.received if receiver else 0,
            chunks=receiver.count if receiver else 0,
            content_chunks=intake.content if intake else 0,
            usage=intake.usage if intake else None,
            response_id=started.id if started else None,
            response_model=started.model if started else None,
            finish_reason=finished.reason if finished else None,
        )
        notify(self._services.observers, moment)


def _outcome(receiver: Receiver | None, error: BaseException | None) -> tuple[Outcome, BaseException | None]:
    """Return how a request ended, by its receiver and by what it is left with."""
    if receiver is not None and receiver.ended and receiver.error is None:
        return "complete", None
    if isinstance(error, StreamArenaError):
        return "failed", error
    if receiver is not None and receiver.ended and error is None:
        return "failed", receiver.error
    return "left", error


def _was_stale(connection: Connection | None) -> bool:
    """Tell whether a kept connection turned out to be dead before a byte of the response came."""
    return connection is not None and connection.reused and not connection.response_started
