"""One request over all its attempts: sends it, decides what follows a failure, owns what it took until it is closed.

Invariants:
* Nothing that was shown to the consumer is shown twice, unless the policy says "restart", and then a `StartChunk`
  with the attempt's number stands between. Chunks before the first content are held back while a repeat is possible.
* Closing is synchronous and repeatable; observers hear `StreamFinished` exactly once.
* The error that is raised is the last attempt's; earlier ones are in `attempts`.
Cost: with neither policy nor fallbacks no step on the way of a batch.
Not here: what is worth repeating (`retry.py`) or sending twice at once (`hedging.py`), one attempt (`sending.py`), the
consumer's side (`stream.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from streamarena.client.hedging import race
from streamarena.client.intake import Intake
from streamarena.client.observers import AttemptFailed, AttemptStarted, notify
from streamarena.client.progress import Progress
from streamarena.client.receiver import Receiver
from streamarena.client.result import StreamResult, Timings, build_result
from streamarena.client.retry import Attempt, Course, RetryPolicy
from streamarena.client.sending import Sending, Terms
from streamarena.client.wire_state import lease_accumulator, lease_batch, lease_wire_state
from streamarena.errors import ProviderError, StreamArenaError, StreamTruncatedError
from streamarena.memory import Arena
from streamarena.providers import StartChunk

if TYPE_CHECKING:
    from streamarena.client.hedging import Hedging
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
    hedging: Hedging | None


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
        "_asked",
        "_closed",
        "_course",
        "_final",
        "_hedging",
        "_held",
        "_keep_result",
        "_label",
        "_model",
        "_partial",
        "_request",
        "_sending",
        "_services",
        "_shown",
        "_stale",
        "_terms",
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
        self._keep_result = keep_result
        self._label = label
        self._course = Course(services.retry, len(services.routes))
        self._model = ""  # known only where observers want it
        self._stale = False  # the last attempt met a kept connection that was dead
        self._hedging = services.hedging
        self._sending: Sending | None = None
        self._held: list[Any] = []
        self._shown = False  # content has been handed to the consumer
        self._final = False  # the error stands
        self._closed = False
        self._partial: StreamResult | None = None
        self.arena = Arena(label=label or services.routes[0].api, resources=services.memory.resources)
        self.receiver: Receiver | None = None
        self.timings = Timings(started=time.perf_counter_ns())
        self.attempts: list[Attempt] = []
        deadline = None if timeouts.total is None else self.timings.started + round(timeouts.total * 1e9)
        self._course.deadline = deadline
        self._terms = Terms(services.pool, timeouts, self.arena, deadline, self._course.blames)
        self.resilient = services.retry is not None or len(services.routes) > 1

    @property
    def route(self) -> Route:
        """The target of the current attempt."""
        return self._services.routes[self._course.target]

    @property
    def _current(self) -> Sending:
        """The attempt that is read, once there is one."""
        assert self._sending is not None
        return self._sending

    @property
    def _body(self) -> Mapping[str, Any] | bytes | AsyncIterable[bytes]:
        return b"" if self._asked is None else self._asked.body

    @property
    def closed(self) -> bool:
        """Whether everything was given back."""
        return self._closed

    @property
    def keeper(self) -> Accumulator | None:
        """What the result is made of, if it is kept."""
        return None if self._sending is None else self._sending.keeper

    async def open(self) -> None:
        """Send the request, again as often as the policy says, until a response is known to be a stream.

        Raises:
            StreamArenaError: the last attempt's error. Whatever was taken is given back then, on cancellation too.
        """
        services = self._services
        if services.retry is not None:
            services.retry.budget.request()
        if self._hedging is not None:
            self._hedging.request()
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
        keeper, receiver = self.keeper, self.receiver
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
        sending, receiver = self._sending, self.receiver
        try:
            outcome, problem = _outcome(receiver, error)
            if sending is not None:
                sending.judge_end(problem)
            keeper = self.keeper
            if outcome != "complete" and keeper is not None and receiver is not None and receiver.count:
                self._partial = self.result(keeper, complete=False, error=problem)
        finally:
            self._closed = True
            if sending is not None:
                sending.close()
            self.arena.close()
        if self._services.observers and sending is not None:
            ended = sending.moment_of_end(self._label, self._model, tuple(self.attempts), outcome, problem)
            notify(self._services.observers, ended)

    # ------------------------------------------------------------ attempts

    async def _send(self) -> None:
        """Send until a response is known to be a stream."""
        while True:
            sending = self._begin()
            body = self._body
            try:
                if self._hedging is None or self._shown or isinstance(body, AsyncIterable):
                    await sending.open(self._written(), body, fresh=self._stale)
                    return
                failure = await self._race(self._hedging, sending, body)
                if failure is None:
                    return
            except Exception as error:  # noqa: BLE001 - what follows it is decided here
                failure = error
            sending = self._current
            if sending.upload is not None:  # its body was made once
                self._note(sending, failure, None)
                raise failure
            dead = isinstance(failure, StreamTruncatedError) and sending.met_dead_connection
            stale = dead and self._services.resend_stale and not self._stale
            self._stale = stale
            if stale:
                self._note(sending, failure, 0.0)
                self._course.void()
            elif not await self._goes_on(failure):
                raise failure

    async def _race(self, hedging: Hedging, first: Sending, body: Mapping[str, Any] | bytes) -> Exception | None:
        """Send a second request if content is late, and go on with the better of the two; return why there is none."""
        request = self._written()

        def run(sending: Sending) -> Coroutine[Any, Any, bool]:
            # A second one goes over a connection of its own: the first may be late because a kept one is dead.
            return sending.reach_content(request, body, fresh=self._stale or sending is not first)

        def second() -> Sending | None:
            if not hedging.admit():
                return None
            timings = Timings(self.timings.started, time.perf_counter_ns())
            return self._attempt(timings, *self._lease(first.route), hedge=True)

        ended = await race(first, second, run, hedging.delay(first.route.server))
        for lost in ended.lost:
            lost.judge_end(lost.receiver.error)
            self._lose(hedging, lost)
        if ended.winner is None:
            last, failure = ended.failed.pop()
        else:
            last, failure = ended.winner, None
            hedging.observe(last.route.server, (last.receiver.received_at - (last.timings.sent or 0)) / 1e9)
            hedging.stats.won += last is not first
        for sending, error in ended.failed:
            self._note(sending, error, None)
        self._adopt(last)
        return failure

    def _lose(self, hedging: Hedging, sending: Sending) -> None:
        """Note an attempt that was given up; how long it had taken by then is the least that it would have taken."""
        now, timings = time.perf_counter_ns(), sending.timings
        hedging.observe(sending.route.server, (now - (timings.sent or timings.attempted)) / 1e9)
        seconds = (now - timings.attempted) / 1e9
        at = sending.number - 1
        self.attempts[at] = msgspec.structs.replace(self.attempts[at], seconds=seconds, lost=True)

    def _begin(self) -> Sending:
        """Make a new attempt, with what the last one read its wire with if that is the same."""
        self._course.begin()
        self.timings.begin()
        before, route = self._sending, self.route
        if before is None or before.wire is None or before.route.api != route.api:
            wire, keeper = self._lease(route)
        else:
            wire, keeper = before.wire, before.keeper
            wire.reset()
        sending = self._attempt(self.timings, wire, keeper)
        self._adopt(sending)
        return sending

    def _lease(self, route: Route) -> tuple[WireState, Accumulator | None]:
        services = self._services
        wire = lease_wire_state(services.memory, self.arena, route.api, services.limits.event_bytes)
        if not self._keep_result:
            return wire, None
        return wire, lease_accumulator(services.memory, self.arena, route.api, services.limits.result_bytes)

    def _attempt(
        self, timings: Timings, wire: WireState, keeper: Accumulator | None, *, hedge: bool = False
    ) -> Sending:
        """Make an attempt at the present target and tell of it."""
        services, route, number = self._services, self.route, len(self.attempts) + 1
        intake = Intake(wire, keeper, services.limits.stream_bytes, self.arena)
        receiver = Receiver(intake, services.limits, timings, services.pool.release)
        self.attempts.append(Attempt(number, route.server, route.api, hedge=hedge))
        if services.observers:
            receiver.progress = Progress(services.observers, self._label, number, timings)
            self._model = "" if self._asked is None else route.model_of(self._asked)
            notify(services.observers, AttemptStarted(self._label, number, route.server, route.api, self._model))
        return Sending(self._terms, number, route, receiver=receiver, timings=timings, wire=wire, keeper=keeper)

    def _adopt(self, sending: Sending) -> None:
        """Make an attempt the one that is read."""
        self._sending = sending
        self.receiver = sending.receiver
        self.timings = sending.timings

    def _written(self) -> bytes:
        if self._request is None:
            assert self._asked is not None
            self._request = self.route.write(self._asked)
        return self._request

    # ------------------------------------------------------------ after a failure

    async def _recover(self, error: StreamArenaError) -> bool:
        """After a stream failed, open another if the policy allows it; return whether there is one."""
        sending, policy = self._current, self._services.retry
        sending.judge_end(error)
        if sending.upload is not None:
            return False
        if self._shown:
            if policy is None or policy.after_content == "fail":
                return False
            if policy.continuation is not None and not self._continue_with(policy):
                return False
        if not await self._goes_on(error):
            return False
        keeper = sending.keeper
        if keeper is not None and not (self._shown and policy is not None and policy.continuation is not None):
            keeper.reset(self.arena)
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
        self._note(self._current, error, wait)
        if wait:
            await asyncio.sleep(wait)
        return wait is not None

    def _note(self, sending: Sending, error: Exception, waited: float | None) -> None:
        status = error.status if isinstance(error, ProviderError) else None
        seconds = ((sending.timings.finished or time.perf_counter_ns()) - sending.timings.attempted) / 1e9
        at = sending.number - 1
        attempt = msgspec.structs.replace(self.attempts[at], error=error, status=status, seconds=seconds, waited=waited)
        self.attempts[at] = attempt
        if waited is not None and self._services.observers:
            notify(self._services.observers, AttemptFailed(self._label, attempt))

    def _give(self) -> list[Any]:
        held, self._held = self._held, []
        return held


def _outcome(receiver: Receiver | None, error: BaseException | None) -> tuple[Outcome, BaseException | None]:
    """Return how a request ended, by its receiver and by what it is left with."""
    if receiver is not None and receiver.ended and receiver.error is None:
        return "complete", None
    if isinstance(error, StreamArenaError):
        return "failed", error
    if receiver is not None and receiver.ended and error is None:
        return "failed", receiver.error
    return "left", error
