"""Which errors mean "context window exceeded", and how long to wait after the others."""

from __future__ import annotations

import pytest

from streamarena.context import is_context_window_error, retry_delay
from streamarena.errors import ProviderError


@pytest.mark.parametrize(
    ("error", "classic", "native"),
    [
        (ProviderError("This model's maximum context length is 8192 tokens", status=400), True, True),
        (ProviderError("maximum context", status=500), False, False),
        (ProviderError("prompt is too long: 9 tokens > 8", status=400, type="invalid_request_error"), True, True),
        ({"status": 400, "message": "Please reduce the length of the messages or completion"}, True, False),
        ({"response": {"status": "400"}, "message": "too\u2003many\ufefftokens"}, True, True),
        ({"status": 400, "message": "xtoo many tokens"}, False, False),
        ({"status": 400, "message": "too many to\u212aens"}, False, False),
        ({"status": 400, "message": {}, "error": {"message": "maximum context"}}, False, False),
        ({"error": {"error": {"type": "invalid_request_error", "message": "exceeds the context"}}}, True, True),
        ({"name": "LengthFinishReasonError"}, True, True),
        (ValueError("context length"), False, False),
        (None, False, False),
        ("context length 400", False, False),
        (400, False, False),
    ],
)
def test_classification(error, classic, native):
    assert is_context_window_error(error, generation="classic") is classic
    assert is_context_window_error(error) is native


def test_a_property_that_raises_says_nothing():
    class OddError(Exception):
        @property
        def status(self):
            raise RuntimeError

    assert not is_context_window_error(OddError("maximum context"))


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "30s"}


@pytest.mark.parametrize(
    ("attempt", "options", "seconds"),
    [
        (0, {}, 5),
        (3, {}, 40),
        (9, {}, 600),
        (0, {"base_seconds": 2.5}, 3),
        (0, {"rate_limit_remaining": 12.5}, 12.5),
        (5, {"error": {"status": 429, "errorDetails": [RETRY]}}, 31),
        (0, {"error": {"status": 429, "errorDetails": [{**RETRY, "retryDelay": "30.5s"}]}}, 5),
        (0, {"error": {"status": 400, "errorDetails": [RETRY]}}, 5),
    ],
)
def test_waiting(attempt, options, seconds):
    assert retry_delay(attempt, **options) == seconds
