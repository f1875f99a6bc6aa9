"""Requests and replies from one API to another: what all know arrives, what one lacks is refused or reported."""

from __future__ import annotations

import json

import anthropic
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamarena.errors import RequestRefusedError, TranslationError
from streamarena.providers import (
    ErrorChunk,
    FinishChunk,
    ReasoningChunk,
    StartChunk,
    TextChunk,
    ToolCallPartialChunk,
    UsageChunk,
    decoder_for,
    encoder_for,
)
from streamarena.relay import RelaySettings, TargetSettings
from streamarena.relay.translation import ReplyTranslator, translate_request
from streamarena.relay.translation.conversation import (
    Conversation,
    Image,
    OutputFormat,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from streamarena.relay.translation.requests import WIRES
from streamarena.sse import SSEParser
from streamarena.testing import FakeLLM
from tests.relay.serving import serve_relay

APIS = ("openai-chat", "openai-responses", "anthropic")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


# ---------------------------------------------------------------- conversations


def texts():
    return st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


names = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
images = st.one_of(
    st.builds(Image, url=st.just("https://h/p.png")),
    st.builds(Image, media_type=st.just("image/png"), data=st.just("iVBORw0KGgo=")),
)
said = st.lists(st.builds(Text, texts()), min_size=1, max_size=3)
calls = st.builds(ToolCall, names, names, st.dictionaries(names, texts(), max_size=2).map(json.dumps))


@st.composite
def turns(draw):
    made = []
    if draw(st.booleans()):
        made.append(Turn("system", (Text(draw(texts())),)))
    for _ in range(draw(st.integers(1, 3))):
        asked = draw(said)
        if draw(st.booleans()):
            asked.append(draw(images))
        made.append(Turn("user", tuple(asked)))
        answer = draw(st.lists(calls, max_size=2, unique_by=lambda call: call.id))
        made.append(Turn("assistant", (*draw(said), *answer)))
        if answer:
            made.append(Turn("user", tuple(ToolResult(call.id, (Text(draw(texts())),)) for call in answer)))
            made.append(Turn("assistant", tuple(draw(said))))
    return tuple(made)


conversations = st.builds(
    Conversation,
    model=names,
    turns=turns(),
    tools=st.just((Tool("look", "Looks.", SCHEMA, True), Tool("wait", None, SCHEMA, None))),
    tool_choice=st.sampled_from(
        [None, ToolChoice("auto"), ToolChoice("required"), ToolChoice("none"), ToolChoice("tool", "look")]
    ),
    parallel_calls=st.just(None),
    max_tokens=st.integers(1, 9999),
    temperature=st.sampled_from([None, 0, 0.5, 1]),
    top_p=st.sampled_from([None, 0.9]),
    effort=st.sampled_from([None, "low", "high"]),
    output=st.sampled_from([None, OutputFormat(SCHEMA)]),
    user=st.sampled_from([None, "u-1"]),
)


def plain(conversation):
    """What every wire says alike: without places, and arguments as the JSON they are."""

    def part(one):
        if isinstance(one, ToolCall):
            return ("call", one.id, one.name, json.loads(one.arguments))
        return one.url or one.data if isinstance(one, Image) else one

    return {
        **{name: getattr(conversation, name) for name in ("model", "max_tokens", "temperature", "top_p", "effort")},
        "turns": [(turn.role, [part(one) for one in turn.parts]) for turn in conversation.turns],
        "tools": [(tool.name, tool.description, tool.schema, bool(tool.strict)) for tool in conversation.tools],
        "choice": conversation.tool_choice,
        "output": conversation.output and conversation.output.schema,
        "user": conversation.user,
    }


@pytest.mark.parametrize("api", APIS)
@settings(max_examples=20)
@given(conversation=conversations)
def test_what_is_written_for_an_api_is_read_as_it_was(api, conversation):
    read, write = WIRES[api]
    body, dropped = write(conversation, api)
    again, more = read(json.loads(json.dumps(body)))
    assert not dropped
    assert set(more) <= {"store"}
    assert plain(again) == plain(conversation)


@pytest.mark.parametrize("target", APIS)
@pytest.mark.parametrize("source", APIS)
@settings(max_examples=20)
@given(conversation=conversations)
def test_a_request_means_the_same_in_every_api(source, target, conversation):
    body, _ = WIRES[source][1](conversation, source)
    translated = translate_request(json.dumps(body).encode(), source, target, "other-model")
    sent = json.loads(translated.body)
    assert sent["model"] == "other-model"
    assert sent["stream"] is True
    again, _ = WIRES[target][0](sent)
    assert plain(again) == {**plain(conversation), "model": "other-model"}


TOOL = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
USER = {"role": "user", "content": "Hi"}
CHAT = {"model": "m", "messages": [USER]}
RESPONSES = {"model": "m", "input": "Hi"}
MESSAGES = {"model": "m", "max_tokens": 5, "messages": [USER]}


def chat_with(**message):
    return {**CHAT, "messages": [{"role": "user", **message}]}


def responses_with(item):
    return {"model": "m", "input": [item]}


FILE = [{"type": "text", "text": "a"}, {"type": "file"}]
LATE = {**CHAT, "messages": [USER, {"role": "system", "content": "x"}]}
OBJECT_ARGUMENTS = [{"id": "1", "function": {"name": "f", "arguments": {}}}]
STORED_IMAGE = {"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}
DOCUMENT = {**MESSAGES, "messages": [{"role": "user", "content": [{"type": "document"}]}]}

FROM_CHAT = {
    "several answers": ({**CHAT, "n": 2}, "n"),
    "logprobs": ({**CHAT, "logprobs": True}, "logprobs"),
    "old functions": ({**CHAT, "functions": []}, "functions"),
    "audio": ({**CHAT, "modalities": ["text", "audio"]}, "modalities"),
    "hot": ({**CHAT, "temperature": 1.5}, "temperature"),
    "any JSON": ({**CHAT, "response_format": {"type": "json_object"}}, "response_format"),
    "a late system text": (LATE, "messages[1].role"),
    "a file": (chat_with(content=FILE), "messages[0].content[1].type"),
    "a text that is none": (chat_with(content=7), "messages[0].content"),
    "no role": ({**CHAT, "messages": [{}]}, "messages[0].role"),
    "arguments that are no text": (
        chat_with(tool_calls=OBJECT_ARGUMENTS),
        "messages[0].tool_calls[0].function.arguments",
    ),
    "a custom tool": ({**CHAT, "tools": [{"type": "custom"}]}, "tools[0].type"),
    "an odd length": ({**CHAT, "max_tokens": "5"}, "max_tokens"),
}
FROM_RESPONSES = {
    "an earlier response": ({**RESPONSES, "previous_response_id": "r"}, "previous_response_id"),
    "background": ({**RESPONSES, "background": True}, "background"),
    "a provider's tool": ({**RESPONSES, "tools": [{"type": "web_search"}]}, "tools[0].type"),
    "an item of another kind": (responses_with({"type": "computer_call"}), "input[0].type"),
    "an image that lives at the provider": (responses_with(STORED_IMAGE), "input[0].content[0].type"),
}
FROM_MESSAGES = {
    "a document": (DOCUMENT, "messages[0].content[0].type"),
    "a server's tool": ({**MESSAGES, "tools": [{"type": "web_search_20250305"}]}, "tools[0].type"),
    "servers of tools": ({**MESSAGES, "mcp_servers": [{"url": "x"}]}, "mcp_servers"),
}
REFUSED = {
    **{name: ("openai-chat", body, "anthropic", param) for name, (body, param) in FROM_CHAT.items()},
    **{name: ("openai-responses", body, "anthropic", param) for name, (body, param) in FROM_RESPONSES.items()},
    **{name: ("anthropic", body, "openai-chat", param) for name, (body, param) in FROM_MESSAGES.items()},
    "a stop sequence": ("openai-chat", {**CHAT, "stop": ["x"]}, "openai-responses", "stop"),
}


@pytest.mark.parametrize(("source", "body", "target", "param"), REFUSED.values(), ids=REFUSED)
def test_what_has_no_place_is_refused_by_name(source, body, target, param):
    with pytest.raises(TranslationError) as caught:
        translate_request(json.dumps(body).encode(), source, target)
    assert (caught.value.param, caught.value.status) == (param, 400)
    assert str(caught.value).startswith(f"{param}: ")


DROPPED = {
    "hints": ("openai-chat", {**CHAT, "seed": 1, "metadata": {"a": "b"}, "n": 1, "store": False}, ("seed", "metadata")),
    "what nobody knows": ("openai-chat", {**CHAT, "brand_new": 1}, ("brand_new",)),
    "null": ("openai-chat", {**CHAT, "seed": None, "functions": None}, ()),
    "cache marks": (
        "anthropic",
        {**MESSAGES, "top_k": 3, "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}]},
        ("top_k", "cache_control"),
    ),
    "reasoning without a place": (
        "anthropic",
        {**MESSAGES, "messages": [USER, {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "a"}]}, USER]},
        ("thinking",),
    ),
    "a provider's storage": (
        "openai-responses", {**RESPONSES, "store": True, "truncation": "auto"}, ("store", "truncation")
    ),
}  # fmt: skip


@pytest.mark.parametrize(("source", "body", "dropped"), DROPPED.values(), ids=DROPPED)
def test_hints_are_dropped_and_reported(source, body, dropped):
    target = "vllm" if source != "openai-chat" else "anthropic"
    assert translate_request(json.dumps(body).encode(), source, target).dropped == dropped


def test_reasoning_goes_back_to_its_provider_with_its_signature():
    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "sig"}
    body = {"model": "m", "input": [{"role": "user", "content": "a"}, thought, {"role": "assistant", "content": "b"}]}
    sent = json.loads(translate_request(json.dumps(body).encode(), "openai-responses", "anthropic").body)
    assert sent["messages"][1]["content"][0] == {"type": "thinking", "thinking": "hm", "signature": "sig"}


def test_the_length_is_what_each_api_calls_it():
    chat = json.dumps(CHAT).encode()
    assert json.loads(translate_request(chat, "openai-chat", "anthropic").body)["max_tokens"] == 4096
    asked = json.dumps(MESSAGES).encode()
    assert json.loads(translate_request(asked, "anthropic", "openai-chat").body)["max_completion_tokens"] == 5
    assert json.loads(translate_request(asked, "anthropic", "vllm").body)["max_tokens"] == 5
    assert json.loads(translate_request(asked, "anthropic", "openai-responses").body)["max_output_tokens"] == 5


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff"])
def test_what_is_no_request_is_refused(body):
    with pytest.raises(RequestRefusedError):
        translate_request(body, "openai-chat", "anthropic")


# ---------------------------------------------------------------- replies


CHUNKS = [
    StartChunk("id-1", "m-1", "assistant"),
    ReasoningChunk("hm"),
    TextChunk("Hello"),
    TextChunk(" world"),
    ToolCallPartialChunk(0, "call_1", "look", ""),
    ToolCallPartialChunk(0, None, None, '{"city":'),
    ToolCallPartialChunk(0, None, None, '"Rome"}'),
    FinishChunk("tool_calls", "tool_calls"),
    UsageChunk(7, 5),
]


def translator(target, api, *, stream=True):
    return ReplyTranslator(
        target, api, content_type="text/event-stream", stream=stream, include_usage=True, created=1, event_bytes=10_000
    )


def streamed(target, chunks):
    encoder = encoder_for(target)
    return [piece for piece in [*(encoder.encode([chunk]) for chunk in chunks), encoder.finish()] if piece]


def decoded(api, body):
    decoder, parser = decoder_for(api), SSEParser()
    chunks = [chunk for event in parser.feed(body) for chunk in decoder.decode(event)]
    return [*chunks, *decoder.finish()], decoder.complete


def meaning(chunks):
    text = "".join(chunk.text for chunk in chunks if isinstance(chunk, TextChunk))
    thought = "".join(chunk.text for chunk in chunks if isinstance(chunk, ReasoningChunk))
    pieces = [chunk for chunk in chunks if isinstance(chunk, ToolCallPartialChunk)]
    usage = [chunk for chunk in chunks if isinstance(chunk, UsageChunk)][-1]
    finish = next(chunk.reason for chunk in chunks if isinstance(chunk, FinishChunk))
    call = ("".join(p.id or "" for p in pieces), "".join(p.arguments or "" for p in pieces))
    return text, thought, call, usage.output_tokens, finish


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("target", APIS)
def test_a_streamed_reply_means_the_same_in_every_api(target, api):
    translate = translator(target, api)
    out = b"".join(map(translate.feed, streamed(target, CHUNKS)))
    rest, complete = translate.finish()
    chunks, whole = decoded(api, out + rest)
    assert (complete, whole) == (True, True)
    assert meaning(chunks)[0:3] == meaning(CHUNKS)[0:3]
    assert meaning(chunks)[3] == 5


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("target", APIS)
def test_a_reply_that_broke_off_gets_no_end(target, api):
    translate = translator(target, api)
    out = b"".join(map(translate.feed, streamed(target, CHUNKS[:4])[:-1][:4]))
    rest, complete = translate.finish()
    assert not complete
    assert not decoded(api, out + rest)[1]


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("target", APIS)
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_an_error_inside_the_stream_is_the_last_word(target, api, stream):
    translate = translator(target, api, stream=stream)
    broken = [*CHUNKS[:3], ErrorChunk("too busy", "overloaded", "overloaded_error")]
    out = b"".join(map(translate.feed, streamed(target, broken)))
    rest, _ = translate.finish()
    assert str(translate.error).startswith("too busy")
    assert rest == b""
    if stream:
        assert b"too busy" in out


# ---------------------------------------------------------------- clients


ASK = [{"role": "user", "content": "Hi"}]
QUICK = {"tokens": 6, "ttft": 0.002, "inter_token_latency": 0.0005, "seed": 3}
PAIRS = [(target, api) for target in APIS for api in APIS if target != api]


@pytest.mark.parametrize("target", APIS)
async def test_the_official_clients_talk_to_servers_of_another_api(target):
    async with FakeLLM(**QUICK, tool_calls=1, reasoning_tokens=2) as llm:
        told = RelaySettings(targets={"up": TargetSettings(base_url=f"{llm.url}/v1", api=target)})
        async with serve_relay(told) as (url, _):
            await _openai(url)
            await _anthropic(url)


async def _openai(url):
    tools = [{"type": "function", "function": {"name": "look", "parameters": SCHEMA}}]
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client:
        whole = await client.chat.completions.create(model="m", messages=ASK, tools=tools)
        call = whole.choices[0].message.tool_calls[0]
        assert (call.function.name, whole.choices[0].finish_reason) == ("look", "tool_calls")
        assert isinstance(json.loads(call.function.arguments), dict)
        assert whole.usage.completion_tokens > 0
        answer = [
            *ASK,
            whole.choices[0].message.model_dump(),
            {"role": "tool", "tool_call_id": call.id, "content": "x"},
        ]
        async with client.chat.completions.stream(model="m", messages=answer, tools=tools) as events:
            async for _ in events:
                pass
            assert (await events.get_final_completion()).choices[0].message.tool_calls[0].function.name == "look"
        flat = [{"type": "function", "name": "look", "parameters": SCHEMA, "strict": False}]
        async with client.responses.stream(model="m", input="Hi", tools=flat) as events:
            kinds = [event.type async for event in events]
            final = await events.get_final_response()
        assert kinds[-1] == "response.completed"
        assert [item.name for item in final.output if item.type == "function_call"] == ["look"]
        assert (await client.responses.create(model="m", input="Hi")).usage.output_tokens > 0


async def _anthropic(url):
    tools = [{"name": "look", "input_schema": SCHEMA}]
    async with anthropic.AsyncAnthropic(base_url=url, api_key="x", max_retries=0) as client:
        async with client.messages.stream(model="m", max_tokens=99, messages=ASK, tools=tools) as events:
            async for _ in events:
                pass
            final = await events.get_final_message()
        call = next(block for block in final.content if block.type == "tool_use")
        assert (call.name, final.stop_reason) == ("look", "tool_use")
        assert final.usage.output_tokens > 0
        whole = await client.messages.create(
            model="m", max_tokens=99, tools=tools,
            messages=[
                *ASK, {"role": "assistant", "content": final.content},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "x"}]},
            ],
        )  # fmt: skip
        assert whole.content


@pytest.mark.parametrize(("target", "api"), PAIRS)
async def test_refusals_reach_the_clients_in_their_own_form(target, api):
    async with FakeLLM(**QUICK, faults={"status:429": 1.0}) as llm:
        told = RelaySettings(targets={"up": TargetSettings(base_url=f"{llm.url}/v1", api=target)})
        async with serve_relay(told) as (url, _):
            if api == "anthropic":
                async with anthropic.AsyncAnthropic(base_url=url, api_key="x", max_retries=0) as client:
                    with pytest.raises(anthropic.RateLimitError):
                        await client.messages.create(model="m", max_tokens=5, messages=ASK)
                    with pytest.raises(anthropic.BadRequestError, match="mcp_servers"):
                        await client.messages.create(
                            model="m", max_tokens=5, messages=ASK, extra_body={"mcp_servers": [1]}
                        )
            else:
                async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as other:
                    with pytest.raises(openai.RateLimitError):
                        if api == "openai-chat":
                            await other.chat.completions.create(model="m", messages=ASK)
                        else:
                            await other.responses.create(model="m", input="Hi")


async def test_what_was_dropped_is_said_in_the_response():
    async with FakeLLM(**QUICK) as llm:
        told = RelaySettings(targets={"up": TargetSettings(base_url=f"{llm.url}/v1", api="anthropic")})
        async with serve_relay(told) as (url, _), openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x") as client:
            response = await client.chat.completions.with_raw_response.create(
                model="m", messages=ASK, seed=1, store=True
            )
            assert response.headers["x-streamarena-dropped"] == "seed, store"
