"""What is measured: every metric's name, unit and definition, in one table that results, reports and help texts share.

Names and definitions follow the field: time to first token as vLLM and AIPerf count it today (the role-only chunk is
stream setup and no token), time per output token as vLLM counts it, end-to-end latency to the last chunk of the
answer. Durations are nanoseconds inside this room and milliseconds in results.
Not here: stamps (`recorder.py`), numbers (`summary.py`).
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

__all__ = ["HEADLINE", "METRICS", "Metric", "Unit", "metric"]

Unit: TypeAlias = Literal["ns", "tokens", "chunks"]


class Metric(msgspec.Struct, frozen=True):
    """One distribution.

    Attributes:
        name: in results and in code. key: in the JSON keys that users' scripts parse (`p99_<key>_ms`).
        title: in tables. definition: from where to where.
        unit: of the values. low, high: names of the distributions that hold the lower and upper ends of its error
            bars; empty where the value itself is that end.
        of_client: whether it tells of the client and not of the server.
    """

    name: str
    key: str
    title: str
    definition: str
    unit: Unit = "ns"
    low: str = ""
    high: str = ""
    of_client: bool = False


METRICS: Final[tuple[Metric, ...]] = (
    Metric("setup", "setup", "Stream setup", "request sent to first chunk of any kind, which often is only a role"),
    Metric(
        "ttft",
        "ttft",
        "Time to first token",
        "request sent to the first chunk with text, reasoning or tool-call content that is not empty",
        low="ttft_low",
    ),
    Metric(
        "ttfo",
        "ttfo",
        "Time to first output token",
        "request sent to the first text or tool-call content; reasoning does not count",
    ),
    Metric(
        "gap",
        "icl",
        "Inter-chunk latency",
        "between two content chunks that follow one another; chunks of one read are 0 apart",
        low="gap_low",
        high="gap_high",
    ),
    Metric(
        "itl",
        "itl",
        "Inter-token latency",
        "each inter-chunk latency divided by the request's tokens a chunk; needs the number of tokens",
    ),
    Metric(
        "tpot",
        "tpot",
        "Time per output token",
        "of each request, (end-to-end latency - time to first token) / (output tokens - 1)",
    ),
    Metric(
        "e2e",
        "e2el",
        "End-to-end latency",
        "request sent to the last chunk of the answer: content or finish, not usage",
        low="e2e_low",
    ),
    Metric(
        "ttft_scheduled",
        "ttft_scheduled",
        "TTFT from schedule",
        "open loop: the scheduled time, rather than the send, to the first token",
    ),
    Metric(
        "e2e_scheduled",
        "e2el_scheduled",
        "Latency from schedule",
        "open loop: the scheduled time, rather than the send, to the last chunk of the answer",
    ),
    Metric("schedule_lag", "schedule_lag", "Schedule lag", "open loop: the scheduled time to the request being sent"),
    Metric("connect", "connect", "Connection", "the call to the request being sent: waiting for a connection, opening"),
    Metric(
        "stamp_error",
        "stamp_error",
        "Stamp error",
        "how much later than its arrival a stamp may have been taken",
        of_client=True,
    ),
    Metric("loop_lag", "loop_lag", "Loop lag", "how late timers fire on the client's event loop", of_client=True),
    Metric("gc_pause", "gc_pause", "GC pause", "pauses of the client by Python's garbage collector", of_client=True),
    Metric("input_tokens", "input_tokens", "Input tokens", "of each request, from usage", "tokens"),
    Metric("output_tokens", "output_tokens", "Output tokens", "of each request, from the source named", "tokens"),
    Metric("chunks", "chunks", "Content chunks", "of each request", "chunks"),
)

HEADLINE: Final = ("ttft", "ttfo", "gap", "itl", "tpot", "e2e")
"""What tables show first."""

_BY_NAME: Final = {each.name: each for each in METRICS} | {each.key: each for each in METRICS}


def metric(name: str) -> Metric | None:
    """Return the metric of a name or key."""
    return _BY_NAME.get(name)
