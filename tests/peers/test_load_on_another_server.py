"""Load tests against a server that nobody here wrote, and the engines that adapters offer."""

from __future__ import annotations

import pytest

from streamarena.errors import ConfigurationError
from streamarena.load import ClosedLoop, LoadPlan, LoadTest
from streamarena.load.engines import engine_named


def question(number):
    return {"model": "echo-model", "messages": [{"role": "user", "content": f"Question {number}: is it so?"}]}


@pytest.mark.slow
async def test_katan(katan):
    plan = LoadPlan(url=f"{katan}/v1", api_key="test-key", requests=question, schedule=ClosedLoop(8), request_count=40)
    summary = (await LoadTest(plan).run()).summary
    assert (summary["completed"], summary["failed"]) == (40, 0)
    assert 0 < summary["p50_ttft_ms"] <= summary["p50_e2el_ms"]
    assert summary["total_output_tokens"] > 0


@pytest.mark.parametrize("name", ["httpx", "httpx_sse", "nonsense"])
def test_an_adapter_that_is_no_engine_is_refused(name):
    with pytest.raises(ConfigurationError, match="no engine is called"):
        engine_named(name)
