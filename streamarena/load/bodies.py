"""Request bodies of each wire API from one neutral form: a system prompt, messages of plain text, a length.

Source: the API references of OpenAI, Anthropic, Google, Cohere, Ollama and Hugging Face, as of November 2026.
Not here: paths and headers (`streamarena.client.endpoints`), images (`images.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

__all__ = ["COMPLETIONS", "body_for"]

COMPLETIONS: Final = "openai-completions"
"""OpenAI's older completions endpoint: a prompt and no messages; its stream is read by the chat decoder."""

_Messages: TypeAlias = Sequence[Mapping[str, Any]]


def body_for(
    api: str, messages: _Messages, *, system: str | None = None, max_tokens: int | None = None, exact: bool = False
) -> dict[str, Any]:
    """Return the members of a request body that ask for an answer to `messages`.

    Args:
        api: the wire API, or `COMPLETIONS`.
        messages: `{"role": "user" | "assistant", "content": text or parts of this API}`, oldest first.
        system: the system prompt.
        max_tokens: the longest answer.
        exact: ask servers that know how (vLLM, SGLang) for just that length.
    """
    return _BODIES.get(api, _chat)(messages, system, max_tokens, exact)


def _with_system(messages: _Messages, system: str | None) -> list[Mapping[str, Any]]:
    return [{"role": "system", "content": system}, *messages] if system else list(messages)


def _exactly(max_tokens: int | None, exact: bool) -> dict[str, Any]:
    return {"ignore_eos": True, "min_tokens": max_tokens} if exact and max_tokens else {}


def _chat(messages: _Messages, system: str | None, max_tokens: int | None, exact: bool) -> dict[str, Any]:
    length = {"max_tokens": max_tokens} if max_tokens else {}
    return {"messages": _with_system(messages, system), **length, **_exactly(max_tokens, exact)}


def _completions(messages: _Messages, system: str | None, max_tokens: int | None, exact: bool) -> dict[str, Any]:
    texts = [str(message["content"]) for message in _with_system(messages, system)]
    length = {"max_tokens": max_tokens} if max_tokens else {}
    options = {"stream_options": {"include_usage": True}}
    return {"prompt": "\n".join(texts), **length, **options, **_exactly(max_tokens, exact)}


def _responses(messages: _Messages, system: str | None, max_tokens: int | None, exact: bool) -> dict[str, Any]:
    del exact  # the Responses API has no way to ask for it
    instructions = {"instructions": system} if system else {}
    return {"input": list(messages), **instructions, **({"max_output_tokens": max_tokens} if max_tokens else {})}


def _anthropic(messages: _Messages, system: str | None, max_tokens: int | None, exact: bool) -> dict[str, Any]:
    del exact  # the Messages API has no way to ask for it
    return {"messages": list(messages), "max_tokens": max_tokens or 1024, **({"system": system} if system else {})}


def _gemini(messages: _Messages, system: str | None, max_tokens: int | None, exact: bool) -> dict[str, Any]:
    del exact  # Gemini has no way to ask for it
    contents = [
        {
            "role": "model" if message["role"] == "assistant" else "user",
            "parts": [{"text": message["content"]}] if isinstance(message["content"], str) else message["content"],
        }
        for message in messages
    ]
    instruction = {"systemInstruction": {"parts": [{"text": system}]}} if system else {}
    length = {"generationConfig": {"maxOutputTokens": max_tokens}} if max_tokens else {}
    return {"contents": contents, **instruction, **length}


def _ollama(messages: _Messages, system: str | None, max_tokens: int | None, exact: bool) -> dict[str, Any]:
    del exact  # Ollama has no way to ask for it
    options = {"options": {"num_predict": max_tokens}} if max_tokens else {}
    return {"messages": _with_system(messages, system), **options}


def _tgi(messages: _Messages, system: str | None, max_tokens: int | None, exact: bool) -> dict[str, Any]:
    del exact  # TGI ends where the model does
    texts = [str(message["content"]) for message in _with_system(messages, system)]
    return {"inputs": "\n".join(texts), **({"parameters": {"max_new_tokens": max_tokens}} if max_tokens else {})}


_BODIES: Final[dict[str, Callable[[_Messages, str | None, int | None, bool], dict[str, Any]]]] = {
    COMPLETIONS: _completions,
    "openai-responses": _responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "ollama": _ollama,
    "tgi": _tgi,
}
