"""CPU that the allocation tracker takes on the event path: the same work with the hook on, off, and off once more."""

from __future__ import annotations

import itertools
import random

from perf.criteria.criterion import Criterion, Options, verdict
from perf.measure import Contender, interleave
from perf.micro.sse_streams import openai_chat, pieces_of
from streamarena.memory import AllocationTracker
from streamarena.providers import decoder_for
from streamarena.sse import SSEParser

LIMIT = 0.01


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
        )
    ]
