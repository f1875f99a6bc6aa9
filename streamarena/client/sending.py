"""One attempt under way: what it takes to send a request and to receive its response.

Invariants: closing is synchronous and repeatable, and gives back all of it; a failure before the response is known to
be a stream closes it by itself; its target hears of every end, for its circuit breaker.
Cost: one object an attempt.
Not here: what follows a failure (`session.py`), which of two attempts is read (`hedging.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from streamarena.client.clock import ContentClock
from streamarena.client.observers import StreamFinished
from streamarena.client.upload import Upload
from streamarena.errors import TotalTimeoutError
from streamarena.memory.tracking import counting
from streamarena.providers import decoder_for

if TYPE_CHECKING:
    from typing import Any

    from streamarena.client.connection import Connection
    from streamarena.client.observers import Outcome
    from streamarena.client.pool import ConnectionPool
    from streamarena.client.receiver import Receiver
    from streamarena.client.result import Timings
    from streamarena.client.retry import Attempt
    from streamarena.client.settings import Timeouts
    from streamarena.client.targets import Route
    from streamarena.client.wire_state import WireState
    from streamarena.memory import Arena
    from streamarena.providers import Accumulator

__all__ = ["Sending", "Terms"]


class Terms(msgspec.Struct, frozen=True):
    """What holds for every attempt of one request.

    Attributes:
        pool: where connections come from. timeouts: the request's. arena: its scope.
        deadline: `time.perf_counter_ns` at which the total limit passes, or None.
        blames: tells whether the target, and not the request, is to blame for a failure.
    """

    pool: ConnectionPool
    timeouts: Timeouts
    arena: Arena
    deadline: int | None
    blames: Callable[[BaseException], bool]


class Sending:
    """One attempt.

    Args:
        terms: the request's.
        number: of the attempt, from 1.
        route: where to.
        receiver: of its response. timings: which that fills in.
        wire: what the receiver reads it with. keeper: what it keeps it with, if anything.

    Attributes:
        connection: on which it was sent. upload: of a body that is made while it is sent.
    """

    __slots__ = (
        "_answered",
        "_terms",
        "connection",
        "keeper",
        "number",
        "receiver",
        "route",
        "timings",
        "upload",
        "wire",
    )

    def __init__(
        self,
        terms: Terms,
        number: int,
        route: Route,
        *,
        receiver: Receiver,
        timings: Timings,
        wire: WireState,
        keeper: Accumulator | None,
    ) -> None:
        self._terms = terms
        self.number = number
        self.route = route
        self.receiver = receiver
        self.timings = timings
        self.wire: WireState | None = wire
        self.keeper = keeper
        self.connection: Connection | None = None
        self.upload: Upload | None = None
        self._answered = False  # its header came, and its end may still be held against the target

    @property
    def met_dead_connection(self) -> bool:
        """Whether it was sent on a kept connection that ended before a byte of the response came."""
        connection = self.connection
        return connection is not None and connection.reused and not connection.response_started

    async def open(
        self, request: bytes, body: Mapping[str, Any] | bytes | AsyncIterable[bytes], *, fresh: bool
    ) -> None:
        """Send the request and wait until the response is known to be a stream.

        Args:
            request: as it is written.
            body: what the user gave; sent behind `request` if it is made while it is sent.
            fresh: take no kept connection.

        Raises:
            StreamArenaError: it is none; everything is given back then, on cancellation too.
        """
        terms, receiver = self._terms, self.receiver
        self.route.admit()
        try:
            connection = self.connection = await self._connect(fresh)
            clock = ContentClock(asyncio.get_running_loop(), terms.timeouts, terms.deadline, receiver.time_out)
            section = terms.arena.section() if counting() else None
            pings = terms.timeouts.pings_are_content
            receiver.start(connection, request, clock, pings_are_content=pings, section=section)
            if isinstance(body, AsyncIterable):
                self._begin_upload(connection, body, clock)
            await receiver.wait_for_head()
        except BaseException as error:
            receiver.close()
            self.route.judge(False if terms.blames(error) else None)
            raise
        self.route.judge(True)
        self._answered = True

    async def reach_content(self, request: bytes, body: Mapping[str, Any] | bytes, *, fresh: bool) -> bool:
        """As `open`, and then wait for the first content, or for a proper end without any.

        Returns:
            Whether that came; False if the stream broke off after its header.
        """
        await self.open(request, body, fresh=fresh)
        return await self.receiver.wait_for_content(decoder_for(self.route.api))

    def judge_end(self, problem: BaseException | None) -> None:
        """Hold a stream that broke off after its header against its target, once."""
        if self._answered and problem is not None and self._terms.blames(problem):
            self.route.judge(False)
        self._answered = False

    def close(self) -> None:
        """Give everything back but what the request's arena owns. Synchronous and repeatable."""
        self.keeper = self.wire = None  # both go back to their pools, and to other requests
        if self.upload is not None:
            self.upload.stop()
        self.receiver.close()

    def moment_of_end(
        self,
        label: str | None,
        model: str,
        attempts: tuple[Attempt, ...],
        outcome: Outcome,
        problem: BaseException | None,
    ) -> StreamFinished:
        """Return what observers are told at the end of the request that this attempt was the last of."""
        receiver = self.receiver
        head, intake = receiver.head, receiver.intake
        started, finished = intake.started, intake.finished
        return StreamFinished(
            label=label,
            outcome=outcome,
            error=problem,
            server=self.route.server,
            api=self.route.api,
            model=model,
            status=None if head is None else head.status,
            attempts=attempts,
            timings=self.timings,
            bytes_received=receiver.received,
            chunks=receiver.count,
            content_chunks=intake.content,
            usage=intake.usage,
            response_id=started.id if started else None,
            response_model=started.model if started else None,
            finish_reason=finished.reason if finished else None,
        )

    async def _connect(self, fresh: bool) -> Connection:
        terms = self._terms
        taking = terms.pool.acquire(self.route.origin, terms.timeouts.pool, fresh=fresh)
        if terms.deadline is None:
            return await taking
        limit = asyncio.timeout((terms.deadline - time.perf_counter_ns()) / 1e9)
        try:
            async with limit:
                return await taking
        except TimeoutError as error:
            if limit.expired():
                raise TotalTimeoutError(terms.timeouts.total or 0.0) from error
            raise

    def _begin_upload(self, connection: Connection, body: AsyncIterable[bytes], clock: ContentClock) -> None:
        """Send a body that is made while it is sent; the wait for content begins when it is out."""
        clock.hold()

        def sent() -> None:
            if not self.receiver.ended:
                self.timings.sent = time.perf_counter_ns()
                clock.release()

        self.upload = Upload(connection, body, sent)
