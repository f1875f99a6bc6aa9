"""The form that each API gives a whole reply: what the same request would have brought without streaming.

One function an API, in a table. What a wire has no place for is left out: signatures on OpenAI's chat, sources on
Ollama's. Linear in the length of the reply. The reverse, a whole reply to chunks, is the decoders' work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from streamarena.providers.chunks import FinishChunk, FinishReason, ToolCallChunk  # noqa: TC001 - as elsewhere
from streamarena.providers.decoders.bedrock import STOP_REASONS as BEDROCK_REASONS
from streamarena.providers.decoders.cohere import FINISH_REASONS as COHERE_REASONS
from streamarena.providers.decoders.tgi import FINISH_REASONS as TGI_REASONS
from streamarena.providers.encoders.anthropic import STOP_REASONS, message_usage
from streamarena.providers.encoders.gemini import FINISH_REASONS as GEMINI_REASONS
from streamarena.providers.encoders.gemini import call_part, gemini_usage, grounding_metadata
from streamarena.providers.encoders.ollama import DONE_REASONS, created_at, ollama_call, ollama_counts
from streamarena.providers.encoders.openai_chat import FINISH_REASONS, chat_annotations, chat_usage
from streamarena.providers.encoders.openai_responses_items import (
    call_item,
    incomplete_reason,
    message_item,
    message_part,
    reasoning_item,
    response_body,
    response_usage,
)
from streamarena.providers.encoders.parts import input_with_cache, input_without_cache, tool_input
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
        message["tool_calls"] = _function_calls(calls)
    if reply.sources and choice.index == 0:
        message["annotations"] = chat_annotations(reply.sources)
    reason = FINISH_REASONS[choice.finish.reason] if choice.finish else None
    return {"index": choice.index, "message": message, "logprobs": None, "finish_reason": reason}


def _anthropic(reply: Reply, created: int) -> dict[str, Any]:
    del created  # this wire has no time
    choice = _first(reply)
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


def _openai_responses(reply: Reply, created: int) -> dict[str, Any]:
    choice, response_id = _first(reply), reply.id or "resp_0"
    output = [_output_item(block, index, response_id, reply) for index, block in enumerate(choice.blocks)]
    reason = incomplete_reason(choice.finish)
    status = "completed" if reason is None else "incomplete"
    body = response_body(response_id, reply.model or "unknown", created, status, output)
    body["incomplete_details"] = None if reason is None else {"reason": reason}
    body["usage"] = None if reply.usage is None else response_usage(reply.usage)
    return body


def _output_item(block: Block, index: int, response_id: str, reply: Reply) -> dict[str, Any]:
    if block.kind == "tool_call":
        return call_item(f"fc_{response_id}_{index}", block.id, block.name, block.text)
    if block.kind in ("reasoning", "redacted_reasoning"):
        return reasoning_item(response_id, index, block.text, block.signature)
    first_text = next((other for other in _first(reply).blocks if other.kind == "text"), None)
    sources = reply.sources if block is first_text else ()
    part = message_part(block.text, refusal=block.kind == "refusal", sources=sources)
    return message_item(response_id, index, [part])


def _gemini(reply: Reply, created: int) -> dict[str, Any]:
    del created  # this wire has no time
    candidates = [_candidate(choice) for choice in reply.choices]
    if reply.sources and candidates:
        candidates[0]["groundingMetadata"] = grounding_metadata(reply.sources)
    body: dict[str, Any] = {"candidates": candidates, "modelVersion": reply.model or "unknown"}
    if reply.id:
        body["responseId"] = reply.id
    return body if reply.usage is None else {**body, "usageMetadata": gemini_usage(reply.usage)}


def _candidate(choice: ReplyChoice) -> dict[str, Any]:
    parts: list[dict[str, Any]] = []
    for block in choice.blocks:
        if block.kind == "tool_call":
            parts.append(call_part(block.id, block.name, block.text))
        elif block.kind == "reasoning":
            signature = {} if block.signature is None else {"thoughtSignature": block.signature}
            parts.append({"text": block.text, "thought": True, **signature})
        elif block.kind != "redacted_reasoning":
            parts.append({"text": block.text})
    body: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": choice.index}
    return {**body, "finishReason": GEMINI_REASONS[choice.finish.reason]} if choice.finish else body


def _ollama(reply: Reply, created: int) -> dict[str, Any]:
    choice = _first(reply)
    message: dict[str, Any] = {"role": "assistant", "content": reply.text}
    if reply.reasoning:
        message["thinking"] = reply.reasoning
    if reply.tool_calls:
        message["tool_calls"] = [ollama_call(call.name, call.arguments) for call in reply.tool_calls]
    body: dict[str, Any] = {
        "model": reply.model or "unknown",
        "created_at": created_at(created),
        "message": message,
        "done": True,
        "done_reason": DONE_REASONS[choice.finish.reason if choice.finish else "stop"],
    }
    return body if reply.usage is None else {**body, **ollama_counts(reply.usage)}


def _cohere(reply: Reply, created: int) -> dict[str, Any]:
    del created  # this wire has no time
    choice = _first(reply)
    content: list[dict[str, Any]] = [{"type": "text", "text": reply.text}] if reply.text else []
    if reply.reasoning and not reply.tool_calls:
        content.insert(0, {"type": "thinking", "thinking": reply.reasoning})
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if reply.tool_calls:
        message["tool_calls"] = _function_calls(reply.tool_calls)
        message["tool_plan"] = reply.reasoning
    reason = _word_for(COHERE_REASONS, choice.finish, "COMPLETE")
    body: dict[str, Any] = {"id": reply.id or "", "finish_reason": reason, "message": message}
    if reply.usage is not None:
        counts = {"input_tokens": input_with_cache(reply.usage), "output_tokens": reply.usage.output_tokens}
        body["usage"] = {"tokens": counts, "billed_units": counts}
    return body


def _bedrock(reply: Reply, created: int) -> dict[str, Any]:
    del created  # this wire has no time
    choice = _first(reply)
    message = {"role": "assistant", "content": [_bedrock_block(block) for block in choice.blocks]}
    body: dict[str, Any] = {
        "output": {"message": message},
        "stopReason": _word_for(BEDROCK_REASONS, choice.finish, "end_turn"),
    }
    if reply.usage is not None:
        prompt = input_without_cache(reply.usage)
        counts = {
            "inputTokens": prompt,
            "outputTokens": reply.usage.output_tokens,
            "totalTokens": prompt + reply.usage.output_tokens,
            "cacheReadInputTokens": reply.usage.cache_read_tokens,
            "cacheWriteInputTokens": reply.usage.cache_write_tokens,
        }
        body["usage"] = {name: count for name, count in counts.items() if count is not None}
    return body


def _bedrock_block(block: Block) -> dict[str, Any]:
    if block.kind == "tool_call":
        return {"toolUse": {"toolUseId": block.id, "name": block.name, "input": tool_input(block.text)}}
    if block.kind == "redacted_reasoning":
        return {"reasoningContent": {"redactedContent": block.signature or ""}}
    if block.kind == "reasoning":
        signature = {} if block.signature is None else {"signature": block.signature}
        return {"reasoningContent": {"reasoningText": {"text": block.text, **signature}}}
    return {"text": block.text}


def _tgi(reply: Reply, created: int) -> dict[str, Any]:
    del created  # this wire has no time
    body: dict[str, Any] = {"generated_text": reply.text}
    choice = _first(reply)
    if choice.finish is not None:
        details: dict[str, Any] = {"finish_reason": _word_for(TGI_REASONS, choice.finish, "eos_token")}
        if reply.usage is not None:
            details["generated_tokens"] = reply.usage.output_tokens
            details["input_length"] = input_with_cache(reply.usage)
        body["details"] = details
    return body


def _function_calls(calls: Iterable[ToolCallChunk]) -> list[dict[str, Any]]:
    """Return calls in the form that OpenAI's chat and Cohere share."""
    return [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in calls
    ]


def _first(reply: Reply) -> ReplyChoice:
    return reply.choices[0] if reply.choices else ReplyChoice(0, ())


def _word_for(reasons: Mapping[str, FinishReason], finish: FinishChunk | None, default: str) -> str:
    """Return the wire's word for a reason: the first in its decoder's table that means it."""
    return next((word for word, reason in reasons.items() if finish and reason == finish.reason), default)


MESSAGES: Final[dict[str, MessageForm]] = {
    "openai-chat": _openai_chat,
    "openai-responses": _openai_responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "cohere-v2": _cohere,
    "ollama": _ollama,
    "bedrock-converse": _bedrock,
    "tgi": _tgi,
}
