"""Text stages, context rules and settings through the middleware."""

from __future__ import annotations

import asyncio
import json

import pytest

from streamarena.client import Timeouts
from streamarena.errors import ConfigurationError, EventTooLargeError
from streamarena.sse import SSEParser
from streamarena_adapters.asgi import (
    ContextRules,
    DisconnectPolicy,
    MiddlewareConfig,
    StreamArenaMiddleware,
    StreamLimits,
    redact,
    stop_on,
)
from tests.relay.by_hand import SSE, Call, streaming, until
from tests.relay.streams import APIS, content_type, stream_of
from tests.relay.test_rewriting import text_of

CHAT = stream_of("openai-chat")


def config(**options):
    moments = []
    return MiddlewareConfig(observers=[moments.append], **options), moments


# ---------------------------------------------------------------- stages


@pytest.mark.parametrize("api", APIS)
async def test_a_secret_is_redacted_on_its_way_out(api):
    made, moments = config(stages=[redact(r"sk-[a-z]{3,}")])
    headers = [(b"content-type", content_type(api).encode())]
    call = await Call(streaming(stream_of(api, ("key s", "k-ab", "cd", " end")), headers), made).finish()
    assert text_of(api, call.body) == "key [redacted] end"
    assert call.ended
    assert moments[-1].outcome == "complete"
    assert moments[-1].stream.usage.output_tokens == 4


@pytest.mark.parametrize("api", APIS)
async def test_a_stop_ends_the_stream_and_the_applications_work(api):
    left = []

    async def app(scope, receive, send):
        headers = [(b"content-type", content_type(api).encode())]
        pieces = stream_of(api, ("one ", "EN", "D two"))
        last = next(number for number, piece in enumerate(pieces) if b"D two" in piece)
        try:
            await streaming([*pieces[: last + 1], 5.0], headers)(scope, receive, send)
        except asyncio.CancelledError:
            left.append(1)
            raise

    made, moments = config(stages=[stop_on("END")])
    call = await asyncio.wait_for(Call(app, made).finish(), 2)
    assert text_of(api, call.body) == "one "
    assert (call.ended, left) == (True, [1])
    assert (moments[-1].outcome, moments[-1].stream.finish_reason) == ("complete", "stop")


async def test_a_function_that_fails_ends_the_stream_in_its_form_and_is_raised_on():
    def broken(text):
        raise ValueError("inside the function")

    made, moments = config(stages=[broken])
    call = Call(streaming(CHAT), made)
    with pytest.raises(ValueError, match="inside the function"):
        await call.finish()
    assert call.ended
    assert b"inside the function" not in call.body
    assert SSEParser().feed(call.body)[-1].json()["error"]["code"] == "internal_error"
    assert moments[-1].outcome == "failed"


async def test_an_event_too_large_to_be_held_ends_the_stream():
    made, moments = config(stages=[str], limits=StreamLimits(event_bytes=500))
    call = await Call(streaming([CHAT[0], b"data: " + b"x" * 400, b"x" * 400]), made).finish()
    assert call.body.startswith(CHAT[0])
    assert isinstance(moments[-1].error, EventTooLargeError)
    assert call.ended


async def test_an_event_that_waits_is_not_sent_as_an_empty_piece():
    made, _ = config(stages=[redact("abc")])
    call = await Call(streaming([piece[i : i + 5] for piece in CHAT for i in range(0, len(piece), 5)]), made).finish()
    assert call.body == b"".join(CHAT)
    assert all(message["body"] for message in call.sent[1:-1])


async def test_streams_that_no_stage_can_read_are_counted():
    made, _ = config(stages=[redact("abc")])
    call = await Call(streaming([b"data: abc\n\n"] * 20), made).finish()
    assert call.body == b"data: abc\n\n" * 20
    assert made.counters.unstaged == 1


# ---------------------------------------------------------------- context

JSON = [(b"content-type", b"application/json"), (b"Content-Length", b"1")]


def conversation(turns):
    messages = [{"role": "system", "content": "Be brief."}]
    for number in range(turns):
        messages.append({"role": "user", "content": f"Question {number} " + "why " * 50})
        messages.append({"role": "assistant", "content": f"Answer {number} " + "so " * 50})
    return {"model": "gpt-4o", "messages": [*messages, {"role": "user", "content": "Now?"}], "extra": [1, 2]}


def echo(seen):
    async def app(scope, receive, send):
        body = b""
        while True:
            message = await receive()
            body += message["body"]
            if not message.get("more_body"):
                break
        seen.append((body, dict(scope["headers"])))
        await send({"type": "http.response.start", "status": 200, "headers": JSON[:1]})
        await send({"type": "http.response.body", "body": b"{}"})

    return app


async def test_a_history_is_made_to_fit_and_the_response_says_so():
    seen = []
    body = json.dumps(conversation(200)).encode()
    rules = ContextRules(max_input_tokens=2000)
    made, moments = config(context=rules)
    call = Call(echo(seen), made, headers=JSON)
    await call.finish([body[:100], body[100:5000], body[5000:]])
    ((sent, headers),) = seen
    assert len(json.loads(sent)["messages"]) < 100
    assert json.loads(sent)["extra"] == [1, 2]
    assert headers[b"content-length"] == str(len(sent)).encode()
    assert b"Content-Length" not in headers
    report = call.headers["x-streamarena-context"]
    assert report.startswith("changed; dropped=")
    assert int(report.partition("tokens=")[2].partition(";")[0]) <= 2000
    assert moments[-1].model == "gpt-4o"


async def test_a_body_that_fits_is_the_same_bytes():
    seen = []
    body = json.dumps(conversation(2), indent=3).encode()
    call = await Call(echo(seen), MiddlewareConfig(context=ContextRules()), headers=JSON).finish(body)
    assert seen[0][0] == body
    assert seen[0][1] == dict(JSON)
    assert call.headers["x-streamarena-context"].startswith("unchanged")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"{broken", JSON),
        (b'{"own":1}', JSON),
        (b'{"messages":[]}', [(b"content-type", b"text/plain")]),
        (b"\x1f\x8b", [*JSON, (b"content-encoding", b"gzip")]),
    ],
    ids=["bad json", "other json", "text", "compressed"],
)
async def test_other_bodies_pass_as_they_are(body, headers):
    seen = []
    await Call(echo(seen), MiddlewareConfig(context=ContextRules()), headers=headers).finish(body)
    assert seen[0][0] == body


@pytest.mark.parametrize(
    ("rules", "path", "status", "code"),
    [
        (ContextRules(max_input_tokens=3), "/v1/chat/completions", 400, "context_length_exceeded"),
        (ContextRules(max_body_bytes=50), "/v1/chat/completions", 413, "limit_exceeded"),
        (ContextRules(max_body_bytes=50), "/v1/messages", 413, None),
    ],
    ids=["cannot fit", "too large", "too large for Anthropic"],
)
async def test_what_cannot_be_sent_is_refused_in_the_apis_form(rules, path, status, code):
    seen = []
    made, moments = config(context=rules)
    call = await Call(echo(seen), made, headers=JSON, path=path).finish(json.dumps(conversation(3)).encode())
    assert (call.status, seen) == (status, [])
    assert json.loads(call.body)["error"].get("code") == code
    assert moments[-1].outcome == "failed"


async def test_a_client_that_leaves_while_its_body_is_read_ends_the_request():
    made, moments = config(context=ContextRules(), paths=["*"])
    call = Call(echo([]), made, headers=JSON)
    task = call.start([b"{"], whole=False)
    await asyncio.sleep(0.02)
    call.leave()
    await asyncio.wait_for(task, 1)
    assert (moments[-1].outcome, call.sent) == ("left", [])


async def test_an_upload_that_never_ends_meets_the_timeout():
    made, _ = config(context=ContextRules(), paths=["*"], timeouts=Timeouts(first_content=0.05))
    call = Call(echo([]), made, headers=JSON)
    task = call.start([b"{"], whole=False)
    await asyncio.wait_for(task, 1)
    assert call.status == 504


async def test_what_comes_after_the_body_still_reaches_the_application():
    told = []

    async def app(scope, receive, send):
        await receive()
        told.append((await receive())["type"])

    call = Call(app, MiddlewareConfig(context=ContextRules()), headers=JSON)
    task = call.start()
    await until(lambda: True)
    call.leave()
    await asyncio.wait_for(task, 1)
    assert told == ["http.disconnect"]


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: MiddlewareConfig(paths="/v1"), "paths"),
        (lambda: MiddlewareConfig(paths=["v1"]), "paths"),
        (lambda: MiddlewareConfig(api="openai-chats"), "openai-chats"),
        (lambda: MiddlewareConfig(keep_alive=0), "keep_alive"),
        (lambda: MiddlewareConfig(quota=0), "quota"),
        (lambda: MiddlewareConfig(observers=[3]), "observers"),
        (lambda: MiddlewareConfig(stages=["sk-"]), "stage"),
        (lambda: MiddlewareConfig(timeouts=3), "timeouts"),
        (lambda: MiddlewareConfig(limits=None), "limits"),
        (lambda: MiddlewareConfig(disconnect="drain"), "disconnect"),
        (lambda: MiddlewareConfig(context=True), "context"),
        (lambda: ContextRules(policy="suffixes"), "policy"),
        (lambda: ContextRules(max_body_bytes=0), "max_body_bytes"),
        (lambda: ContextRules(max_input_tokens=1.5), "max_input_tokens"),
        (lambda: ContextRules(report_header="a: b"), "report_header"),
        (lambda: DisconnectPolicy("drain", seconds=-1), "seconds"),
        (lambda: StreamArenaMiddleware(streaming([]), {"paths": []}), "config"),
    ],
    ids=str,
)
def test_wrong_settings_are_refused_by_name(make, name):
    with pytest.raises(ConfigurationError, match=name):
        make()


async def test_one_config_may_serve_several_middlewares():
    made = MiddlewareConfig()
    for _ in range(3):
        await Call(streaming(CHAT, SSE), made).finish()
    assert (made.counters.requests, made.counters.streams) == (3, 3)
