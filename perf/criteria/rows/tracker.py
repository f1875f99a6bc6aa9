"""CPU that the allocation tracker takes: the event path with the hook on, off and off once more, and its sections."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import random
import textwrap

from perf.criteria.criterion import Criterion, Options, verdict
from perf.measure import Contender, interleave
from perf.micro.sse_streams import openai_chat, pieces_of
from streamarena.client import connection as connection_module
from streamarena.client.connection import Connection, ResponseHead
from streamarena.client.receive_buffer import ReceiveBuffer
from streamarena.memory import AllocationTracker, BufferPool
from streamarena.providers import decoder_for
from streamarena.sse import SSEParser

LIMIT = 0.01


class _Taken:
    """An exchange that decodes what a connection reads, as a request does."""

    def __init__(self) -> None:
        self.parser, self.decoder, self.chunks = SSEParser(), decoder_for("openai-chat"), 0

    def head_received(self, head: ResponseHead) -> None: ...

    def part_received(self, data: bytes) -> None:
        self.chunks += sum(map(len, map(self.decoder.decode, self.parser.feed(data))))

    def read_done(self, data: bytes, whole: bool) -> None:
        del whole
        self.part_received(data)

    def exchange_failed(self, error: Exception) -> None:
        raise error


class _Wire(asyncio.Transport):
    """A transport that takes everything and goes nowhere."""

    def write(self, data: bytes | bytearray | memoryview) -> None: ...

    def is_closing(self) -> bool:
        return False


def _without_sections() -> type[Connection]:
    """Return a connection that never asks for a section: the very source of its callback, but for the question."""
    source = textwrap.dedent(inspect.getsource(Connection.buffer_updated))
    changed = source.replace("section = self._section", "section = None")
    assert changed != source
    names = dict(vars(connection_module))
    exec(changed, names)
    return type("Unattributed", (Connection,), {"__slots__": (), "buffer_updated": names["buffer_updated"]})


def _sections(tracker: AllocationTracker, rounds: int) -> Criterion:
    """The read callback as it is, with the tracker off and on, beside one that knows of no sections."""
    pool = BufferPool()
    receive_buffer = ReceiveBuffer(pool)
    pieces = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"]
    pieces += [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces_of(openai_chat(4000, random.Random(1)), 350)]

    def reader(name: str, kind: type[Connection], *, counted: bool = False) -> Contender:
        def turn() -> float:
            (tracker.start if counted else tracker.stop)()
            connection, exchange = kind(receive_buffer, 1 << 16, 100, lambda _: None), _Taken()
            connection.connection_made(_Wire())
            connection.send(b"", exchange, tracker.slot() if counted else None)
            for piece in pieces:
                receive_buffer.view[: len(piece)] = piece
                connection.buffer_updated(len(piece))
            return exchange.chunks

        return Contender(name, turn)

    without = _without_sections()
    contenders = [
        reader("none", without),
        reader("off", Connection),
        reader("on", Connection, counted=True),
        reader("none again", without),
    ]
    table = interleave("sections", contenders, baseline="none", unit="chunk", rounds=rounds)
    receive_buffer.give_back()
    off, on, null = (table.row(name).ratio - 1 for name in ("off", "on", "none again"))
    return Criterion(
        "  attributing reads to their request",
        "< 1 % CPU while off",
        f"{off:+.2%} off, {on:+.2%} on, {null:+.2%} null (without against without)",
        f"Connection.buffer_updated with parse and decode, one event a read; {rounds} interleaved rounds",
        verdict(off - abs(null) < LIMIT),
        {"off": off, "on": on, "null": null},
    )


def measure(options: Options) -> list[Criterion]:
    tracker = AllocationTracker()
    if tracker.source != "hook":
        reason = f"the hook is not active: {tracker.refusal}"
        return [Criterion("tracker overhead", "< 1 % CPU", reason, "needs the extension", "failed")]
    pieces = pieces_of(openai_chat(4000, random.Random(1)), 1400)

    def work() -> float:
        parser, decoder, chunks = SSEParser(), decoder_for("openai-chat"), 0
        for piece in pieces:
            chunks += sum(map(len, map(decoder.decode, parser.feed(piece))))
        return chunks

    def switched(on: bool) -> Contender:
        def turn() -> float:
            (tracker.start if on else tracker.stop)()
            return work()

        return Contender("on" if on else f"off {next(names)}", turn)

    names = itertools.count(1)
    contenders = [switched(False), switched(True), switched(False)]
    rounds = options.count(101, 15)
    table = interleave("tracker", contenders, baseline="off 1", unit="chunk", rounds=rounds)
    overhead, null = table.row("on").ratio - 1, table.row("off 2").ratio - 1
    return [
        Criterion(
            "tracker overhead",
            "< 1 % CPU",
            f"{overhead:+.2%} on, {null:+.2%} null (off against off); spread {table.row('on').spread_percent:.1f} %",
            f"parse and decode of 4,000 events in reads of 1,400 bytes; {rounds} interleaved rounds, medians of ratios",
            verdict(overhead - abs(null) < LIMIT),
            {"overhead": overhead, "null": null},
        ),
        _sections(tracker, rounds),
    ]
