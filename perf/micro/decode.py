"""Events to chunks, and tool arguments that come in small pieces.

    python -m perf decode [--rounds N] [--save-baseline]

Decoders get events that are parsed already; `parse-and-decode` measures them together with the parser.
Tool arguments come in pieces of 8 characters and are read as a value at the end, or after every piece.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from perf.measure import Contender, Table, interleave, options, report
from streamarena.providers import (
    FinishChunk,
    StartChunk,
    TextChunk,
    ToolCallAssembler,
    ToolCallPartialChunk,
    UsageChunk,
    decoder_for,
    encoder_for,
)
from streamarena.providers.framing import framer_for

CHUNKS = 1000
ARGUMENTS = 30_000
DELTA = 8
APIS = ("openai-chat", "anthropic", "openai-responses", "gemini", "ollama")


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = options(__doc__ or "", arguments)
    tables = [decoders(chosen.rounds), tool_arguments(chosen.rounds)]
    report("decode", tables, save_baseline=chosen.save_baseline)
    chat = tables[0].row("openai-chat").per_unit * 1e6
    print(f"openai-chat decoder                  {chat:.2f} us a chunk  (aim 0.6)")
    print(f"30 kB of arguments, one long string  {tables[1].row('ours').per_unit * 1e3:.2f} ms  (aim 5)")


def body_of(api: str) -> bytes:
    """Return a stream of a thousand words as the API's own service writes it."""
    encoder = encoder_for(api, id="chatcmpl-8sVZ3kQ0J7", model="gpt-5-mini-2025-08-07", created=1_760_000_000)
    words = [TextChunk(f" word{number % 97}") for number in range(CHUNKS)]
    stream = [StartChunk("chatcmpl-8sVZ3kQ0J7", "gpt-5-mini", "assistant"), *words]
    end = [FinishChunk("stop"), UsageChunk(25, CHUNKS)]
    return encoder.encode(stream) + encoder.encode(end) + encoder.finish()


# ---------------------------------------------------------------- decoders alone


def decoders(rounds: int) -> Table:
    rows = []
    for api in APIS:
        body = body_of(api)
        events = framer_for(None, body[:64], api).feed(body)
        rows.append(Contender(api, decode_all(api, events)))
    body = body_of("openai-chat")
    events = framer_for(None, body[:64]).feed(body)[:-1]
    rows += [
        Contender("orjson.loads", load_all(orjson.loads, events)),
        Contender("json.loads", load_all(json.loads, events)),
        Contender("openai objects", sdk_objects(events)),
    ]
    return interleave("events to chunks", rows, baseline="openai-chat", unit="chunk", rounds=rounds)


def decode_all(api: str, events: Sequence[Any]) -> Callable[[], float]:
    decoder = decoder_for(api, think_tag=None)

    def work() -> float:
        decoder.reset()
        decode = decoder.decode
        for event in events:
            decode(event)
        if not decoder.complete or decoder.fallbacks:
            raise RuntimeError(f"{api}: not decoded as it should be")
        return CHUNKS

    return work


def load_all(load: Callable[[bytes], Any], events: Sequence[Any]) -> Callable[[], float]:
    def work() -> float:
        for event in events:
            load(event.raw_data)
        return CHUNKS

    return work


def sdk_objects(events: Sequence[Any]) -> Callable[[], float]:
    """Build the SDK's own object of each event, as its stream does after its parser."""
    from openai._models import construct_type
    from openai.types.chat import ChatCompletionChunk

    def work() -> float:
        for event in events:
            construct_type(type_=ChatCompletionChunk, value=json.loads(event.raw_data))
        return CHUNKS

    return work


# ---------------------------------------------------------------- tool arguments


def tool_arguments(rounds: int) -> Table:
    code = json.dumps({"path": "a.py", "content": "def f(x):\n    return x + 1\n" * (ARGUMENTS // 29)})
    many = json.dumps({f"k{number}": {"a": number, "b": [True, None, "x"]} for number in range(ARGUMENTS // 46)})
    rows = [
        Contender("ours", assembled(code)),
        Contender("ours, read after every piece", assembled(code, read=True)),
        Contender("ours, many small members", assembled(many)),
        Contender("jiter, the whole text again each time", reparsed(code)),
    ]
    title = f"{len(code)} characters of tool arguments, {DELTA} a piece"
    return interleave(title, rows, baseline="ours", unit="call", rounds=rounds)


def assembled(text: str, *, read: bool = False) -> Callable[[], float]:
    deltas = [ToolCallPartialChunk(0, arguments=text[at : at + DELTA]) for at in range(0, len(text), DELTA)]
    expected = json.loads(text)

    def work() -> float:
        assembler = ToolCallAssembler()
        assembler.feed(ToolCallPartialChunk(0, "call_a", "write_to_file"))
        for delta in deltas:
            assembler.feed(delta)
            if read:
                assembler.arguments("call_a")
        if assembler.arguments("call_a") != expected:
            raise RuntimeError("the arguments are not what was sent")
        return 1

    return work


def reparsed(text: str) -> Callable[[], float]:
    """Do what SDKs do: add the piece, parse all that has come so far, tolerantly."""
    from_json = importlib.import_module("jiter").from_json

    def work() -> float:
        held = b""
        for at in range(0, len(text), DELTA):
            held += text[at : at + DELTA].encode()
            value = from_json(held, partial_mode="trailing-strings")
        if value != json.loads(text):
            raise RuntimeError("the arguments are not what was sent")
        return 1

    return work


if __name__ == "__main__":
    main()
