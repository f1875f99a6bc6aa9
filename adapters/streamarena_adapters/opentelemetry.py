"""OpenTelemetry metrics and spans of model requests, by the GenAI semantic conventions.

`observer = OpenTelemetryObserver(spans=True); StreamClient(..., observers=[observer])`; the same observer on the
middleware or the relay reports the server's side.

Invariants: one record of each metric a stream, at its end, from the one object that says everything about it; a span
carries the times of what it stands for, though it is written when that is over; attribute values are bounded; no
content, key, header or path is in any.
Cost: a record is some 7 us, a stream four of them; nothing a chunk.
Source: OpenTelemetry semantic conventions for generative AI clients and servers (status: development, November 2026).
Not here: an SDK, exporters, and what a user of the API configures; without an SDK all of this does nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeAlias

from streamarena.client import Moment, StreamFinished
from streamarena.errors import MissingExtraError
from streamarena.providers import UsageChunk
from streamarena.relay import ExchangeFinished, ExchangeMoment
from streamarena_adapters._labels import MAX_VALUES, BoundedValues, error_kind

try:
    from opentelemetry import metrics, trace
except ImportError as error:
    raise MissingExtraError("opentelemetry-api", "otel", "OpenTelemetry metrics") from error

if TYPE_CHECKING:
    from opentelemetry.metrics import Histogram, MeterProvider
    from opentelemetry.trace import TracerProvider

__all__ = ["OpenTelemetryObserver"]

_Attributes: TypeAlias = dict[str, str | int | float | bool | tuple[str, ...]]

_PROVIDER_NAMES: Final = {
    "openai-chat": "openai",
    "openai-responses": "openai",
    "anthropic": "anthropic",
    "gemini": "gcp.gemini",
    "azure": "azure.ai.openai",
    "bedrock-converse": "aws.bedrock",
    "cohere-v2": "cohere",
    "mistral": "mistral_ai",
    "xai": "x_ai",
}
"""`gen_ai.provider.name` by wire API; an API that is not here gives its own name."""

_SCOPE: Final = "streamarena"
_TOKEN_BUCKETS: Final = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
_DURATION_BUCKETS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_CHUNK_BUCKETS: Final = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
"""What the conventions advise."""


class OpenTelemetryObserver:
    """An observer that reports to OpenTelemetry.

    Args:
        meter_provider, tracer_provider: the global ones by default.
        spans: whether a span is written for each request of a client. Default False: metrics only.
        operation: `gen_ai.operation.name`. Default "chat".
        max_values: how many different models and servers are told apart, each. Default 200; more are "other".

    Raises:
        ConfigurationError: `max_values` is below 1.
    """

    def __init__(
        self,
        meter_provider: MeterProvider | None = None,
        tracer_provider: TracerProvider | None = None,
        *,
        spans: bool = False,
        operation: str = "chat",
        max_values: int = MAX_VALUES,
    ) -> None:
        self._meter = metrics.get_meter(_SCOPE, meter_provider=meter_provider)
        self._tracer = trace.get_tracer(_SCOPE, tracer_provider=tracer_provider) if spans else None
        self._operation = operation
        self._models, self._servers = BoundedValues(max_values), BoundedValues(max_values)
        self._duration = self._seconds("client.operation.duration", "Duration of a request, from its call to its end.")
        self._first_chunk = self._seconds("client.operation.time_to_first_chunk", "From sending to the first chunk.")
        self._per_chunk = self._seconds(
            "client.operation.time_per_output_chunk", "Mean time between a stream's chunks of content.", _CHUNK_BUCKETS
        )
        self._tokens = self._meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Tokens of a request.",
            explicit_bucket_boundaries_advisory=_TOKEN_BUCKETS,
        )
        self._server_duration = self._seconds("server.request.duration", "Duration of a request that passed.")
        self._server_first = self._seconds("server.time_to_first_token", "From a request to its first content.")
        self._server_per_token = self._seconds(
            "server.time_per_output_token", "Mean time a token after the first.", _CHUNK_BUCKETS
        )

    def __call__(self, moment: Moment | ExchangeMoment, /) -> None:
        """Report a request that is over; other moments are part of what its end says."""
        if isinstance(moment, StreamFinished):
            self._client_finished(moment)
        elif isinstance(moment, ExchangeFinished):
            self._exchange_finished(moment)

    # ------------------------------------------------------------ private

    def _seconds(self, name: str, text: str, buckets: tuple[float, ...] = _DURATION_BUCKETS) -> Histogram:
        return self._meter.create_histogram(f"gen_ai.{name}", "s", text, explicit_bucket_boundaries_advisory=buckets)

    def _client_finished(self, moment: StreamFinished) -> None:
        host, _, port = moment.server.rpartition(":")
        common = self._common(moment.api, moment.model)
        common |= {"server.address": self._servers(host), "server.port": int(port)}
        if moment.response_model is not None:
            common["gen_ai.response.model"] = self._models(moment.response_model)
        timings = moment.timings
        finished = timings.finished if timings.finished is not None else time.perf_counter_ns()
        outcome: _Attributes = {} if moment.error is None else {"error.type": error_kind(moment.error)}
        self._duration.record((finished - timings.started) / 1e9, common | outcome)
        if (first := timings.stream_setup) is not None:
            self._first_chunk.record(first, common)
        between = _mean_between(timings.first_content, timings.last_content, moment.content_chunks)
        if between is not None:
            self._per_chunk.record(between, common)
        self._record_tokens(moment.usage, common)
        if self._tracer is not None:
            self._write_span(moment, common | outcome, finished)

    def _exchange_finished(self, moment: ExchangeFinished) -> None:
        common = self._common(moment.api or "unknown", moment.model)
        if moment.target:
            common["server.address"] = self._servers(moment.target)
        outcome: _Attributes = {} if moment.error is None else {"error.type": error_kind(moment.error)}
        self._server_duration.record(moment.seconds, common | outcome)
        seen = moment.stream
        if seen is None or seen.first_content_seconds is None:
            return
        self._server_first.record(seen.first_content_seconds, common)
        tokens = 0 if seen.usage is None else seen.usage.output_tokens
        if tokens > 1 and seen.seconds is not None:
            self._server_per_token.record((seen.seconds - seen.first_content_seconds) / (tokens - 1), common)

    def _common(self, api: str, model: str) -> _Attributes:
        common: _Attributes = {
            "gen_ai.operation.name": self._operation,
            "gen_ai.provider.name": _PROVIDER_NAMES.get(api, api),
        }
        if model:
            common["gen_ai.request.model"] = self._models(model)
        return common

    def _record_tokens(self, usage: UsageChunk | None, common: _Attributes) -> None:
        if usage is not None:
            self._tokens.record(usage.input_tokens, common | {"gen_ai.token.type": "input"})
            self._tokens.record(usage.output_tokens, common | {"gen_ai.token.type": "output"})

    def _write_span(self, moment: StreamFinished, attributes: _Attributes, finished: int) -> None:
        """Write the span of a request that is over, in the context of whoever left it."""
        assert self._tracer is not None
        to_epoch = time.time_ns() - time.perf_counter_ns()
        span = self._tracer.start_span(
            f"{self._operation} {moment.model}".strip(),
            kind=trace.SpanKind.CLIENT,
            attributes=attributes | _span_attributes(moment),
            start_time=moment.timings.started + to_epoch,
        )
        for attempt in moment.attempts:
            if attempt.lost:
                span.add_event("attempt given up", {"number": attempt.number})
            elif attempt.error is not None and attempt.error is not moment.error:
                span.add_event("attempt failed", {"number": attempt.number, "error.type": error_kind(attempt.error)})
        if moment.outcome == "failed" and moment.error is not None:
            span.set_status(trace.StatusCode.ERROR, error_kind(moment.error))
        span.end(end_time=finished + to_epoch)


def _span_attributes(moment: StreamFinished) -> _Attributes:
    """Return what only spans carry: values without bounds, and the usage."""
    usage = moment.usage or UsageChunk()
    counted = moment.usage is not None
    values: dict[str, str | float | tuple[str, ...] | None] = {
        "gen_ai.request.stream": True,
        "gen_ai.response.id": moment.response_id,
        "gen_ai.response.finish_reasons": None if moment.finish_reason is None else (moment.finish_reason,),
        "gen_ai.response.time_to_first_chunk": moment.timings.stream_setup,
        "gen_ai.usage.input_tokens": usage.input_tokens if counted else None,
        "gen_ai.usage.output_tokens": usage.output_tokens if counted else None,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read_tokens,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens,
    }
    return {name: value for name, value in values.items() if value is not None}


def _mean_between(first: int | None, last: int | None, chunks: int) -> float | None:
    """Return the mean seconds between chunks of content; None with fewer than two."""
    if first is None or last is None or chunks < 2:
        return None
    return (last - first) / 1e9 / (chunks - 1)
