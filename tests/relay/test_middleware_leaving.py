"""Clients that leave, servers that cancel, slow readers: the middleware ends what it must and leaves nothing behind."""

from __future__ import annotations

import asyncio

import pytest

from streamarena.errors import (
    BodyTooLargeError,
)
from streamarena.memory import MemoryManager
from streamarena_adapters.asgi import (
    DisconnectPolicy,
    MiddlewareConfig,
    StreamLimits,
)
from tests.relay.by_hand import SSE, Call, streaming, until
from tests.relay.streams import stream_of

CHAT = stream_of("openai-chat")


def config(**options):
    moments = []
    made = MiddlewareConfig(observers=[moments.append], **options)
    return made, moments


# ---------------------------------------------------------------- leaving


def endless(left, *, shield=0.0):
    async def app(scope, receive, send):
        try:
            await receive()
            await send({"type": "http.response.start", "status": 200, "headers": SSE})
            for number in range(1000):
                await send({"type": "http.response.body", "body": CHAT[min(number, 1)], "more_body": True})
                await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            left.append("cancelled")
            await asyncio.sleep(shield)
            raise

    return app


async def test_an_answer_whose_client_left_is_cancelled_at_once():
    left = []
    made, moments = config()
    call = Call(endless(left), made)
    task = call.start()
    await until(lambda: len(call.sent) > 3)
    call.leave()
    await asyncio.wait_for(task, 0.5)
    assert left == ["cancelled"]
    assert moments[-1].outcome == "left"
    assert moments[-1].stream.events >= 3
    assert made.counters.left == 1


async def test_a_client_that_left_before_the_header_cancels_too():
    left = []

    async def app(scope, receive, send):
        await receive()
        try:
            await asyncio.sleep(5)
        finally:
            left.append(1)

    call = Call(app)
    task = call.start(b'{"stream":true}')
    await asyncio.sleep(0.02)
    call.leave()
    await asyncio.wait_for(task, 0.5)
    assert (left, call.sent) == ([1], [])


async def test_a_request_that_asks_for_no_stream_is_left_to_its_application():
    done = []

    async def app(scope, receive, send):
        await receive()
        await asyncio.sleep(0.1)
        done.append((await receive())["type"])

    call = Call(app)
    task = call.start(b'{"write":"to the database"}')
    call.leave()
    await task
    assert done == ["http.disconnect"]


async def test_draining_reads_the_answer_to_its_end_unheard():
    made, moments = config(disconnect=DisconnectPolicy("drain"))
    call = Call(streaming([part for piece in CHAT for part in (piece, 0.01)]), made)
    task = call.start()
    await until(lambda: len(call.sent) > 2)
    call.leave()
    await asyncio.wait_for(task, 2)
    end = moments[-1]
    assert (end.outcome, end.drained, end.stream.usage.output_tokens) == ("left", True, 5)
    assert made.counters.drained == 1
    assert not call.ended
    assert len(call.body) < len(b"".join(CHAT))


@pytest.mark.parametrize(
    "policy",
    [DisconnectPolicy("drain", seconds=0.05), DisconnectPolicy("drain", bytes=2000)],
    ids=["seconds", "bytes"],
)
async def test_draining_has_bounds(policy):
    left = []
    made, moments = config(disconnect=policy)
    call = Call(endless(left), made)
    task = call.start()
    await until(lambda: len(call.sent) > 3)
    call.leave()
    await asyncio.wait_for(task, 1)
    assert left == ["cancelled"]
    assert (moments[-1].outcome, moments[-1].drained) == ("left", False)


async def test_while_draining_the_application_is_not_told():
    told = []

    async def app(scope, receive, send):
        async def listen():
            told.append((await receive())["type"])

        await receive()
        listener = asyncio.create_task(listen())
        await streaming([part for piece in CHAT for part in (piece, 0.01)])(scope, lambda: asyncio.sleep(0), send)
        told.append("done")
        listener.cancel()

    call = Call(app, MiddlewareConfig(disconnect=DisconnectPolicy("drain")))
    task = call.start()
    await until(lambda: len(call.sent) > 2)
    call.leave()
    await asyncio.wait_for(task, 2)
    assert told == ["done"]


async def test_a_request_that_never_came_whole_is_cancelled_though_answers_are_drained():
    async def app(scope, receive, send):
        while (await receive())["type"] != "http.disconnect":
            pass
        await asyncio.sleep(5)

    made, moments = config(paths=["*"], disconnect=DisconnectPolicy("drain"))
    call = Call(app, made)
    task = call.start([b"{"], whole=False)
    await asyncio.sleep(0.02)
    call.leave()
    await asyncio.wait_for(task, 0.5)
    assert moments[-1].outcome == "left"


async def test_leaving_after_the_last_word_is_no_leaving():
    made, moments = config()

    async def app(scope, receive, send):
        await streaming(CHAT)(scope, receive, send)
        await asyncio.sleep(0.05)  # a background task of the framework

    call = Call(app, made)
    task = call.start()
    await until(lambda: call.ended)
    assert moments[-1].outcome == "complete"
    call.leave()
    await task
    assert made.counters.left == 0


async def test_a_server_that_refuses_to_send_has_lost_its_client():
    made, moments = config()
    call = Call(endless([]), made)

    async def refuse(message):
        raise OSError("broken pipe")

    call._send = refuse
    await asyncio.wait_for(asyncio.wait({call.start(b'{"stream":true}')}), 1)
    assert moments[-1].outcome == "left"


# ---------------------------------------------------------------- cancellation, pressure, leaks


async def test_the_servers_cancellation_ends_the_application_also_the_second_time():
    left = []
    made, moments = config()
    call = Call(endless(left, shield=0.05), made)
    task = call.start()
    await until(lambda: len(call.sent) > 3)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left == ["cancelled"]
    assert isinstance(moments[-1].error, asyncio.CancelledError)


async def test_an_application_that_goes_on_sending_is_told_that_it_is_over():
    errors = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": SSE})
        for _ in range(3):
            try:
                await send({"type": "http.response.body", "body": b"x" * 100, "more_body": True})
            except OSError as error:
                errors.append(str(error))

    with pytest.raises(BodyTooLargeError):
        await Call(app, MiddlewareConfig(limits=StreamLimits(stream_bytes=150))).finish()
    assert len(errors) == 2
    assert "response is over" in errors[0]


async def test_nothing_is_queued_for_a_slow_reader():
    made = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": SSE})
        for piece in CHAT * 100:
            made.append(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})

    call = Call(app)
    task = call.start()
    await until(lambda: len(call.sent) > 3)
    call.gate.clear()
    await asyncio.sleep(0.05)
    taken = len(made)
    await asyncio.sleep(0.05)
    assert len(made) == taken
    assert taken <= len(call.sent) + 1
    call.gate.set()
    await task


async def test_two_hundred_cancelled_streams_leave_nothing():
    manager = MemoryManager()
    made = MiddlewareConfig(manager=manager, keep_alive=0.01)
    before = asyncio.all_tasks()
    calls = [Call(endless([]), made) for _ in range(200)]
    tasks = [call.start() for call in calls]
    await until(lambda: all(len(call.sent) > 2 for call in calls), 10)
    for call in calls[::2]:
        call.leave()
    for task in tasks[1::2]:
        task.cancel()
    await asyncio.wait(tasks)
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() == before
    stats = manager.stats()
    assert (stats.outstanding, stats.arenas.open) == (0, 0)
