"""The network's side of one stream: takes what a connection reads and hands it to the consumer, a batch a read.

Everything here but the three coroutines runs synchronously inside the connection's read callback. One read may bring
many fragments; they are decoded as they come and handed over once, when the read is finished.

Invariants:
* What was received before an error is delivered before the error is raised.
* A response is a stream, or it is collected up to a limit and becomes the error that says what it was.
* Giving back is synchronous, can be repeated, and happens by itself at the end of the response.
* Reading pauses while more than `Limits.pending_items` items or `Limits.pending_bytes` bytes await the consumer.
Not here: decoding (`intake.py`), iteration and results (`stream.py`), HTTP (`connection.py`).
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from streamarena.client.compression import decompressor_for
from streamarena.client.rejection import is_stream, rejection
from streamarena.errors import (
    StreamArenaError,
    StreamClosedError,
    StreamInUseError,
    StreamTimeoutError,
    StreamTruncatedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamarena.client.clock import ContentClock
    from streamarena.client.compression import Decompressor
    from streamarena.client.connection import Connection, ResponseHead
    from streamarena.client.intake import Intake, Mode
    from streamarena.client.progress import Progress
    from streamarena.client.result import Timings
    from streamarena.client.settings import Limits
    from streamarena.memory.tracking import AllocationSlot
    from streamarena.providers import Decoder

__all__ = ["Receiver"]

_LINGER_SECONDS: Final = 5.0
"""How long a body may stay open after the provider's own end before the stream is ended from this side."""


class Receiver:
    """Receives one response.

    Args:
        intake: bytes to items.
        limits: sizes.
        timings: is filled in.
        give_back: takes the connection back and is told whether it can be used again.

    Attributes:
        head: the response header, once it is there.
        received_at: `time.perf_counter_ns` of the read that brought the latest batch.
        error: what ended the stream, if it was not its proper end.
        ended: whether nothing more will come from the network.
        progress: is told of the header and the first content, if anybody wants to know.
    """

    __slots__ = (
        "_body",
        "_clock",
        "_connection",
        "_decompressor",
        "_give_back",
        "_intake",
        "_limits",
        "_looking",
        "_loop",
        "_paused",
        "_pings_are_content",
        "_sink",
        "_taken",
        "_timings",
        "_waiter",
        "_whole",
        "ended",
        "error",
        "head",
        "progress",
        "received_at",
    )

    def __init__(
        self,
        intake: Intake,
        limits: Limits,
        timings: Timings,
        give_back: Callable[[Connection, bool], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._intake = intake
        self._limits = limits
        self._timings = timings
        self._give_back = give_back
        self._connection: Connection | None = None
        self._clock: ContentClock | None = None
        self._pings_are_content = False
        self._decompressor: Decompressor | None = None  # of a compressed body
        self._body: bytearray | None = None  # of a response that is not a stream
        self._taken = 0  # of the body's bytes, those whose items the consumer has
        self._paused = False
        self._looking = False  # somebody waits for content, but will not take it
        self._whole = False  # the response is complete, though its end may await the consumer's choice
        self._waiter: asyncio.Future[None] | None = None
        self._sink: Callable[[list[Any]], object] | None = None
        self.head: ResponseHead | None = None
        self.received_at = 0
        self.error: BaseException | None = None
        self.ended = False
        self.progress: Progress | None = None

    @property
    def received(self) -> int:
        """Body bytes so far."""
        return self._intake.received

    @property
    def count(self) -> int:
        """Items so far."""
        return self._intake.count

    @property
    def intake(self) -> Intake:
        """What has been made of the bytes so far."""
        return self._intake

    # ------------------------------------------------------------ for the stream

    def start(
        self,
        connection: Connection,
        request: bytes,
        clock: ContentClock,
        *,
        pings_are_content: bool,
        section: AllocationSlot | None = None,
    ) -> None:
        """Send the request and receive its response; what that allocates is attributed to `section`."""
        self._connection = connection
        self._clock = clock
        self._pings_are_content = pings_are_content
        self._timings.sent = time.perf_counter_ns()
        clock.start(self._timings.sent)
        connection.send(request, self, section)

    async def wait_for_head(self) -> None:
        """Wait until the response is known to be a stream.

        Raises:
            ProviderError: it is an error; UnexpectedContentError: it is something else.
            StreamTruncatedError, ProtocolError, HeaderTooLargeError: the response broke.
            FirstContentTimeoutError, TotalTimeoutError: it did not come in time.
        """
        while not self.ended and (self.head is None or self._body is not None):
            await self._wait()
        if self.error is not None and (self.head is None or self._body is not None):
            raise self.error

    async def wait_for_content(self, spare: Decoder) -> bool:
        """After `wait_for_head`, and before a consumer has chosen: wait for the first content.

        What comes stays undecoded for whoever will read it; `spare` is used up to look at it.

        Returns:
            Whether there is content, or a proper end without any; False if the response broke off.
        """
        self._looking = True
        if self._clock is not None:
            self._clock.release()  # events that came with the header were taken for the consumer's turn
        held, seen = self._intake.held, 0
        try:
            while True:
                for event in held[seen:]:
                    for chunk in spare.decode(event):
                        if chunk.is_content or chunk.kind == "error":
                            return chunk.is_content
                seen = len(held)
                if self._whole or self.ended:
                    return spare.complete
                if self._paused:  # so much came without content that nothing more will, unless somebody reads it
                    return True
                await self._wait()
        except StreamArenaError:  # of the decoder; whoever reads the events will meet it again
            return False
        finally:
            self._looking = False
            if self._clock is not None:
                self._clock.hold()

    def choose(self, mode: Mode) -> None:
        """Choose, once, whether batches hold "chunks" or "events"."""
        if self._intake.chosen:
            self._intake.choose(mode)
            return
        try:
            self._intake.choose(mode)
            if self._intake.batch:
                self._note(self.received_at)
            if self._whole and not self.ended:
                self._finish()
        except Exception as error:  # noqa: BLE001 - it is raised to the consumer once the batch before it is taken
            self._end(error)

    async def next_batch(self) -> list[Any] | None:
        """Return what awaits the consumer, waiting for it if need be; None at the proper end.

        Raises:
            whatever ended the stream early, after everything before it has been delivered.
        """
        while True:
            if self._intake.batch:
                return self._take()
            if self.error is not None:
                raise self.error
            if self.ended:
                return None
            await self._wait()

    async def deliver(self, sink: Callable[[list[Any]], object], batch: list[Any]) -> None:
        """Call `sink` with each batch inside the read callback until the end; an exception of it closes the stream.

        Args:
            sink: is lent each batch for the length of its call.
            batch: an empty list to collect into.

        Raises:
            whatever `sink` raised, or ended the stream early.
        """
        if self._sink is not None:
            raise StreamInUseError
        self._sink = sink
        self._intake.use(batch)
        try:
            if self._intake.batch:
                self._let_go()
                self._intake.lend(sink)
            while not self.ended:
                await self._wait()
        except BaseException:
            self.close()
            raise
        finally:
            self._sink = None
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        """End the stream from this side and give the connection back; what was not read is dropped.

        Synchronous and repeatable.
        """
        if not self.ended:
            self._end(StreamClosedError("the stream was closed before its end"))
        self._intake.take()
        self._intake.held.clear()
        self._release()

    def time_out(self, error: StreamTimeoutError) -> None:
        """End the stream because a limit of time passed; after the provider's own end that is no error."""
        if not self.ended:
            if self._intake.complete:
                self._finish()
            else:
                self._end(error)
        self._release()

    # ------------------------------------------------------------ Exchange: for the connection

    def head_received(self, head: ResponseHead) -> None:
        """Take the header and decide whether this is a stream."""
        if encoding := head.headers.get("content-encoding"):
            self._decompressor = decompressor_for(encoding, self._limits.expansion_bytes)
        self.head = head
        self._timings.headers = time.perf_counter_ns()
        if self.progress is not None:
            self.progress.headers(head.status)
        if is_stream(head, self._intake.framing):
            self._intake.content_type = head.headers.get("content-type")
            self._wake()
        else:
            self._body = bytearray()

    def part_received(self, data: bytes) -> None:
        """Take a fragment; what it brings is handed over when the read is done."""
        if self.ended:
            return
        try:
            if self._decompressor is not None:
                data = self._decompress(self._decompressor, data)
            if self._body is not None:
                self._collect(data)
            else:
                self._intake.feed(data)
        except Exception as error:  # noqa: BLE001 - it belongs to whoever awaits the stream
            self._break_off(error)

    def read_done(self, data: bytes, whole: bool) -> None:
        """Take the rest of what one read brought, and hand it all over."""
        if self.ended:
            self._release()
            return
        intake = self._intake
        if whole:
            self._whole = True
        try:
            if self._decompressor is not None:
                data = self._decompress(self._decompressor, data)
            if self._body is not None:
                self._collect(data)
            else:
                if data:
                    intake.feed(data)
                if (whole and intake.chosen) or intake.problem is not None:
                    self._finish()
                elif intake.batch or intake.held:
                    self._hand_over(time.perf_counter_ns())
                elif self._pings_are_content and self._clock is not None:
                    self._clock.content(time.perf_counter_ns())
        except Exception as error:  # noqa: BLE001 - what a sink raised, too, belongs to whoever awaits the stream
            self._break_off(error)
        if whole or self.ended:
            if self._clock is not None:
                self._clock.stop()
            self._release()
            self._wake()

    def exchange_failed(self, error: BaseException) -> None:
        """Take the error that ended the response early; the connection is closed already."""
        if self.ended:
            return
        cut = isinstance(error, StreamTruncatedError)
        if cut and self._body is not None:
            self._reject()
        elif cut and self._intake.chosen and self._intake.complete:
            self._finish()  # everything that the provider had to say was said
        else:
            self._end(error)
        self._release()

    # ------------------------------------------------------------ private

    def _hand_over(self, now: int) -> None:
        """Stamp what has come, tell the clock of content, and let the consumer have it."""
        intake, clock = self._intake, self._clock
        self.received_at = now
        self._note(now)
        if self._sink is not None:
            if batch := intake.batch:
                self._taken = intake.received
                try:  # as `Intake.lend`, with a frame less for every read
                    self._sink(batch)
                finally:
                    batch.clear()
            return
        if clock is not None and not self._looking:
            clock.hold()
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        if not self._paused and (
            intake.received - self._taken > self._limits.pending_bytes
            or len(intake.batch) + len(intake.held) > self._limits.pending_items
        ):
            self._paused = True
            if self._connection is not None:
                self._connection.pause_reading()

    def _note(self, now: int) -> None:
        intake, timings, clock = self._intake, self._timings, self._clock
        if timings.first_chunk is None:
            timings.first_chunk = now
        if intake.fresh or self._pings_are_content:
            intake.fresh = False
            timings.last_content = now
            if timings.first_content is None:
                timings.first_content = now
                if self.progress is not None:
                    self.progress.first_content()
            if clock is not None:
                clock.content(now)
        if intake.complete and clock is not None:
            clock.linger(_LINGER_SECONDS)

    def _decompress(self, decompressor: Decompressor, data: bytes) -> bytes:
        """Take a compressed body's bytes a piece at a time; return what is left to take: the last piece."""
        last = b""
        for piece in decompressor.feed(data):
            if self.ended:
                return b""
            if last and self._body is None:
                self._intake.feed(last)
            elif last:
                self._collect(last)
            last = piece
        if self._whole:
            decompressor.finish()
        return last

    def _collect(self, data: bytes) -> None:
        """Collect the body of a response that is not a stream."""
        assert self._body is not None
        if self.ended:
            return
        self._body += data[: self._limits.error_bytes - len(self._body)]
        if self._whole or len(self._body) >= self._limits.error_bytes:
            self._reject()

    def _break_off(self, error: Exception) -> None:
        """End with an error, after what came before it."""
        if self._intake.batch and self._sink is None:
            self._hand_over(time.perf_counter_ns())
        self._end(error)

    def _take(self) -> list[Any]:
        self._let_go()
        return self._intake.take()

    def _let_go(self) -> None:
        """Let the content clocks and the reading go on: the consumer has taken what waited for it."""
        self._taken = self._intake.received
        if self._clock is not None:
            self._clock.release()
        if self._paused:
            self._paused = False
            if self._connection is not None:
                self._connection.resume_reading()

    async def _wait(self) -> None:
        if self._waiter is not None:
            raise StreamInUseError
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _reject(self) -> None:
        assert self.head is not None
        assert self._body is not None
        self._end(rejection(self.head, bytes(self._body)))

    def _finish(self) -> None:
        """Take the end of the body: the last items first, then the end, good or bad."""
        try:
            problem = self._intake.finish()
            if self._intake.batch:
                self._hand_over(time.perf_counter_ns())
        except Exception as error:  # noqa: BLE001 - as in `read_finished`
            self._end(error)
        else:
            self._end(problem)

    def _end(self, error: BaseException | None) -> None:
        if self.ended:
            return
        self.ended = True
        self.error = error
        self._timings.finished = time.perf_counter_ns()
        if self._clock is not None:
            self._clock.stop()
        self._wake()

    def _release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._give_back(connection, connection.detach())
