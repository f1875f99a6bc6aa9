"""A server of this room on a loop of its own in a thread, so that tests of any kind, or none asynchronous, can use it.

Invariants: `start` returns when the server listens or raises what kept it from listening; `close` returns when the
thread has ended. The server's objects may be read from other threads; what changes them goes through `call`.
Cost: a thread and a loop. Work in the thread competes with the caller for the interpreter: to measure time, give the
server a process of its own (`FakeLLM.spawn`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Generic, Self, TypeVar

from streamarena.testing.server import LoopbackServer

__all__ = ["ServerThread"]

_ServerT = TypeVar("_ServerT", bound=LoopbackServer)
_T = TypeVar("_T")


class ServerThread(Generic[_ServerT]):
    """Runs `server`; use it as `with`.

    Args:
        server: not started yet.

    Attributes:
        server: the same; its `url` is known once the thread has started.
    """

    def __init__(self, server: _ServerT) -> None:
        self.server = server
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._failure: BaseException | None = None

    def start(self) -> None:
        """Start the thread; raises what the server's start raises."""
        self._thread = threading.Thread(target=self._run, name=f"{type(self.server).__name__} loop", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self.close()

    def close(self) -> None:
        """End the server and the thread; raises what the server's end raises."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._loop is not None and self._stop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
        thread.join()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def call(self, function: Callable[[], _T]) -> _T:
        """Run `function` on the server's loop and return its result."""
        assert self._loop is not None, "the thread is not running"

        async def run() -> _T:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _run(self) -> None:
        try:
            with asyncio.Runner() as runner:
                runner.run(self._serve())
        except BaseException as failure:  # noqa: BLE001 - it is raised again in the thread that started this one
            self._failure = failure
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with self.server:
            self._ready.set()
            await self._stop.wait()
