"""Streams as providers send them, event by event, for the lean adapters and the stock SDKs to read side by side."""

from __future__ import annotations

import json

from tests.support.scripted_server import answers


def chat(*choices, **fields):
    return {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": list(choices),
        **fields,
    }


def choice(index=0, finish=None, **delta):
    return {"index": index, "delta": delta, "finish_reason": finish}


def call(index, name=None, arguments=None, **fields):
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {"index": index, "function": function, **fields}


LOGPROBS = {
    "content": [
        {
            "token": "a",
            "logprob": -1,
            "bytes": [97],
            "top_logprobs": [{"token": "b", "logprob": -2.5, "bytes": None}],
        }
    ],
    "refusal": None,
}
USAGE = {
    "prompt_tokens": 3,
    "completion_tokens": 5,
    "total_tokens": 8,
    "prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": 0, "new_tokens": 1},
    "completion_tokens_details": {"reasoning_tokens": 1},
    "cost": 0.5,
}

CHAT = {
    "text": [chat(choice(role="assistant", content="")), chat(choice(content="hi")), chat(choice(finish="stop"))],
    "usage": [chat(choice(content="x"), usage=None), chat(usage=USAGE)],
    "tools": [
        chat(choice(role="assistant", content=None)),
        chat(choice(tool_calls=[call(0, "turn", "", id="t0", type="function")])),
        chat(choice(tool_calls=[call(0, arguments='{"a":')])),
        chat(choice(tool_calls=[call(0, arguments=" 1}")])),
        chat(choice(tool_calls=[call(1, "stop", "{}", id="t1", type="function", extra_content={"google": 1})])),
        chat(choice(finish="tool_calls")),
    ],
    "several choices": [chat(choice(0, content="a"), choice(1, content="b")), chat(choice(1, finish="length"))],
    "log probabilities": [chat({**choice(content="a"), "logprobs": LOGPROBS}), chat(choice(finish="stop"))],
    "a refusal": [chat(choice(role="assistant", refusal="no")), chat(choice(refusal=" way", finish="content_filter"))],
    "reasoning of others": [
        chat(choice(reasoning_content="hm", content=None)),
        chat(choice(content="x", reasoning="y")),
    ],
    "extras at every level": [chat({**choice(content="x"), "stop_reason": 7}, provider="P", obfuscation="zz")],
    "azure": [
        chat(prompt_filter_results=[{"prompt_index": 0}], object="", id="", model=""),
        chat({**choice(content="x"), "content_filter_results": {}}, system_fingerprint="fp", service_tier="default"),
    ],
    "audio and a function call": [chat(choice(audio={"id": "a", "data": "AA=="}, function_call={"name": "f"}))],
    "hardly any field": [{"choices": [{"index": 0, "delta": {"content": "x"}}]}],
    "no delta": [{"choices": [{"index": 0, "finish_reason": None}]}],
    "no index": [{"choices": [{"delta": {"content": "x", "tool_calls": [{"function": {"name": "f"}}]}}]}],
    "text that is a number": [chat(choice(content=5)), chat(choice(content="x"))],
    "choices that are null": [chat(choice(content="x")), {**chat(), "choices": None}],
    "a usage that is a text": [chat(choice(content="x"), usage="none")],
    "every field of its text": [chat(choice(content='ü\u2028\ud83d\ude00 \\ " \u0000'))],
}


def response(kind, number, **fields):
    return {"type": kind, "sequence_number": number, **fields}


def _whole(status, *output):
    return {"id": "r1", "object": "response", "created_at": 1, "model": "m", "status": status, "output": list(output)}


def _message(text, status="completed"):
    content = [{"type": "output_text", "text": text, "annotations": []}] if text else []
    return {"id": "m1", "type": "message", "role": "assistant", "status": status, "content": content}


AT = {"item_id": "m1", "output_index": 0}
PART = {**AT, "content_index": 0}
TEXT_PART = {"type": "output_text", "text": "", "annotations": []}
CALL = {"id": "f1", "type": "function_call", "call_id": "c1", "name": "turn", "arguments": "", "status": "in_progress"}

RESPONSES = {
    "text": [
        response("response.created", 0, response=_whole("in_progress")),
        response("response.output_item.added", 1, output_index=0, item=_message("", "in_progress")),
        response("response.content_part.added", 2, **PART, part=TEXT_PART),
        response("response.output_text.delta", 3, **PART, delta="he", logprobs=[]),
        response("response.output_text.delta", 4, **PART, delta="llo", logprobs=[{"token": "x", "logprob": -1.5}]),
        response("response.output_text.delta", 5, **PART, delta="", obfuscation="abc"),
        response("response.output_text.done", 6, **PART, text="hello", logprobs=[]),
        response("response.output_item.done", 7, output_index=0, item=_message("hello")),
        response("response.completed", 8, response=_whole("completed", _message("hello"))),
    ],
    "a function call": [
        response("response.created", 0, response=_whole("in_progress")),
        response("response.output_item.added", 1, output_index=0, item=CALL),
        response("response.function_call_arguments.delta", 2, item_id="f1", output_index=0, delta='{"a":'),
        response("response.function_call_arguments.delta", 3, item_id="f1", output_index=0, delta="1}"),
        response(
            "response.function_call_arguments.done", 4, item_id="f1", output_index=0, name="turn", arguments='{"a":1}'
        ),
        response("response.output_item.done", 5, output_index=0, item={**CALL, "arguments": '{"a":1}'}),
        response("response.completed", 6, response=_whole("completed", {**CALL, "arguments": '{"a":1}'})),
    ],
    "each of the other deltas": [
        response("response.refusal.delta", 1, **PART, delta="no"),
        response("response.reasoning_text.delta", 2, **PART, delta="hm"),
        response("response.reasoning_summary_text.delta", 3, **AT, summary_index=0, delta="so"),
        response("response.mcp_call_arguments.delta", 4, **AT, delta="{"),
        response("response.custom_tool_call_input.delta", 5, **AT, delta="x"),
        response("response.code_interpreter_call_code.delta", 6, **AT, delta="y"),
        response("response.audio.delta", 7, delta="AA=="),
        response("response.audio.transcript.delta", 8, delta="la"),
    ],
    "fields that are missing": [{"type": "response.output_text.delta", "delta": "x"}],
    "an error event": [{"type": "error", "sequence_number": 1, "code": "c", "message": "bad", "param": None}],
    "a delta that is a number": [response("response.output_text.delta", 1, **PART, delta=5, logprobs=[])],
    "a type that is new": [response("response.sonnet.delta", 1, delta="x")],
}


def sse(events, done=b"data: [DONE]\n\n", named=True):
    """Write events as the providers frame them."""
    lines = []
    for event in events:
        name = event.get("type") if named else None
        lines.append((f"event: {name}\n" if name else "") + f"data: {json.dumps(event)}\n\n")
    return "".join(lines).encode() + done


def serving(events, **framing):
    """A script that answers every request with these events."""
    return answers(sse(events, **framing))


# ---------------------------------------------------------------- Anthropic

START = {
    "type": "message_start",
    "message": {
        "id": "m1",
        "type": "message",
        "role": "assistant",
        "content": [],
        "model": "m",
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 1, "cache_read_input_tokens": 2},
    },
}
STOP = [
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 9, "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0}},
    },
    {"type": "message_stop"},
]
TOOL = {"type": "tool_use", "id": "t1", "name": "turn", "input": {}}


def block(index, start, *deltas):
    """A block's events."""
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def text(*pieces, start=""):
    return {"type": "text", "text": start}, *({"type": "text_delta", "text": piece} for piece in pieces)


def arguments(*pieces):
    return TOOL, *({"type": "input_json_delta", "partial_json": piece} for piece in pieces)


CITATION = {
    "type": "char_location",
    "cited_text": "x",
    "document_index": 0,
    "document_title": None,
    "start_char_index": 0,
    "end_char_index": 1,
}

MESSAGES = {
    "text": [START, {"type": "ping"}, *block(0, *text("he", "llo", " ü\u2028")), *STOP],
    "a block that starts with text": [START, *block(0, *text("b", "c", start="a")), *STOP],
    "a tool": [START, *block(0, *text("x")), *block(1, *arguments("", '{"a": ', "[1, 2", '], "b": "c"}')), *STOP],
    "a tool without input": [START, *block(0, *arguments()), *STOP],
    "two tools at once": [
        START,
        *block(0, *arguments('{"a":'))[:-1],
        *block(1, *arguments('{"b":'))[:-1],
        *block(0, *arguments("1}"))[1:],
        *block(1, *arguments("2}"))[1:],
        *STOP,
    ],
    "thinking": [
        START,
        *block(
            0,
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "hm"},
            {"type": "thinking_delta", "thinking": " so"},
            {"type": "signature_delta", "signature": "sig"},
        ),
        *block(1, *text("x")),
        *STOP,
    ],
    "citations": [
        START,
        *block(0, *text("a"), {"type": "citations_delta", "citation": CITATION}, {"type": "text_delta", "text": "b"}),
        *STOP,
    ],
    "fields that are new": [
        {**START, "trace": 1},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "", "mood": "good"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x", "p": 0.5}, "n": 2},
        {"type": "content_block_stop", "index": 0, "z": None},
        *STOP,
    ],
    "a delta that is new": [START, *block(0, *text("x"), {"type": "poem_delta", "verse": "y"}), *STOP],
    "an event that is new": [START, {"type": "poem", "verse": "y"}, *block(0, *text("x")), *STOP],
    "text that is a number": [START, *block(0, *text("x"), {"type": "text_delta", "text": 5})],
}
