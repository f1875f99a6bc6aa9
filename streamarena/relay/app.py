"""Relay: an ASGI application that stands between model clients and model servers.

Invariants: it holds nothing between requests but connections, places and counters, so that any number of its processes
may stand beside each other; once `drain` was called nothing new is begun; closing is synchronous and repeatable.
Cost: see `exchange.py`.
Not here: HTTP and TLS towards the caller (the ASGI server's), WebSockets, which are refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self

from streamarena.errors import RequestRefusedError
from streamarena.memory import MemoryManager, default_manager
from streamarena.relay.access import Access
from streamarena.relay.asgi import response_messages
from streamarena.relay.exchange import Exchange
from streamarena.relay.failures import error_body
from streamarena.relay.intake import API_PATHS, path_of
from streamarena.relay.operations import OWN_PATHS, Metrics, model_list
from streamarena.relay.places import Places
from streamarena.relay.routing import Router
from streamarena.relay.services import Services
from streamarena.relay.settings import RelaySettings, TargetSettings
from streamarena.relay.status.board import Board
from streamarena.relay.status.page import StatusPage
from streamarena.relay.upstream import Upstream

if TYPE_CHECKING:
    from streamarena.relay.asgi import Receive, Scope, Send
    from streamarena.relay.observing import ExchangeObserver

__all__ = ["Relay"]

_JSON: Final = "application/json"


class Relay:
    """The application.

    Args:
        settings: what it does; `Relay.to(base_url)` makes the simplest ones, `read_config` reads a file.
        observers: are told the moments of every request.
        environment: where keys and tokens are. Default: the process's, as it is now.
        metrics: answers `/metrics`; None says there that nothing counts.
        memory: whose arenas and pools are used. Default: the process's manager.

    Attributes:
        active: requests that are being served now. draining: whether the end was asked for.

    Raises:
        ConfigurationError: a key or token that is not there, an address that cannot be used.
    """

    def __init__(
        self,
        settings: RelaySettings,
        *,
        observers: Sequence[ExchangeObserver] = (),
        environment: Mapping[str, str] | None = None,
        metrics: Metrics | None = None,
        memory: MemoryManager | None = None,
    ) -> None:
        given = os.environ if environment is None else environment
        limits, timeouts = settings.limits, settings.timeouts
        self._upstreams = {
            name: Upstream(name, target, limits, timeouts, given) for name, target in settings.targets.items()
        }
        self._metrics = metrics
        used = memory or default_manager()
        watching = (*observers, metrics) if metrics is not None else tuple(observers)
        self._page: StatusPage | None = None
        if settings.page.enabled:
            board = Board(used, self._targets)
            watching = (*watching, board)
            self._page = StatusPage(board, settings.page, given, lambda: self.draining)
        self._services = Services(
            settings=settings,
            router=Router(settings, self._upstreams),
            places=Places(limits.requests, limits.waiting, limits.wait_seconds, "RelayLimits.requests"),
            access=Access(settings.access, given),
            observers=watching,
            memory=used,
            stream_timeouts=timeouts,
            whole_timeouts=replace(timeouts, first_content=settings.whole_reply_seconds),
        )
        self._numbers = 0
        self.active = 0
        self.draining = False

    @classmethod
    def to(cls, base_url: str, *, api: str | tuple[str, ...] = (), observers: Sequence[ExchangeObserver] = ()) -> Self:
        """Return a relay to one server that needs no key; for tests and first steps."""
        target = TargetSettings(base_url=base_url, api=api)
        return cls(RelaySettings(targets={"upstream": target}), observers=observers)

    def __repr__(self) -> str:
        return f"Relay({', '.join(map(repr, self._upstreams.values()))}, active={self.active})"

    @property
    def settings(self) -> RelaySettings:
        """What it was made of."""
        return self._services.settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the ASGI server."""
        kind = scope["type"]
        if kind == "lifespan":
            await self._lifespan(receive, send)
        elif kind == "http":
            await self._http(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1003})

    def drain(self) -> None:
        """Begin nothing new: `/healthz` says so, requests get status 503, and what runs goes on."""
        self.draining = True

    def holdings(self) -> list[str]:
        """Say which places are still taken and which connections in use; empty where no request is active."""
        held = [f"{self._services.places.taken} places of the relay"] if self._services.places.taken else []
        for upstream in self._upstreams.values():
            if upstream.places.taken:
                held.append(f"{upstream.places.taken} places of {upstream.name}")
            if upstream.client.connections_in_use:
                held.append(f"{upstream.client.connections_in_use} connections to {upstream.name}")
        return held

    def close(self) -> None:
        """Close every connection to the targets, also those in use; synchronous and repeatable."""
        self.draining = True
        for upstream in self._upstreams.values():
            upstream.client.close()

    # ------------------------------------------------------------ private

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = path_of(scope)
        if path in OWN_PATHS:
            await self._own(path, send)
            return
        if self._page is not None and self._page.serves(path):
            await self._page(scope, receive, send)
            return
        if self.draining:
            body = error_body(API_PATHS.get(path), 503, "the relay is being shut down")
            headers = [(b"retry-after", b"1"), (b"connection", b"close")]
            for message in response_messages(503, body, _JSON, headers):
                await send(message)
            return
        if self._services.router.models and path == "/v1/models" and scope["method"] == "GET":
            await self._list_models(scope, send)
            return
        self._numbers += 1
        self.active += 1
        try:
            await Exchange(self._services, self._numbers, scope, receive, send).run()
        finally:
            self.active -= 1

    async def _list_models(self, scope: Scope, send: Send) -> None:
        """Answer with the models that the routes name."""
        try:
            self._services.access.check(scope["headers"])
            status, body = 200, model_list(scope["headers"], self._services.router.models)
        except RequestRefusedError as error:
            status, body = error.status, error_body(None, error.status, error.problem)
        for message in response_messages(status, body, _JSON):
            await send(message)

    def _targets(self) -> Iterable[dict[str, Any]]:
        """What the page shows of the targets."""
        for upstream in self._upstreams.values():
            yield {
                "name": upstream.name,
                "server": upstream.server,
                "active": upstream.places.taken,
                "waiting": upstream.places.waiting,
                "connections": upstream.client.open_connections,
            }

    async def _own(self, path: str, send: Send) -> None:
        """Answer what is asked of the relay itself."""
        if path == "/healthz":
            status = 503 if self.draining else 200
            state = b"draining" if self.draining else b"ok"
            body, kind = b'{"status":"%b","active":%d}' % (state, self.active), _JSON
        elif self._metrics is None:
            status, body, kind = 501, error_body(None, 501, "metrics need the extra: streamarena[prometheus]"), _JSON
        else:
            status, (body, kind) = 200, self._metrics.render()
        for message in response_messages(status, body, kind, [(b"cache-control", b"no-store")]):
            await send(message)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                self.close()
                await send({"type": "lifespan.shutdown.complete"})
                return
