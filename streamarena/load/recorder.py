"""The stamps of one stream: taken inside the read callback, kept in flat arrays beside their error bars.

Invariants: nothing is allocated for a chunk beside 16 bytes of array; a moment that did not come is None and never 0;
a stamp's error bar reaches back to the earliest moment at which its bytes may have come (`loop_watch.py`).
Cost: a comparison or two a chunk; two appends a read; two subtractions of arrays at the end.
Not here: whose stream it is (`worker.py`), what becomes of the numbers (`interval.py`).
"""

from __future__ import annotations

import operator
from array import array
from typing import TYPE_CHECKING, Final

from streamarena.load.loop_watch import UNSEEN_NS

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
        first_chunk, first_content, first_output, finish: moments of `time.perf_counter_ns`, or None: the first chunk,
            first content, first content that is not reasoning, the finish chunk.
        first_error, finish_error: how much earlier the bytes of `first_content` and `finish` may have come.
        chunks: content chunks. merged: those that came in a read with another before them.
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
        "finish",
        "finish_error",
        "first_chunk",
        "first_content",
        "first_error",
        "first_output",
        "merged",
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
        self.finish: int | None = None
        self.first_error = self.finish_error = 0
        self.chunks = self.merged = 0
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
        if self.first_output is not None and len(batch) == 1 and batch[0].is_content:
            content = 1  # nearly every read of a paced stream
        else:
            content = self._look(batch, now, stream)
        if content:
            stamps = self._stamps
            stamps.append(now)
            late = now - watch.since
            self._errors.append(
                late + UNSEEN_NS if late > 0 else UNSEEN_NS
            )  # what waited for us is older than the turn
            self.chunks += content
            if self._counts is not None:
                self._counts.append(content)
            if self.drop_after is not None and self.chunks >= self.drop_after:
                raise DropStreamError
            if len(stamps) >= _FOLD_AT:
                self._on_full(self)

    def _look(self, batch: list[Chunk], now: int, stream: ChunkStream) -> int:
        """Note what a batch holds beside content; return how many content chunks there are."""
        content = 0
        for chunk in batch:
            if chunk.is_content:
                content += 1
                if self.first_output is None and chunk.kind != "reasoning":
                    self.first_output = now
            elif chunk.kind == "usage":
                self.usage = chunk
            elif chunk.kind == "finish":
                self.finish, self.finish_error = now, self._error(now)
        if content:
            if self.first_content is None:
                self.first_content, self.first_error = now, self._error(now)
            self.merged += content - 1
        if self.first_chunk is None:
            self.first_chunk = stream.timings.first_chunk
        return content

    def _error(self, now: int) -> int:
        return max(now - self._watch.since, 0) + UNSEEN_NS

    @property
    def last_content(self) -> int | None:
        """The moment of the last content, or None."""
        return self._stamps[-1] if self._stamps else None

    @property
    def last(self) -> tuple[int | None, int]:
        """The moment of the last chunk of the answer, content or finish, and how much earlier it may have come."""
        content = self.last_content
        if self.finish is not None and (content is None or self.finish > content):
            return self.finish, self.finish_error
        return content, self._errors[-1] if self._errors else 0

    def take_gaps(self) -> tuple[list[int], list[int]]:
        """Return the gaps between reads with content and the error bar of each stamp, in nanoseconds, and clear them.

        The errors are one more than the gaps: the first belongs to the stamp that the first gap starts at, which a
        call before this one may have returned as its last. That stamp stays as the start of what may follow. Chunks of
        one read are `merged`, and no gap here.
        """
        stamps = self._stamps
        gaps = list(map(operator.sub, stamps[1:], stamps[:-1]))
        errors = self._errors.tolist()
        del self._stamps[:-1], self._errors[:-1]
        return gaps, errors

    def every_stamp(self) -> dict[str, list[object]]:
        """Return what the arrays hold now: each read's moment and error bar (nanoseconds), and its chunks.

        Of a stream of more than 4,096 reads these are the last ones.
        """
        counts: list[object] = list(self._counts[-len(self._stamps) :]) if self._counts is not None else []
        return {"stamps_ns": list(zip(self._stamps, self._errors, strict=True)), "chunks_by_read": counts}
