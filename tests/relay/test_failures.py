"""Errors reach a model's client in its own form, and tell nothing that they must not."""

from __future__ import annotations

import orjson
import pytest

from streamarena.errors import (
    BodyTooLargeError,
    CannotFitError,
    ConnectionFailedError,
    FirstContentTimeoutError,
    IdleTimeoutError,
    ProviderError,
    RelayBusyError,
    RequestRefusedError,
    StreamTruncatedError,
    TotalTimeoutError,
)
from streamarena.providers import decoder_for, detect_api
from streamarena.providers.framing import LineFramer
from streamarena.relay.failures import failure_body, failure_of, stream_failure
from streamarena.sse import SSEParser

APIS = ("openai-chat", "openai-responses", "anthropic", "gemini", "ollama", "cohere-v2", "deepseek")

SECRET = "sk-proj-abcdefghijklmnop"
ERRORS = [
    (FirstContentTimeoutError(3), 504, "first_content_timeout"),
    (IdleTimeoutError(3), 504, "idle_timeout"),
    (TotalTimeoutError(3), 504, "total_timeout"),
    (CannotFitError(10, 20), 400, "context_length_exceeded"),
    (BodyTooLargeError(1, 2, "x"), 502, "limit_exceeded"),
    (ConnectionFailedError("internal-host", 8000, SECRET), 502, "upstream_unreachable"),
    (StreamTruncatedError(SECRET), 502, "stream_truncated"),
    (ProviderError(f"bad key {SECRET}", status=401, code="invalid_api_key", type="auth"), 401, "invalid_api_key"),
    (ProviderError("x", status=400, code=f"{SECRET} {SECRET}", type="a b"), 400, None),
    (RequestRefusedError(404, "no such route"), 404, None),
    (RelayBusyError(3, "x", 1.0), 503, "overloaded"),
    (RuntimeError(SECRET), 500, "internal_error"),
]
IDS = [f"{type(error).__name__}-{status}" for error, status, _ in ERRORS]


@pytest.mark.parametrize(("error", "status", "code"), ERRORS, ids=IDS)
def test_each_error_has_its_status_and_code(error, status, code):
    failure = failure_of(error)
    assert (failure.status, failure.code) == (status, code)


@pytest.mark.parametrize("api", [*APIS, None])
@pytest.mark.parametrize("error", [error for error, _, _ in ERRORS], ids=IDS)
def test_no_secret_and_no_address_is_told(error, api):
    told = stream_failure(api, error) + failure_body(api, failure_of(error))
    assert SECRET.encode() not in told
    assert b"internal-host" not in told


@pytest.mark.parametrize("api", APIS)
def test_a_decoder_of_the_wire_reads_the_error(api):
    data = stream_failure(api, IdleTimeoutError(3))
    framer = LineFramer() if api == "ollama" else SSEParser()
    events = framer.feed(data)
    assert framer.close() is False
    decoder = decoder_for("openai-chat" if api == "cohere-v2" else api)
    chunks = [chunk for event in events for chunk in decoder.decode(event)]
    assert [chunk.kind for chunk in chunks] == ["error"]
    assert "longer than 3 s" in chunks[0].message


def test_a_wire_that_nobody_knows_gets_an_error_event():
    (event,) = SSEParser().feed(stream_failure(None, IdleTimeoutError(3)))
    assert event.event == "error"
    assert event.json()["error"]["code"] == "idle_timeout"
    assert detect_api([event]) is None


@pytest.mark.parametrize("api", APIS)
def test_a_body_names_the_error_as_the_api_does(api):
    body = orjson.loads(failure_body(api, failure_of(IdleTimeoutError(3))))
    told = body["error"] if isinstance(body["error"], str) else body["error"]["message"]
    assert "longer than 3 s" in told
