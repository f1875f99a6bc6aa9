"""`streamarena load` as a newcomer types it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from streamarena.cli.main import group
from streamarena.load.addresses import base_url
from streamarena.testing import FakeLLM


@pytest.fixture(scope="module")
def llm():
    with FakeLLM.spawn(ttft=0.002, inter_token_latency=0.001, tokens=8) as server:
        yield server


def load(llm, *arguments):
    return CliRunner().invoke(group, ["load", "--url", llm.url, "--isl", "20", *arguments])


def test_a_sweep_prints_a_table_for_each_point(llm, tmp_path):
    file = tmp_path / "result.json"
    done = load(llm, "--concurrency", "1,4", "-n", "8", "--goodput", "ttft:500", "tpot:50", "--save-result", str(file))
    assert done.exit_code == 0, done.output
    for shown in ("model: fake-model", "concurrency 1: 8 completed", "concurrency 4: 8 completed", "Time to first"):
        assert shown in done.output
    points = json.loads(file.read_text())
    assert [point["concurrency"] for point in points] == [1, 4]
    for which in ("mean", "median", "std", "p50", "p90", "p99"):
        for name in ("ttft", "tpot", "itl", "e2el"):
            assert points[0][f"{which}_{name}_ms"] >= 0
    for key in ("request_throughput", "output_throughput", "total_token_throughput", "request_goodput", "duration"):
        assert points[0][key] > 0
    assert points[0]["total_output_tokens"] == 64


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["-n", "2", "--objective", "p99_ttft_ms<=60000"], 0),
        (["-n", "2", "--objective", "p99_ttft_ms<=0.001"], 3),
        (["-n", "2", "--objective", "no_such_key<=1"], 3),
        (["-n", "2", "--endpoint", "/nowhere"], 1),
        (["-n", "2", "--concurrency", "1", "--request-rate", "1"], 2),
        (["-n", "2", "--concurrency", "0"], 2),
        (["-n", "2", "--objective", "p99"], 2),
        (["-n", "2", "--goodput", "soon"], 2),
        (["-n", "2", "--goodput", "nothing:5"], 2),
        (["-n", "2", "--duration", "soon"], 2),
        (["-n", "2", "--header", "secret"], 2),
        (["-n", "2", "--stage", "1"], 2),
    ],
    ids=lambda value: " ".join(value[2:]) if isinstance(value, list) else str(value),
)
def test_exit_codes_say_what_happened(llm, arguments, code):
    done = load(llm, "--ui", "none", *arguments)
    assert done.exit_code == code, done.output
    assert "secret" not in done.output


def test_an_open_loop_by_time_with_ramp_and_stages(llm):
    done = load(llm, "--request-rate", "100", "--duration", "300ms", "--ramp-up", "100ms", "--stage", "100ms:10")
    assert done.exit_code == 0, done.output
    assert "Schedule lag" in done.output


@pytest.mark.parametrize(
    ("typed", "api", "meant"),
    [
        ("localhost:8000", "openai-chat", "http://localhost:8000/v1"),
        ("http://host/", "openai-chat", "http://host/v1"),
        ("https://host/v1/chat/completions", "openai-chat", "https://host/v1"),
        ("https://host/proxy/openai/v1/", "openai-chat", "https://host/proxy/openai/v1"),
        ("https://api.anthropic.com", "anthropic", "https://api.anthropic.com/v1"),
        ("https://host", "gemini", "https://host/v1beta"),
        ("http://host:11434", "ollama", "http://host:11434"),
    ],
)
def test_addresses_are_taken_as_users_type_them(typed, api, meant):
    assert base_url(typed, api) == meant
