"""The ASGI middleware: put it around an application that streams from a model, of any framework.

    app = StreamArenaMiddleware(app, MiddlewareConfig(keep_alive=15, stages=[redact(r"sk-[A-Za-z0-9_-]{16,}")]))

It opens a request scope for each request, watches streams while they pass, limits them in time and size, keeps
connections alive, trims what goes in, edits what comes out, and ends the application's work when its client has left.
Pure ASGI: no framework is needed or imported. WebSocket and lifespan pass through untouched.
The working parts are in `streamarena.relay`; `docs/middleware.md` has every setting.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from streamarena.errors import ConfigurationError
from streamarena.relay.disconnect import DisconnectPolicy
from streamarena.relay.limits import StreamLimits
from streamarena.relay.middleware.config import ContextRules, ExchangeCounters, MiddlewareConfig
from streamarena.relay.middleware.exchange import serve
from streamarena.relay.observing import ExchangeFinished, ExchangeObserver, FirstContentSent, ResponseStarted
from streamarena.relay.status.board import Board
from streamarena.relay.status.page import PageSettings, StatusPage
from streamarena.relay.texts.stages import redact, stop_on

if TYPE_CHECKING:
    from streamarena.relay.asgi import ASGIApp, Receive, Scope, Send

__all__ = [
    "StreamArenaMiddleware",
    "MiddlewareConfig",
    "ContextRules",
    "PageSettings",
    "DisconnectPolicy",
    "StreamLimits",
    "ExchangeCounters",
    "redact",
    "stop_on",
    "ExchangeObserver",
    "ResponseStarted",
    "FirstContentSent",
    "ExchangeFinished",
]


class StreamArenaMiddleware:
    """Wraps an ASGI application.

    Args:
        app: the application. Starlette and FastAPI take the class:
            `app.add_middleware(StreamArenaMiddleware, config=...)`.
        config: what to do; everything at its default otherwise. One object may serve several middlewares.

    Raises:
        ConfigurationError: `config` is something else, or the variable of the page's token is not set.
    """

    def __init__(self, app: ASGIApp, config: MiddlewareConfig | None = None) -> None:
        if config is not None and not isinstance(config, MiddlewareConfig):
            raise ConfigurationError(f"StreamArenaMiddleware(config=...) is a MiddlewareConfig, not {config!r:.80}")
        self.app = app
        self.config = config if config is not None else MiddlewareConfig()
        self._page: StatusPage | None = None
        if self.config.page.enabled:
            board = Board(self.config.memory)
            self.config = replace(self.config, observers=(*self.config.observers, board))
            self._page = StatusPage(board, self.config.page, os.environ)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection.

        Raises:
            Exception: the application's own, unchanged; and what ended a response where its client could not be told,
                so that the server cuts the connection.
        """
        if scope["type"] == "http" and self._page is not None and self._page.serves(scope["path"]):
            await self._page(scope, receive, send)
        elif scope["type"] != "http" or not self.config.applies(scope["path"]):
            await self.app(scope, receive, send)
        else:
            await serve(self.app, self.config, scope, receive, send)
