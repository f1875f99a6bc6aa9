"""The OpenAI SDK with lean streams: two lines change, the code that reads the chunks does not."""

from __future__ import annotations

import asyncio

from openai import AsyncOpenAI

from streamarena.testing import FakeLLM
from streamarena_adapters.openai import http_client, lean


async def main() -> None:
    async with FakeLLM(tokens=20) as llm:
        sdk = AsyncOpenAI(base_url=f"{llm.url}/v1", api_key="none", http_client=http_client())
        async with lean(sdk) as client:
            stream = await client.chat.completions.create(
                model="fake-model", messages=[{"role": "user", "content": "Hello"}], stream=True
            )
            first = await anext(stream)
            print("the first one as the SDK has it:", type(first.to_sdk()).__module__)
            async for chunk in stream:
                if chunk.choices and chunk.choices[0].delta.content:
                    print(chunk.choices[0].delta.content, end="")
            print()

            async with client.responses.stream(model="fake-model", input="Hello") as events:
                kinds = [event.type async for event in events]
                final = await events.get_final_response()
            print(len(kinds), "events,", len(final.output_text), "characters")


if __name__ == "__main__":
    asyncio.run(main())
