"""Where each wire API lives and how it wants to be asked: paths, authentication, fixed headers. Data, not branches.

Sources: the API references of OpenAI (chat completions, responses), Anthropic (messages, versioning), Google (Gemini
streamGenerateContent), Cohere (chat v2), Ollama (chat), Hugging Face (text generation inference). Names and paths as
of November 2026.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from streamarena.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ENDPOINTS", "Endpoint", "endpoint_for"]


class Endpoint(msgspec.Struct, frozen=True):
    """How one wire API is asked for a stream.

    Attributes:
        base_url: the provider's own address, used where the user names none; empty where there is no single one.
        path: appended to the base URL; `{model}` is replaced by the model of the request.
        key_header: the header that carries the API key; key_prefix: what stands before the key in it.
        key_variable: the environment variable in which users of this provider keep their key.
        headers: sent with every request.
        stream_fields: members of the request body that ask for a stream.
        model_in_body: whether the body names the model.
    """

    base_url: str
    path: str
    key_header: str = "authorization"
    key_prefix: str = "Bearer "
    key_variable: str = ""
    headers: Mapping[str, str] = msgspec.field(default_factory=dict[str, str])
    stream_fields: Mapping[str, Any] = msgspec.field(default_factory=lambda: {"stream": True})
    model_in_body: bool = True


_CHAT = "/chat/completions"
_WITH_USAGE: Final = {"stream": True, "stream_options": {"include_usage": True}}


def _compatible(base_url: str, key_variable: str, stream_fields: Mapping[str, Any] = _WITH_USAGE) -> Endpoint:
    return Endpoint(base_url, _CHAT, key_variable=key_variable, stream_fields=stream_fields)


ENDPOINTS: Final[Mapping[str, Endpoint]] = {
    "openai-chat": _compatible("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "openai-responses": Endpoint("https://api.openai.com/v1", "/responses", key_variable="OPENAI_API_KEY"),
    "anthropic": Endpoint(
        "https://api.anthropic.com/v1",
        "/messages",
        key_header="x-api-key",
        key_prefix="",
        key_variable="ANTHROPIC_API_KEY",
        headers={"anthropic-version": "2023-06-01"},
    ),
    "gemini": Endpoint(
        "https://generativelanguage.googleapis.com/v1beta",
        "/models/{model}:streamGenerateContent?alt=sse",
        key_header="x-goog-api-key",
        key_prefix="",
        key_variable="GEMINI_API_KEY",
        stream_fields={},
        model_in_body=False,
    ),
    "cohere-v2": Endpoint("https://api.cohere.com/v2", "/chat", key_variable="CO_API_KEY"),
    "ollama": Endpoint("http://127.0.0.1:11434", "/api/chat", key_variable="OLLAMA_API_KEY"),
    "tgi": Endpoint("", "/generate_stream", key_variable="HF_TOKEN", stream_fields={}, model_in_body=False),
    "azure": Endpoint(
        "", _CHAT, key_header="api-key", key_prefix="", key_variable="AZURE_OPENAI_API_KEY", stream_fields=_WITH_USAGE
    ),
    "vllm": _compatible("", "OPENAI_API_KEY"),
    "deepseek": _compatible("https://api.deepseek.com", "DEEPSEEK_API_KEY"),
    "mistral": _compatible("https://api.mistral.ai/v1", "MISTRAL_API_KEY", {"stream": True}),
    "xai": _compatible("https://api.x.ai/v1", "XAI_API_KEY"),
    "groq": _compatible("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "openrouter": _compatible("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "together": _compatible("https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    "qwen": _compatible("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY"),
}


def endpoint_for(api: str) -> Endpoint:
    """Return how `api` is asked.

    Raises:
        ConfigurationError: there is no such API; the message lists those there are.
    """
    endpoint = ENDPOINTS.get(api)
    if endpoint is None:
        raise ConfigurationError(f"no wire API is called {api!r}; there are: {', '.join(ENDPOINTS)}")
    return endpoint
