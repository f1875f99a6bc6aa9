"""Let a client of one API talk to a server of another: the Responses API in front, an Anthropic server behind."""

import asyncio

import httpx

from streamarena.relay import Relay
from streamarena.testing import FakeLLM


async def main() -> None:
    async with FakeLLM(tokens=8, ttft=0, inter_token_latency=0) as llm:
        relay = Relay.to(f"{llm.url}/v1", api="anthropic")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(relay), base_url="http://relay") as client:
            asked = {"model": "fake-model", "input": "Why is the sky blue?", "metadata": {"team": "blue"}}
            response = await client.post("/v1/responses", json=asked)
            body = response.json()
            print(body["object"], body["status"], body["usage"]["output_tokens"], "tokens")
            print(body["output"][0]["content"][0]["text"])
            print("left out:", response.headers["x-streamarena-dropped"])
            refused = await client.post("/v1/responses", json={**asked, "previous_response_id": "resp_1"})
            print(refused.status_code, refused.json()["error"]["message"])
        relay.close()


if __name__ == "__main__":
    asyncio.run(main())
