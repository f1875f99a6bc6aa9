"""A pytest test that fails the build when latency regresses; run it with pytest, or as a script."""

from __future__ import annotations

import asyncio

from streamarena.load import ClosedLoop, LoadPlan, LoadResult, LoadTest, Synthetic
from streamarena.testing import FakeLLM

OBJECTIVES = {"p50_ttft_ms": 500.0, "p99_itl_ms": 500.0}


async def measure() -> LoadResult:
    """Run against the server under test; here the bundled one, in a process of its own."""
    async with FakeLLM.spawn(ttft=0.02, inter_token_latency=0.005, tokens=20) as server:
        plan = LoadPlan(
            url=f"{server.url}/v1",
            model="fake-model",
            requests=Synthetic(input_tokens=100, output_tokens=20),
            schedule=ClosedLoop(4),
            request_count=20,
        )
        return await LoadTest(plan).run()


def test_latency_has_not_regressed() -> None:
    result = asyncio.run(measure())
    summary = result.summary
    assert summary["failed"] == 0, summary["errors"]
    for key, limit in OBJECTIVES.items():
        # The lower end of the error bar, where there is one: a busy build machine must not fail the build.
        low, _ = summary["error_bars_ms"].get(key, (summary[key], None))
        assert low <= limit, f"{key} is {summary[key]:.1f} ms, at least {low:.1f}; the limit is {limit:g}"


if __name__ == "__main__":
    test_latency_has_not_regressed()
    print("no regression")
