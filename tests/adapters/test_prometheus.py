"""What a scrape shows of clients, exchanges and the memory system, read back by the library's own parser."""

from __future__ import annotations

import importlib
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from streamarena import StreamClient
from streamarena.client import HedgePolicy, RetryPolicy
from streamarena.errors import ConfigurationError, MissingExtraError, ProviderError, StreamTruncatedError
from streamarena.histogram import Histogram
from streamarena.providers import UsageChunk
from streamarena.relay import ExchangeFinished, ResponseStarted
from streamarena.relay.summary import TapSummary
from streamarena.testing import FakeLLM, reply_settings
from streamarena_adapters.prometheus import PrometheusMetrics
from tests.support.scripted_server import ScriptedServer, sends


def scraped(metrics):
    """Every sample of a scrape: `value(name, **labels)` is the sum of those that carry these labels."""
    body, content_type = metrics.render()
    assert content_type.startswith("text/plain")
    samples = [sample for family in text_string_to_metric_families(body.decode()) for sample in family.samples]

    def value(name, **labels):
        found = [each.value for each in samples if each.name == name and labels.items() <= each.labels.items()]
        return sum(found) if found else None

    return value


async def ask(client, model="m", label=None):
    async with client.stream(model=model, messages=[{"role": "user", "content": "Hi"}], label=label) as stream:
        await stream.for_each(lambda _: None)


async def test_a_whole_stream_is_counted_with_its_tokens_times_and_sizes():
    metrics = PrometheusMetrics()
    async with FakeLLM(tokens=20) as llm, StreamClient(f"{llm.url}/v1", observers=[metrics]) as client:
        await ask(client)
    value = scraped(metrics)
    named = {"api": "openai-chat", "model": "m"}
    assert value("streamarena_client_requests_total", outcome="complete", **named) == 1
    assert value("streamarena_client_tokens_total", type="output", **named) == 20
    assert value("streamarena_client_tokens_total", type="input", **named) > 0
    assert value("streamarena_client_chunks_total", **named) >= 20
    assert value("streamarena_client_received_bytes_total", **named) > 1000
    assert value("streamarena_client_time_to_first_token_seconds_count", **named) == 1
    assert 0 < value("streamarena_client_duration_seconds_sum", **named) < 30
    assert value("streamarena_client_in_flight") == 0


async def test_a_stream_that_is_open_is_in_flight_and_one_that_was_left_says_so():
    metrics = PrometheusMetrics()
    async with FakeLLM(tokens=20) as llm, StreamClient(f"{llm.url}/v1", observers=[metrics]) as client:
        async with client.stream(model="m", messages=[]) as stream:
            async for _ in stream:
                break
            assert scraped(metrics)("streamarena_client_in_flight") == 1
    value = scraped(metrics)
    assert value("streamarena_client_in_flight") == 0
    assert value("streamarena_client_requests_total", outcome="left") == 1


async def test_failures_and_repeats_are_named_by_status_or_kind_and_never_by_their_text():
    metrics = PrometheusMetrics()
    refused = sends(b"HTTP/1.1 503 No\r\ncontent-length: 9\r\n\r\nsecret-42")
    async with ScriptedServer(refused) as server:
        policy = RetryPolicy(attempts=2, first_wait=0.001)
        async with StreamClient(server.url, observers=[metrics], retry=policy) as client:
            with pytest.raises(ProviderError):
                await ask(client)
    cut = sends(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 99\r\n\r\n: x\n\n")
    async with ScriptedServer(cut) as server, StreamClient(server.url, observers=[metrics]) as client:
        with pytest.raises(StreamTruncatedError):
            await ask(client)
    value = scraped(metrics)
    assert value("streamarena_client_repeats_total", error="503") == 1
    assert value("streamarena_client_failures_total", error="503") == 1
    assert value("streamarena_client_failures_total", error="StreamTruncatedError") == 1
    assert b"secret-42" not in metrics.render()[0]


async def test_second_requests_are_counted_by_what_became_of_them():
    metrics = PrometheusMetrics()
    replies = iter([reply_settings(ttft=5.0), reply_settings(ttft=0.0, tokens=2)])
    async with FakeLLM(responder=lambda request: next(replies)) as llm:
        policy = HedgePolicy(after_seconds=0.05)
        async with StreamClient(f"{llm.url}/v1", observers=[metrics], hedge=policy) as client:
            await ask(client)
    value = scraped(metrics)
    assert value("streamarena_client_hedges_total", outcome="read") == 1
    assert value("streamarena_client_requests_total", outcome="complete") == 1
    assert value("streamarena_client_in_flight") == 0


async def test_the_number_of_label_values_is_bounded_and_a_requests_label_is_none():
    metrics = PrometheusMetrics(max_label_values=2)
    async with FakeLLM(tokens=2) as llm, StreamClient(f"{llm.url}/v1", observers=[metrics]) as client:
        for model in ("a", "b", "c", "d", "a", "x" * 500):
            await ask(client, model, label=f"user {model}")
    value = scraped(metrics)
    assert value("streamarena_client_requests_total", model="a") == 2
    assert value("streamarena_client_requests_total", model="other") == 3
    assert value("streamarena_metrics_refused_labels") == 3
    assert b"user a" not in metrics.render()[0]


def exchange(**changes):
    gaps = Histogram([2_000_000, 30_000_000, 30_000_000, 700_000_000])
    stream = TapSummary(
        api="anthropic", model="c", bytes=5000, pieces=40, events=50, first_event_seconds=0.1,
        first_content_seconds=0.2, seconds=1.0, gaps=gaps, usage=UsageChunk(7, 9, cache_read_tokens=3),
        finish_reason="stop", complete=True, error=None, problems=2, first_problem="odd", blind=False,
    )  # fmt: skip
    finished = {
        "number": 1, "method": "POST", "path": "/v1/messages", "outcome": "complete", "error": None, "status": 200,
        "api": "anthropic", "model": "c", "seconds": 1.5, "started_seconds": 0.05, "stream": stream, "target": "b1",
        "attempts": 2, "kept_alive": 3,
    }  # fmt: skip
    return ExchangeFinished(**(finished | changes))


def test_an_exchange_is_counted_with_its_gaps():
    metrics = PrometheusMetrics()
    metrics(ResponseStarted(1, "/v1/messages", 200, streaming=True, seconds=0.05))
    assert scraped(metrics)("streamarena_exchange_in_flight") == 1
    metrics(exchange())
    metrics(exchange(outcome="failed", error=TimeoutError("slow"), status=None, started_seconds=None, stream=None))
    value = scraped(metrics)
    named = {"api": "anthropic", "model": "c", "target": "b1"}
    assert value("streamarena_exchange_in_flight") == 0
    assert value("streamarena_exchange_requests_total", outcome="complete", status="200", **named) == 1
    assert value("streamarena_exchange_failures_total", error="TimeoutError", **named) == 1
    assert value("streamarena_exchange_attempts_total", target="b1") == 4
    assert value("streamarena_exchange_events_total", **named) == 50
    assert value("streamarena_exchange_unreadable_total", **named) == 2
    assert value("streamarena_exchange_kept_alive_total", **named) == 6
    assert value("streamarena_exchange_tokens_total", type="cache_read") == 3
    assert value("streamarena_exchange_gap_seconds_count", api="anthropic") == 4
    assert value("streamarena_exchange_gap_seconds_bucket", le="0.01") == 1
    assert value("streamarena_exchange_gap_seconds_bucket", le="0.04") == 3
    assert value("streamarena_exchange_gap_seconds_bucket", le="1.2") == 4
    assert value("streamarena_exchange_gap_seconds_sum") == pytest.approx(0.762)


def test_the_memory_system_is_read_at_each_scrape():
    value = scraped(PrometheusMetrics())
    assert value("streamarena_memory_outstanding") is not None
    assert 0 <= value("streamarena_memory_reuse_ratio") <= 1
    assert value("streamarena_memory_python_blocks") > 1000


def test_settings_are_checked():
    with pytest.raises(ConfigurationError, match="max_label_values"):
        PrometheusMetrics(max_label_values=0)


@pytest.mark.parametrize(
    ("module", "library", "extra"),
    [("prometheus", "prometheus_client", "prometheus"), ("opentelemetry", "opentelemetry", "otel")],
)
def test_a_missing_library_names_its_extra(monkeypatch, module, library, extra):
    for name in [name for name in sys.modules if name.split(".")[0] == library or name.endswith(f"adapters.{module}")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.startswith("streamarena_adapters._")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=rf"streamarena\[{extra}\]"):
        importlib.import_module(f"streamarena_adapters.{module}")
