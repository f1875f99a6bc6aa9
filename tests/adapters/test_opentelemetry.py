"""What reaches OpenTelemetry's own SDK: names and attributes of the GenAI conventions, one record a stream."""

from __future__ import annotations

import time

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from streamarena import StreamClient
from streamarena.client import HedgePolicy, RetryPolicy
from streamarena.errors import ConfigurationError, ProviderError
from streamarena.testing import FakeLLM, reply_settings
from streamarena_adapters.opentelemetry import OpenTelemetryObserver
from tests.adapters.test_prometheus import exchange
from tests.support.scripted_server import ScriptedServer, sends


class Collected:
    """An observer into memory, and what came of it."""

    def __init__(self, **options):
        self.reader, self.exporter = InMemoryMetricReader(), InMemorySpanExporter()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.observer = OpenTelemetryObserver(MeterProvider([self.reader]), tracers, **options)

    def points(self):
        """Every data point, by the name of its metric."""
        data = self.reader.get_metrics_data()
        scopes = [scope for resource in (data.resource_metrics if data else []) for scope in resource.scope_metrics]
        return {metric.name: list(metric.data.data_points) for scope in scopes for metric in scope.metrics}


async def ask(client, model="gpt-x"):
    async with client.stream(model=model, messages=[{"role": "user", "content": "Hi"}]) as stream:
        await stream.for_each(lambda _: None)


async def test_a_stream_gives_one_record_of_each_metric_with_the_conventions_names():
    seen = Collected()
    async with (
        FakeLLM(tokens=30, ttft=0.05, inter_token_latency=0.005) as llm,
        StreamClient(f"{llm.url}/v1", observers=[seen.observer]) as client,
    ):
        await ask(client)
        port = int(llm.url.rpartition(":")[2])
    points = seen.points()
    assert set(points) == {
        "gen_ai.client.operation.duration",
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.client.operation.time_per_output_chunk",
        "gen_ai.client.token.usage",
    }
    duration = points["gen_ai.client.operation.duration"][0]
    assert duration.count == 1
    attributes = dict(duration.attributes)
    assert attributes.pop("server.port") == port
    assert attributes.pop("gen_ai.response.model")
    assert attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-x",
        "server.address": "127.0.0.1",
    }
    tokens = {point.attributes["gen_ai.token.type"]: point.sum for point in points["gen_ai.client.token.usage"]}
    assert tokens["output"] == 30
    assert tokens["input"] > 0
    first = points["gen_ai.client.operation.time_to_first_chunk"][0].sum
    between = points["gen_ai.client.operation.time_per_output_chunk"][0].sum
    assert 0 < first < duration.sum
    assert between == pytest.approx((duration.sum - 0.05) / 29, rel=0.5)


async def test_an_error_is_named_by_its_status_and_makes_the_span_fail():
    seen = Collected(spans=True)
    async with ScriptedServer(sends(b"HTTP/1.1 503 No\r\ncontent-length: 6\r\n\r\nsecret")) as server:
        policy = RetryPolicy(attempts=2, first_wait=0.001)
        async with StreamClient(server.url, observers=[seen.observer], retry=policy) as client:
            with pytest.raises(ProviderError):
                await ask(client)
    points = seen.points()
    assert points["gen_ai.client.operation.duration"][0].attributes["error.type"] == "503"
    assert "gen_ai.client.token.usage" not in points
    (span,) = seen.exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert [(event.name, dict(event.attributes)) for event in span.events] == [
        ("attempt failed", {"number": 1, "error.type": "503"})
    ]
    assert "secret" not in span.to_json()


async def test_a_request_that_was_given_up_for_another_is_an_event_of_the_span():
    seen = Collected(spans=True)
    replies = iter([reply_settings(ttft=5.0), reply_settings(ttft=0.0, tokens=2)])
    async with FakeLLM(responder=lambda request: next(replies)) as llm:
        policy = HedgePolicy(after_seconds=0.05)
        async with StreamClient(f"{llm.url}/v1", observers=[seen.observer], hedge=policy) as client:
            await ask(client)
    (span,) = seen.exporter.get_finished_spans()
    assert [(event.name, dict(event.attributes)) for event in span.events] == [("attempt given up", {"number": 1})]


async def test_a_span_has_the_times_of_the_request_and_what_the_provider_said():
    seen = Collected(spans=True)
    before = time.time_ns()
    async with FakeLLM(tokens=10, ttft=0.05) as llm:
        async with StreamClient(f"{llm.url}/v1", observers=[seen.observer]) as client:
            await ask(client)
    (span,) = seen.exporter.get_finished_spans()
    assert span.name == "chat gpt-x"
    assert span.kind is SpanKind.CLIENT
    assert before <= span.start_time < span.end_time <= time.time_ns() + 1_000_000
    assert span.end_time - span.start_time > 50_000_000
    assert span.attributes["gen_ai.request.stream"] is True
    assert span.attributes["gen_ai.response.id"]
    assert span.attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert span.attributes["gen_ai.usage.output_tokens"] == 10
    assert 0 < span.attributes["gen_ai.response.time_to_first_chunk"] < 5
    assert span.status.status_code is StatusCode.UNSET


async def test_a_stream_that_was_left_is_no_error():
    seen = Collected(spans=True)
    async with FakeLLM(tokens=10) as llm, StreamClient(f"{llm.url}/v1", observers=[seen.observer]) as client:
        async with client.stream(model="m", messages=[]) as stream:
            async for _ in stream:
                break
    (span,) = seen.exporter.get_finished_spans()
    assert "error.type" not in span.attributes
    assert span.status.status_code is StatusCode.UNSET


def test_an_exchange_reports_the_servers_side():
    seen = Collected()
    seen.observer(exchange())
    seen.observer(exchange(outcome="failed", error=TimeoutError("slow"), stream=None))
    points = seen.points()
    assert sorted(point.attributes.get("error.type", "") for point in points["gen_ai.server.request.duration"]) == [
        "",
        "TimeoutError",
    ]
    assert points["gen_ai.server.time_to_first_token"][0].sum == pytest.approx(0.2)
    assert points["gen_ai.server.time_per_output_token"][0].sum == pytest.approx(0.8 / 8)
    assert points["gen_ai.server.time_to_first_token"][0].attributes["gen_ai.provider.name"] == "anthropic"


def test_attribute_values_are_bounded():
    seen = Collected(max_values=1)
    for model in ("a", "b", "c"):
        seen.observer(exchange(model=model))
    models = {point.attributes["gen_ai.request.model"] for point in seen.points()["gen_ai.server.request.duration"]}
    assert models == {"a", "other"}
    with pytest.raises(ConfigurationError):
        Collected(max_values=0)
