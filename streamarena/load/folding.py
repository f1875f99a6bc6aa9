"""From the stamps of one finished request to numbers in an interval.

Invariants: a metric whose stamps did not both come is not counted; requests left out of the results add nothing but
`left_out`; an error bar only ever makes a value earlier or a gap wider or narrower, never what the stamps did not see.
Cost: one walk over the request's gaps (0.6 us a chunk), done between reads and not inside their callbacks.
Not here: error bars (`loop_watch.py`), what metrics mean (`metrics.py`).
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Final

from streamarena.histogram import Histogram
from streamarena.load.metrics import metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamarena.load.interval import Interval
    from streamarena.load.plan import LoadPlan
    from streamarena.load.recorder import StreamRecorder

__all__ = ["Attempt", "Folder"]

_GAP_OF_ONE: Final = "gap_of_one"
"""Gaps of requests whose chunks are tokens: inter-chunk and inter-token latency at once, counted once."""


class Attempt:
    """One request on its way: what the worker knows of it beside the stamps.

    Attributes:
        number: of the request; turn: within its conversation. label: of the request.
        scheduled, started, sent, ended: nanoseconds of `time.perf_counter_ns`; None where there is no such moment.
        early: gaps handed over before the end.
        measured: whether it counts. outcome: completed, failed, dropped or unfinished. kind: of its error.
        recorder: its stamps. input_tokens: as the source stated them. folded: whether gaps were handed over before.
    """

    __slots__ = (
        "early",
        "ended",
        "folded",
        "input_tokens",
        "kind",
        "label",
        "measured",
        "number",
        "outcome",
        "recorder",
        "scheduled",
        "sent",
        "started",
        "turn",
    )

    def __init__(self, number: int, turn: int, recorder: StreamRecorder, scheduled: int | None, started: int) -> None:
        self.number = number
        self.turn = turn
        self.recorder = recorder
        self.scheduled = scheduled
        self.started = started
        self.sent: int | None = None
        self.ended: int | None = None
        self.measured = False
        self.outcome = "completed"
        self.kind = ""
        self.label = ""
        self.input_tokens: int | None = None
        self.folded = False
        self.early: Histogram | None = None


class Folder:
    """Folds requests into intervals.

    Args:
        plan: objectives and output wanted.
    """

    def __init__(self, plan: LoadPlan) -> None:
        self._rows = plan.rows or plan.stamps
        self._stamps = plan.stamps
        found = ((metric(name), limit) for name, limit in plan.goodput.items())
        self._objectives = [(each.name, limit * 1e6) for each, limit in found if each is not None]

    def fold(self, interval: Interval, attempt: Attempt) -> None:
        """Count a request that has ended."""
        if not attempt.measured:
            interval.counters["left_out"] += 1
            return
        interval.counters[attempt.outcome] += 1
        interval.note_span(attempt.started, attempt.ended)
        stamps = attempt.recorder.every_stamp() if self._stamps else {}
        values = self._values(interval, attempt)
        if self._objectives and attempt.outcome == "completed":
            good = all(name in values and values[name] <= limit for name, limit in self._objectives)
            interval.counters["good"] += good
        if self._rows:
            interval.rows.append({**_row(attempt, values), **stamps})

    def fold_gaps(self, interval: Interval, attempt: Attempt, name: str = "gap") -> list[int]:
        """Count the gaps so far of a request that has not ended, or has, under a name; return them."""
        gaps, errors = attempt.recorder.take_gaps()
        fresh = errors[1:] if attempt.folded else errors
        attempt.folded = attempt.folded or bool(errors)
        if attempt.measured:
            interval.histogram("stamp_error").add_all(fresh)
            if gaps:
                interval.histogram(name).add_all(gaps)
                lows = list(map(operator.sub, gaps, errors[1:]))
                interval.histogram("gap_low").add_all(lows if min(lows) >= 0 else [max(low, 0) for low in lows])
                interval.histogram("gap_high").add_all(list(map(operator.add, gaps, errors)))
        return gaps

    def fold_early(self, interval: Interval, attempt: Attempt) -> None:
        """Hand over the gaps of a long stream before its end; inter-token latencies wait for its tokens."""
        gaps = self.fold_gaps(interval, attempt)
        if attempt.early is None:
            attempt.early = Histogram()
        attempt.early.add_all(gaps)

    @staticmethod
    def settle(interval: Interval) -> None:
        """Count what was kept together because two metrics share it; call it once, when the interval is complete."""
        shared = interval.histograms.pop(_GAP_OF_ONE, None)
        if shared is not None:
            interval.histogram("gap").merge(shared)
            interval.histogram("itl").merge(shared)

    # ------------------------------------------------------------ private

    def _values(self, interval: Interval, attempt: Attempt) -> dict[str, float]:
        """Count everything of one request; return what there is a value for, in nanoseconds."""
        recorder = attempt.recorder
        tokens = _count_tokens(interval, attempt)
        of_one = tokens == recorder.chunks and attempt.early is None
        gaps = self.fold_gaps(interval, attempt, _GAP_OF_ONE if of_one else "gap")
        for name in ("gap", "gap_low", "gap_high") if recorder.merged else ():
            interval.histogram(name).add(0, recorder.merged)
        interval.add("chunks", recorder.chunks)
        interval.counters["chunks"] += recorder.chunks
        interval.counters["merged_chunks"] += recorder.merged
        values = _durations(attempt, tokens)
        for name, value in values.items():
            interval.add(name, round(value))
        self._add_low_ends(interval, attempt, values)
        if tokens:
            _add_inter_token(interval, attempt, () if of_one else gaps, tokens)
        return values | _means(recorder, tokens)

    @staticmethod
    def _add_low_ends(interval: Interval, attempt: Attempt, values: dict[str, float]) -> None:
        """Count how small the values may have been; the send is stamped beside the call that makes it."""
        recorder = attempt.recorder
        for name, error in (("ttft", recorder.first_error), ("e2e", recorder.last[1])):
            if name in values:
                interval.histogram(f"{name}_low").add(max(round(values[name]) - error, 0))


def _count_tokens(interval: Interval, attempt: Attempt) -> int | None:
    """Count the tokens of a request and where the numbers are from; return the output tokens, if any are known."""
    recorder = attempt.recorder
    usage = recorder.usage if attempt.outcome == "completed" else None  # of a stream left early it is half a count
    counters = interval.counters
    given = usage.input_tokens if usage is not None and usage.input_tokens else attempt.input_tokens
    if given:
        counters["input_tokens"] += given
        interval.add("input_tokens", given)
    tokens = usage.output_tokens if usage is not None and usage.output_tokens else recorder.chunks
    if not tokens:
        return None
    counters["tokens_from_usage" if usage is not None and usage.output_tokens else "tokens_from_chunks"] += 1
    counters["output_tokens"] += tokens
    interval.add("output_tokens", tokens)
    return tokens


def _durations(attempt: Attempt, tokens: int | None) -> dict[str, float]:
    """Return the durations of one request, in nanoseconds; those whose moments did not come are absent."""
    recorder, sent, scheduled = attempt.recorder, attempt.sent, attempt.scheduled
    first = recorder.first_content
    last = recorder.last[0] if attempt.outcome == "completed" else None
    spans = {
        "connect": (attempt.started, sent),
        "setup": (sent, recorder.first_chunk),
        "ttft": (sent, first),
        "ttfo": (sent, recorder.first_output),
        "e2e": (sent, last),
        "schedule_lag": (scheduled, sent),
        "ttft_scheduled": (scheduled, first),
        "e2e_scheduled": (scheduled, last),
    }
    values: dict[str, float] = {
        name: end - start for name, (start, end) in spans.items() if start is not None and end is not None
    }
    if first is not None and last is not None and tokens is not None and tokens > 1:
        values["tpot"] = (last - first) / (tokens - 1)
    return values


def _means(recorder: StreamRecorder, tokens: int | None) -> dict[str, float]:
    """Return what a request's own objective of inter-chunk and inter-token latency is held against: its means."""
    if recorder.first_content is None or recorder.last_content is None or recorder.chunks < 2:
        return {}
    span = recorder.last_content - recorder.first_content
    means = {"gap": span / (recorder.chunks - 1)}
    if tokens:
        means["itl"] = means["gap"] * recorder.chunks / tokens
    return means


def _add_inter_token(interval: Interval, attempt: Attempt, gaps: Sequence[int], tokens: int) -> None:
    """Count each gap divided by the tokens that a chunk of this request brought on average."""
    chunks = attempt.recorder.chunks
    histogram = interval.histogram("itl")
    histogram.add_all([gap * chunks // tokens for gap in gaps])
    if attempt.recorder.merged:
        histogram.add(0, attempt.recorder.merged)
    if attempt.early is not None:
        for low, high, count in attempt.early.buckets():
            histogram.add((low + high) // 2 * chunks // tokens, count)


def _row(attempt: Attempt, values: dict[str, float]) -> dict[str, Any]:
    """Return one request for per-request output; durations in milliseconds, moments in nanoseconds."""
    recorder = attempt.recorder
    usage = recorder.usage
    return {
        "number": attempt.number,
        "turn": attempt.turn,
        "label": attempt.label,
        "outcome": attempt.outcome,
        "error": attempt.kind or None,
        "scheduled_ns": attempt.scheduled,
        "sent_ns": attempt.sent,
        "ended_ns": attempt.ended,
        **{f"{name}_ms": value / 1e6 for name, value in values.items()},
        "chunks": recorder.chunks,
        "input_tokens": usage.input_tokens if usage is not None else attempt.input_tokens,
        "output_tokens": usage.output_tokens if usage is not None else None,
        "first_token_error_ms": recorder.first_error / 1e6 if recorder.first_content is not None else None,
    }
