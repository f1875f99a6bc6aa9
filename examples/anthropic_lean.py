"""The Anthropic SDK with lean streams: two lines change, the code that reads the events does not."""

from __future__ import annotations

import asyncio

from anthropic import AsyncAnthropic

from streamarena.testing import FakeLLM
from streamarena_adapters.anthropic import http_client, lean


async def main() -> None:
    async with FakeLLM(tokens=20) as llm:
        sdk = AsyncAnthropic(base_url=llm.url, api_key="none", http_client=http_client())
        async with lean(sdk) as client:
            async with client.messages.stream(
                model="fake-model", max_tokens=100, messages=[{"role": "user", "content": "Hello"}]
            ) as stream:
                async for text in stream.text_stream:
                    print(text, end="")
                message = await stream.get_final_message()
            print(f"\n{message.stop_reason} after {message.usage.output_tokens} tokens")


if __name__ == "__main__":
    asyncio.run(main())
