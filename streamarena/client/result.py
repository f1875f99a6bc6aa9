"""What is known of a stream at its end: the message, usage, times and sizes. Owned by the caller, free of any scope."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from streamarena.client.retry import Attempt
    from streamarena.providers import Accumulator, FinishReason, ToolCallChunk, UsageChunk

__all__ = ["StreamResult", "Timings", "build_result"]


class Timings(msgspec.Struct):
    """Moments of one request in nanoseconds of `time.perf_counter_ns`; None where a moment has not come.

    A missing stamp is missing and never zero. `sent` is taken when the request was handed to the transport, the others
    inside the read callback that brought the moment's bytes.

    Attributes:
        started: the call was made; includes waiting for a connection and opening one.
        attempted: the attempt that the stamps below belong to began; a first attempt begins with the call.
        sent: the request was sent.
        headers: the response header was complete.
        first_chunk: the first chunk of any kind (stream setup: often only a role).
        first_content: the first text, reasoning or tool-call content: time to first token counts to here.
        last_content: the latest content.
        finished: the response was complete, or the stream ended otherwise.
    """

    started: int = 0
    attempted: int = 0
    sent: int | None = None
    headers: int | None = None
    first_chunk: int | None = None
    first_content: int | None = None
    last_content: int | None = None
    finished: int | None = None

    def begin(self) -> None:
        """Begin a new attempt: what belongs to an earlier one is forgotten."""
        self.attempted = time.perf_counter_ns() if self.attempted else self.started
        self.sent = self.headers = self.first_chunk = None
        self.first_content = self.last_content = self.finished = None

    @property
    def time_to_first_token(self) -> float | None:
        """Seconds from the request being sent to the first content."""
        return _seconds(self.sent, self.first_content)

    @property
    def stream_setup(self) -> float | None:
        """Seconds from the request being sent to the first chunk of any kind."""
        return _seconds(self.sent, self.first_chunk)

    @property
    def duration(self) -> float | None:
        """Seconds from the request being sent to the end."""
        return _seconds(self.sent, self.finished)


def _seconds(start: int | None, end: int | None) -> float | None:
    return None if start is None or end is None else (end - start) / 1e9


class StreamResult(msgspec.Struct):
    """A finished stream.

    Attributes:
        text: the whole answer of choice 0.
        reasoning: the whole reasoning, where the provider shows it.
        tool_calls: complete tool calls; `arguments` is JSON text as the model wrote it.
        finish_reason: normalised; None if the provider gave none.
        raw_finish_reason: the provider's own word.
        usage: token counts, summed up as the provider means them; None where it gave none.
        id, model: as the provider named them.
        message: the final message in the shape of the API that was spoken.
        timings: when what happened.
        bytes_received: bytes of the response body.
        chunks: chunks received.
        attempts: requests sent for it. attempt_log: each of them.
        complete: whether the stream came to its proper end. If not, everything here is what had come by then, `usage`
            too: providers count the output at the end, so it is often missing or too low.
        error: what ended the stream early, as far as it was an error.
    """

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCallChunk, ...] = ()
    finish_reason: FinishReason | None = None
    raw_finish_reason: str | None = None
    usage: UsageChunk | None = None
    id: str | None = None
    model: str | None = None
    message: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])
    timings: Timings = msgspec.field(default_factory=Timings)
    bytes_received: int = 0
    chunks: int = 0
    attempts: int = 1
    attempt_log: tuple[Attempt, ...] = ()
    complete: bool = True
    error: BaseException | None = None


def build_result(keeper: Accumulator, timings: Timings, received: int, chunks: int) -> StreamResult:
    """Copy what was kept out of the request's arena."""
    reply = keeper.reply()
    result = StreamResult(
        usage=reply.usage,
        id=reply.id,
        model=reply.model,
        message=keeper.message(),
        timings=timings,
        bytes_received=received,
        chunks=chunks,
    )
    if reply.choices:
        choice = reply.choices[0]
        result.text = choice.joined("text")
        result.reasoning = choice.joined("reasoning")
        result.tool_calls = choice.tool_calls
        if choice.finish is not None:
            result.finish_reason = choice.finish.reason
            result.raw_finish_reason = choice.finish.raw_reason
    return result
