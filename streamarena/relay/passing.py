"""One upstream's response, passed on to the caller: read by the tap, translated where the two speak differently.

Invariants: without translation every byte goes out as it came, in order; up to the first content a piece is read by the
tap before it is sent on, later the tap may be a few pieces behind: of the limits that of bytes ends the stream in front
of what passes it, that of events a few pieces later; while the caller takes nothing the upstream is not read
and its clock stands still; a caller that has left is sent nothing, and what is drained for its sake is counted.
Cost of a piece: one call of the tap; one wake-up and one message, or, under a server that offers it, one direct write
from inside the read callback.
Not here: attempts, and what becomes of an error (`exchange.py`).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from streamarena.errors import BodyTooLargeError, LimitExceededError, StreamTruncatedError, TooManyEventsError
from streamarena.relay.asgi import Headers, field, media_type, replaced, stream_headers, without
from streamarena.relay.fields import response_fields
from streamarena.relay.intake import ClientLeftError
from streamarena.relay.tap import StreamTap, is_tapped
from streamarena.relay.translation import ReplyTranslator

if TYPE_CHECKING:
    from streamarena.client import RawResponse
    from streamarena.client.clock import ContentClock
    from streamarena.memory import Arena
    from streamarena.relay.caller import Caller
    from streamarena.relay.services import Services
    from streamarena.relay.summary import TapSummary
    from streamarena.relay.translation import TranslatedRequest

__all__ = ["Passage"]

_BLOCKED_NANOSECONDS: Final = 50_000_000
"""So long in sending is a caller that takes nothing: the upstream's clock did not run."""
_BEHIND_PIECES: Final = 16
_BEHIND_BYTES: Final = 8 * 2**10
"""So far behind what is sent the tap may be, once content has come: a wake-up for one piece finds every cache cold."""


class Passage:
    """Passes one response on.

    Args:
        services: the relay's. caller: who gets it. clock: of the upstream's content.
        response: from the upstream. api: that it is written in; None where nobody knows.
        request_api: that the caller speaks. translated: how the request was; None where both speak the same.
        arena: the request's. started: `time.perf_counter_ns` of its start.
        on_content: called once, when the first content of a stream has gone to the caller.

    Attributes:
        tap: None for what is no stream, or compressed. streaming: whether the caller gets a stream.
        received: bytes of the body so far.
    """

    __slots__ = (
        "_behind",
        "_behind_bytes",
        "_behind_from",
        "_caller",
        "_clock",
        "_drain_to",
        "_in_front",
        "_limit",
        "_on_content",
        "_response",
        "_sending",
        "received",
        "streaming",
        "tap",
        "translator",
    )

    def __init__(
        self,
        services: Services,
        caller: Caller,
        clock: ContentClock,
        response: RawResponse,
        *,
        api: str | None,
        request_api: str | None,
        translated: TranslatedRequest | None,
        arena: Arena,
        started: int,
        on_content: Callable[[], None] | None = None,
    ) -> None:
        self._caller = caller
        self._clock = clock
        self._response = response
        self._limit = services.settings.stream.stream_bytes
        self._on_content = on_content
        self._drain_to: int | None = None
        self._in_front = b""
        self._behind: list[Any] = []  # stamps and pieces by turns, of what was sent and not read yet
        self._behind_bytes = 0
        self._behind_from = False  # whether the tap may be behind by now
        clock.latest = self._last_content
        self._sending = False
        self.received = 0
        self.tap: StreamTap | None = None
        self.translator: ReplyTranslator | None = None
        headers = response_fields(response.headers)
        content_type = field(headers, b"content-type")
        encoded = field(headers, b"content-encoding") not in {None, "identity"}
        if is_tapped(media_type(headers)) and not encoded:
            stream = services.settings.stream
            self.tap = StreamTap(content_type, arena, api=api, limits=stream, started=started, manager=services.memory)
        self.streaming = self.tap is not None
        if translated is not None:
            assert api is not None
            assert request_api is not None
            self.streaming = translated.stream
            self.translator = ReplyTranslator(
                api,
                request_api,
                content_type=content_type,
                stream=translated.stream,
                include_usage=translated.include_usage,
                created=int(time.time()),
                event_bytes=services.settings.stream.event_bytes,
            )
            headers = _translated_fields(headers, self.translator.content_type, translated.dropped)
        caller.begin(response.status, stream_headers(headers) if self.streaming else headers)

    @property
    def at_boundary(self) -> bool:
        """Whether something of the stream's own form may be said now, and nothing of another piece is in between."""
        if self._sending or not self.streaming:
            return False
        self._last_content()
        return self.translator is not None or (self.tap is not None and self.tap.at_boundary)

    def drain(self, more: int) -> None:
        """Read so many bytes more and no further: the caller has left."""
        self._drain_to = self.received + more

    async def run(self, *, hold: bool, commit: Callable[[], Awaitable[None]]) -> None:
        """Pass all of it on.

        Args:
            hold: whether another attempt may follow: then nothing is sent before the first content, or, of what is no
                stream, before its end.
            commit: sends what was held back.

        Raises:
            ProviderError: the provider's error in front of any content, where `hold` was asked for; or in place of a
                reply that is not streamed.
            StreamArenaError: the response broke off, or passed a limit.
            ClientLeftError: so much was drained as may be.
        """
        whole = self.translator is not None and not self.streaming
        if not hold and not whole:
            await commit()
        try:
            while self._caller.holding or self._caller.direct is None:
                batch = await self._response.next_batch()
                if not batch:
                    break
                data = self._read(batch)
                if data and not self._caller.left:
                    await self._send(data)
                if self._caller.holding and self.tap is not None and not whole:
                    if self.tap.first_content_at is not None:
                        await commit()
                    elif self.tap.error is not None:
                        raise self.tap.error
                self._tell_content()
            else:
                await self._response.for_each(self._pass)
        except LimitExceededError:
            if self._in_front and not self._caller.left:
                await self._send(self._in_front)
            raise
        await self._end(commit)

    def _read(self, batch: list[bytes]) -> bytes:
        """Let the tap read what one read brought, and the clock know of content; return what is to be sent for it."""
        tap = self.tap
        for number, piece in enumerate(batch):
            self.received += len(piece)
            try:
                if tap is not None:
                    tap.feed(piece)
                elif self.received > self._limit:
                    raise BodyTooLargeError(self._limit, self.received, "StreamLimits.stream_bytes")
            except LimitExceededError:
                if self.translator is None:
                    self._in_front = b"".join(batch[:number])  # it is within the limit
                raise
        if tap is None:
            self._clock.content(time.perf_counter_ns())
        elif tap.last_content_at == tap.last_at:
            self._clock.content(tap.last_at)
        if self._drain_to is not None and self.received > self._drain_to:
            raise ClientLeftError
        data = batch[0] if len(batch) == 1 else b"".join(batch)
        return data if self.translator is None else self.translator.feed(data)

    def summary(self) -> TapSummary | None:
        """Return what has passed so far; None where nobody reads it."""
        self._catch_up()
        return None if self.tap is None else self.tap.summary()

    def _pass(self, batch: list[bytes]) -> Awaitable[None] | None:
        """Pass on what one read brought, inside the read callback; return what to wait for, if anything."""
        caller = self._caller
        if self._behind_from and self._drain_to is None:
            data = self._read_later(batch)
        else:
            data = self._read(batch)
            self._tell_content()
            self._behind_from = (
                self.translator is None and self.tap is not None and self.tap.first_content_at is not None
            )
        if not data or caller.left:
            return None
        assert caller.direct is not None
        caller.sent += len(data)
        return None if caller.direct.write(data) else self._wait_for_caller()

    def _read_later(self, batch: list[bytes]) -> bytes:
        """Keep what one read brought for the tap, which reads some pieces at once: that takes half the time."""
        data = batch[0] if len(batch) == 1 else b"".join(batch)
        if self.received + len(data) > self._limit:
            self._catch_up()
            return self._read(batch)
        self.received += len(data)
        self._behind += (time.perf_counter_ns(), data)
        self._behind_bytes += len(data)
        if self._behind_bytes > _BEHIND_BYTES or len(self._behind) == 2 * _BEHIND_PIECES:
            self._catch_up()
        return data

    def _catch_up(self) -> None:
        """Let the tap read what it is behind with."""
        if self._behind:
            behind, self._behind = self._behind, []
            self._behind_bytes = 0
            assert self.tap is not None
            for place in range(0, len(behind), 2):
                self.tap.feed(behind[place + 1], behind[place])

    def _last_content(self) -> int | None:
        """For the clock: when the latest content came."""
        with contextlib.suppress(TooManyEventsError):  # which the next piece meets again
            self._catch_up()
        return None if self.tap is None else self.tap.last_content_at

    async def _wait_for_caller(self) -> None:
        self._clock.hold()
        await self._send(b"")

    async def _send(self, data: bytes) -> None:
        since = time.perf_counter_ns()
        self._sending = True
        await self._caller.write(data)
        self._sending = False
        if time.perf_counter_ns() - since > _BLOCKED_NANOSECONDS or not data:
            self._clock.resume(since)

    def _tell_content(self) -> None:
        if self._on_content is not None and self.tap is not None and self.tap.first_content_at is not None:
            self._on_content()
            self._on_content = None

    async def _end(self, commit: Callable[[], Awaitable[None]]) -> None:
        rest, complete = b"", True
        self._catch_up()
        if self.tap is not None:
            self.tap.finish()
            complete = self.tap.complete is not False or self.tap.error is not None
        if self.translator is not None:
            rest, complete = self.translator.finish()
            if self.translator.error is not None and not self.streaming:
                raise self.translator.error
            if not complete and self.translator.error is None:
                raise StreamTruncatedError("the body ended without the provider's own end of the stream", self.received)
        if not complete and self._caller.holding:
            raise StreamTruncatedError("the body ended without the provider's own end of the stream", self.received)
        await commit()
        await self._caller.end(rest)


def _translated_fields(headers: Headers, content_type: str, dropped: tuple[str, ...]) -> Headers:
    fields = without(headers, b"content-type", b"content-length", b"content-encoding", b"cache-control")
    fields.insert(0, (b"content-type", content_type.encode("ascii")))
    return replaced(fields, b"x-streamarena-dropped", ", ".join(dropped)) if dropped else fields
