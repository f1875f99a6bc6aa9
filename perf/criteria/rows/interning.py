"""String bytes saved by interning what streams leave behind: OpenAI, Anthropic and tool-call streams, retained whole.

Two ways of retaining are measured: every event as untyped JSON, as a recorder keeps them, and the texts of the typed
chunks. Bytes are those of distinct str objects (`sys.getsizeof`); the interner's own tables are charged to it.
"""

from __future__ import annotations

import random
import re
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from sys import getsizeof
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from perf.criteria.criterion import Criterion, Options, verdict
from streamarena.memory import StringInterner
from streamarena.prompts import builtin_catalog
from streamarena.providers import Accumulator, decoder_for, encoder_for
from streamarena.providers.chunks import FinishChunk, StartChunk, TextChunk, ToolCallPartialChunk
from streamarena.sse import SSEParser

if TYPE_CHECKING:
    from streamarena.providers.replies import Reply

TARGET = 0.5


def _tokens(chance: random.Random, count: int) -> list[str]:
    """A passage of English prose, cut into words with their spaces, about as tokenizers do."""
    catalogue = builtin_catalog()
    keys = [key for key in catalogue if len(catalogue.text(key)) > 1500]
    pieces: list[str] = []
    while len(pieces) < count:
        pieces += re.findall(r"\s?\w{1,8}|[^\w\s]|\s", catalogue.text(chance.choice(keys)))
    start = chance.randrange(max(1, len(pieces) - count))
    return pieces[start : start + count]


def _stream(api: str, tools: bool, number: int, count: int) -> bytes:
    chance = random.Random(number)
    chunks: list[Any] = [StartChunk(f"chatcmpl-{chance.getrandbits(64):016x}", "gpt-4o-mini-2024-07-18", "assistant")]
    tokens = _tokens(chance, count)
    if tools:
        name = chance.choice(("read_file", "search_files", "write_to_file"))
        chunks.append(ToolCallPartialChunk(0, f"call_{chance.getrandbits(48):012x}", name, None))
        chunks += [ToolCallPartialChunk(0, None, None, token) for token in tokens]
    else:
        chunks += [TextChunk(token) for token in tokens]
    chunks.append(FinishChunk("tool_calls" if tools else "stop", None))
    encoder = encoder_for(api)
    return encoder.encode(chunks) + encoder.finish()


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)


def _shared(value: Any, intern: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return intern(value)
    if isinstance(value, dict):
        return {intern(key): _shared(item, intern) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shared(item, intern) for item in value]
    return value


def _untyped(api: str, stream: bytes) -> Iterable[Any]:
    del api
    for event in SSEParser().feed(stream):
        if event.raw_data != b"[DONE]":
            yield orjson.loads(event.raw_data)


def _typed(api: str, stream: bytes) -> Iterable[Any]:
    decoder = decoder_for(api)
    for event in SSEParser().feed(stream):
        for chunk in decoder.decode(event):
            yield [value for value in msgspec.structs.astuple(chunk) if isinstance(value, str)]


def _bytes(retained: list[Any]) -> int:
    return sum(getsizeof(text) for text in {id(text): text for text in _strings(retained)}.values())


def _replies(bodies: list[tuple[str, bytes]], share: Callable[[str], str]) -> list[Reply]:
    """Put streams together as the client does for a result that is kept."""
    replies = []
    for api, body in bodies:
        decoder, accumulator = decoder_for(api), Accumulator(api, share=share)
        for event in SSEParser().feed(body):
            accumulator.extend(decoder.decode(event))
        replies.append(accumulator.reply())
    return replies


def _repeated(replies: list[Reply]) -> list[str]:
    """Return what replies repeat: names of models and tools, and the providers' words for the end."""
    texts: list[str | None] = [reply.model for reply in replies]
    for reply in replies:
        texts += [call.name for call in reply.tool_calls]
        texts += [choice.finish.raw_reason for choice in reply.choices if choice.finish is not None]
    return [text for text in texts if text is not None]


def _kept_results(kinds: Iterable[tuple[str, str, bool]], count: int) -> Criterion:
    interner, rounds = StringInterner(), 21
    bodies = [(api, _stream(api, tools, number, 50)) for _, api, tools in kinds for number in range(count)]
    plain, shared = _repeated(_replies(bodies, str)), _repeated(_replies(bodies, interner.text))
    before, after = _bytes(plain), _bytes(shared)
    seconds: dict[object, list[float]] = {str: [], interner.text: []}
    for _ in range(rounds):
        for share, taken in seconds.items():
            start = time.process_time()
            _replies(bodies, share)
            taken.append(time.process_time() - start)
    extra = statistics.median(b - a for a, b in zip(*seconds.values(), strict=True)) / len(bodies)
    return Criterion(
        "  kept results, as StreamClient does",
        "-",
        f"{1 - after / before:.1%} of what replies repeat: {before / len(bodies):.0f} to {after / len(bodies):.0f} "
        f"bytes a result; {extra * 1e6:+.1f} us a result",
        f"{len(bodies)} replies kept: names of models and tools, finish reasons; the same streams with and without "
        f"the interner, CPU, median of {rounds}",
        "shown",
        {"before": before, "after": after, "seconds_a_result": extra},
    )


def measure(options: Options) -> list[Criterion]:
    streams, count = options.count(40, 8), 400
    kinds = (("OpenAI", "openai-chat", False), ("Anthropic", "anthropic", False), ("tool calls", "openai-chat", True))
    rows = []
    for name, read in (("events, untyped", _untyped), ("texts of typed chunks", _typed)):
        interner, parts, before_all, after_all = StringInterner(), [], 0, 0
        kept: list[Any] = []
        for kind, api, tools in kinds:
            bodies = [_stream(api, tools, number, count) for number in range(streams)]
            plain = [list(read(api, body)) for body in bodies]
            shared = [[_shared(item, interner.text) for item in read(api, body)] for body in bodies]
            before, after = _bytes(plain), _bytes(shared)
            parts.append(f"{kind} {1 - after / before:.0%}")
            before_all += before
            kept.append(shared)
        tables = interner.memory_usage() - sum(getsizeof(text) for text in interner._symbols)
        after_all = _bytes(kept) + tables
        saved, stats = 1 - after_all / before_all, interner.stats()
        rows.append(
            Criterion(
                f"interning: {name}",
                ">= 50 % saved",
                f"{saved:.1%} with the interner's tables ({before_all / 1e6:.2f} to {after_all / 1e6:.2f} MB); "
                f"{', '.join(parts)}; {stats.entries} texts, {stats.declined} declined, {stats.memory / 1e3:.0f} kB",
                f"3 x {streams} retained streams of {count} word-like tokens from our prompt catalogue's texts",
                verdict(saved >= TARGET and stats.memory <= stats.limit),
                {"before": before_all, "after": after_all},
            )
        )
    rows.append(_kept_results(kinds, options.count(300, 60)))
    return rows
