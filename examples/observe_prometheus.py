"""Client metrics for Prometheus: one observer, and what a scrape of it returns."""

import asyncio

from streamarena import StreamClient
from streamarena.testing import FakeLLM
from streamarena_adapters.prometheus import PrometheusMetrics


async def main() -> None:
    metrics = PrometheusMetrics()
    async with FakeLLM(tokens=30) as llm, StreamClient(f"{llm.url}/v1", observers=[metrics]) as client:
        for _ in range(3):
            async with client.stream(model="m", messages=[]) as stream:
                await stream.result()
    body, content_type = metrics.render()  # answer a scrape with these two
    print(content_type)
    for line in body.decode().splitlines():
        if line.startswith(("streamarena_client_requests_total", "streamarena_client_tokens_total")):
            print(line)


if __name__ == "__main__":
    asyncio.run(main())
