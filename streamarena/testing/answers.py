"""From a model request to the plan of its response: chunks through the API's encoder, with their delays.

Invariants: the first content frame is due at the end of prefill plus the drawn time to first token, every further one
after as many inter-token latencies as it has tokens; what an encoder holds back leaves with the next bytes, at the time
it would have had. A reply that is not streamed takes the same time in all.
Cost: one encoder a reply. Not here: the clock, sockets, faults.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Final

import orjson

from streamarena.providers import Accumulator, encoder_for
from streamarena.providers.chunks import ErrorChunk
from streamarena.providers.error_bodies import error_body
from streamarena.testing.completions import COMPLETIONS, CompletionsEncoder, whole_completion
from streamarena.testing.faults import FaultContext
from streamarena.testing.frames import Action, Frame, Plan, as_json_array
from streamarena.testing.replies import Reply

if TYPE_CHECKING:
    from streamarena.providers import Encoder
    from streamarena.testing.model_requests import ModelRequest
    from streamarena.testing.records import RequestRecord

__all__ = ["ModelAnswer"]

_ID_PREFIX: Final[dict[str, str]] = {
    "openai-chat": "chatcmpl-",
    "openai-responses": "resp_",
    "anthropic": "msg_",
    COMPLETIONS: "cmpl-",
}

# What each API sends to keep a quiet stream alive.
_PINGS: Final[dict[str, bytes]] = {"anthropic": b'event: ping\ndata: {"type": "ping"}\n\n', "ollama": b"\n"}
_COMMENT: Final = b": ping\n\n"


class ModelAnswer:
    """One request, its reply, and what is needed to spoil it.

    Args:
        request: what was asked. source: draws texts and delays. record: takes the counts. created: the reply's date.
    """

    def __init__(self, request: ModelRequest, source: random.Random, record: RequestRecord, created: int) -> None:
        self.request = request
        self.record = record
        self._source = source
        self._created = created
        self._id = f"{_ID_PREFIX.get(request.api, 'fake-')}{record.number:08d}{source.getrandbits(48):012x}"
        include_usage = request.include_usage and request.settings.usage
        if request.api == COMPLETIONS:
            self._encoder: Encoder = CompletionsEncoder(
                id=self._id, model=request.model, created=created, include_usage=include_usage
            )
        else:
            self._encoder = encoder_for(
                request.api, id=self._id, model=request.model, created=created, include_usage=include_usage
            )

    def plan(self, prefill: float, slowdown: Callable[[], float]) -> Plan:
        """Return the sound response.

        Args:
            prefill: seconds until the prompt has been read.
            slowdown: factor on inter-token latencies, asked at each frame.
        """
        headers = [("x-request-id", str(self.record.number)), ("x-fake-llm-id", self._id)]
        if not self.request.stream:
            return self._whole(prefill, slowdown, headers)
        body = self._streamed(prefill, slowdown)
        kind = self._encoder.content_type
        if not self.request.server_sent:
            kind, body = "application/json", as_json_array(body)
        headers[:0] = [("content-type", kind), ("cache-control", "no-cache")]
        return Plan(200, headers, body)

    def fault_context(self, freeze: Callable[[float], None]) -> FaultContext:
        """Return what faults need of this request's API."""
        return FaultContext(self._error_event, self._error_plan, _PINGS.get(self.request.api, _COMMENT), freeze)

    def _streamed(self, prefill: float, slowdown: Callable[[], float]) -> Iterator[Frame]:
        settings, source, encode = self.request.settings, self._source, self._encoder.encode
        reply = Reply(self.request, source, self._id)
        wait = prefill + settings.ttft.sample(source)
        first = True
        delay, tokens = 0.0, 0
        for piece in reply.frames():
            data = encode(piece.chunks)
            if piece.tokens and first:
                first = False
                delay = yield from self._pinged(wait)
            elif piece.tokens:
                delay += settings.inter_token_latency.sample(source) * piece.tokens * slowdown()
            tokens += piece.tokens
            if data:
                yield Frame(delay, data, tokens)
                delay, tokens = 0.0, 0
        self.record.output_tokens = reply.output_tokens
        # The end marker and the end of the body leave together: a client may close as soon as it sees the marker.
        # Some wires hold tool calls back until here, with the time that they took.
        yield Frame(delay, self._encoder.finish(), tokens, Action.END)

    def _pinged(self, wait: float) -> Generator[Frame, None, float]:
        """Send keep-alives while the first content is waited for; return what is left of the wait."""
        interval = self.request.settings.ping
        if interval > 0:
            while wait > interval:
                yield Frame(interval, _PINGS.get(self.request.api, _COMMENT))
                wait -= interval
        return wait

    def _whole(self, prefill: float, slowdown: Callable[[], float], headers: list[tuple[str, str]]) -> Plan:
        settings, source = self.request.settings, self._source
        reply = Reply(self.request, source, self._id)
        delay = prefill + settings.ttft.sample(source)
        completes = self.request.api == COMPLETIONS
        whole = Accumulator("openai-chat" if completes else self.request.api)
        content = 0
        for piece in reply.frames():
            whole.extend(piece.chunks)
            if piece.tokens and content:
                delay += settings.inter_token_latency.sample(source) * piece.tokens * slowdown()
            content += piece.tokens
        self.record.output_tokens = reply.output_tokens
        message = whole.message(created=self._created)
        body = orjson.dumps(whole_completion(message) if completes else message)
        headers = [("content-type", "application/json"), *headers]
        return Plan(200, headers, iter((Frame(delay, body, max(1, content), Action.END),)), len(body))

    def _error_event(self) -> bytes:
        error = ErrorChunk(self.request.settings.error_text, code="server_error", type="server_error")
        return self._encoder.encode((error,)) + self._encoder.finish()

    def _error_plan(self, status: int) -> Plan:
        body = error_body(self.request.api, status, self.request.settings.error_text)
        headers = [("content-type", "application/json"), ("x-request-id", str(self.record.number))]
        if status in {429, 503, 529}:
            headers.append(("retry-after", "1"))
        return Plan(status, headers, iter((Frame(0.0, body, action=Action.END),)), len(body))
