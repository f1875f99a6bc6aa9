"""A relay behind uvicorn: one process or several on one listening socket, and an end that lets streams finish.

Invariants: the socket is bound before anything is announced, and by the parent where there are several workers; the
first SIGTERM or SIGINT begins nothing new and waits for what runs, up to the relay's `shutdown_seconds`, while the
address still answers with 503; the second one does not wait. A worker that dies is replaced, at most once a second.
What uvicorn leaves open is limited here: the bytes and the time of a request's header, and absolute-form targets, whose
host uvicorn drops, are refused like any other odd path.
Not here: TLS towards callers, which belongs to the proxy in front.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from streamarena.relay import AccessLog, Relay, RelaySettings, find_metrics
from streamarena.relay.caller import DIRECT

if TYPE_CHECKING:
    import asyncio

__all__ = ["RelayProtocol", "RelayServer", "serve"]

_HEADER_BYTES: Final = 64 * 2**10
_HEADER_SECONDS: Final = 30.0
_KEEP_ALIVE_SECONDS: Final = 75
_RESPAWN_SECONDS: Final = 1.0


def serve(
    settings: RelaySettings,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    workers: int = 1,
    access_log: bool = True,
    announce: Callable[[str], object] | None = None,
) -> None:
    """Serve a relay until a signal ends it; call it from the main thread.

    Args:
        settings: the relay's.
        host: where to listen.
        port: where to listen; 0 takes a free one.
        workers: processes.
        access_log: whether a JSON line for each request goes to standard output.
        announce: is told the address once it is bound.

    Raises:
        OSError: the address cannot be listened on.
        ConfigurationError: a key or token is not in the environment.
    """
    Relay(settings)  # a key that is missing is told here, and not by workers that will not start
    with _listen(host, port) as listening:
        if announce is not None:
            shown = f"[{host}]" if ":" in host else host
            announce(f"http://{shown}:{listening.getsockname()[1]}")
        if workers == 1:
            _work(settings, listening, access_log)
        else:
            _Workers(settings, listening, access_log, workers).run()


class RelayServer(uvicorn.Server):
    """A server whose end waits for the relay's streams.

    Args:
        config: uvicorn's. relay: its application.
    """

    def __init__(self, config: uvicorn.Config, relay: Relay) -> None:
        super().__init__(config)
        self._relay = relay
        self._deadline = 0.0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the end; at the second signal, end."""
        if self._relay.draining:
            super().handle_exit(sig, frame)
            return
        self._deadline = time.monotonic() + self._relay.settings.shutdown_seconds
        self._relay.drain()

    async def on_tick(self, counter: int) -> bool:
        """Look, ten times a second, whether it is over."""
        if self._relay.draining and (not self._relay.active or time.monotonic() >= self._deadline):
            self.should_exit = True
        return await super().on_tick(counter)


class RelayProtocol(HttpToolsProtocol):
    """Uvicorn's HTTP with limits on a request's header."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - passed on to uvicorn as they are
        super().__init__(*args, **options)
        self._head_bytes = 0
        self._in_head = True
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Give the first header its time."""
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(_HEADER_SECONDS, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what a header takes."""
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_timer is None:
                self._head_timer = self.loop.call_later(_HEADER_SECONDS, self.transport.abort)
        super().data_received(data)
        if self._in_head and self._head_bytes > _HEADER_BYTES and not self.transport.is_closing():
            self.send_400_response("The header is too large.")

    def on_headers_complete(self) -> None:
        """Let the application see an absolute-form target, whose host uvicorn drops."""
        self._in_head = False
        self._stop_timer()
        super().on_headers_complete()
        self.scope["extensions"] = cast("Any", {DIRECT: _Direct(self.cycle)})  # a key of our own
        if not self.url.startswith(b"/"):
            self.scope["raw_path"] = self.url

    def on_message_complete(self) -> None:
        """Begin to count the next header."""
        super().on_message_complete()
        self._in_head = True
        self._head_bytes = 0

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class _Direct:
    """Writes pieces of a chunked body as uvicorn's `send` does, without its coroutine."""

    __slots__ = ("_cycle",)

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle

    def serves(self, send: object) -> bool:
        """Tell whether this is the same `send`."""
        return send == self._cycle.send

    def write(self, data: bytes) -> bool:
        """Write a piece; False where the reader should be waited for."""
        cycle = self._cycle
        if cycle.disconnected or cycle.response_complete:
            return True
        if cycle.chunked_encoding:
            cycle.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        else:
            cycle.expected_content_length -= len(data)  # `send` looks at the end whether all of it came
            cycle.transport.write(data)
        return not cycle.flow.write_paused


class _Workers:
    """Processes that serve one socket."""

    def __init__(self, settings: RelaySettings, listening: socket.socket, access_log: bool, count: int) -> None:
        self._spawning = multiprocessing.get_context("spawn")
        self._arguments = (settings, listening, access_log)
        self._processes = [self._start() for _ in range(count)]
        self._ending = False

    def run(self) -> None:
        """Keep them running until a signal ends them."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._end)
        while not self._ending:
            time.sleep(_RESPAWN_SECONDS)
            for place, process in enumerate(self._processes):
                if not process.is_alive() and not self._ending:
                    process.join()
                    self._processes[place] = self._start()
        for process in self._processes:
            process.join()

    def _start(self) -> BaseProcess:
        process = self._spawning.Process(target=_work, args=self._arguments)
        process.start()
        return process

    def _end(self, number: int, frame: FrameType | None) -> None:
        """Pass a signal on; the second one too."""
        del number, frame
        self._ending = True
        for process in self._processes:
            if process.pid is not None and process.is_alive():
                os.kill(process.pid, signal.SIGTERM)


def _work(settings: RelaySettings, listening: socket.socket, access_log: bool) -> None:
    """Serve in this process."""
    observers = [AccessLog(lambda line: os.write(1, line))] if access_log else []
    relay = Relay(settings, observers=observers, metrics=find_metrics())
    config = uvicorn.Config(
        relay,
        http=RelayProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=1,
    )
    config.load()
    gc.collect()
    gc.freeze()  # what was made at the start stays; the collector need not look at it again
    RelayServer(config, relay).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)
