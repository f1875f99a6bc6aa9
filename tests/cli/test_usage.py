"""How the commands answer wrong usage, and what their help looks like."""

from __future__ import annotations

import re
import socket
import subprocess
import sys

import pytest
from click.testing import CliRunner

from streamarena.cli import chat
from streamarena.cli.chat import _members
from streamarena.cli.main import COMMANDS, group
from streamarena.client import ENDPOINTS
from streamarena.testing import FakeLLM


def run(*words, code=2, env=None):
    done = CliRunner().invoke(group, words, env=env, catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_no_escapes(name):
    shown = run(name, "--help", code=0).stdout
    assert "\\" not in shown
    assert "\b" not in shown


@pytest.mark.parametrize(("name", "examples"), [("chat", 3), ("decode", 3), ("load", 4)])
def test_examples_of_a_help_stand_on_lines_of_their_own(name, examples):
    lines = run(name, "--help", code=0).stdout.partition("Options:")[0].splitlines()[1:]
    assert sum("streamarena " in line for line in lines) == examples
    assert all(re.match(r"  (curl|streamarena) ", line) for line in lines if "streamarena " in line)


@pytest.mark.parametrize(
    "words", [("fake-llm",), ("chaos", "127.0.0.1:9"), ("serve", "--upstream", "http://127.0.0.1:9/v1")], ids=" ".join
)
def test_a_port_in_use_is_one_line_and_exit_code_1(words):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "streamarena", *words, "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [("fake-llm",), ("chaos", "127.0.0.1:9")], ids=" ".join)
@pytest.mark.parametrize("port", ["99999", "-1"])
def test_what_is_no_port_is_wrong_usage(words, port):
    assert "65535" in run(*words, "--port", port).stderr


def test_a_certificate_that_is_none_is_wrong_usage(tmp_path):
    (tmp_path / "key.pem").write_text("no key")
    assert "key.pem cannot be used" in run("fake-llm", "--certificate", str(tmp_path / "key.pem")).stderr


@pytest.mark.parametrize("form", [(), ("--as", "events"), ("--as", "chunks")], ids=" ".join)
def test_decode_refuses_a_form_of_a_message_where_no_message_is_printed(tmp_path, form):
    (tmp_path / "answer.sse").write_text("data: [DONE]\n\n")
    assert "--as message" in run("decode", str(tmp_path / "answer.sse"), *form, "--to", "anthropic").stderr


@pytest.mark.parametrize("api", [name for name, one in ENDPOINTS.items() if one.base_url.startswith("https://")])
def test_chat_without_a_key_names_the_variable_and_makes_no_client(api, monkeypatch):
    variable = ENDPOINTS[api].key_variable
    monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(chat, "StreamClient", None)  # so that this test could not connect even if the check were gone
    result = CliRunner().invoke(group, ["chat", "--api", api, "--model", "m", "hi"])
    assert result.exit_code == 2
    assert f"set {variable}" in result.output


@pytest.mark.parametrize("api", ["tgi", "azure", "vllm"])
def test_chat_without_an_address_is_wrong_usage(api):
    assert "no address of its own" in run("chat", "--api", api, "--model", "m", "hi").stderr


def test_chat_calls_every_wrong_setting_wrong_usage():
    run("chat", "--base-url", "http://127.0.0.1:9", "--api-key", "line\nbreak", "--model", "m", "hi")


@pytest.mark.parametrize(("api", "name"), [("openai-chat", "max_completion_tokens"), ("vllm", "max_tokens")])
def test_chat_limits_the_answer_under_the_name_that_the_api_knows(api, name):
    members = _members(api, "hi", None, 7)
    assert {key: value for key, value in members.items() if key.startswith("max_")} == {name: 7}


@pytest.mark.parametrize("url", ["foo", "localhost:8000", "ftp://localhost"])
def test_load_refuses_what_is_no_address(url):
    assert "http://" in run("load", "--url", url).stderr


@pytest.mark.parametrize("ui", ["simple", "live"])
def test_load_draws_nothing_where_there_is_no_terminal(ui):
    with FakeLLM.spawn(ttft=0.001, inter_token_latency=0.001, tokens=4) as server:
        done = run("load", "--url", server.url, "-m", "fake-model", "-c", "1", "-n", "3", "--ui", ui, code=0)
    assert "\r" not in done.stdout + done.stderr
    assert "3 completed" in done.stdout
