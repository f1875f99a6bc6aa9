"""Bytes to typed chunks, the whole synchronous way, against what SDK users do: parse the events, then load their JSON.

    python -m perf parse-and-decode [--rounds N] [--save-baseline]

OpenAI-chat-like and Anthropic-like streams, 4 KiB a read. Ours ends in typed chunks, the peers in plain dictionaries,
which the SDKs then turn into objects of their own at many times that cost. Nobody looks into the result: that every
event became one text is checked once, outside of what is measured. CPU per event.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from perf.measure import Contender, Table, interleave, options, report
from perf.micro.sse_streams import SHAPES, pieces_of, stream_of
from streamarena.providers import decoder_for
from streamarena.sse import SSEParser, _parser_py

WIRES = {"openai-chat": "openai-chat", "anthropic": "anthropic"}


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = options(__doc__ or "", arguments)
    tables = [compare(shape, api, chosen.rounds) for shape, api in WIRES.items()]
    report("parse-and-decode", tables, save_baseline=chosen.save_baseline)
    ratio = tables[0].ratio("openai + json.loads", "ours")
    print(f"openai-chat: ours against openai + json.loads {ratio:.1f} x  (aim 10)")
    print(f"openai-chat: decoding alone {tables[0].row('decoding alone').per_unit * 1e6:.2f} us  (aim 0.6)")


def compare(shape: str, api: str, rounds: int) -> Table:
    """Measure everybody on one stream."""
    pieces = pieces_of(stream_of(shape), 4096)
    events = SHAPES[shape][1]
    contenders = [
        Contender("ours", ours(SSEParser, api, pieces, events)),
        Contender("ours, pure parser", ours(_parser_py.SSEParser, api, pieces, events)),
        Contender("decoding alone", decoding(api, pieces, events)),
        Contender("httpx-sse + orjson", httpx_sse(pieces)),
        Contender("openai + json.loads", openai(pieces, events)),
    ]
    title = f"{shape}: bytes to typed chunks, 4 KiB a read"
    return interleave(title, contenders, baseline="ours", unit="event", rounds=rounds)


def ours(parser_class: Any, api: str, pieces: Sequence[bytes], events: int) -> Callable[[], float]:
    def work() -> float:
        parser, decode = parser_class(), decoder_for(api).decode
        for piece in pieces:
            for event in parser.feed(piece):
                decode(event)
        return events

    parser, decode = parser_class(), decoder_for(api).decode
    kinds = [chunk.kind for piece in pieces for event in parser.feed(piece) for chunk in decode(event)]
    if kinds.count("text") != events:
        raise RuntimeError(f"{kinds.count('text')} texts instead of {events}")
    return work


def decoding(api: str, pieces: Sequence[bytes], events: int) -> Callable[[], float]:
    parser = SSEParser()
    parsed = [event for piece in pieces for event in parser.feed(piece)]

    def work() -> float:
        decode = decoder_for(api).decode
        for event in parsed:
            decode(event)
        return events

    return work


def httpx_sse(pieces: Sequence[bytes]) -> Callable[[], float]:
    from httpx_sse._decoders import SSEDecoder, SSELineDecoder

    def work() -> float:
        lines, decoder = SSELineDecoder(), SSEDecoder()
        seen = 0
        for piece in pieces:
            for line in lines.decode(piece.decode("utf-8", "replace")):
                event = decoder.decode(line.rstrip("\n"))
                if event is not None:
                    orjson.loads(event.data)
                    seen += 1
        return seen

    return work


def openai(pieces: Sequence[bytes], events: int) -> Callable[[], float]:
    from openai._streaming import SSEDecoder

    def work() -> float:
        for event in SSEDecoder().iter_bytes(iter(pieces)):
            json.loads(event.data)
        return events

    return work
