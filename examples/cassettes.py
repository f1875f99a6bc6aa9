"""Record a stream once, replay it at twice its speed, and see that no key was written."""

import asyncio
import tempfile
from pathlib import Path

from streamarena import StreamClient
from streamarena.testing import Cassette, CassetteRecorder, CassetteServer, FakeLLM

KEY = "sk-not-a-real-key-0123456789"


async def ask(url: str) -> str:
    async with StreamClient(url + "/v1", api_key=KEY) as client:
        messages = [{"role": "user", "content": "Hello"}]
        async with client.stream(model="fake-model", messages=messages) as stream:
            return "".join([text async for text in stream.text_deltas()])


async def main() -> None:
    path = Path(tempfile.mkdtemp()) / "hello.jsonl"
    async with FakeLLM(ttft=0.1, tokens=8) as llm, CassetteRecorder(llm.url, path) as recorder:
        said = await ask(recorder.url)
    with Cassette(path) as cassette:
        exchange = cassette[0]
        print(f"recorded {len(exchange.pieces)} pieces in {exchange.ended:.2f} s, status {exchange.status}")
    print("key in the file:", KEY in path.read_text("utf-8"))
    async with CassetteServer(path, delay=0.5, verify=True) as server:
        print("same answer:", await ask(server.url) == said)


if __name__ == "__main__":
    asyncio.run(main())
