"""A Prometheus histogram of gaps that were counted elsewhere: whole histograms are merged, not single values.

Cost: a merge a stream. Memory: one log-linear histogram for each pair of labels, whose values are bounded elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from prometheus_client.core import HistogramMetricFamily

from streamarena.histogram import Histogram, bucket_bounds

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

__all__ = ["GapHistograms"]


class GapHistograms:
    """Histograms of nanoseconds by labels, shown in seconds.

    Args:
        name, text: of the metric. labels: their names. buckets: upper bounds in seconds.
    """

    def __init__(self, name: str, text: str, labels: Sequence[str], buckets: Sequence[float]) -> None:
        self._name, self._text = name, text
        self._labels = tuple(labels)
        self._buckets = tuple(buckets)
        self._counts: dict[tuple[str, ...], Histogram] = {}

    def add(self, labels: tuple[str, ...], gaps: Histogram) -> None:
        """Add the gaps of one stream."""
        if gaps.count:
            self._counts.setdefault(labels, Histogram()).merge(gaps)

    def family(self) -> Metric:
        """Return what Prometheus reads: cumulative counts by upper bound, and the sum."""
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        for labels, gaps in self._counts.items():
            family.add_metric(labels, _cumulative(gaps, self._buckets), gaps.total / 1e9)
        return family


def _cumulative(gaps: Histogram, bounds: Sequence[float]) -> list[tuple[str, float]]:
    """Count what lies at or below each bound; a bucket of ours counts where its largest value lies."""
    largest = [(bucket_bounds(bucket)[1] / 1e9, count) for bucket, count in gaps.counts.items()]
    below = [(str(float(bound)), float(sum(count for value, count in largest if value <= bound))) for bound in bounds]
    return [*below, ("+Inf", float(gaps.count))]
