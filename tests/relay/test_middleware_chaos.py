"""Two thousand requests in which anything may go wrong at any moment: each has one explained end, nothing is left."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

from streamarena.client import Timeouts
from streamarena.errors import StreamTimeoutError, StreamTruncatedError
from streamarena.memory import MemoryManager
from streamarena.sse import SSEParser
from streamarena_adapters.asgi import DisconnectPolicy, ExchangeFinished, MiddlewareConfig, redact, stop_on
from tests.relay.by_hand import SSE, Call
from tests.relay.streams import stream_of

REQUESTS = 2000
AT_ONCE = 100
CHAT = stream_of("openai-chat", ("Hello", " s", "k-ab", "cd", " EN", "D", " you"))


class EndpointError(Exception):
    """What an endpoint of ours raises."""


def endpoint(fate, at):
    """An endpoint that meets its fate at some piece."""

    async def app(scope, receive, send):
        if fate != "deaf":
            await receive()
        if at == 0 and fate in ("raise", "hang"):
            await meet()
        await send({"type": "http.response.start", "status": 200, "headers": SSE})
        for number, piece in enumerate(CHAT):
            await asyncio.sleep(0.001)
            if number == at and fate in ("raise", "hang", "end early"):
                if fate == "end early":
                    break
                await meet()
            if number == at and fate == "cut":
                await send({"type": "http.response.body", "body": piece[:7], "more_body": True})
                raise EndpointError
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def meet():
        if fate == "raise":
            raise EndpointError
        await asyncio.sleep(0.2)  # longer than any limit, where there is one

    return app


def configurations(manager, told):
    """The middleware in several shapes."""
    common = {"manager": manager, "observers": [told], "timeouts": Timeouts(first_content=0.05, idle=0.05)}
    return [
        MiddlewareConfig(**common),
        MiddlewareConfig(**common, keep_alive=0.004),
        MiddlewareConfig(**common, disconnect=DisconnectPolicy("drain", seconds=0.03)),
        MiddlewareConfig(**common, stages=[redact(r"sk-[a-z]{3,}")]),
        MiddlewareConfig(**common, stages=[stop_on("END")], keep_alive=0.004),
    ]


def check(call, error, end, fate, disturbance):
    """One request's end, as its three parties saw it, has one explanation."""
    events = SSEParser().feed(call.body)
    if end.outcome == "complete":
        assert call.ended
        assert end.stream.finish_reason == "stop"
    elif end.outcome == "left":
        assert disturbance == "leave"
    else:
        assert end.error is not None
        known = (StreamTimeoutError, StreamTruncatedError, EndpointError, asyncio.CancelledError)
        assert isinstance(end.error, known)
        told = call.status == 504 or (events and b'"error"' in events[-1].raw_data)
        if isinstance(end.error, StreamTimeoutError):
            assert told or not call.ended
        if isinstance(end.error, asyncio.CancelledError):
            assert disturbance == "cancel"
        if isinstance(end.error, StreamTruncatedError):
            assert fate == "end early"
    if isinstance(error, EndpointError):
        assert fate in ("raise", "cut")


async def test_every_request_has_one_explained_end_and_nothing_is_left():
    manager, source, ends = MemoryManager(), random.Random(7), {}
    shapes = configurations(manager, lambda moment: isinstance(moment, ExchangeFinished) and told(moment))
    turns = asyncio.Semaphore(AT_ONCE)
    outcomes, twice = Counter(), []

    def told(moment):
        number = int(moment.path.split("/")[1])
        twice.extend([number] if number in ends else [])
        ends[number] = moment

    async def one(number):
        fate = source.choice(["well", "well", "raise", "cut", "hang", "end early", "deaf"])
        disturbance = source.choice([None, None, "leave", "cancel", "twice"])
        at, after = source.randrange(len(CHAT)), source.random() * 0.012
        async with turns:
            call = Call(endpoint(fate, at), source.choice(shapes), path=f"/{number}/chat/completions")
            task = call.start(source.choice([b"{}", b'{"stream":true}']))
            if disturbance:
                await asyncio.sleep(after)
                if disturbance == "leave":
                    call.leave()
                else:
                    task.cancel()
                if disturbance == "twice":
                    await asyncio.sleep(0)
                    task.cancel()
            (error,) = await asyncio.gather(task, return_exceptions=True)
        kind = "cancel" if disturbance == "twice" else disturbance
        if number not in ends:  # cancelled before its first step
            assert kind == "cancel"
            return
        outcomes[ends[number].outcome] += 1
        check(call, error, ends[number], fate, kind)

    before = asyncio.all_tasks()
    await asyncio.gather(*(one(number) for number in range(REQUESTS)))
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() == before
    stats = manager.stats()
    assert (stats.outstanding, stats.arenas.open) == (0, 0)
    assert (len(outcomes), twice) == (3, [])
    assert sum(shape.counters.requests for shape in shapes) == len(ends)
