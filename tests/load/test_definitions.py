"""The field's definitions, held against recorded streams with known stamps and answers worked out by hand.

vLLM (`benchmarks/lib/endpoint_request_func.py`, as of November 2026): time to first token is the first chunk with
content; end-to-end latency ends at the last chunk with a choice, not at usage; inter-token latencies are the gaps
between such chunks; time per output token is (latency - ttft) / (output tokens - 1). AIPerf: inter-chunk latency is the
list of gaps, inter-token latency (request latency - ttft) / (tokens - 1), which is our `tpot`.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from streamarena.load import Interval, LoadPlan
from streamarena.load.folding import Attempt, Folder
from streamarena.load.recorder import StreamRecorder
from streamarena.providers import (
    FinishChunk,
    ReasoningChunk,
    StartChunk,
    TextChunk,
    ToolCallPartialChunk,
    UsageChunk,
)

MS = 1_000_000
SENT = 1_000 * MS


class Watch:
    """A loop that is never late: `since` is the stamp itself."""

    in_turn = True
    since = 0


def measure(batches, outcome="completed"):
    """Play batches at milliseconds after the send; return the interval that they make, and the row."""
    watch = Watch()
    recorder = StreamRecorder(watch, lambda recorder: None)
    attempt = Attempt(0, 0, recorder, None, SENT)
    attempt.sent, attempt.measured, attempt.outcome = SENT, True, outcome
    timings = SimpleNamespace(first_chunk=None)
    stream = SimpleNamespace(received_at=0, timings=timings)
    take = recorder.watch_stream(stream)
    for at, batch in batches:
        stream.received_at = watch.since = SENT + at * MS
        timings.first_chunk = timings.first_chunk or stream.received_at
        take(batch)
    attempt.ended = stream.received_at
    interval = Interval()
    folder = Folder(LoadPlan(url="http://h", requests=dict, request_count=1, rows=True))
    folder.fold(interval, attempt)
    folder.settle(interval)
    return interval, interval.rows[0]


def values(interval, name):
    """The values of a metric in milliseconds, as often as they were counted."""
    histogram = interval.histograms.get(name)
    if histogram is None:
        return []
    return [round((low + high) / 2 / MS) for low, high, count in histogram.buckets() for _ in range(count)]


ROLE = StartChunk(role="assistant")
STOP = FinishChunk("stop")


def usage(tokens):
    return UsageChunk(input_tokens=7, output_tokens=tokens)


def test_a_role_chunk_is_stream_setup_and_no_token():
    batches = [(5, [ROLE]), (50, [TextChunk("a")]), (60, [TextChunk("b")]), (75, [TextChunk("c")]), (76, [STOP])]
    interval, _ = measure([*batches, (80, [usage(3)])])
    assert values(interval, "setup") == [5]
    assert values(interval, "ttft") == values(interval, "ttfo") == [50]
    assert sorted(values(interval, "gap")) == sorted(values(interval, "itl")) == [10, 15]
    assert values(interval, "e2e") == [76], "to the finish chunk, not to usage"
    assert values(interval, "tpot") == [13]
    assert interval.counters["tokens_from_usage"] == 1


def test_reasoning_is_the_first_token_and_no_output():
    batches = [
        (20, [ReasoningChunk("hm")]),
        (40, [ReasoningChunk("so")]),
        (90, [TextChunk("a")]),
        (91, [STOP, usage(3)]),
    ]
    interval, _ = measure(batches)
    assert values(interval, "ttft") == [20]
    assert values(interval, "ttfo") == [90]


def test_a_tool_call_is_content():
    interval, _ = measure([(30, [ToolCallPartialChunk(0, id="c", name="f")]), (31, [STOP])])
    assert values(interval, "ttft") == values(interval, "ttfo") == [30]


def test_several_tokens_a_chunk_divide_inter_token_but_not_inter_chunk_latency():
    batches = [(10, [TextChunk("abcd")]), (50, [TextChunk("efgh")]), (90, [TextChunk("ijkl")]), (90, [STOP, usage(12)])]
    interval, row = measure(batches)
    assert values(interval, "gap") == [40, 40]
    assert values(interval, "itl") == [10, 10]
    assert values(interval, "tpot") == [7], "80 ms for 11 further tokens"
    assert row["chunks"] == 3
    assert row["output_tokens"] == 12


def test_missing_usage_counts_chunks_and_says_so():
    interval, row = measure([(10, [TextChunk("a")]), (30, [TextChunk("b")]), (31, [STOP])])
    assert interval.counters["tokens_from_chunks"] == 1
    assert interval.counters["output_tokens"] == 2
    assert row["output_tokens"] is None


def test_chunks_of_one_read_are_nought_apart():
    interval, _ = measure(
        [(10, [TextChunk("a"), TextChunk("b"), TextChunk("c")]), (30, [TextChunk("d"), STOP, usage(4)])]
    )
    assert sorted(values(interval, "gap")) == [0, 0, 20]
    assert interval.counters["merged_chunks"] == 2


def test_an_answer_without_content_has_no_latencies_of_content():
    interval, row = measure([(5, [ROLE]), (9, [STOP, usage(0)])])
    for name in ("ttft", "ttfo", "gap", "itl", "tpot"):
        assert values(interval, name) == []
    assert values(interval, "e2e") == [9]
    assert "ttft_ms" not in row


def test_one_token_has_no_time_per_output_token():
    interval, _ = measure([(10, [TextChunk("a"), STOP, usage(1)])])
    assert values(interval, "tpot") == []
    assert values(interval, "ttft") == [10]


@pytest.mark.parametrize("outcome", ["failed", "dropped", "unfinished"])
def test_a_stream_that_did_not_end_well_has_a_first_token_and_no_end(outcome):
    interval, _ = measure([(10, [TextChunk("a")]), (20, [TextChunk("b"), usage(50)])], outcome)
    assert values(interval, "ttft") == [10]
    assert values(interval, "e2e") == values(interval, "tpot") == []
    assert interval.counters["output_tokens"] == 2, "its usage is half a count"
