"""A span and metrics by OpenTelemetry's GenAI conventions for every stream; here printed by the SDK's own exporter."""

import asyncio
import sys

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from streamarena import StreamClient
from streamarena.testing import FakeLLM
from streamarena_adapters.opentelemetry import OpenTelemetryObserver


async def main() -> None:
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=sys.stdout)))
    observer = OpenTelemetryObserver(tracer_provider=tracers, spans=True)
    async with (
        FakeLLM(tokens=30) as llm,
        StreamClient(f"{llm.url}/v1", observers=[observer]) as client,
        client.stream(model="m", messages=[]) as stream,
    ):
        await stream.result()


if __name__ == "__main__":
    asyncio.run(main())
