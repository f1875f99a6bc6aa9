"""Requests of StreamClient against a FakeLLM in a process of its own, as the rows need them."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from streamarena.client import Limits, StreamClient
from streamarena.testing import FakeLLM

T = TypeVar("T")
MESSAGES = [{"role": "user", "content": "Say something."}]


def run(main: Callable[[], Awaitable[T]]) -> T:
    async def entry() -> T:
        return await main()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(entry())


@asynccontextmanager
async def client_of(
    tokens: int, *, tls: bool = False, keep_result: bool = False, connections: int = 64, **options: Any
) -> AsyncIterator[StreamClient]:
    """A client of a server that answers at once with so many tokens."""
    settings = {"ttft": 0.0, "inter_token_latency": 0.0, "tokens": tokens, **options}
    async with FakeLLM.spawn(tls=tls, **settings) as llm:
        client = StreamClient(
            f"{llm.url}/v1",
            ssl_context=llm.client_context(),
            keep_result=keep_result,
            limits=Limits(max_connections=connections),
        )
        async with client:
            yield client


async def one_request(client: StreamClient, model: str = "m", **members: Any) -> int:
    """Read one stream by batches; returns the chunks."""
    chunks = 0
    async with client.stream(model=model, messages=MESSAGES, **members) as stream:
        async for batch in stream.batches():
            chunks += len(batch)
    return chunks


async def many_requests(client: StreamClient, count: int, concurrency: int = 8, model: str = "m") -> None:
    """Make `count` requests, `concurrency` at a time."""
    left = iter(range(count))

    async def worker() -> None:
        for _ in left:
            await one_request(client, model)

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(worker())


def status_bytes(*names: str) -> dict[str, int]:
    """Lines of /proc/self/smaps_rollup, in bytes."""
    gc.collect()
    lines = Path("/proc/self/smaps_rollup").read_text("ascii").splitlines()[1:]
    found = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
    return {name: found[name] for name in names}
