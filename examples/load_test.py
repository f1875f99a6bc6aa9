"""A load test as a library: your own requests, your own stages, and a result that says how far to trust it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from streamarena import Pipeline, map
from streamarena.load import ClosedLoop, LoadPlan, LoadTest
from streamarena.testing import FakeLLM

if TYPE_CHECKING:
    from streamarena.providers import Chunk


def request(number: int) -> dict[str, object]:
    """Make the request of a number; the same number always makes the same one."""
    return {
        "model": "fake-model",
        "messages": [{"role": "user", "content": f"Question {number}: why is the sky blue?"}],
    }


def upper(chunk: Chunk) -> str:
    """Do what an application would do with each chunk."""
    return chunk.kind.upper()


async def main() -> None:
    async with FakeLLM(ttft=0.02, inter_token_latency=0.005, tokens=20) as server:
        plan = LoadPlan(
            url=f"{server.url}/v1",
            requests=request,
            schedule=ClosedLoop(8),
            request_count=40,
            warmup_requests=8,
            goodput={"ttft": 200, "tpot": 50},
            pipeline=Pipeline(map(upper)),
        )
        result = await LoadTest(plan).run()
    print(result.table())
    assert result.summary["completed"] == 40


asyncio.run(main())
