"""One client of the TLS measurements in a process of its own; runs also where only the peers are installed.

Reads one JSON line `{"client", "url", "authority", "task", "count"}` at a time and answers with one:
* task "memory": opens `count` streams, 25 at a time; private bytes a stream with all open, and after a burst for each.
* task "paced": reads `count` streams to their ends at once; chunks and CPU seconds.
* task "kept", "new": `count` requests one after the other, on one connection or each on its own; CPU seconds.
"""

from __future__ import annotations

import asyncio
import gc
import json
import ssl
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from perf.macro.tls_server import BURST_EVENTS

BODY = {"model": "fake-model", "stream": True, "messages": [{"role": "user", "content": "Tell me a story."}]}
Stream = Callable[[str, Callable[[int], None]], "asyncio.Future[None]"]


def context_for(authority: str) -> ssl.SSLContext | None:
    return ssl.create_default_context(cafile=authority) if authority else None


def streamarena(tls: str | None) -> Callable[[str, str, int], AbstractAsyncContextManager[Callable]]:
    @asynccontextmanager
    async def client(url: str, authority: str, keep: int) -> AsyncIterator[Callable]:
        from streamarena.client import Limits, StreamClient

        options = {"ssl_context": context_for(authority), "tls": tls, "limits": Limits(max_idle_connections=keep)}
        async with StreamClient(url, keep_result=False, **options) as made:

            async def read(path: str, seen: Callable[[int], None]) -> None:
                async with made.stream(BODY, path=path) as stream:
                    await stream.for_each(lambda chunk: seen(chunk.kind == "text"))

            yield read

    return client


@asynccontextmanager
async def aiohttp(url: str, authority: str, keep: int) -> AsyncIterator[Callable]:
    import aiohttp
    import orjson

    connector = aiohttp.TCPConnector(limit=0, ssl=context_for(authority) or True, force_close=not keep)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def read(path: str, seen: Callable[[int], None]) -> None:
            async with session.post(url + path, json=BODY) as response:
                async for line in response.content:
                    if line.startswith(b"data: ") and not line.startswith(b"data: [DONE]"):
                        choices = orjson.loads(line[6:])["choices"]
                        seen(bool(choices and choices[0]["delta"].get("content")))

        yield read


CLIENTS = {
    "ours, uvloop": ("uvloop", streamarena("own")),
    "ours, stock loop": ("asyncio", streamarena("own")),
    "uvloop's TLS": ("uvloop", streamarena("loop")),
    "stock loop's TLS": ("asyncio", streamarena("loop")),
    "aiohttp, uvloop": ("uvloop", aiohttp),
}


def ignored(more: int) -> None:
    del more


def private_bytes() -> int:
    """Memory that this process alone holds: what a further stream costs the machine."""
    gc.collect()
    for line in Path("/proc/self/smaps_rollup").read_text("ascii").splitlines():
        if line.startswith("Private_Dirty:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this system does not tell private memory")


async def memory(read: Callable, count: int, group: int = 25) -> dict[str, float]:
    chunks = [0] * count

    async def one(number: int) -> None:
        def seen(more: int) -> None:
            chunks[number] += more

        await read("/hold", seen)

    async def all_have(least: int) -> None:
        async with asyncio.timeout(120):
            while min(chunks) < least:  # noqa: ASYNC110 - an event for each chunk would be measured as well
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)

    async def burst() -> None:
        try:
            await read("/burst", ignored)
        except Exception as error:  # noqa: BLE001 - the answer is no stream; only the request matters
            del error

    await read("/tiny", ignored)  # imports, contexts and pools are there before the counting begins
    base = private_bytes()
    tasks = []
    for start in range(0, count, group):
        tasks += [asyncio.create_task(one(number)) for number in range(start, min(start + group, count))]
        async with asyncio.timeout(60):
            while min(chunks[: start + group]) < 1:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.005)
    await all_have(1)
    opened = private_bytes()
    await burst()
    await all_have(1 + BURST_EVENTS)
    after = private_bytes()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {"open": (opened - base) / count, "after_burst": (after - base) / count}


async def paced(read: Callable, count: int) -> dict[str, float]:
    total = 0

    def seen(more: int) -> None:
        nonlocal total
        total += more

    start = time.process_time()
    await asyncio.gather(*(read("/chat/completions", seen) for _ in range(count)))
    return {"cpu_seconds": time.process_time() - start, "chunks": total}


async def requests(read: Callable, count: int) -> dict[str, float]:
    await read("/tiny", ignored)
    start = time.process_time()
    for _ in range(count):
        await read("/tiny", ignored)
    return {"cpu_seconds": time.process_time() - start, "chunks": count}


async def work(request: dict) -> dict[str, float]:
    _, client = CLIENTS[request["client"]]
    keep = 0 if request["task"] in {"new", "memory"} else 100
    async with client(request["url"], request["authority"], keep) as read:
        task = {"memory": memory, "paced": paced}.get(request["task"], requests)
        return await task(read, request["count"])


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        factory = None
        if CLIENTS[request["client"]][0] == "uvloop":
            import uvloop

            factory = uvloop.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            print(json.dumps(runner.run(work(request))), flush=True)


if __name__ == "__main__":
    main()
