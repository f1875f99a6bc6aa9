"""Whom a request is sent to, how many at once, and what the access log says of it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime

import pytest

from streamarena.client import Timeouts
from streamarena.errors import IdleTimeoutError, RelayBusyError, RequestRefusedError
from streamarena.relay import AccessLog, ChoiceSettings, RelaySettings, RouteSettings, TargetSettings
from streamarena.relay.intake import RelayRequest
from streamarena.relay.observing import ExchangeFinished, ResponseStarted
from streamarena.relay.places import Places
from streamarena.relay.routing import Router
from streamarena.relay.upstream import Upstream


def router(routes, draw=lambda: 0.0, **weights):
    targets = {name: TargetSettings(base_url=f"http://{name}/v1", weight=weight) for name, weight in weights.items()}
    settings = RelaySettings(targets=targets, routes=routes)
    upstreams = {
        name: Upstream(name, target, settings.limits, Timeouts(), {}) for name, target in settings.targets.items()
    }
    return Router(settings, upstreams, draw)


def ask(model, api="openai-chat"):
    return RelayRequest("POST", b"/v1/chat/completions", b"", [], b"{}", api, model)


def names(plan):
    return [(choice.upstream.name, choice.model) for choice in plan.choices]


async def test_the_first_route_that_matches_serves_and_its_fallbacks_follow():
    routes = (
        RouteSettings(models=("gpt-5*", "o?"), targets=(ChoiceSettings(target="a", model="x"),), fallbacks=("b", "a")),
        RouteSettings(models="*", targets="b"),
    )
    found = router(routes, a=1, b=1)
    assert names(found.plan(ask("gpt-5-mini"))) == [("a", "x"), ("b", None), ("a", None)]
    assert names(found.plan(ask("o3"))) == [("a", "x"), ("b", None), ("a", None)]
    assert names(found.plan(ask("o33"))) == [("b", None)]
    assert names(found.plan(ask("GPT-5"))) == [("b", None)]
    assert names(found.plan(ask(None, None))) == [("a", None)]  # nothing that a route could go by
    assert found.models == ()


async def test_characters_of_patterns_mean_themselves():
    found = router((RouteSettings(models="a.b+[c]*", targets="a"),), a=1)
    assert names(found.plan(ask("a.b+[c]d"))) == [("a", None)]
    with pytest.raises(RequestRefusedError, match="no route leads to the model 'axb"):
        found.plan(ask("axb+[c]d"))


async def test_targets_are_drawn_by_weight():
    draws = iter(number / 100 for number in range(100))
    found = router((), lambda: next(draws), a=1, b=3)
    counts = Counter(names(found.plan(ask("m")))[0][0] for _ in range(100))
    assert counts == {"a": 25, "b": 75}


# ---------------------------------------------------------------- places


async def test_places_are_given_in_the_order_of_asking():
    places = Places(1, 3, 5.0, "here")
    await places.take()
    order = []

    async def wait(name):
        await places.take()
        order.append(name)

    tasks = [asyncio.create_task(wait(name)) for name in "abc"]
    await asyncio.sleep(0)
    assert places.waiting == 3
    with pytest.raises(RelayBusyError, match=r"1 requests are being served.*here") as caught:
        await places.take()
    assert caught.value.retry_after == 2.5
    tasks[1].cancel()
    await asyncio.sleep(0)
    for _ in range(2):
        places.give_back()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert order == ["a", "c"]
    places.give_back()
    assert (places.taken, places.waiting) == (0, 0)


async def test_a_place_that_is_given_to_somebody_who_is_cancelled_in_that_moment_is_not_lost():
    places = Places(1, 3, 5.0, "here")
    await places.take()
    waiting = asyncio.create_task(places.take())
    await asyncio.sleep(0)
    places.give_back()
    waiting.cancel()
    await asyncio.wait([waiting])
    assert places.taken == 0
    await asyncio.wait_for(places.take(), 1)


async def test_a_wait_that_is_too_long_leaves_no_trace():
    places = Places(1, 3, 0.01, "here")
    await places.take()
    with pytest.raises(RelayBusyError):
        await places.take()
    assert (places.taken, places.waiting) == (1, 0)
    places.give_back()
    assert places.taken == 0


async def test_without_a_limit_everybody_gets_a_place():
    places = Places(None, 0, 0.0, "here")
    for _ in range(1000):
        await places.take()
    assert places.taken == 1000


# ---------------------------------------------------------------- access log


def finished(**more):
    told = {"number": 1, "method": "POST", "path": "/v1/messages", "outcome": "complete", "error": None, "status": 200}
    rest = {"api": "anthropic", "model": "m", "seconds": 1.5, "started_seconds": 0.1, "stream": None}
    return ExchangeFinished(**{**told, **rest, **more})


def test_one_line_a_request_and_nothing_of_its_content():
    lines = []
    log = AccessLog(lines.append, lambda: datetime(2026, 11, 28, tzinfo=UTC))
    log(ResponseStarted(1, "/v1/messages", 200, True, 0.1))
    log(finished(error=IdleTimeoutError(3), outcome="failed", target="a", attempts=2, model="x" * 500, path="/\n{"))
    [line] = lines
    assert line.count(b"\n") == 1
    read = json.loads(line)
    assert read["time"] == "2026-11-28T00:00:00.000+00:00"
    assert (read["error"], read["target"], read["attempts"], len(read["model"])) == ("IdleTimeoutError", "a", 2, 128)
    assert read["path"] == "/\n{"


def test_a_log_that_cannot_be_written_is_given_up_once(caplog):
    written = []

    def broken(line):
        written.append(line)
        raise BrokenPipeError(32, "Broken pipe")

    log = AccessLog(broken)
    log(finished())
    log(finished())
    assert len(written) == 1
    assert "cannot be written any more" in caplog.text
