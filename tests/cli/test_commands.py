"""The commands as a user runs them: in a process of their own, judged by exit code and output."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from streamarena.cli.main import COMMANDS
from streamarena.testing import FakeLLM


def run(*words, **environment):
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "streamarena", *words],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env={**os.environ, "COLUMNS": "100", **environment},
    )


@pytest.fixture(scope="module")
def server():
    with FakeLLM.spawn(ttft=0.01, inter_token_latency=0.001, tokens=12, api_key="sk-right") as server:
        yield server


def test_help_lists_every_command():
    done = run("--help")
    assert done.returncode == 0
    assert all(re.search(rf"^\s+{name}\s", done.stdout, re.MULTILINE) for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_that_names_its_options(name):
    done = run(name, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage: streamarena" in done.stdout


def test_an_unknown_command_is_wrong_usage():
    done = run("nonsense")
    assert done.returncode == 2
    assert "nonsense" in done.stderr


def test_without_click_the_command_names_the_extra():
    code = "import sys; sys.modules['click'] = None; sys.argv = ['streamarena']; import streamarena.cli as c; c.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "streamarena[cli]" in done.stderr


def test_doctor_names_each_accelerated_module():
    done = run("doctor")
    assert done.returncode == 0
    assert re.search(r"streamarena\.sse\.parser +(compiled|pure Python)", done.stdout)


def test_doctor_knows_every_extra():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    shown = run("doctor").stdout.partition("extras")[2].partition("this machine")[0]
    assert {line.split()[0] for line in shown.splitlines() if line.strip()} == set(project["optional-dependencies"])


def test_doctor_says_that_pure_was_asked_for():
    done = run("doctor", STREAMARENA_PURE="1", STREAMARENA_REQUIRE_NATIVE="")
    assert re.search(r"streamarena\.sse\.parser +pure Python +\(STREAMARENA_PURE is set\)", done.stdout)


@pytest.mark.parametrize(
    ("api", "path", "variable"),
    [("openai-chat", "/v1", "OPENAI_API_KEY"), ("anthropic", "/v1", "ANTHROPIC_API_KEY")],
)
def test_chat_prints_the_answer_and_its_figures(server, api, path, variable):
    words = ("chat", "--api", api, "--base-url", server.url + path, "--model", "m,text=Hello there", "--stats", "hi")
    done = run(*words, **{variable: "sk-right"})
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Hello there\n"
    assert re.search(r"time to first token +\d+\.\d ms", done.stderr)
    assert re.search(r"tokens +\d+ in, \d+ out", done.stderr)


def test_chat_fails_plainly_and_keeps_the_key_to_itself(server):
    done = run("chat", "--base-url", server.url + "/v1", "--model", "m", "--api-key", "sk-wrong", "hi")
    assert done.returncode == 1
    assert "ProviderError: HTTP 401" in done.stderr
    assert "sk-wrong" not in done.stderr + done.stdout


def test_chat_shows_what_came_before_the_cut(server):
    words = ("chat", "--base-url", server.url + "/v1", "--model", "m,fault=cut@6", "--api-key", "sk-right", "hi")
    done = run(*words)
    assert done.returncode == 1
    assert len(done.stdout.split()) >= 4
    assert "StreamTruncatedError" in done.stderr


def test_chat_with_a_wrong_url_is_wrong_usage():
    done = run("chat", "--base-url", "nowhere", "--model", "m", "hi")
    assert done.returncode == 2
    assert "http://" in done.stderr


@pytest.mark.slow
def test_demo_gives_everything_back():
    done = run("demo", "--streams", "100", "--chunks", "60", "--gap", "0.01")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Everything that was taken came back." in done.stdout
    figures = dict(re.findall(r"│ (.+?) +│ +(.+?) │", done.stdout))
    assert (figures["streams finished"], figures["failed as injected"], figures["failed otherwise"]) == ("93", "7", "0")
    assert figures["leases still out"] == "0"
    assert int(figures["bytes through arenas"].replace(",", "")) > 10_000
