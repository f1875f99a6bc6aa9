"""The OpenAI-compatible family as data: what each member does differently on the same wire.

The decoder reads every member's places for everything (`decoders/openai_chat.py`); what stands here is what cannot be
seen in the bytes. Facts are from the page named in `source`, read in November 2026.
"""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["DIALECTS", "Dialect"]


class Dialect(msgspec.Struct, frozen=True):
    """One member of the family.

    Attributes:
        wire: the wire API that it speaks.
        base_url: where the service is; None where the user runs it.
        path: the path of the streaming endpoint below the base URL.
        auth: the header that carries the key: `Authorization` (as `Bearer <key>`) or a name that takes the key itself.
        reasoning_field: the delta's member for reasoning; None where it has none.
        think_tag: the tag that models write reasoning in where the server does not take it out; None for never.
        asks_usage: whether usage must be asked for with `stream_options.include_usage`.
        source: the documentation page.
    """

    base_url: str | None
    source: str
    wire: str = "openai-chat"
    path: str = "/chat/completions"
    auth: str = "Authorization"
    reasoning_field: str | None = None
    think_tag: str | None = None
    asks_usage: bool = True


DIALECTS: Final[dict[str, Dialect]] = {
    "openai-chat": Dialect("https://api.openai.com/v1", "platform.openai.com/docs/api-reference/chat-streaming"),
    "azure": Dialect(
        None,
        "learn.microsoft.com/azure/ai-foundry/openai/reference",
        path="/openai/v1/chat/completions",
        auth="api-key",
    ),
    "vllm": Dialect(
        None, "docs.vllm.ai/en/latest/features/reasoning_outputs", reasoning_field="reasoning", think_tag="think"
    ),
    "deepseek": Dialect(
        "https://api.deepseek.com", "api-docs.deepseek.com/guides/reasoning_model", reasoning_field="reasoning_content"
    ),
    "mistral": Dialect("https://api.mistral.ai/v1", "docs.mistral.ai/capabilities/reasoning", asks_usage=False),
    "xai": Dialect(
        "https://api.x.ai/v1", "docs.x.ai/docs/guides/reasoning", reasoning_field="reasoning_content", asks_usage=False
    ),
    "groq": Dialect(
        "https://api.groq.com/openai/v1",
        "console.groq.com/docs/reasoning",
        reasoning_field="reasoning",
        think_tag="think",
        asks_usage=False,
    ),
    "openrouter": Dialect(
        "https://openrouter.ai/api/v1", "openrouter.ai/docs/api-reference/overview", reasoning_field="reasoning"
    ),
    "together": Dialect(
        "https://api.together.xyz/v1",
        "docs.together.ai/docs/deepseek-r1",
        reasoning_field="reasoning",
        think_tag="think",
        asks_usage=False,
    ),
    "qwen": Dialect(
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        "alibabacloud.com/help/en/model-studio/deep-thinking",
        reasoning_field="reasoning_content",
        think_tag="think",
    ),
}
