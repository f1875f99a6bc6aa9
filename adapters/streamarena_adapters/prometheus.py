"""Prometheus metrics of clients, middleware and relay, and of the memory system: one observer for all of them.

`metrics = PrometheusMetrics(); StreamClient(..., observers=[metrics])`, and `metrics.render()` is what a scrape gets.
The relay's `/metrics` finds this class by its entry point.

Invariants: a stream is counted once, at its end, from the one object that says everything about it; label values are
bounded (`max_label_values`), and what did not fit is counted; no label holds a key, a path, a label of a request or
the text of an error.
Cost: some 20 us a stream, nothing a chunk. The memory system is looked at when it is scraped.
Not here: a server of its own (`prometheus_client.start_http_server` takes the same registry), and joining processes:
every worker counts for itself and is scraped for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from streamarena.client import AttemptFailed, AttemptStarted, Moment, StreamFinished
from streamarena.errors import MissingExtraError
from streamarena.relay import ExchangeFinished, ExchangeMoment, ResponseStarted
from streamarena_adapters._labels import MAX_VALUES, BoundedValues, error_kind

try:
    import prometheus_client
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
    from prometheus_client.core import GaugeMetricFamily
except ImportError as error:
    raise MissingExtraError("prometheus_client", "prometheus", "Prometheus metrics") from error

from streamarena_adapters._gap_histograms import GapHistograms
from streamarena_adapters._memory_gauges import memory_gauges

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from streamarena.memory import MemoryManager
    from streamarena.providers import UsageChunk

__all__ = ["PrometheusMetrics"]

_FIRST_TOKEN_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 7.5, 10, 20, 40, 80)
_DURATION_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640)
_GAP_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5, 10, 30)
"""Seconds. Wide enough for a cached answer and for a reasoning model that thinks for minutes."""


class PrometheusMetrics:
    """An observer that counts for Prometheus.

    Args:
        registry: where the metrics are registered. Default: one of its own, which `render` shows.
        memory: the memory system to report. Default None: the process's manager.
        max_label_values: how many different models, servers and targets are told apart, each. Default 200; more are
            "other", and `streamarena_metrics_refused_labels` says how often.

    Raises:
        ValueError: the registry has metrics of these names already.
        ConfigurationError: `max_label_values` is below 1.
    """

    def __init__(
        self,
        registry: CollectorRegistry | None = None,
        *,
        memory: MemoryManager | None = None,
        max_label_values: int = MAX_VALUES,
    ) -> None:
        self.registry = registry if registry is not None else CollectorRegistry()
        self._memory = memory
        self._models, self._servers = BoundedValues(max_label_values), BoundedValues(max_label_values)
        self._client = _ClientMetrics(self.registry, self._models, self._servers)
        self._exchanges = _ExchangeMetrics(self.registry, self._models, self._servers)
        self.registry.register(self)  # for `collect`

    def __call__(self, moment: Moment | ExchangeMoment, /) -> None:
        """Count one moment, a client's or the middleware's."""
        if isinstance(moment, StreamFinished):
            self._client.finished(moment)
        elif isinstance(moment, AttemptStarted):
            self._client.started(moment)
        elif isinstance(moment, AttemptFailed):
            self._client.repeated(moment)
        elif isinstance(moment, ExchangeFinished):
            self._exchanges.finished(moment)
        elif isinstance(moment, ResponseStarted):
            self._exchanges.in_flight.inc()

    def render(self) -> tuple[bytes, str]:
        """Return what a scrape gets: the body, and its content type."""
        return prometheus_client.generate_latest(self.registry), prometheus_client.CONTENT_TYPE_LATEST

    def collect(self) -> Iterable[Metric]:
        """For the registry: what is read when it is scraped."""
        yield self._exchanges.gaps.family()
        refused = GaugeMetricFamily("streamarena_metrics_refused_labels", "Label values replaced by 'other'.")
        refused.add_metric([], self._models.refused + self._servers.refused)
        yield refused
        yield from memory_gauges(self._memory)


class _ClientMetrics:
    """What clients of ours did."""

    def __init__(self, registry: CollectorRegistry, models: BoundedValues, servers: BoundedValues) -> None:
        self._models, self._servers = models, servers
        names = ("api", "model", "server")

        def histogram(name: str, text: str, buckets: Sequence[float]) -> Histogram:
            return Histogram(f"streamarena_client_{name}", text, names, buckets=buckets, registry=registry)

        def counter(name: str, text: str, labels: Sequence[str]) -> Counter:
            return Counter(f"streamarena_client_{name}", text, labels, registry=registry)

        self.in_flight = Gauge("streamarena_client_in_flight", "Requests under way.", registry=registry)
        self.requests = counter("requests", "Requests that are over.", (*names, "outcome"))
        self.repeats = counter("repeats", "Attempts that failed and were followed by another.", ("server", "error"))
        self.hedges = counter("hedges", "Second requests that late content caused.", ("server", "outcome"))
        self.failures = counter("failures", "Requests that failed for good.", (*names, "error"))
        self.tokens = counter("tokens", "Tokens as providers count them.", ("api", "model", "type"))
        self.chunks = counter("chunks", "Chunks received.", names)
        self.bytes = counter("received_bytes", "Body bytes received.", names)
        self.first_token = histogram(
            "time_to_first_token_seconds", "From the request being sent to the first content.", _FIRST_TOKEN_BUCKETS
        )
        self.duration = histogram("duration_seconds", "From the call to the end of the stream.", _DURATION_BUCKETS)

    def started(self, moment: AttemptStarted) -> None:
        if moment.number == 1:
            self.in_flight.inc()

    def repeated(self, moment: AttemptFailed) -> None:
        error = moment.attempt.error
        kind = "" if error is None else error_kind(error)
        self.repeats.labels(self._servers(moment.attempt.server), kind).inc()

    def finished(self, moment: StreamFinished) -> None:
        if moment.attempts:
            self.in_flight.dec()
        where = (moment.api, self._models(moment.model), self._servers(moment.server))
        self.requests.labels(*where, moment.outcome).inc()
        if moment.outcome == "failed" and moment.error is not None:
            self.failures.labels(*where, error_kind(moment.error)).inc()
        for attempt in moment.attempts:
            if attempt.hedge:
                became = "lost" if attempt.lost else "read" if attempt.error is None else "failed"
                self.hedges.labels(self._servers(attempt.server), became).inc()
        self.chunks.labels(*where).inc(moment.chunks)
        self.bytes.labels(*where).inc(moment.bytes_received)
        if (first := moment.timings.time_to_first_token) is not None:
            self.first_token.labels(*where).observe(first)
        if moment.timings.finished is not None:
            self.duration.labels(*where).observe((moment.timings.finished - moment.timings.started) / 1e9)
        _count_tokens(self.tokens, where[:2], moment.usage)


class _ExchangeMetrics:
    """What passed through the middleware or the relay."""

    def __init__(self, registry: CollectorRegistry, models: BoundedValues, targets: BoundedValues) -> None:
        self._models, self._targets = models, targets
        names = ("api", "model", "target")

        def histogram(name: str, text: str, buckets: Sequence[float]) -> Histogram:
            return Histogram(f"streamarena_exchange_{name}", text, names, buckets=buckets, registry=registry)

        def counter(name: str, text: str, labels: Sequence[str]) -> Counter:
            return Counter(f"streamarena_exchange_{name}", text, labels, registry=registry)

        self.in_flight = Gauge("streamarena_exchange_in_flight", "Responses under way.", registry=registry)
        self.exchanges = counter("requests", "Requests that are over.", (*names, "status", "outcome"))
        self.failures = counter("failures", "Requests that failed.", (*names, "error"))
        self.attempts = counter("attempts", "How often a target was asked.", ("target",))
        self.drained = counter("drained", "Streams read on after their client had left.", names)
        self.comments = counter("kept_alive", "Keep-alive comments sent.", names)
        self.tokens = counter("tokens", "Tokens as providers count them.", ("api", "model", "type"))
        self.bytes = counter("streamed_bytes", "Bytes of streams that passed.", names)
        self.events = counter("events", "Events that passed.", names)
        self.unreadable = counter("unreadable", "Events that passed and could not be read.", names)
        self.first_content = histogram(
            "time_to_first_content_seconds", "From the request to the first content.", _FIRST_TOKEN_BUCKETS
        )
        self.duration = histogram("duration_seconds", "From the request to its end.", _DURATION_BUCKETS)
        self.gaps = GapHistograms(
            "streamarena_exchange_gap_seconds", "Between pieces that brought content.", ("api", "model"), _GAP_BUCKETS
        )

    def finished(self, moment: ExchangeFinished) -> None:
        if moment.started_seconds is not None:
            self.in_flight.dec()
        where = (moment.api or "", self._models(moment.model), self._targets(moment.target))
        self.exchanges.labels(*where, "" if moment.status is None else str(moment.status), moment.outcome).inc()
        if moment.error is not None:
            self.failures.labels(*where, error_kind(moment.error)).inc()
        if moment.attempts:
            self.attempts.labels(where[2]).inc(moment.attempts)
        self.duration.labels(*where).observe(moment.seconds)
        if moment.drained:
            self.drained.labels(*where).inc()
        if moment.kept_alive:
            self.comments.labels(*where).inc(moment.kept_alive)
        seen = moment.stream
        if seen is None:
            return
        self.bytes.labels(*where).inc(seen.bytes)
        self.events.labels(*where).inc(seen.events)
        if seen.problems:
            self.unreadable.labels(*where).inc(seen.problems)
        if seen.first_content_seconds is not None:
            self.first_content.labels(*where).observe(seen.first_content_seconds)
        self.gaps.add(where[:2], seen.gaps)
        _count_tokens(self.tokens, where[:2], seen.usage)


def _count_tokens(counter: Counter, where: Sequence[str], usage: UsageChunk | None) -> None:
    if usage is None:
        return
    counts = {
        "input": usage.input_tokens,
        "output": usage.output_tokens,
        "reasoning": usage.reasoning_tokens,
        "cache_read": usage.cache_read_tokens,
        "cache_write": usage.cache_write_tokens,
    }
    for kind, count in counts.items():
        if count:
            counter.labels(*where, kind).inc(count)
