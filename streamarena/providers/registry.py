"""Decoders and encoders by the name of their wire API.

A name of the OpenAI-compatible family (`dialects.py`) is accepted wherever `openai-chat` is.
Each module is imported when it is first asked for, so that a process pays only for the wires it speaks.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from streamarena.errors import ConfigurationError
from streamarena.providers.dialects import DIALECTS
from streamarena.providers.interfaces import Decoder, Encoder  # noqa: TC001 - annotations stay readable at run time
from streamarena.providers.tags import ThinkTagDecoder

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["APIS", "BY_API", "WIRES", "decoder_for", "encoder_for", "wire_of"]

_DECODERS: Final[dict[str, str]] = {
    "openai-chat": "openai_chat:OpenAIChatDecoder",
    "openai-responses": "openai_responses:OpenAIResponsesDecoder",
    "anthropic": "anthropic:AnthropicDecoder",
    "gemini": "gemini:GeminiDecoder",
    "cohere-v2": "cohere:CohereDecoder",
    "ollama": "ollama:OllamaDecoder",
    "bedrock-converse": "bedrock:BedrockDecoder",
    "tgi": "tgi:TGIDecoder",
}
_ENCODERS: Final[dict[str, str]] = {
    "openai-chat": "openai_chat:OpenAIChatEncoder",
    "openai-responses": "openai_responses:OpenAIResponsesEncoder",
    "anthropic": "anthropic:AnthropicEncoder",
    "gemini": "gemini:GeminiEncoder",
    "ollama": "ollama:OllamaEncoder",
}

BY_API: Final = "by api"  # the default of `think_tag`: what the API's dialect says

WIRES: Final[tuple[str, ...]] = tuple(_DECODERS)
APIS: Final[tuple[str, ...]] = (*WIRES, *(name for name in DIALECTS if name not in _DECODERS))


def wire_of(api: str) -> str:
    """Return the wire that an API name speaks: `"deepseek"` speaks `"openai-chat"`.

    Raises:
        ConfigurationError: no API has this name.
    """
    if api in _DECODERS:
        return api
    dialect = DIALECTS.get(api)
    if dialect is None:
        raise ConfigurationError(f"no API is called {api!r}; there are {', '.join(APIS)}")
    return dialect.wire


def decoder_for(api: str, *, think_tag: str | None = BY_API) -> Decoder:
    """Return a new decoder for one stream at a time.

    Args:
        api: the name of a wire API, or of a member of the OpenAI-compatible family.
        think_tag: the tag inside which a model's text is reasoning, as `"think"` for `<think>...</think>` at the very
            start; None for none. By default it is looked for where servers are known to leave it in the text.

    Raises:
        ConfigurationError: no API has this name.
    """
    decoder: Decoder = _load("decoders", _DECODERS[wire_of(api)])()
    if think_tag is BY_API:
        dialect = DIALECTS.get(api)
        think_tag = dialect.think_tag if dialect is not None else None
    return decoder if think_tag is None else ThinkTagDecoder(decoder, think_tag)


def encoder_for(api: str, **options: object) -> Encoder:
    """Return a new encoder for one stream.

    Args:
        api: the name of a wire API, or of a member of the OpenAI-compatible family.
        options: `id`, `model`, `created` (seconds since 1970), `include_usage`, and what the encoder's class names.

    Raises:
        ConfigurationError: no API has this name, or nothing here writes its stream.
    """
    wire = wire_of(api)
    if wire not in _ENCODERS:
        raise ConfigurationError(f"there is no encoder for {api!r}; there are {', '.join(_ENCODERS)}")
    dialect = DIALECTS.get(api)
    if dialect is not None and dialect.reasoning_field is not None:
        options.setdefault("reasoning_field", dialect.reasoning_field)
    encoder: Encoder = _load("encoders", _ENCODERS[wire])(**options)
    return encoder


def _load(room: str, target: str) -> Callable[..., Any]:
    module, _, name = target.partition(":")
    factory: Callable[..., Any] = getattr(importlib.import_module(f"streamarena.providers.{room}.{module}"), name)
    return factory
