"""The form that each API gives a whole reply: what the same request would have brought without streaming.

One function an API, in a table. What a wire has no place for is left out: signatures on OpenAI's chat, sources on
Ollama's. Linear in the length of the reply. The reverse, a whole reply to chunks, is the decoders' work.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from streamarena.providers.encoders.anthropic import STOP_REASONS, message_usage
from streamarena.providers.encoders.openai_chat import FINISH_REASONS, chat_usage
from streamarena.providers.encoders.parts import tool_input
from streamarena.providers.replies import Block, Reply, ReplyChoice

__all__ = ["MESSAGES", "MessageForm"]

MessageForm: TypeAlias = Callable[[Reply, int], dict[str, Any]]


def _openai_chat(reply: Reply, created: int) -> dict[str, Any]:
    body = {
        "id": reply.id or "chatcmpl-0",
        "object": "chat.completion",
        "created": created,
        "model": reply.model or "unknown",
        "choices": [_chat_choice(choice, reply) for choice in reply.choices],
    }
    return body if reply.usage is None else {**body, "usage": chat_usage(reply.usage)}


def _chat_choice(choice: ReplyChoice, reply: Reply) -> dict[str, Any]:
    text, refusal, reasoning = choice.joined("text"), choice.joined("refusal"), choice.joined("reasoning")
    message: dict[str, Any] = {"role": "assistant", "content": text or None, "refusal": refusal or None}
    if reasoning:
        message["reasoning_content"] = reasoning
    calls = choice.tool_calls
    if calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in calls
        ]
    if reply.sources and choice.index == 0:
        message["annotations"] = [
            {"type": "url_citation", "url_citation": {"url": source.url, "title": source.title}}
            for source in reply.sources
        ]
    reason = FINISH_REASONS[choice.finish.reason] if choice.finish else None
    return {"index": choice.index, "message": message, "logprobs": None, "finish_reason": reason}


def _anthropic(reply: Reply, created: int) -> dict[str, Any]:
    del created  # this wire has no time
    choice = reply.choices[0] if reply.choices else ReplyChoice(0, ())
    finish = choice.finish
    return {
        "id": reply.id or "msg_0",
        "type": "message",
        "role": "assistant",
        "model": reply.model or "unknown",
        "content": [_anthropic_block(block) for block in choice.blocks],
        "stop_reason": (finish.raw_reason if finish.raw_reason in _OWN_REASONS else STOP_REASONS[finish.reason])
        if finish
        else None,
        "stop_sequence": finish.stop_sequence if finish else None,
        "usage": message_usage(reply.usage),
    }


_OWN_REASONS: Final = frozenset(
    {*STOP_REASONS.values(), "stop_sequence", "pause_turn", "model_context_window_exceeded"}
)


def _anthropic_block(block: Block) -> dict[str, Any]:
    if block.kind == "tool_call":
        return {"type": "tool_use", "id": block.id, "name": block.name, "input": tool_input(block.text)}
    if block.kind == "reasoning":
        return {"type": "thinking", "thinking": block.text, "signature": block.signature or ""}
    if block.kind == "redacted_reasoning":
        return {"type": "redacted_thinking", "data": block.signature or ""}
    return {"type": "text", "text": block.text}


MESSAGES: Final[dict[str, MessageForm]] = {
    "openai-chat": _openai_chat,
    "anthropic": _anthropic,
}
