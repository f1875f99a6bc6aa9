"""Run a FakeLLM as a program: what the child process and the command `fake-llm` share.

Invariants: the URL is the first line of the output; the server ends when `until` returns, which for a child is the end
of its standard input.
Cost: the collector is told to leave alone what was made at the start. Not here: the parent's side (`process.py`).
"""

from __future__ import annotations

import asyncio
import gc
import ssl
import sys
from collections.abc import Callable
from typing import Any

import orjson

from streamarena._loop import loop_factory
from streamarena.testing.fake_llm import FakeLLM

__all__ = ["serve"]


def serve(server: FakeLLM, until: Callable[[], Any], announce: Callable[[FakeLLM], None]) -> None:
    """Run `server` on the fastest loop there is, until the blocking call `until` returns in a thread.

    Args:
        server: not started yet.
        until: blocks as long as the server shall run.
        announce: called once it listens.
    """

    async def run() -> None:
        async with server:
            announce(server)
            # What was made at the start stays; the collector need not look at it again.
            gc.collect()
            gc.freeze()
            await asyncio.to_thread(until)

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(run())


def _main() -> None:
    """Read the options from the first line of standard input, print the URL, and serve until that input ends."""
    message = orjson.loads(sys.stdin.buffer.readline())
    context = None
    if message["certificate"]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(message["certificate"])
    serve(
        FakeLLM(ssl_context=context, **message["options"]),
        sys.stdin.buffer.read,
        lambda server: print(server.url, flush=True),
    )


if __name__ == "__main__":
    _main()
