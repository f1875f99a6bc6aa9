"""Every vector of every provider tells its own API, and the decode command prints it in every form."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from streamarena.cli.decode import command
from streamarena.providers import FinishChunk, StartChunk, TextChunk, UsageChunk, detect_api, encoder_for, wire_of
from tests.providers.wire import event, events_of, vector_cases

TELLING = [(name, case) for name, case in vector_cases() if not case.get("raises") and "without" not in name]
SILENT = {  # streams whose only event is an error that could be anybody's
    "openai_chat-error_event_with_bare_message",
    "bedrock_converse-error_message_of_the_framing",
}


@pytest.mark.parametrize(("name", "case"), TELLING, ids=[name for name, _ in TELLING])
def test_a_stream_tells_its_api(name, case):
    expected = None if name in SILENT else wire_of(case["api"])
    assert detect_api(events_of(case)) == expected


@pytest.mark.parametrize("data", ["", ": keepalive", "not json", {"error": "x"}, {"type": 5}, {}], ids=repr)
def test_what_could_be_anybodys_decides_nothing(data):
    assert detect_api([event(data)]) is None


TEXTS = [StartChunk("id-1", "m", "assistant"), TextChunk("Good "), TextChunk("day")]
STREAM = [*TEXTS, FinishChunk("stop"), UsageChunk(3, 4)]


def recorded(api, *, cut=False):
    encoder = encoder_for(api)
    body = encoder.encode(TEXTS if cut else STREAM)
    return body if cut else body + encoder.finish()


def run(*arguments, body):
    result = CliRunner().invoke(command, ["-", *arguments], input=body)
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("api", ["openai-chat", "openai-responses", "anthropic", "gemini", "ollama"])
def test_a_recording_is_printed_as_chunks(api):
    code, out, err = run(body=recorded(api))
    chunks = [json.loads(line) for line in out.splitlines()]
    assert "".join(chunk["text"] for chunk in chunks if chunk["kind"] == "text") == "Good day"
    assert code == 0, err
    assert err.startswith(f"{api}: ")
    assert "complete" in err


@pytest.mark.parametrize("api", ["openai-chat", "ollama"])
def test_a_recording_is_printed_as_events(api):
    code, out, err = run("--as", "events", body=recorded(api))
    events = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, f"{len(events)} events\n")
    assert all(isinstance(event["data"], dict) or event["data"] == "[DONE]" for event in events)


def test_a_recording_is_printed_as_a_message_of_its_own_or_another_api():
    code, out, _ = run("--as", "message", body=recorded("anthropic"))
    assert (code, json.loads(out)["content"]) == (0, [{"type": "text", "text": "Good day"}])
    _, out, _ = run("--as", "message", "--to", "openai-chat", body=recorded("anthropic"))
    assert json.loads(out)["choices"][0]["message"]["content"] == "Good day"


def test_a_reply_that_was_not_streamed_is_one_event():
    _, message, _ = run("--as", "message", body=recorded("openai-chat"))
    code, out, err = run(body=message.encode())
    assert code == 0, err
    assert {"kind": "text", "text": "Good day"} in [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        pytest.param(recorded("openai-chat", cut=True), 1, "cut short", id="cut"),
        pytest.param(recorded("openai-chat", cut=True) + b"data: {oops\n\n", 1, "not decodable", id="garbage"),
        pytest.param(
            recorded("anthropic", cut=True) + b'data: {"type":"error","error":{"message":"no"}}\n\n',
            1,
            "no",
            id="error",
        ),
        pytest.param(b"data: hello\n\n", 2, "--api", id="nobodys"),
    ],
)
def test_exit_codes_mean_something(body, code, words):
    seen, _, err = run(body=body)
    assert seen == code
    assert words in err


def test_a_page_is_refused_with_what_was_seen():
    result = CliRunner().invoke(command, ["-"], input=b"<html>Bad gateway</html>")
    assert result.exit_code != 0
    assert "markup" in str(result.exception)
