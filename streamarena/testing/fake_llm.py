"""FakeLLM: a model server of our own on loopback, for tests, demonstrations and load tests.

It speaks the providers' wire APIs over real sockets, in this process or in its own, with TLS if asked; it takes time as
a model does (a queue, prefill, time to first token, inter-token latency), fails as servers do when told to, and notes
when it sent what.

Invariants: what is sent depends on the seed and the number of the request only, never on the clock; when the context
is left, no socket, timer or task of the server remains; every limit has a setting.
Cost: no task and no timer a stream: one parser, one wheel item and one rendered frame each.
Not here: bytes of streams (`streamarena.providers` encoders), faults (`faults.py`), its own process (`process.py`).
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, Unpack

import orjson

from streamarena.errors import ConfigurationError
from streamarena.providers.error_bodies import error_body
from streamarena.providers.paths import ROUTES
from streamarena.testing.answers import ModelAnswer
from streamarena.testing.bodies import model_list
from streamarena.testing.completions import COMPLETIONS
from streamarena.testing.faults import Fault, apply_fault, parse_fault
from streamarena.testing.frames import Frame, render
from streamarena.testing.model_requests import BadRequestError, ModelRequest, read_model_request
from streamarena.testing.process import FakeLLMProcess
from streamarena.testing.queueing import ServiceQueue
from streamarena.testing.records import RequestRecord
from streamarena.testing.server import LoopbackServer, answer
from streamarena.testing.settings import FakeLLMOptions, ReplyOptions, ReplySettings, reply_settings

if TYPE_CHECKING:
    import ssl

    from streamarena.testing.connection import HTTPConnection, HTTPRequest

__all__ = ["FakeLLM", "Responder"]

Responder = Callable[[ModelRequest], ReplySettings | None]
"""Chooses the settings of one reply; None keeps those of the request."""


_ROUTES: Final = (*ROUTES, (re.compile(r"/completions$"), COMPLETIONS))
_REPLY_OPTIONS: Final = frozenset(ReplyOptions.__annotations__)


class FakeLLM(LoopbackServer):
    """A fake model server; use it as `async with FakeLLM(...) as llm:` and talk to `llm.url`.

    Args:
        ssl_context: serve TLS with this context; see `streamarena.testing.certificates` for one on loopback.
        responder: called with each request; returns the settings of its reply, or None to leave them.
        **options: see `FakeLLMOptions`.

    Attributes:
        statistics: counters, and the last finished requests with their send stamps.

    Raises:
        ConfigurationError: an option that is unknown or unusable.
    """

    def __init__(
        self,
        *,
        ssl_context: ssl.SSLContext | None = None,
        responder: Responder | None = None,
        **options: Unpack[FakeLLMOptions],
    ) -> None:
        unknown = set(options) - set(FakeLLMOptions.__annotations__)
        if unknown:
            raise ConfigurationError(f"FakeLLM has no option {', '.join(sorted(unknown))}")
        super().__init__(
            host=options.get("host", "127.0.0.1"),
            port=options.get("port", 0),
            ssl_context=ssl_context,
            queue=ServiceQueue(
                slots=options.get("slots"),
                max_queue=options.get("max_queue", 100_000),
                prefill_tokens_per_second=options.get("prefill_tokens_per_second"),
                batch_slowdown=options.get("batch_slowdown", 0.0),
            ),
            max_connections=options.get("max_connections", 65_536),
            max_body_bytes=options.get("max_body_bytes", 64 * 2**20),
            keep_records=options.get("keep_records", 1000),
        )
        self.settings = reply_settings(**{name: options[name] for name in options if name in _REPLY_OPTIONS})  # type: ignore[literal-required]  # the keys are those of ReplyOptions
        self._options = options
        self._responder = responder
        self._faults = _cumulate(options.get("faults", {}))
        self._started = int(time.time())
        self._numbers = 0

    @staticmethod
    def spawn(*, tls: bool = False, **options: Unpack[FakeLLMOptions]) -> FakeLLMProcess:
        """Return a FakeLLM for a process of its own: `with FakeLLM.spawn(...) as llm:` or `async with`.

        Args:
            tls: serve TLS with a certificate made for it; needs the extra `testing`.
            **options: see `FakeLLMOptions`.

        Raises:
            ConfigurationError: an option that is unknown or unusable.
        """
        # A wrong option is told here, where the caller's stack is, not by a child that will not start.
        FakeLLM(**options)
        return FakeLLMProcess(options, tls=tls)

    def request_received(self, connection: HTTPConnection, request: HTTPRequest) -> None:
        """Route one request."""
        path = request.path.rstrip("/")
        if request.method == "POST":
            for pattern, api in _ROUTES:
                match = pattern.search(path)
                if match is not None:
                    self._model_request(connection, request, api, match)
                    return
        status, body = self._plain_answer(request, path)
        answer(connection, status, body)

    # ------------------------------------------------------------ inside

    def _plain_answer(self, request: HTTPRequest, path: str) -> tuple[int, bytes]:
        """Answer what is not a model request."""
        if path == "/_fake/stats" and request.method == "GET":
            wanted = request.query.get("records", ["0"])[0]
            self.statistics.queued = self.queue.waiting
            records = int(wanted) if wanted.isascii() and wanted.isdigit() else 0
            return 200, orjson.dumps(self.statistics.as_dict(records))
        if path in {"", "/health", "/v1/health"} and request.method in {"GET", "HEAD"}:
            return 200, b'{"status":"ok"}'
        if path.endswith(("/models", "/api/tags")) and request.method == "GET":
            api = "ollama" if path.endswith("tags") else "gemini" if "v1beta" in path else "openai-chat"
            api = "anthropic" if "anthropic-version" in request.headers else api
            return 200, model_list(api, self._options.get("models", ("fake-model",)), self._started)
        status = 405 if any(pattern.search(path) for pattern, _ in _ROUTES) else 404
        return status, error_body("openai-chat", status, f"no route for {request.method} {request.path}")

    def _model_request(self, connection: HTTPConnection, request: HTTPRequest, api: str, match: re.Match[str]) -> None:
        """Check, count and start one reply."""
        if not self._authorised(request):
            answer(connection, 401, error_body(api, 401, "wrong or missing API key"))
            return
        try:
            asked = read_model_request(api, match, request, self.settings)
        except BadRequestError as error:
            answer(connection, 400, error_body(api, 400, str(error)))
            return
        if self._responder is not None:
            asked.settings = self._responder(asked) or asked.settings
        self._numbers += 1
        number = self._numbers
        source = random.Random((self._options.get("seed", 0) << 32) ^ number)  # noqa: S311 - repeatable, not secret
        drawn = self._draw_fault(source)
        fault = asked.settings.fault or drawn
        if asked.settings.seed is not None:
            source = random.Random(asked.settings.seed)  # noqa: S311 - repeatable, not secret
        record = RequestRecord(number, api, asked.model, request.headers.get("x-request-id"))
        record.input_tokens = asked.input_tokens
        record.fault = fault.name if fault and fault.name != "none" else None
        self._reply(connection, ModelAnswer(asked, source, record, self._started), fault)

    def _reply(self, connection: HTTPConnection, reply: ModelAnswer, fault: Fault | None) -> None:
        """Enter the queue; the frames are made when the request leaves it."""

        def frames() -> Iterator[Frame]:
            now = time.monotonic()
            prefilled = self.queue.prefill(now, reply.request.input_tokens)
            plan = reply.plan(prefilled - now, lambda: self.queue.slowdown)
            return apply_fault(plan, fault, reply.fault_context(self.freeze)) if fault else render(plan)

        if not self.begin(connection, reply.record, frames):
            answer(connection, 429, error_body(reply.request.api, 429, "the queue is full"), retry_after=1)

    def _authorised(self, request: HTTPRequest) -> bool:
        """Whether the request brings the key, in any API's way."""
        key = self._options.get("api_key")
        given = (
            request.headers.get("authorization", "").removeprefix("Bearer "),
            request.headers.get("x-api-key"),
            request.headers.get("x-goog-api-key"),
            *request.query.get("key", ()),
        )
        return key is None or key in given

    def _draw_fault(self, source: random.Random) -> Fault | None:
        """Draw by the configured shares; one draw is made whether there are any or not."""
        drawn = source.random()
        return next((fault for limit, fault in self._faults if drawn < limit), None)


def _cumulate(shares: Mapping[str, float]) -> list[tuple[float, Fault]]:
    """Turn shares into cumulated limits."""
    limits: list[tuple[float, Fault]] = []
    total = 0.0
    for text, share in shares.items():
        fault = parse_fault(text)
        total += share
        limits.append((total, fault))
    if total > 1 + 1e-9 or any(share < 0 for share in shares.values()):
        raise ConfigurationError(f"the shares of faults must not be negative nor sum up to more than 1, not {total:g}")
    return limits
