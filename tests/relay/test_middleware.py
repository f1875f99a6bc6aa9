"""One request through the middleware, by hand: bytes, failures, timeouts, leaving, keep-alive, back-pressure."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamarena.client import Timeouts
from streamarena.errors import (
    BodyTooLargeError,
    FirstContentTimeoutError,
    IdleTimeoutError,
    StreamTruncatedError,
    TotalTimeoutError,
)
from streamarena.memory import MemoryManager, current_arena
from streamarena.relay.middleware.keep_alive import COMMENT
from streamarena.sse import SSEParser
from streamarena_adapters.asgi import (
    ExchangeFinished,
    FirstContentSent,
    MiddlewareConfig,
    ResponseStarted,
    StreamLimits,
)
from tests.relay.by_hand import SSE, Call, streaming, until
from tests.relay.streams import APIS, content_type, cut, stream_of

CHAT = stream_of("openai-chat")
TICKS = [b"data: tick\n\n"]


def config(**options):
    moments = []
    made = MiddlewareConfig(observers=[moments.append], **options)
    return made, moments


# ---------------------------------------------------------------- what passes


@given(
    st.sampled_from(APIS),
    st.lists(st.binary(max_size=30) | st.just(b"\n\n") | st.just(b": x\n\n"), max_size=6),
    st.lists(st.integers(0, 9999), max_size=12),
)
def test_every_byte_passes_in_the_pieces_that_it_came_in(api, noise, places):
    body = b"".join(stream_of(api)) + b"".join(noise)
    pieces = cut(body, places)

    async def run():
        headers = [(b"content-type", content_type(api).encode())]
        return await Call(streaming(pieces, headers)).finish()

    call = asyncio.run(run())
    assert [m["body"] for m in call.sent if m["type"] == "http.response.body"] == [*pieces, b""]
    assert all(given is taken for given, taken in zip(pieces, [m["body"] for m in call.sent[1:]], strict=False))


@pytest.mark.parametrize("api", APIS)
async def test_observers_are_told_each_moment_and_the_figures(api):
    made, moments = config()
    headers = [(b"content-type", content_type(api).encode())]
    await Call(streaming(stream_of(api), headers), made, path="/x").finish()
    assert [type(moment) for moment in moments] == [ResponseStarted, FirstContentSent, ExchangeFinished]
    end = moments[-1]
    assert (end.outcome, end.error, end.status, end.api, end.method, end.path) == (
        "complete",
        None,
        200,
        api,
        "POST",
        "/x",
    )
    assert (end.stream.usage.output_tokens, end.stream.finish_reason, end.stream.gaps.count) == (5, "stop", 4)
    assert end.seconds >= end.started_seconds >= 0


async def test_headers_keep_proxies_from_buffering_and_nothing_else_changes():
    call = await Call(streaming(CHAT, [*SSE, (b"x-own", b"1"), (b"content-length", b"9")])).finish()
    assert call.headers == {
        "content-type": "text/event-stream",
        "x-own": "1",
        "cache-control": "no-cache, no-transform",
        "x-accel-buffering": "no",
    }


@pytest.mark.parametrize(
    ("headers", "method"),
    [
        ([(b"content-type", b"application/json")], "POST"),
        ([], "POST"),
        ([*SSE, (b"content-encoding", b"gzip")], "POST"),
        (SSE, "HEAD"),
    ],
    ids=["json", "no type", "compressed", "HEAD"],
)
async def test_what_is_no_readable_stream_passes_as_it_is(headers, method):
    made, moments = config()
    call = await Call(streaming([b"\x1f\x8b", b"abc"], headers), made, method=method).finish()
    assert call.sent[0]["headers"] is headers
    assert call.body == b"\x1f\x8babc"
    assert (moments[-1].outcome, moments[-1].stream) == ("complete", None)
    assert made.counters.compressed == (len(headers) > 1)


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
async def test_other_protocols_pass_untouched(kind):
    seen = []

    async def app(*given):
        seen.extend(given)

    from streamarena_adapters.asgi import StreamArenaMiddleware

    scope, receive, send = {"type": kind, "path": "/"}, object(), object()
    await StreamArenaMiddleware(app)(scope, receive, send)
    assert seen == [scope, receive, send]


async def test_paths_that_are_not_named_pass_untouched():
    made, moments = config(paths=["/v1/*"])
    await Call(streaming(CHAT), made, path="/other").finish()
    assert moments == []
    await Call(streaming(CHAT), made, path="/v1/chat").finish()
    assert len(moments) == 3


async def test_messages_of_extensions_pass():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": SSE, "trailers": True})
        await send({"type": "http.response.body", "body": CHAT[0]})
        await send({"type": "http.response.trailers", "headers": [], "more_trailers": False})

    call = await Call(app).finish()
    assert [m["type"].rpartition(".")[2] for m in call.sent] == ["start", "body", "trailers"]
    assert call.sent[0]["trailers"] is True


async def test_a_file_that_the_server_sends_completes_its_response():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.pathsend", "path": "/file"})

    made, moments = config()
    call = await Call(app, made).finish()
    assert call.sent[-1] == {"type": "http.response.pathsend", "path": "/file"}
    assert (moments[-1].outcome, made.counters.failed) == ("complete", 0)


async def test_the_request_scope_is_seen_by_the_endpoint_and_its_tasks():
    arenas = []
    manager = MemoryManager()

    async def app(scope, receive, send):
        async def child():
            arenas.append(current_arena())
            current_arena().alloc_bytes(b"x" * 100)

        arenas.append(current_arena())
        await asyncio.create_task(child())
        await streaming(CHAT)(scope, receive, send)

    await Call(app, MiddlewareConfig(manager=manager)).finish()
    assert arenas[0] is arenas[1]
    assert arenas[0].closed
    assert arenas[0].stats().label == "POST /chat"
    assert manager.stats().outstanding == 0


# ---------------------------------------------------------------- failures


async def test_an_error_after_the_header_is_told_in_the_streams_form_and_raised_on():
    async def app(scope, receive, send):
        await streaming(CHAT[:2], end=False)(scope, receive, send)
        raise RuntimeError("secret of the application")

    made, moments = config()
    call = Call(app, made)
    with pytest.raises(RuntimeError, match="secret of the application"):
        await call.finish()
    assert call.body.startswith(b"".join(CHAT[:2]))
    assert call.ended
    (event,) = SSEParser().feed(call.body.removeprefix(b"".join(CHAT[:2])))
    assert event.json()["error"]["code"] == "internal_error"
    assert b"secret" not in call.body
    assert (moments[-1].outcome, str(moments[-1].error)) == ("failed", "secret of the application")


async def test_an_error_inside_an_event_cuts_the_connection_and_never_looks_complete():
    async def app(scope, receive, send):
        await streaming([CHAT[0][:9]], end=False)(scope, receive, send)
        raise RuntimeError

    call = Call(app)
    with pytest.raises(RuntimeError):
        await call.finish()
    assert call.body == CHAT[0][:9]
    assert not call.ended


async def test_an_error_before_the_header_is_the_applications_own():
    async def app(scope, receive, send):
        raise RuntimeError

    call = Call(app)
    with pytest.raises(RuntimeError):
        await call.finish()
    assert call.sent == []


async def test_a_stream_that_its_provider_did_not_end_counts_as_failed():
    made, moments = config()
    await Call(streaming(CHAT[:3]), made).finish()
    assert moments[-1].outcome == "failed"
    assert isinstance(moments[-1].error, StreamTruncatedError)


async def test_an_error_that_the_provider_told_counts_as_failed():
    made, moments = config(api="openai-chat")
    await Call(streaming([b'data: {"error":{"message":"overloaded"}}\n\n']), made).finish()
    assert (moments[-1].outcome, moments[-1].error.message) == ("failed", "overloaded")


async def test_an_observer_that_fails_harms_nothing(caplog):
    def broken(moment):
        raise ValueError

    call = await Call(streaming(CHAT), MiddlewareConfig(observers=[broken])).finish()
    assert call.body == b"".join(CHAT)
    assert "an observer failed" in caplog.text


@pytest.mark.parametrize(
    ("limits", "setting"),
    [(StreamLimits(stream_bytes=300), "stream_bytes"), (StreamLimits(events=2), "events")],
    ids=["bytes", "events"],
)
async def test_a_limit_ends_the_stream_and_names_itself(limits, setting):
    made, moments = config(limits=limits)
    call = await Call(streaming(CHAT), made).finish()
    assert call.ended
    whole = [piece for piece in CHAT if piece in call.body]
    assert call.body.startswith(b"".join(whole))
    (event,) = SSEParser().feed(call.body.removeprefix(b"".join(whole)))
    assert f"StreamLimits.{setting}" in event.json()["error"]["message"]
    assert moments[-1].outcome == "failed"


async def test_a_limit_inside_an_event_cuts_the_connection():
    call = Call(streaming([b"data: " + b"x" * 10, b"x" * 100]), MiddlewareConfig(limits=StreamLimits(stream_bytes=50)))
    with pytest.raises(BodyTooLargeError):
        await call.finish()
    assert not call.ended


# ---------------------------------------------------------------- timeouts

WAITS = Timeouts(first_content=0.08, idle=0.08)
ROLE = b'data: {"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n'


@pytest.mark.parametrize(
    ("pieces", "error"),
    [
        ([ROLE, 5.0], FirstContentTimeoutError),
        ([*[part for _ in range(40) for part in (b": ping\n\n", 0.02)], 5.0], FirstContentTimeoutError),
        ([*CHAT[:3], 5.0], IdleTimeoutError),
        ([*CHAT[:3], *[part for _ in range(40) for part in (b": ping\n\n", 0.02)]], IdleTimeoutError),
    ],
    ids=["role only", "pings before content", "silence", "pings after content"],
)
async def test_silence_ends_the_stream_whatever_pings_say(pieces, error):
    made, moments = config(timeouts=WAITS)
    call = await asyncio.wait_for(Call(streaming(pieces), made).finish(), 2)
    assert isinstance(moments[-1].error, error)
    assert call.ended
    assert b"timeout_error" in call.body


async def test_the_whole_stream_has_its_limit_too():
    made, moments = config(timeouts=Timeouts(total=0.1))
    pieces = [part for piece in CHAT[:3] * 40 for part in (piece, 0.02)]
    await asyncio.wait_for(Call(streaming(pieces), made).finish(), 2)
    assert isinstance(moments[-1].error, TotalTimeoutError)


ASKING = [
    ({"path": "/v1/chat/completions"}, b'{"messages":[],"stream": true}', {}),
    ({"headers": [(b"accept", b"text/event-stream")]}, b"", {}),
    ({"path": "/own"}, b"{}", {"paths": ["/own"]}),
]


@pytest.mark.parametrize(("scope", "body", "options"), ASKING, ids=["body", "accept", "path"])
async def test_a_request_for_a_stream_is_answered_with_504_where_no_header_comes(scope, body, options):
    async def app(scope, receive, send):
        await receive()
        await asyncio.sleep(5)

    made, moments = config(timeouts=WAITS, **options)
    call = await asyncio.wait_for(Call(app, made, **scope).finish(body), 2)
    assert (call.status, call.headers["content-type"]) == (504, "application/json")
    assert b"first_content_timeout" in call.body
    assert isinstance(moments[-1].error, FirstContentTimeoutError)


async def test_what_is_no_stream_may_take_its_time():
    async def app(scope, receive, send):
        await asyncio.sleep(0.15)
        await streaming([0.15, b"{}"], [(b"content-type", b"application/json")])(scope, receive, send)

    made, _ = config(timeouts=WAITS)
    assert (await Call(app, made).finish(b'{"messages":[],"stream": false}')).body == b"{}"
    assert (await Call(streaming([0.15, b"{}"], []), made).finish(b'{"stream": true}')).body == b"{}"


async def test_a_slow_reader_does_not_time_its_own_stream_out():
    made, moments = config(timeouts=WAITS)
    call = Call(streaming([part for piece in CHAT for part in (piece, 0.01)]), made)
    task = call.start()
    await until(lambda: len(call.sent) > 2)
    call.gate.clear()
    await asyncio.sleep(0.2)
    assert not call.ended
    call.gate.set()
    await task
    assert (call.body, moments[-1].outcome) == (b"".join(CHAT), "complete")


# ---------------------------------------------------------------- keep-alive


async def test_comments_fill_silence_between_events_and_nowhere_else():
    made, moments = config(keep_alive=0.05)
    head, tail = CHAT[1][:20], CHAT[1][20:]
    call = await Call(streaming([0.3, CHAT[0], 0.3, head, 0.2, tail, *CHAT[2:]]), made).finish()
    assert call.body.replace(COMMENT, b"") == b"".join(CHAT)
    assert CHAT[0] + COMMENT in call.body
    assert call.body.startswith(COMMENT)
    assert head + tail in call.body
    assert made.counters.comments >= 4
    assert len(SSEParser().feed(call.body)) == len(SSEParser().feed(b"".join(CHAT)))
    assert moments[-1].outcome == "complete"


@pytest.mark.parametrize(("gap", "silence"), [(0.03, 0.02), (0.01, 0.03)], ids=["a comment", "a piece"])
async def test_nothing_is_sent_while_the_server_still_takes_something_else(gap, silence):
    pieces = [part for piece in CHAT for part in (piece, gap)]
    call = Call(streaming(pieces), MiddlewareConfig(keep_alive=silence))
    task = call.start()
    for _ in range(4):
        await asyncio.sleep(0.02)
        call.gate.clear()
        await asyncio.sleep(0.08)
        call.gate.set()
    await task
    assert call.body.replace(COMMENT, b"") == b"".join(CHAT)


async def test_lines_of_json_get_no_comments():
    headers = [(b"content-type", b"application/x-ndjson")]
    call = await Call(streaming([b"{}\n", 0.1, b"{}\n"], headers), MiddlewareConfig(keep_alive=0.02)).finish()
    assert call.body == b"{}\n{}\n"


async def test_a_busy_stream_gets_no_comments():
    pieces = [part for piece in CHAT for part in (piece, 0.02)]
    call = await Call(streaming(pieces), MiddlewareConfig(keep_alive=0.2)).finish()
    assert call.body == b"".join(CHAT)


async def test_a_byte_order_mark_behind_a_comment_is_dropped():
    call = await Call(streaming([0.1, b"\xef\xbb\xbf" + CHAT[0]]), MiddlewareConfig(keep_alive=0.04)).finish()
    assert len(SSEParser().feed(call.body)) == len(SSEParser().feed(CHAT[0]))


async def test_a_comment_that_the_server_does_not_take_holds_the_stream_and_not_its_end():
    made, moments = config(keep_alive=0.03, timeouts=Timeouts(total=0.3))
    call = Call(streaming([CHAT[0], 0.1, CHAT[1]]), made)
    task = call.start()
    await until(lambda: CHAT[0] in call.body)
    call.gate.clear()
    await until(lambda: made.counters.comments == 1)
    await asyncio.sleep(0.4)
    call.gate.set()
    await asyncio.wait_for(task, 1)
    assert call.ended
    assert isinstance(moments[-1].error, TotalTimeoutError)
