"""What a caller is told when its request fails: by the relay's own word, or by the upstream's, in the caller's form.

Invariants: an upstream's refusal passes as it came to a caller that speaks the same API, but without the key it was
asked with; a refusal of the relay's own key is the relay's trouble and not the caller's (502), and its words, which
quote keys, are not passed on. Nothing else that an upstream or an exception says reaches a caller (`failures.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from streamarena.errors import ProviderError, RelayBusyError, RequestRefusedError
from streamarena.providers.error_bodies import error_body, error_type
from streamarena.relay.asgi import Headers, field, without
from streamarena.relay.failures import Failure, failure_body, failure_of
from streamarena.relay.fields import response_fields

if TYPE_CHECKING:
    from streamarena.relay.upstream import Upstream

__all__ = ["Answer", "Refusal", "answer_for", "told"]

_JSON: Final = "application/json"
_REFUSED_KEYS: Final = frozenset({401, 407})


class Refusal(NamedTuple):
    """An upstream's answer that is no success.

    Attributes:
        body: as much of it as is kept. passes: whether that is all of it, and in the form that the caller reads.
    """

    upstream: Upstream
    status: int
    headers: Headers
    body: bytes
    passes: bool


class Answer(NamedTuple):
    """What is sent."""

    status: int
    body: bytes
    content_type: str
    headers: Headers


def answer_for(error: BaseException, api: str | None, refusal: Refusal | None) -> Answer:
    """Return what a caller is answered with.

    Args:
        error: what happened.
        api: that the caller speaks; None: OpenAI's form, which most clients read.
        refusal: the upstream's answer, if it is what happened.
    """
    if refusal is not None:
        return _passed_on(refusal, error, api)
    failure = told(error)
    headers: Headers = []
    if isinstance(error, RelayBusyError):
        headers = [(b"retry-after", b"%d" % max(1, round(error.retry_after)))]
    return Answer(failure.status, failure_body(api, failure), _JSON, headers)


def told(error: BaseException) -> Failure:
    """Choose what a caller is told of an error."""
    if isinstance(error, RequestRefusedError):
        return Failure(error.status, error_type(error.status), None, error.problem)
    if isinstance(error, RelayBusyError):
        return Failure(error.status, error_type(error.status), "overloaded", str(error))
    return failure_of(error)


def _passed_on(refusal: Refusal, error: BaseException, api: str | None) -> Answer:
    upstream = refusal.upstream
    if refusal.status in _REFUSED_KEYS and upstream.has_key:
        failure = Failure(502, error_type(502), "upstream_key_refused", "the upstream refused the relay's key")
        return Answer(502, failure_body(api, failure), _JSON, [])
    fields = without(response_fields(refusal.headers), b"content-type", b"content-length", b"content-encoding")
    encoded = field(refusal.headers, b"content-encoding") not in {None, "identity"}
    if refusal.passes and not encoded:
        content_type = field(refusal.headers, b"content-type") or _JSON
        return Answer(refusal.status, upstream.scrubbed(refusal.body), content_type, fields)
    if not isinstance(error, ProviderError):
        return answer_for(error, api, None)
    message = upstream.scrubbed(error.args[0].encode("utf-8", "replace")).decode("utf-8", "replace")
    body = error_body(api, refusal.status, message, type=error.type, code=error.code)
    return Answer(refusal.status, body, _JSON, fields)
