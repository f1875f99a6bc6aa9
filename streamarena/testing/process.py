"""FakeLLM in a process of its own, so that its work never disturbs the clock of the client under test.

Invariants: the child ends when the parent closes its end of the child's standard input, which also happens when the
parent is killed; leaving the context waits until the child is gone; options travel as JSON on the command line and
hold no secret but a test's `api_key`, so the child gets them through its standard input.
Cost: the start of an interpreter, 0.2-0.4 s. Not here: the server itself (`fake_llm.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Self, cast

import orjson

from streamarena.errors import ConfigurationError
from streamarena.testing.certificates import LocalCertificates

if TYPE_CHECKING:
    from streamarena.testing.settings import FakeLLMOptions

__all__ = ["FakeLLMProcess"]

_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 5.0


class FakeLLMProcess:
    """A FakeLLM in its own process; use it as `with` or `async with`.

    Args:
        tls: serve TLS with a certificate of its own; needs the extra `testing`.
        options: see `FakeLLMOptions`.

    Attributes:
        url: base URL, known once it has been started. pid: the child's process id.
    """

    def __init__(self, options: FakeLLMOptions, *, tls: bool = False) -> None:
        self._options = options
        self._certificates = LocalCertificates() if tls else None
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    @property
    def pid(self) -> int:
        """The child's process id; 0 when it is not running."""
        return self._process.pid if self._process else 0

    def client_context(self) -> ssl.SSLContext | None:
        """Return a context that trusts this server's certificate; None where it serves without TLS."""
        return self._certificates.client_context() if self._certificates else None

    def start(self) -> None:
        """Start the child and wait for its URL.

        Raises:
            ConfigurationError: it did not come up; the message holds what it said.
        """
        with tempfile.TemporaryDirectory(prefix="fake-llm-") as folder:
            certificate = self._certificates.write(Path(folder))[0] if self._certificates else None
            self._process = subprocess.Popen(
                [sys.executable, "-m", "streamarena.testing.serving"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            stdin, stdout = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
            try:
                message = {"options": self._options, "certificate": str(certificate) if certificate else None}
                stdin.write(orjson.dumps(message, default=str) + b"\n")
                stdin.flush()
                self.url = stdout.readline().decode().strip()
            except BaseException:
                self.close()
                raise
        if not self.url:
            code = self._process.poll()
            self.close()
            raise ConfigurationError(f"the FakeLLM process ended while it started (exit code {code})")

    def close(self) -> None:
        """End the child and wait for it: first by closing its input, then by a signal, then by force."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        steps: tuple[Callable[[], None], ...] = (lambda: None, process.terminate, process.kill)
        for step in steps:
            step()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_SECONDS)
                return

    def statistics(self, records: int = 0) -> dict[str, Any]:
        """Fetch the server's counters and its last `records` requests; blocks for a moment."""
        request = urllib.request.Request(f"{self.url}/_fake/stats?records={records}")  # noqa: S310 - our own server
        with urllib.request.urlopen(request, timeout=10, context=self.client_context()) as answer:  # noqa: S310 - as above
            return cast("dict[str, Any]", orjson.loads(answer.read()))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        starting = asyncio.ensure_future(asyncio.to_thread(self.start))
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            # The thread cannot be stopped; whatever it started is ended when it is done.
            starting.add_done_callback(lambda done: done.cancelled() or self.close())
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        # The thread runs to its end however often this task is cancelled, so the child is never left behind.
        await asyncio.shield(asyncio.ensure_future(asyncio.to_thread(self.close)))
