"""What this machine can measure: the same client against the bundled server, whose true send times are known.

For each number of streams the server paces chunks and stamps them as it sends; the distance from its stamp to the
client's is how late the client saw the chunk, and the error bar that the client gave itself can be checked. What is
found bounds what a load test on this machine can claim: chunks a second at a given lateness.

Invariants: nothing but loopback is involved; the server runs in a process of its own and shares the machine, so the
figures are careful ones for a client that has it to itself. The server's stamp is taken beside the call that hands the
chunk to the kernel; what passes between the two counts as lateness, and as a bar that did not hold.
Not here: judging a run (`verdict.py`), which looks at what happened in that run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from streamarena.histogram import Histogram
from streamarena.load.load_test import LoadTest
from streamarena.load.plan import LoadPlan
from streamarena.load.schedule import ClosedLoop
from streamarena.load.synthetic import Synthetic
from streamarena.testing import FakeLLM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Calibration", "CalibrationPoint", "calibrate", "compare_with_server"]

_STREAMS: Final = (16, 64, 256, 1024)
_GAP_SECONDS: Final = 0.01
_NS: Final = 1e6


class CalibrationPoint(msgspec.Struct, frozen=True):
    """One number of streams.

    Attributes:
        streams: open at once. chunks_per_second: received in all. asked_per_second: what the server's pace asks for.
        late_p50_ms, late_p99_ms: from the server's stamp to the client's.
        bar_p99_ms: the error bar that the client gave its stamps. contained: share of stamps whose bar holds the truth.
        ttft_p50_error_ms: reported time to first token less the server's own, at the median.
    """

    streams: int
    chunks_per_second: float
    asked_per_second: float
    late_p50_ms: float
    late_p99_ms: float
    bar_p99_ms: float
    contained: float
    ttft_p50_error_ms: float


class Calibration(msgspec.Struct, frozen=True):
    """What was found.

    Attributes:
        points: by rising load. limit_ms: the lateness asked for at p99.
    """

    points: tuple[CalibrationPoint, ...]
    limit_ms: float

    @property
    def chunks_per_second(self) -> float | None:
        """The most chunks a second that were seen no later than the limit; None where not even the least load was."""
        fit = [point.chunks_per_second for point in self.points if point.late_p99_ms <= self.limit_ms]
        return max(fit, default=None)

    def table(self) -> str:
        """Return the points as text, and the conclusion."""
        lines = [f"{'streams':>8}{'chunks/s':>10}{'late p50':>10}{'late p99':>10}{'bar p99':>10}{'contained':>11}  ms"]
        lines += [
            f"{p.streams:>8}{p.chunks_per_second:>10.0f}{p.late_p50_ms:>10.2f}{p.late_p99_ms:>10.2f}"
            f"{p.bar_p99_ms:>10.2f}{p.contained:>11.2%}"
            for p in self.points
        ]
        most = self.chunks_per_second
        found = f"{most:.0f} chunks/s" if most is not None else "no load that was tried"
        return "\n".join([*lines, f"this machine measures {found} at a p99 lateness of {self.limit_ms:g} ms or less"])


async def calibrate(
    *,
    limit_ms: float = 5.0,
    seconds: float = 2.0,
    streams: Sequence[int] = _STREAMS,
    progress: Callable[[CalibrationPoint], object] | None = None,
) -> Calibration:
    """Find out what this machine can measure.

    Args:
        limit_ms: the lateness of the 99th percentile that is still good enough.
        seconds: length of each stream, and so about the length of each point.
        streams: numbers of streams to try, rising; the first one beyond the limit is the last one tried.
        progress: called with each point.
    """
    points: list[CalibrationPoint] = []
    for count in streams:
        point = await _measure(count, seconds)
        points.append(point)
        if progress is not None:
            progress(point)
        if point.late_p99_ms > limit_ms:
            break
    return Calibration(tuple(points), limit_ms)


async def _measure(streams: int, seconds: float) -> CalibrationPoint:
    tokens = max(int(seconds / _GAP_SECONDS), 2)
    rows: list[dict[str, Any]] = []
    async with FakeLLM.spawn(
        ttft=0.02, inter_token_latency=_GAP_SECONDS, tokens=tokens, keep_records=streams
    ) as server:
        plan = LoadPlan(
            url=f"{server.url}/v1",
            model="fake-model",
            requests=Synthetic(50, None),
            schedule=ClosedLoop(streams, ramp_up=min(0.5, seconds / 4)),
            request_count=streams,
            stamps=True,
        )
        result = await LoadTest(plan, on_interval=lambda interval: rows.extend(interval.rows)).run()
        records = server.statistics(streams)["records"]
    late, bars, contained, ttft_errors = compare_with_server(rows, records)
    return CalibrationPoint(
        streams,
        result.summary["chunk_throughput"] or 0.0,
        streams / _GAP_SECONDS,
        _ms(late, 50),
        _ms(late, 99),
        _ms(bars, 99),
        contained,
        _ms(ttft_errors, 50),
    )


def _ms(histogram: Histogram, percent: float) -> float:
    value = histogram.percentile(percent)
    return float("nan") if value is None else value / _NS


def compare_with_server(
    rows: Sequence[Mapping[str, Any]], records: Sequence[Mapping[str, Any]]
) -> tuple[Histogram, Histogram, float, Histogram]:
    """Compare the stamps of per-request rows with the send stamps of a FakeLLM on the same machine.

    Returns:
        How late each chunk was seen; the error bars; the share of bars that hold the truth; how much longer than the
        server's own each time to first token was. Nanoseconds. Streams in which one read brought several chunks are
        compared by the last of them.
    """
    by_id = {record["client_id"]: record for record in records}
    late, bars, ttft_errors = Histogram(), Histogram(), Histogram()
    inside = 0
    for row in rows:
        record = by_id.get(f"load-{row['number']}")
        if record is None or not record["stamps"]:
            continue
        for (seen, bar), sent in zip(row["stamps_ns"], _matched(row["chunks_by_read"], record["stamps"]), strict=False):
            late.add(seen - sent)
            bars.add(bar)
            inside += seen - sent <= bar
        if row["stamps_ns"]:
            own = record["stamps"][0] - record["received"]
            ttft_errors.add(row["stamps_ns"][0][0] - row["sent_ns"] - own)
    return late, bars, inside / late.count if late.count else float("nan"), ttft_errors


def _matched(chunks_by_read: Sequence[int], stamps: Sequence[int]) -> list[int]:
    """Return the send stamp of the last chunk that each read brought."""
    position = -1
    found: list[int] = []
    for chunks in chunks_by_read:
        position += chunks
        if position < len(stamps):
            found.append(stamps[position])
    return found
