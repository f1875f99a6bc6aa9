"""The APIs that speak another's wire, and what each does differently on it, as data.

The decoder of OpenAI's chat reads every member's places for everything (`decoders/openai_chat.py`); what stands here is
what cannot be seen in the bytes. Facts are from the page named in `source`, read in November 2026.
Not here: where an API lives and how it wants to be asked, which is the client's (`client/endpoints.py`).
"""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["DIALECTS", "Dialect"]


class Dialect(msgspec.Struct, frozen=True):
    """One API's way of speaking a wire.

    Attributes:
        source: the documentation page.
        wire: the wire API that it speaks.
        reasoning_field: the delta's member for reasoning; None where it has none.
        think_tag: the tag in which models write reasoning where the server does not take it out; None for never.
    """

    source: str
    wire: str = "openai-chat"
    reasoning_field: str | None = None
    think_tag: str | None = None


DIALECTS: Final[dict[str, Dialect]] = {
    "azure": Dialect("learn.microsoft.com/azure/ai-foundry/openai/reference"),
    "vllm": Dialect(
        "docs.vllm.ai/en/latest/features/reasoning_outputs", reasoning_field="reasoning", think_tag="think"
    ),
    "deepseek": Dialect("api-docs.deepseek.com/guides/reasoning_model", reasoning_field="reasoning_content"),
    "mistral": Dialect("docs.mistral.ai/capabilities/reasoning"),
    "xai": Dialect("docs.x.ai/docs/guides/reasoning", reasoning_field="reasoning_content"),
    "groq": Dialect("console.groq.com/docs/reasoning", reasoning_field="reasoning", think_tag="think"),
    "openrouter": Dialect("openrouter.ai/docs/use-cases/reasoning-tokens", reasoning_field="reasoning"),
    "together": Dialect("docs.together.ai/docs/deepseek-r1", reasoning_field="reasoning", think_tag="think"),
    "qwen": Dialect(
        "alibabacloud.com/help/en/model-studio/deep-thinking", reasoning_field="reasoning_content", think_tag="think"
    ),
    "ollama": Dialect("docs.ollama.com/capabilities/thinking", wire="ollama", think_tag="think"),
    "tgi": Dialect("huggingface.co/docs/text-generation-inference", wire="tgi", think_tag="think"),
}
