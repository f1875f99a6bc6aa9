"""LangChain over our connections, as docs/coming-from-openai.md shows it; runs where langchain-openai is installed."""

from __future__ import annotations

import pytest

from streamarena.testing import FakeLLM
from streamarena_adapters.openai import http_client
from tests.support.counting import nothing_left

langchain_openai = pytest.importorskip("langchain_openai")


async def test_langchain_streams_over_our_http_client():
    async with nothing_left(), FakeLLM(ttft=0, inter_token_latency=0, tokens=6) as llm, http_client() as connections:
        model = langchain_openai.ChatOpenAI(
            model="fake-model", base_url=f"{llm.url}/v1", api_key="none", http_async_client=connections
        )
        pieces = [piece.content async for piece in model.astream("Hello")]
        async for _ in model.astream("Hello"):
            break  # leaving early
    assert len([piece for piece in pieces if piece]) == 6
