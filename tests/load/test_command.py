"""`streamarena load` as a newcomer types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

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
    return CliRunner().invoke(group, ["load", "--url", llm.url, *arguments])


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
        (["-n", "2", "--burstiness", "2"], 2),
        (["-n", "2", "--request-rate", "9", "--max-rate", "3"], 2),
        (["-n", "2", "--speed", "2"], 2),
        (["-n", "2", "--concurrency", "2", "--max-concurrency", "2"], 2),
        (["-n", "2", "--search-runs", "2"], 2),
        (["-n", "2", "--metrics-url", "host/metrics"], 2),
        (["-n", "2", "--artifact-dir", "/proc/no"], 2),
        (["-n", "2", "--save-result", "/no/such/folder/r.json"], 2),
    ],
    ids=lambda value: " ".join(value[2:]) if isinstance(value, list) else str(value),
)
def test_exit_codes_say_what_happened(llm, arguments, code):
    done = load(llm, "--ui", "none", *arguments)
    assert done.exit_code == code, done.output
    assert "secret" not in done.output


@pytest.mark.parametrize("kind", ["chat", "completions", "responses", "messages", "gemini"])
def test_every_endpoint_type_is_measured_with_tokens_from_usage(llm, kind, tmp_path):
    file = tmp_path / "r.json"
    done = load(llm, "--endpoint-type", kind, "--osl", "5", "-n", "3", "--save-result", str(file), "--ui", "none")
    assert done.exit_code == 0, done.output
    result = json.loads(file.read_text())
    assert (result["completed"], result["total_output_tokens"], result["token_source"]) == (3, 15, "usage")
    assert result["mean_ttft_ms"] > 0
    assert result["total_input_tokens"] > 0


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


def test_everything_is_written_and_can_be_compared(llm, tmp_path):
    done = load(llm, "--concurrency", "2,4", "-n", "8", "--ui", "none", "--artifact-dir", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    written = {file.name for file in (tmp_path / "out").iterdir()}
    assert written == {
        *("results.json", "results.csv", "report.html", "options.json"),
        *("requests-01.jsonl", "requests-02.jsonl", "latencies-01.hlog", "latencies-02.hlog"),
    }
    rows = [json.loads(line) for line in (tmp_path / "out" / "requests-01.jsonl").read_text().splitlines()]
    assert sorted(row["number"] for row in rows) == list(range(8))
    assert "<svg" in (tmp_path / "out" / "report.html").read_text()
    compared = CliRunner().invoke(group, ["load", "--compare", str(tmp_path / "out" / "results.json")])
    assert compared.exit_code == 0, compared.output
    assert "p99 ttft" in compared.output


def test_files_that_cannot_be_written_are_found_out_before_the_run(llm):
    before = llm.statistics()["requests"]
    done = load(llm, "-n", "2", "--html", "/no/such/folder/r.html")
    assert "results cannot be written" in done.output
    assert llm.statistics()["requests"] == before


def test_max_concurrency_alone_is_a_closed_loop_and_percentiles_are_those_asked_for(llm):
    done = load(llm, "--max-concurrency", "3", "-n", "6", "--percentiles", "75,99.9")
    assert done.exit_code == 0, done.output
    assert "concurrency 3: 6 completed" in done.output
    assert "p75    p99.9      max  p99.9 error bar" in done.output


@pytest.mark.parametrize("model", [[], ["--model", "m"]], ids=["asks for the model", "is told the model"])
def test_a_server_that_is_not_there_is_no_wrong_usage(model):
    done = CliRunner().invoke(group, ["load", "--url", "http://127.0.0.1:9", "-n", "2", *model])
    assert done.exit_code == 1
    assert "cannot connect to 127.0.0.1:9" in done.output
    assert "Traceback" not in done.output
    assert "milliseconds" not in done.output, "a table of nothing is not shown"


def test_what_was_measured_before_a_failure_is_kept(llm, tmp_path, monkeypatch):
    """A request that cannot be made ends the second run; the first one, and the second until then, are written."""
    from streamarena.load import Synthetic

    made = Synthetic.__call__

    def fail_late(self, number):
        fail_late.calls += 1
        if fail_late.calls > 15:
            raise ValueError("no more")
        return made(self, number)

    fail_late.calls = 0
    monkeypatch.setattr(Synthetic, "__call__", fail_late)
    file = tmp_path / "r.json"
    done = load(llm, "--concurrency", "1,2", "-n", "10", "--save-result", str(file))
    assert isinstance(done.exception, ValueError)
    first, second = json.loads(file.read_text())
    assert first["completed"] == 10
    assert 3 <= second["completed"] <= 5


def interrupted(llm, tmp_path, number, *arguments):
    """Run the command in a process group of its own and interrupt the whole group, as a terminal does."""
    command = [sys.executable, "-m", "streamarena", "load", "--url", llm.url, "--model", "fake-model"]
    options = ["--concurrency", "2,4", "--duration", "60", "--save-result", str(tmp_path / "r.json"), *arguments]
    process = subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    before = llm.statistics()["requests"]
    while llm.statistics()["requests"] < before + 20:
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.05)
    os.killpg(process.pid, number)
    output, _ = process.communicate(timeout=20)
    return process.returncode, output


@pytest.mark.skipif(os.name != "posix", reason="signals to groups of processes are POSIX")
@pytest.mark.parametrize(
    ("number", "workers"), [(signal.SIGINT, "1"), (signal.SIGINT, "2"), (signal.SIGTERM, "1")], ids=str
)
def test_an_interrupt_keeps_what_was_measured(llm, tmp_path, number, workers):
    code, output = interrupted(llm, tmp_path, number, "--workers", workers)
    assert code == 130, output
    assert "Traceback" not in output
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["completed"] > 0
    assert not result["client"]["lost_workers"]
    assert result["concurrency"] == 2, "the rest of the sweep is not run"


@pytest.mark.skipif(os.name != "posix", reason="signals to groups of processes are POSIX")
def test_a_second_interrupt_leaves_open_streams_and_keeps_the_rest(tmp_path):
    with FakeLLM.spawn(ttft=0.002, inter_token_latency=0.001, tokens="uniform:1:40000") as slow:
        command = [sys.executable, "-m", "streamarena", "load", "--url", slow.url, "--osl", "0", "--save-result"]
        process = subprocess.Popen(
            [*command, str(tmp_path / "r.json"), "--concurrency", "4", "--duration", "60"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        while slow.statistics()["frames"] < 200:
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=10)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert json.loads((tmp_path / "r.json").read_text())["unfinished"] > 0


def test_sweeps_are_compared_load_by_load(llm, tmp_path):
    for name in ("before", "after"):
        assert load(llm, "--concurrency", "1,2", "-n", "4", "--ui", "none", "--artifact-dir", str(tmp_path / name))
    arguments = ["load", "--compare", str(tmp_path / "before"), "--compare", str(tmp_path / "after")]
    done = CliRunner().invoke(group, [*arguments, "--html", str(tmp_path / "both.html")])
    assert done.exit_code == 0, done.output
    for users in (1, 2):
        assert f"after (concurrency {users}) against {tmp_path}/before (concurrency {users})" in done.output
    page = (tmp_path / "both.html").read_text()
    assert page.count("<svg") == 8
    assert "<script" not in page
    missing = CliRunner().invoke(group, ["load", "--compare", str(tmp_path), "--compare", str(tmp_path / "after")])
    assert missing.exit_code == 2
    assert "No such file" in missing.output


def test_one_result_cannot_be_compared(llm, tmp_path):
    file = tmp_path / "r.json"
    assert load(llm, "-n", "2", "--ui", "none", "--save-result", str(file)).exit_code == 0
    assert CliRunner().invoke(group, ["load", "--compare", str(file)]).exit_code == 2


def test_the_largest_load_that_meets_the_objectives_is_looked_for(llm):
    limits = ["--search-limit", "2", "--search-runs", "2"]
    done = load(llm, "--find-max", "concurrency", *limits, "-n", "4", "--objective", "failed<=0")
    assert done.exit_code == 0, done.output
    assert "users at once" in done.output or "no load that was tried" in done.output
    assert load(llm, "--find-max", "concurrency", "-n", "4").exit_code == 2


def test_a_file_of_questions_in_two_processes_with_users_who_leave(llm, tmp_path):
    file = tmp_path / "questions.jsonl"
    file.write_text('{"prompt": "why?"}\n{"prompt": "how?"}\n')
    options = ["--input-file", str(file), "--workers", "2", "--drop", "1@3", "-n", "6", "--concurrency", "2"]
    done = load(llm, *options)
    assert "6 dropped" in done.output, done.output


def test_a_trace_is_played_at_its_times(llm, tmp_path):
    file = tmp_path / "trace.jsonl"
    lines = [{"timestamp": 100 * n, "input_length": 20, "output_length": 4, "hash_ids": [n]} for n in range(5)]
    file.write_text("\n".join(map(json.dumps, lines)))
    done = load(llm, "--dataset", "trace", "--input-file", str(file), "--fixed-schedule", "--speed", "4")
    assert done.exit_code == 0, done.output
    assert "a trace of 5 arrivals at speed 4: 5 completed" in done.output


def test_a_live_table_shows_progress_and_health():
    from rich.console import Console

    from streamarena.cli._load_view import live_table, progress_line
    from streamarena.load import ClosedLoop, Interval, LoadPlan, Totals

    plan = LoadPlan(url="http://h/v1", requests=dict, schedule=ClosedLoop(3), request_count=10)
    totals = Totals(0)
    one = Interval(0, 0)
    one.end = 10**9
    one.counters.update(completed=4, chunks=40)
    one.add("ttft", 20_000_000)
    one.add_error("http_429", "slow down")
    totals.add(one)
    console = Console(width=100, record=True)
    console.print(live_table(plan, totals))
    text = console.export_text()
    for shown in ("4/10 requests", "40 chunks/s", "http_429 1", "Time to first token", "20.0"):
        assert shown in text
    assert "4/10 requests" in progress_line(plan, totals)
