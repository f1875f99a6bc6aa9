"""What type checkers must see of the context room; read by them, never run."""

from collections.abc import Sequence
from typing import Any, assert_type

from streamarena.context import (
    ContextResult,
    Message,
    MessageHistory,
    ModelInfo,
    PreparedRequest,
    RequestReport,
    TokenCounter,
    TrimResult,
    WindowContext,
    manage_context,
    max_output_tokens,
    model_info,
    prepare_request,
    prepare_request_bytes,
    trim_messages,
)


async def expectations(messages: list[dict[str, Any]], history: MessageHistory) -> None:
    counter = TokenCounter()
    assert_type(counter({"role": "user"}), int)
    assert_type(model_info("gpt-4o"), ModelInfo)
    assert_type(max_output_tokens("gpt-4o"), int | None)
    assert_type(trim_messages(messages, max_tokens=5, counter=counter), TrimResult)
    assert_type(trim_messages(history, model="gpt-4o").messages, Sequence[Message])
    assert_type(history[0], Message)
    assert_type(history[1:], list[Message])
    assert_type(prepare_request({"messages": messages}), PreparedRequest)
    assert_type(prepare_request_bytes(b"{}"), tuple[bytes, RequestReport])
    window = WindowContext(messages, total_tokens=1, context_window=2, count=counter.count_blocks)
    assert_type(await manage_context(window, policy="classic"), ContextResult)
