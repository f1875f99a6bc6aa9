"""Requests through the relay with chaos between all three parties: every outcome is explained, nothing is left behind.

python -m perf.macro.relay_chaos [--requests 2000] [--seed 7]

Callers, relay and model server are apart by chaos proxies that delay, split, stall, cut, reset and refuse; the server
itself fails by share in every way it knows; callers read to the end, break off, or are cancelled, some twice; the relay
repeats, falls back and translates. A caller's outcome is explained if it is the end of the stream, its own leaving, or
one of our errors; the relay's if it is one of those, by the moment that its observer was told. Exits with 1 otherwise,
or where anything is left.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from uvicorn.server import ServerState

from streamarena.client import Limits, StreamClient, Timeouts
from streamarena.errors import StreamArenaError
from streamarena.memory import default_resources
from streamarena.relay import Relay, RelaySettings, RetrySettings, RouteSettings, TargetSettings
from streamarena.relay.intake import ClientLeftError
from streamarena.relay.observing import ExchangeFinished, ExchangeMoment
from streamarena.testing import ChaosProxy, FakeLLM
from streamarena_adapters.uvicorn import RelayProtocol

FRONT = ("cut,after=3000,share=0.05", "reset,after=500,share=0.05", "split:9,share=0.1", "stall,after=900,share=0.03",
         "refuse,share=0.02", "cut,direction=up,after=60,share=0.03", "delay:uniform:1ms:20ms,share=0.2")  # fmt: skip
BACK = ("cut,after=2000,share=0.08", "reset,after=1500,share=0.05", "stall,after=700,share=0.05", "refuse,share=0.05",
        "split:7,share=0.1", "corrupt:0.0003,share=0.05", "delay:uniform:1ms:20ms,share=0.2")  # fmt: skip
_FAULTS = ("error@3", "error@0", "cut@3", "no-end", "reset@3", "reset-before-headers", "stall@0", "stall@2", "garbage",
           "stall-before-headers", "role-only", "html", "content-type", "huge-header", "bad-chunk", "extra-bytes",
           "close-idle", "ping-storm", "freeze:0.05")  # fmt: skip
FAULTS = {**dict.fromkeys(_FAULTS, 0.02), "status:429": 0.05, "status:500": 0.05, "pause:0.1": 0.05}
APIS = ("openai-chat", "openai-responses", "anthropic")
AT_ONCE = 32


@dataclass
class Report:
    """What happened: outcomes of the callers and of the relay, what nobody can explain, and what was left behind."""

    callers: Counter[str] = field(default_factory=Counter)
    relay: Counter[str] = field(default_factory=Counter)
    unexplained: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    drained: int = 0
    repeated: int = 0

    @property
    def good(self) -> bool:
        """Whether all is explained and nothing left."""
        return not self.unexplained and not self.left

    def moment(self, moment: ExchangeMoment) -> None:
        """Take the relay's word."""
        if not isinstance(moment, ExchangeFinished):
            return
        error = moment.error
        self.relay[moment.outcome if error is None else type(error).__name__] += 1
        self.drained += moment.drained
        self.repeated += moment.attempts > 1
        own = error is None or isinstance(error, StreamArenaError | ClientLeftError | asyncio.CancelledError)
        if not own or (moment.outcome == "failed") != (error is not None):
            self.unexplained.append(f"relay: {moment.outcome} {error!r}")


@asynccontextmanager
async def serving(relay: Relay) -> AsyncIterator[str]:
    """Serve under uvicorn's HTTP in this loop."""
    config = uvicorn.Config(relay, http=RelayProtocol, lifespan="off", log_config=None, log_level="critical")
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: config.http_protocol_class(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for connection in list(state.connections):
            connection.shutdown()
        relay.close()


def settings(direct: str, spoiled: str) -> RelaySettings:
    """Two ways to the server: a spoiled one, which speaks all APIs or one, and a clean one to fall back to."""
    return RelaySettings(
        targets={
            "spoiled": TargetSettings(base_url=f"{spoiled}/v1"),
            "translated": TargetSettings(base_url=f"{spoiled}/v1", api="anthropic"),
            "clean": TargetSettings(base_url=f"{direct}/v1"),
        },
        routes=(
            RouteSettings(models="plain*", targets="spoiled"),
            RouteSettings(models="*", targets=("spoiled", "translated"), fallbacks=("clean",), retry=_TWICE),
        ),
        timeouts=Timeouts(connect=1, first_content=1, idle=0.5, total=5),
    )


_TWICE = RetrySettings(attempts=2, first_wait=0.005)


async def one(client: StreamClient, chance: random.Random, report: Report) -> None:
    """One request of a caller."""
    leave_at = chance.choice([None, None, None, 1, 5])
    model = chance.choice(["plain", "kept"])
    messages = [{"role": "user", "content": "Hi"}]
    asked = {"input": "Hi"} if client.api == "openai-responses" else {"messages": messages, "max_tokens": 60}
    try:
        async with client.stream(model=model, **asked) as stream:
            seen = 0
            async for _ in stream:
                seen += 1
                if seen == leave_at:
                    break
        report.callers["left" if leave_at and seen >= leave_at else "complete"] += 1
    except StreamArenaError as error:
        report.callers[type(error).__name__] += 1
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what this looks for
        report.unexplained.append(f"caller: {error!r}")


async def drive(url: str, requests: int, seed: int, report: Report) -> None:
    """Send all requests, some at once, and cancel some of them."""
    chance = random.Random(seed)
    limits, timeouts = Limits(max_connections=AT_ONCE), Timeouts(connect=2, first_content=3, idle=2)
    clients = [StreamClient(f"{url}/v1", api=api, limits=limits, timeouts=timeouts) for api in APIS]
    numbers = iter(range(requests))

    async def worker() -> None:
        for number in numbers:
            task = asyncio.create_task(one(clients[number % len(clients)], chance, report))
            if chance.random() < 0.15:
                await asyncio.sleep(chance.random() * 0.1)
                for _ in range(chance.choice([1, 2])):
                    task.cancel()
                    await asyncio.sleep(0)
            await asyncio.wait([task])
            if task.cancelled():
                report.callers["cancelled"] += 1

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    for client in clients:
        await client.aclose()


async def run(requests: int, seed: int) -> Report:
    """Run it all and count what is left."""
    report = Report()
    arenas = default_resources().totals().open
    options = {"ttft": 0.01, "inter_token_latency": 0.002, "tokens": 25, "faults": FAULTS, "seed": seed}
    async with FakeLLM(**options) as llm, ChaosProxy(llm.url, *BACK, seed=seed) as back:
        relay = Relay(settings(llm.url, back.url), observers=[report.moment])
        async with serving(relay) as url, ChaosProxy(url, *FRONT, seed=seed) as front:
            await drive(front.url, requests, seed, report)
            for _ in range(100):
                if not relay.active:
                    break
                await asyncio.sleep(0.1)
            if relay.active:
                report.left.append(f"{relay.active} requests are still active")
            report.left += relay.holdings()
    resources = default_resources()
    if resources.totals().open > arenas:
        report.left.append(f"{resources.totals().open - arenas} arenas are open")
    if resources.buffers.stats().outstanding:
        report.left.append(f"{resources.buffers.stats().outstanding} buffers are out")
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=7)
    chosen = parser.parse_args()
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        report = runner.run(run(chosen.requests, chosen.seed))
    print(f"callers: {dict(report.callers.most_common())}")
    print(f"relay:   {dict(report.relay.most_common())}; asked more than once: {report.repeated}")
    for line in (*report.unexplained[:20], *report.left):
        print(line)
    print("every outcome is explained and nothing is left" if report.good else "NOT GOOD")
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main())
