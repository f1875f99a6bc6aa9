"""An observer hears each moment of a request once, and the end with all figures, also of a stream that was left."""

import asyncio

from streamarena import StreamClient
from streamarena.client import FirstContent, Moment, StreamFinished
from streamarena.testing import FakeLLM


def watch(moment: Moment) -> None:
    if isinstance(moment, FirstContent):
        print(f"{moment.label}: first content after {moment.seconds:.3f} s")
    elif isinstance(moment, StreamFinished):
        print(f"{moment.label}: {moment.outcome}, {moment.chunks} chunks, {moment.bytes_received} bytes")


async def main() -> None:
    async with (
        FakeLLM(tokens=30, inter_token_latency=0.005) as llm,
        StreamClient(f"{llm.url}/v1", observers=[watch]) as client,
    ):
        async with client.stream(model="m", messages=[], label="whole") as stream:
            await stream.result()
        async with client.stream(model="m", messages=[], label="left") as stream:
            async for chunk in stream:
                if chunk.kind == "text":
                    break
        known = stream.partial()
        print("known of the second:", known and known.text)


if __name__ == "__main__":
    asyncio.run(main())
