"""A client reads from the bundled fake model server: a sound stream, and one that is cut on purpose."""

import asyncio

from streamarena import StreamClient
from streamarena.errors import StreamTruncatedError
from streamarena.testing import FakeLLM


async def ask(client: StreamClient, model: str) -> None:
    messages = [{"role": "user", "content": "Where does the river go?"}]
    async with client.stream(model=model, messages=messages) as stream:
        async for text in stream.text_deltas():
            print(text, end="", flush=True)
    print()


async def main() -> None:
    gaps_between_tokens = "exponential:5ms"
    async with FakeLLM(ttft=0.05, inter_token_latency=gaps_between_tokens, tokens=20) as llm:
        async with StreamClient(llm.url + "/v1") as client:
            await ask(client, "fake-model")
            try:
                await ask(client, "fake-model,fault=cut@5")
            except StreamTruncatedError as error:
                print(f"\n{error}")
        record = llm.statistics.records[0]
        gaps = [(late - early) / 1e6 for early, late in zip(record.stamps, record.stamps[1:], strict=False)]
        print(f"the server sent {len(record.stamps)} chunks, {min(gaps):.1f} to {max(gaps):.1f} ms apart")
        print(f"outcomes: {dict(llm.statistics.outcomes)}")


if __name__ == "__main__":
    asyncio.run(main())
