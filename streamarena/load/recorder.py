"""The stamps of one stream: taken inside the read callback, kept in flat arrays, judged when the stream is over.

Invariants: nothing is allocated for a chunk beside 16 bytes of array; a moment that did not come is None and never 0;
a stamp's error bar is the part of the loop's turn that passed before it plus what the thread lost around it.
Cost: a comparison or two a chunk; two appends a read; one walk over the arrays at the end, outside the measured turns.
Not here: whose stream it is (`worker.py`), what becomes of the numbers (`interval.py`).
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamarena.client import ChunkStream
    from streamarena.load.loop_watch import LoopWatch
    from streamarena.providers import Chunk, UsageChunk

__all__ = ["DropStreamError", "StreamRecorder"]

_FOLD_AT: Final = 4096
"""Reads after which a long stream's gaps are handed over, so that its stamps do not pile up."""


class DropStreamError(Exception):
    """Raised inside a read callback to leave a stream that the plan wants dropped; never leaves the worker."""


class StreamRecorder:
    """Takes the batches of one stream after another; `reset` in between.

    Args:
        watch: judges the stamps.
        on_full: called with this recorder when its arrays hold many stamps; must `take_gaps`.
        count_reads: also keep how many chunks each read brought, for output of every stamp.

    Attributes:
        first_chunk, first_content, first_output, last_content, last: moments of `time.perf_counter_ns`, or None: the
            first chunk, first content, first content that is not reasoning, last content, last chunk of the answer.
        first_error, last_error: how much earlier the bytes of `first_content` and `last` may have come.
        chunks: content chunks. reads: reads that brought any.
        usage: the last token counts of the stream, or None.
        drop_after: content chunks after which the stream is left, or None.
    """

    __slots__ = (
        "_counts",
        "_errors",
        "_on_full",
        "_stamps",
        "_stream",
        "_watch",
        "chunks",
        "drop_after",
        "first_chunk",
        "first_content",
        "first_error",
        "first_output",
        "last",
        "last_content",
        "last_error",
        "merged",
        "reads",
        "usage",
    )

    def __init__(
        self, watch: LoopWatch, on_full: Callable[[StreamRecorder], object], *, count_reads: bool = False
    ) -> None:
        self._watch = watch
        self._on_full = on_full
        self._stamps, self._errors = array("q"), array("q")
        self._counts: array[int] | None = array("q") if count_reads else None
        self._stream: ChunkStream | None = None
        self.reset()

    def reset(self) -> None:
        """Forget the last stream."""
        del self._stamps[:], self._errors[:]
        if self._counts is not None:
            del self._counts[:]
        self._stream = None
        self.first_chunk: int | None = None
        self.first_content: int | None = None
        self.first_output: int | None = None
        self.last: int | None = None
        self.last_content: int | None = None
        self.first_error = self.last_error = 0
        self.chunks = self.reads = self.merged = 0
        self.usage: UsageChunk | None = None
        self.drop_after: int | None = None

    def watch_stream(self, stream: ChunkStream) -> Callable[[list[Chunk]], None]:
        """Return the callback for `stream.for_each_batch`."""
        self._stream = stream
        return self.take

    def take(self, batch: list[Chunk]) -> None:
        """Stamp what one read brought.

        Raises:
            DropStreamError: `drop_after` chunks have come.
        """
        stream, watch = self._stream, self._watch
        assert stream is not None
        now = stream.received_at
        if not watch.in_turn:
            watch.begin(now)
        content = 0
        ends = False
        for chunk in batch:
            if chunk.is_content:
                content += 1
                if self.first_output is None and chunk.kind != "reasoning":
                    self.first_output = now
            elif chunk.kind == "usage":
                self.usage = chunk
            elif chunk.kind == "finish":
                ends = True
        if content:
            error = max(now - watch.since, 0)
            if self.first_content is None:
                self.first_content, self.first_error = now, error
            self._stamps.append(now)
            self._errors.append(error)
            if self._counts is not None:
                self._counts.append(content)
            self.chunks += content
            self.reads += 1
            self.merged += content - 1
            self.last = self.last_content = now
            self.last_error = error
            if self.drop_after is not None and self.chunks >= self.drop_after:
                raise DropStreamError
            if len(self._stamps) >= _FOLD_AT:
                self._on_full(self)
        elif ends:
            self.last, self.last_error = now, max(now - watch.since, 0)
        if self.first_chunk is None and batch:
            self.first_chunk = stream.timings.first_chunk

    def take_gaps(self) -> tuple[list[int], list[int]]:
        """Return the gaps between reads with content and the error bar of each stamp, in nanoseconds, and clear them.

        The errors are one more than the gaps: the first belongs to the stamp that the first gap starts at, which a
        call before this one may have returned as its last. That stamp stays as the start of what may follow. Chunks of
        one read are `merged`, and no gap here.
        """
        stamps = self._stamps
        delays = self._watch.delays_at(stamps)
        errors = list(map(int.__add__, self._errors, delays))
        gaps = list(map(int.__sub__, stamps[1:], stamps[:-1]))
        del self._stamps[:-1], self._errors[:-1]
        return gaps, errors

    def every_stamp(self) -> dict[str, list[object]]:
        """Return what the arrays hold now: each read's moment and error bar (nanoseconds), and its chunks.

        Of a stream of more than 4,096 reads these are the last ones.
        """
        errors = map(int.__add__, self._errors, self._watch.delays_at(self._stamps))
        counts: list[object] = list(self._counts[-len(self._stamps) :]) if self._counts is not None else []
        return {"stamps_ns": list(zip(self._stamps, errors, strict=True)), "chunks_by_read": counts}
