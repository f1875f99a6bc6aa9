"""`streamarena serve`: what it says, what it serves, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import httpx
import pytest
from click.testing import CliRunner

from streamarena.cli.main import group
from streamarena.testing import FakeLLM

ASK = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}


@contextmanager
def serving(*arguments, **environment):
    """Run the command; give its address and its process."""
    command = [sys.executable, "-W", "error", "-m", "streamarena", "serve", "--port", "0", *arguments]
    process = subprocess.Popen(
        command, bufsize=0, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **environment}
    )
    try:
        url = process.stderr.readline().decode().strip()
        assert url.startswith("http://"), url + process.stderr.read().decode()
        yield url, process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=20)


@pytest.fixture(scope="module")
def llm():
    with FakeLLM.spawn(ttft=0.02, inter_token_latency=0.02, tokens=30, api_key="sk-upstream") as server:
        yield server


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_it_serves_and_lets_streams_finish_when_it_is_told_to_end(llm, workers):
    arguments = ["--upstream", f"{llm.url}/v1", "--key-variable", "MY_KEY", "--workers", str(workers)]
    with serving(*arguments, MY_KEY="sk-upstream") as (url, process):
        got = []

        def read():
            with httpx.stream("POST", f"{url}/v1/chat/completions", json=ASK, timeout=20) as response:
                got.append(response.status_code)
                got.extend(response.iter_raw())

        with httpx.Client() as client:
            assert client.get(f"{url}/healthz").json() == {"status": "ok", "active": 0}
            reader = threading.Thread(target=read)
            reader.start()
            while len(got) < 3:
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.05)
            statuses = (
                {client.post(f"{url}/v1/messages", json=ASK).status_code for _ in range(6)} if workers == 1 else {503}
            )
            reader.join()
        assert process.wait(20) == 0
        out, err = process.communicate()
    assert statuses == {503}
    assert got[0] == 200
    assert got[-1].endswith(b"data: [DONE]\n\n")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["outcome"] for line in lines if line["path"].startswith("/v1/chat")] == ["complete"]
    assert b'base_url="' in err
    assert b"sk-upstream" not in out + err


@pytest.mark.slow
def test_a_second_signal_does_not_wait(llm):
    with serving("--upstream", f"{llm.url}/v1", "--key-variable", "K", K="sk-upstream") as (url, process):
        with httpx.stream("POST", f"{url}/v1/chat/completions", json={**ASK, "model": "m,tokens=500"}) as response:
            assert response.status_code == 200, response.read()
            pieces = response.iter_raw()  # dropping it would close the response
            next(pieces)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            assert process.wait(5) is not None


WRONG = {
    "nothing to relay to": ([], "either --upstream or --config"),
    "both": (["--upstream", "http://h", "--config", "x"], "either --upstream or --config"),
    "a file's business": (["--config", "x", "--api", "vllm"], "a file has its own"),
    "no address": (["--upstream", "ftp://h"], "http://"),
    "no key": (
        ["--upstream", "http://h/v1", "--key-variable", "STREAMARENA_NOT_SET"],
        "STREAMARENA_NOT_SET is not set",
    ),
    "no file": (["--config", "/nowhere/relay.toml"], "relay.toml: cannot be read"),
}


@pytest.mark.parametrize(("arguments", "problem"), WRONG.values(), ids=WRONG)
def test_wrong_usage_is_told_and_ends_with_2(arguments, problem):
    result = CliRunner().invoke(group, ["serve", *arguments])
    assert result.exit_code == 2
    assert problem in result.output


def test_a_configuration_can_be_checked(tmp_path):
    path = tmp_path / "relay.toml"
    path.write_text('[targets.a]\nbase_url = "http://h/v1"\n', "utf-8")
    assert "1 targets, 0 routes" in CliRunner().invoke(group, ["serve", "--config", str(path), "--check"]).output
    path.write_text('[targets.a]\nbase_url = "http://h/v1"\nwieght = 3\n', "utf-8")
    result = CliRunner().invoke(group, ["serve", "--config", str(path), "--check"])
    assert result.exit_code == 2
    assert "relay.toml:3: there is no key 'wieght' here; did you mean 'weight'?" in result.output.replace("\n", " ")


def test_an_address_that_is_taken_ends_with_1():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(group, ["serve", "--upstream", "http://h/v1", "--port", port])
    assert result.exit_code == 1
    assert "cannot listen on" in result.output
