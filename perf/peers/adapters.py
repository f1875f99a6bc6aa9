"""CPU per chunk of the libraries people have, and of the same code over our adapters: 64 streams, paced and in bursts.

python -m perf adapters [--rounds 5] [--save-baseline]

All contenders take turns in this process, on uvloop, and open their connections anew in each turn; the server runs in
another process. What each does with a chunk is the same: load its JSON and look at the text. Opening each
stream is in the figures: with an SDK some 1.5 ms, half of what a paced lean stream of 100 chunks takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from types import ModuleType

import httpx
import httpx_sse
import orjson
import uvloop

from perf.macro.client import serve
from perf.measure import Contender, Table, interleave, options, report
from perf.peers.stream_clients import BODY
from streamarena_adapters import httpx_sse as our_httpx_sse
from streamarena_adapters.httpx import AsyncHTTPTransport

STREAMS = 64
CHUNKS = {"paced": 100, "bursts": 400}
BASELINE = "httpx + httpx-sse"


async def read_events(sse: ModuleType, transport: Callable[[], httpx.AsyncBaseTransport] | None, url: str) -> int:
    """Read all streams through httpx; return the chunks with text."""
    seen = 0
    own = {} if transport is None else {"transport": transport()}
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=None), timeout=60, **own) as client:

        async def one() -> None:
            nonlocal seen
            async with sse.aconnect_sse(client, "POST", f"{url}/v1/chat/completions", json=BODY) as source:
                async for event in source.aiter_sse():
                    if event.data != "[DONE]":
                        choices = orjson.loads(event.data)["choices"]
                        seen += bool(choices and choices[0]["delta"].get("content"))

        await asyncio.gather(*(one() for _ in range(STREAMS)))
    return seen


async def read_openai(ours: bool, lean: bool, url: str) -> int:
    """Read all streams through the official SDK; return the chunks with text."""
    import openai

    import streamarena_adapters.openai as adapter

    seen = 0
    own = adapter.http_client() if ours else None
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x", timeout=60, http_client=own) as sdk:
        client = adapter.lean(sdk) if lean else sdk

        async def one() -> None:
            nonlocal seen
            async with await client.chat.completions.create(**BODY) as stream:
                async for chunk in stream:
                    seen += bool(chunk.choices and chunk.choices[0].delta.content)

        await asyncio.gather(*(one() for _ in range(STREAMS)))
    return seen


async def read_anthropic(ours: bool, lean: bool, url: str, *, helper: bool = False) -> int:
    """Read all streams through the official SDK; return the events with text."""
    import anthropic

    import streamarena_adapters.anthropic as adapter

    seen = 0
    own = adapter.http_client() if ours else None
    async with anthropic.AsyncAnthropic(base_url=url, api_key="x", timeout=60, http_client=own) as sdk:
        client = adapter.lean(sdk) if lean else sdk

        async def one() -> None:
            nonlocal seen
            async with AsyncExitStack() as stack:
                if helper:
                    stream = await stack.enter_async_context(client.messages.stream(**MESSAGES))
                else:
                    stream = await stack.enter_async_context(await client.messages.create(**MESSAGES, stream=True))
                async for event in stream:
                    if event.type == "content_block_delta":
                        seen += bool(event.delta.text)

        await asyncio.gather(*(one() for _ in range(STREAMS)))
    return seen


MESSAGES = {"model": BODY["model"], "messages": BODY["messages"], "max_tokens": 10_000}

CONTENDERS: dict[str, Callable[[str], Awaitable[int]]] = {
    BASELINE: partial(read_events, httpx_sse, None),
    "httpx + our httpx_sse": partial(read_events, our_httpx_sse, None),
    "httpx over our transport + httpx-sse": partial(read_events, httpx_sse, AsyncHTTPTransport),
    "httpx over our transport + our httpx_sse": partial(read_events, our_httpx_sse, AsyncHTTPTransport),
    "AsyncOpenAI": partial(read_openai, False, False),
    "AsyncOpenAI over our http_client": partial(read_openai, True, False),
    "lean(AsyncOpenAI)": partial(read_openai, False, True),
    "lean(AsyncOpenAI) over our http_client": partial(read_openai, True, True),
    "AsyncAnthropic": partial(read_anthropic, False, False),
    "AsyncAnthropic over our http_client": partial(read_anthropic, True, False),
    "lean(AsyncAnthropic)": partial(read_anthropic, False, True),
    "lean(AsyncAnthropic) over our http_client": partial(read_anthropic, True, True),
    "AsyncAnthropic, messages.stream": partial(read_anthropic, False, False, helper=True),
    "lean(AsyncAnthropic), messages.stream": partial(read_anthropic, True, True, helper=True),
}

AIMS = (  # who, how many times less than whom, paced
    ("httpx over our transport + httpx-sse", BASELINE, 2.2),
    ("httpx over our transport + our httpx_sse", BASELINE, 3.0),
    ("lean(AsyncOpenAI) over our http_client", "AsyncOpenAI", 6.0),
    ("lean(AsyncAnthropic) over our http_client", "AsyncAnthropic", 3.0),
    ("lean(AsyncAnthropic), messages.stream", "AsyncAnthropic, messages.stream", 3.0),
)


def turn(client: Callable[[str], Awaitable[int]], url: str, chunks: int) -> int:
    """Read all streams once; fail unless every chunk was seen."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        seen = runner.run(client(url))
    if seen != STREAMS * chunks:
        raise RuntimeError(f"saw {seen} chunks of {STREAMS * chunks}")
    return seen


def measure(shape: str, rounds: int) -> Table:
    """Measure every contender on one shape of stream."""
    chunks = CHUNKS[shape]
    with serve(shape, chunks) as url:
        contenders = [Contender(name, partial(turn, client, url, chunks)) for name, client in CONTENDERS.items()]
        title = f"client CPU, {STREAMS} streams of {chunks} chunks, {shape}"
        table = interleave(title, contenders, baseline=BASELINE, unit="chunk", rounds=rounds)
    for who, whom, aim in AIMS:
        ratio = table.ratio(whom, who)
        verdict = f"aim {aim:g} x, {'met' if ratio >= aim else 'not reached'}" if shape == "paced" else "no aim"
        table.notes.append(f"{who}: {ratio:.1f} x less than {whom} ({verdict})")
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = options(__doc__ or "", arguments)
    tables = [measure(shape, max(3, min(chosen.rounds, 5))) for shape in CHUNKS]
    report("adapters", tables, save_baseline=chosen.save_baseline)


if __name__ == "__main__":
    main()
