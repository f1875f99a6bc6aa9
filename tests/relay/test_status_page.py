"""The page at `/_streamarena`: off unless asked for, shown to whom it concerns, bounded, and right in a browser."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import orjson
import pytest
import uvicorn

from streamarena import StreamClient
from streamarena.errors import ConfigurationError, ProviderError
from streamarena.histogram import Histogram
from streamarena.memory import MemoryManager
from streamarena.relay import ExchangeFinished, PageSettings, Relay, RelaySettings, ResponseStarted, TargetSettings
from streamarena.relay.status.board import Board
from streamarena.relay.status.page import StatusPage
from streamarena.relay.summary import TapSummary
from streamarena.testing import FakeLLM
from streamarena_adapters.asgi import MiddlewareConfig, StreamArenaMiddleware
from tests.support.browser import browser
from tests.support.counting import nothing_left

ON = PageSettings(enabled=True)
GUARDED = PageSettings(enabled=True, token_variable="PAGE_TOKEN")
SECRET = {"PAGE_TOKEN": "open sesame"}


class Asked:
    """A request to an application, and what it answered."""

    def __init__(self, app, path="/_streamarena/events", *, headers=(), client="127.0.0.1", method="GET"):
        host = [] if any(name == "host" for name, _ in headers) else [("host", "localhost:8080")]
        fields = [(name.encode(), value.encode()) for name, value in [*host, *headers]]
        scope = {"type": "http", "method": method, "path": path, "headers": fields, "client": (client, 5)}
        self.messages = []
        self.leaving = asyncio.Event()
        self.task = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self):
        await self.leaving.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message):
        self.messages.append(message)

    async def status(self):
        while not self.messages and not self.task.done():
            await asyncio.sleep(0.001)
        return self.messages[0]["status"]

    async def leave(self):
        self.leaving.set()
        async with asyncio.timeout(2):
            await self.task


def page(settings=ON, **options):
    return StatusPage(Board(MemoryManager()), settings, SECRET, **options)


@pytest.mark.parametrize(
    ("settings", "headers", "client", "status"),
    [
        pytest.param(ON, [], "127.0.0.1", 200, id="this-machine"),
        pytest.param(ON, [], "::1", 200, id="this-machine-by-ipv6"),
        pytest.param(ON, [], "10.1.2.3", 403, id="another-machine"),
        pytest.param(ON, [], "", 403, id="nobody-knows-where"),
        pytest.param(ON, [("host", "evil.example")], "127.0.0.1", 403, id="a-name-that-points-here"),
        pytest.param(ON, [("host", "localhost.evil.example:80")], "127.0.0.1", 403, id="a-name-that-looks-local"),
        pytest.param(ON, [("host", "[::1]:8080")], "::1", 200, id="an-ipv6-address"),
        pytest.param(ON, [("x-forwarded-for", "10.1.2.3")], "127.0.0.1", 403, id="through-a-proxy"),
        pytest.param(ON, [("via", "1.1 p")], "127.0.0.1", 403, id="through-a-proxy-that-says-via"),
        pytest.param(GUARDED, [], "127.0.0.1", 401, id="no-token"),
        pytest.param(GUARDED, [("authorization", "Bearer wrong")], "127.0.0.1", 401, id="a-wrong-token"),
        pytest.param(GUARDED, [("authorization", "Basic open sesame")], "127.0.0.1", 401, id="another-scheme"),
        pytest.param(GUARDED, [("authorization", "Bearer open sesame")], "10.1.2.3", 200, id="the-token-from-afar"),
    ],
)
async def test_who_may_look(settings, headers, client, status):
    asked = Asked(page(settings), headers=headers, client=client)
    assert await asked.status() == status
    assert b"sesame" not in b"".join(message.get("body", b"") for message in asked.messages)
    await asked.leave()


@pytest.mark.parametrize(("method", "path"), [("POST", "/_streamarena"), ("HEAD", "/_streamarena/events")])
async def test_other_methods_are_refused(method, path):
    assert await Asked(page(), path, method=method).status() == 405


async def test_the_page_itself_holds_no_data_and_lets_nothing_else_run():
    asked = Asked(page(GUARDED), "/_streamarena", client="10.1.2.3")
    assert await asked.status() == 200
    headers = dict(asked.messages[0]["headers"])
    assert headers[b"content-security-policy"].startswith(b"default-src 'none'; connect-src 'self'")
    assert b"unsafe" not in headers[b"content-security-policy"]
    assert headers[b"cache-control"] == b"no-store"
    assert b"http" not in asked.messages[1]["body"].replace(b"http://www.w3.org/2000/svg", b"")


async def test_the_ninth_viewer_waits_its_turn():
    app = page()
    async with nothing_left():
        viewers = [Asked(app) for _ in range(8)]
        assert [await viewer.status() for viewer in viewers] == [200] * 8
        assert await Asked(app).status() == 503
        await viewers[0].leave()
        again = Asked(app)
        assert await again.status() == 200
        for viewer in (*viewers[1:], again):
            await viewer.leave()


async def test_events_end_with_the_process():
    over = False
    asked = Asked(page(ended=lambda: over))
    assert await asked.status() == 200
    over = True
    async with asyncio.timeout(3):
        await asked.task
    assert asked.messages[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


def test_a_token_that_is_not_there_is_told_at_once():
    with pytest.raises(ConfigurationError, match="PAGE_TOKEN"):
        StatusPage(Board(MemoryManager()), GUARDED, {})


def finished(number, **changes):
    gaps = Histogram([20_000_000] * 9 + [900_000_000])
    stream = TapSummary(
        api="anthropic", model="c", bytes=5000, pieces=40, events=50, first_event_seconds=0.1,
        first_content_seconds=0.25, seconds=1.0, gaps=gaps, usage=None, finish_reason="stop", complete=True, error=None,
        problems=0, first_problem=None, blind=False,
    )  # fmt: skip
    values = {
        "number": number, "method": "POST", "path": "/v1/messages", "outcome": "complete", "error": None,
        "status": 200, "api": "anthropic", "model": "c", "seconds": 1.0, "started_seconds": 0.1, "stream": stream,
        "target": "one",
    }  # fmt: skip
    return ExchangeFinished(**(values | changes))


def test_whatever_comes_the_board_stays_small():
    board = Board(MemoryManager())
    for number in range(20_000):
        board(ResponseStarted(number, "/p" * 5000, 200, streaming=True, seconds=0.1, model="m" * 5000))
    for number in range(3000):
        error = TimeoutError("x" * 5000)
        board(finished(number, outcome="failed", error=error, model=f"model {number}"))
    seen = board.snapshot()
    assert seen["streams"]["open"] <= 10_000
    assert len(seen["streams"]["oldest"]) == 200
    assert len(seen["errors"]) == 50
    assert len(seen["models"]) == 50
    assert len(orjson.dumps(seen)) < 200_000


def test_what_is_older_than_two_windows_is_forgotten():
    now = 0.0
    board = Board(MemoryManager(), clock=lambda: now)
    board(finished(1))
    assert board.snapshot()["first_content"]["count"] == 1
    assert board.snapshot()["gaps"]["p50_ms"] == pytest.approx(20, rel=0.01)
    assert board.snapshot()["rates"]["by_second"][-1] == 1
    now = 301.0
    assert board.snapshot()["first_content"]["count"] == 1
    assert sum(board.snapshot()["rates"]["by_second"]) == 0
    now = 700.0
    assert board.snapshot()["first_content"]["count"] == 0


def test_the_health_of_a_target_is_that_of_its_latest_answers():
    board = Board(MemoryManager(), lambda: [{"name": "one"}, {"name": "two"}])
    for number in range(3):
        board(finished(number))
    board(finished(4, outcome="failed", error=ProviderError("quoted: my secret prompt", status=500, code="overloaded")))
    one, two = board.snapshot()["targets"]
    assert (one["well"], one["latest"], one["trouble"]) == (3, 4, "ProviderError")
    assert (two["well"], two["latest"], two["trouble"]) == (0, 0, None)
    assert "secret prompt" not in str(board.snapshot())
    assert board.snapshot()["errors"][0]["message"] == "overloaded"


@contextlib.asynccontextmanager
async def served(app):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
        task = asyncio.create_task(server.serve([listening]))
        while not server.started:
            await asyncio.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


async def test_without_the_setting_there_is_no_page():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    assert await Asked(StreamArenaMiddleware(app), "/_streamarena").status() == 404
    shown = StreamArenaMiddleware(app, MiddlewareConfig(page=ON))
    assert await Asked(shown, "/_streamarena").status() == 200
    assert await Asked(shown, "/other").status() == 404


async def test_a_browser_shows_what_passes_and_makes_no_markup_of_it():
    async with FakeLLM(tokens=50, ttft=0.02, inter_token_latency=0.02) as llm:
        settings = RelaySettings(targets={"main": TargetSettings(base_url=f"{llm.url}/v1")}, page=GUARDED)
        async with served(Relay(settings, environment=SECRET)) as url, StreamClient(f"{url}/v1") as client:
            over = False

            async def ask(model):
                while not over:
                    async with client.stream(model=model, messages=[]) as stream:
                        await stream.for_each(lambda _: None)

            def look():
                with browser() as seen:
                    seen.open(f"{url}/_streamarena")
                    seen.wait_for("!document.getElementById('ask').hidden")
                    seen.value("document.getElementById('token').value = 'open sesame'")
                    seen.value("document.forms[0].requestSubmit()")
                    seen.wait_for("document.querySelectorAll('#streams tr').length > 1")
                    assert "<img src=x>" in seen.value("document.getElementById('streams').textContent")
                    seen.wait_for("document.querySelectorAll('#models tr').length > 1")
                    assert seen.value("document.querySelectorAll('img, b').length") == 0
                    assert "main" in seen.value("document.getElementById('targets').textContent")
                    heights = "[...document.querySelectorAll('#first rect')].map((bar) => bar.height.baseVal.value)"
                    assert max(seen.value(heights)) > 1
                    assert len(seen.picture()) > 20_000
                    assert [problem for problem in seen.problems if "401" not in problem] == []

            asked = [asyncio.create_task(ask("<img src=x>")) for _ in range(3)]
            try:
                await asyncio.to_thread(look)
            finally:
                over = True
                await asyncio.gather(*asked)
