"""The demo's work: many streams at once through every room, each with a known fate, and the count of what came back.

Not here: drawing it (`demo.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, TypedDict

from streamarena import Pipeline, StreamClient, filter, map, tap
from streamarena.client import Limits, Timeouts
from streamarena.errors import (
    DecodeError,
    IdleTimeoutError,
    ProviderError,
    StreamArenaError,
    StreamTruncatedError,
    UnexpectedContentError,
)
from streamarena.memory import default_manager
from streamarena.providers import Chunk, TextChunk

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Demo", "DemoPlan", "OnText", "Tally"]

OnText: TypeAlias = Callable[[str], object]

# Every hundred streams hold one of each: what the server is told to do, and what the client must make of it.
FAULTS: Final[Sequence[tuple[int, str, type[StreamArenaError]]]] = (
    (11, "cut@40", StreamTruncatedError),
    (27, "error@30", ProviderError),
    (43, "status:429", ProviderError),
    (59, "no-end", StreamTruncatedError),
    (75, "html", UnexpectedContentError),
    (91, "stall@20", IdleTimeoutError),
    (97, "garbage@50", DecodeError),
)


class _ClientOptions(TypedDict):
    limits: Limits
    timeouts: Timeouts
    ssl_context: ssl.SSLContext | None


@dataclass(frozen=True)
class DemoPlan:
    """How much: streams, chunks a stream, seconds between chunks, seconds over which they start."""

    streams: int = 300
    chunks: int = 100
    gap: float = 0.04
    ramp: float = 1.0

    def fault(self, number: int) -> tuple[str, type[StreamArenaError]] | None:
        """Return the fate of one stream; None for a sound one. The first is always sound: its text is shown."""
        for place, name, error in FAULTS:
            if number % 100 == place:
                return name, error
        return None


@dataclass
class Tally:
    """What the streams have come to so far. Times in seconds."""

    finished: int = 0
    failed_as_injected: int = 0
    unexpected: list[str] = field(default_factory=list[str])
    open: int = 0
    chunks: int = 0
    first_content: list[float] = field(default_factory=list[float])
    gaps: list[float] = field(default_factory=list[float])
    text: str = ""
    peak_open: int = 0
    rss_idle: int = 0
    rss_open: int = 0
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    tasks_left: int = 0
    connections_left: int = 0
    sockets_left: int = 0

    @property
    def done(self) -> int:
        """Streams that have come to an end of any kind."""
        return self.finished + self.failed_as_injected + len(self.unexpected)

    @property
    def leaks(self) -> int:
        """Everything that should have come back and did not."""
        stats = default_manager().stats()
        left = self.tasks_left + self.connections_left + self.sockets_left
        return left + stats.outstanding + stats.arenas.open


class Demo:
    """Runs the plan against a server.

    Args:
        url: the fake model server.
        plan: how much.
        on_text: called with the first stream's text as it arrives.
        ssl_context: trusts the server's certificate.
    """

    def __init__(self, url: str, plan: DemoPlan, on_text: OnText, *, ssl_context: ssl.SSLContext | None = None) -> None:
        self._url = url
        self._ssl_context = ssl_context
        self.plan = plan
        self._on_text = on_text
        self.tally = Tally()

    async def run(self) -> Tally:
        """Run every stream to its end and return the tally. Cancellation closes them all."""
        tally, plan = self.tally, self.plan
        limits = Limits(max_connections=plan.streams + 8)
        timeouts = Timeouts(first_content=30.0, idle=max(2.0, 20 * plan.gap))
        sockets, tasks = _sockets(), len(asyncio.all_tasks())
        url = self._url
        options: _ClientOptions = {"limits": limits, "timeouts": timeouts, "ssl_context": self._ssl_context}
        chat = StreamClient(f"{url}/v1", api="openai-chat", **options)
        messages = StreamClient(f"{url}/v1", api="anthropic", **options)
        async with chat, messages:
            await self._warm_up(chat, messages)
            tally.rss_idle = _resident_bytes()
            started, cpu = time.perf_counter(), time.process_time()
            async with asyncio.TaskGroup() as group:
                for number in range(plan.streams):
                    group.create_task(self._stream((chat, messages)[number % 2], number))
                    await asyncio.sleep(plan.ramp / plan.streams)
            tally.cpu_seconds = time.process_time() - cpu
            tally.wall_seconds = time.perf_counter() - started
            tally.connections_left = chat.connections_in_use + messages.connections_in_use
        await asyncio.sleep(0.05)  # transports report their end in the loop's next turns
        tally.tasks_left = len(asyncio.all_tasks()) - tasks
        tally.sockets_left = max(0, _sockets() - sockets)
        return tally

    async def _warm_up(self, *clients: StreamClient) -> None:
        """Import and build what the first request of a process needs, so that it is not charged to a stream."""
        for client in clients:
            body = {
                "model": "fake-model,tokens=2,ttft=0",
                "max_tokens": 2,
                "messages": [{"role": "user", "content": "x"}],
            }
            async with client.stream(body) as stream:
                await stream.result()

    async def _stream(self, client: StreamClient, number: int) -> None:
        tally = self.tally
        fate = self.plan.fault(number)
        model = f"fake-model,fault={fate[0]}" if fate else "fake-model"
        tally.open += 1
        tally.peak_open = max(tally.peak_open, tally.open)
        if tally.open == self.plan.streams:
            tally.rss_open = _resident_bytes()
        try:
            await self._consume(client, model, number)
        except StreamArenaError as error:
            if fate is not None and isinstance(error, fate[1]):
                tally.failed_as_injected += 1
            else:
                tally.unexpected.append(f"stream {number}: {type(error).__name__}: {error}")
        else:
            if fate is None:
                tally.finished += 1
            else:
                tally.unexpected.append(f"stream {number}: {fate[0]} went unnoticed")
        finally:
            tally.rss_open = max(tally.rss_open, _resident_bytes() if tally.open == tally.peak_open else 0)
            tally.open -= 1

    async def _consume(self, client: StreamClient, model: str, number: int) -> None:
        tally = self.tally
        texts = Pipeline(tap(self._count), filter(TextChunk), map(_text_of))
        body = {
            "model": model,
            "max_tokens": self.plan.chunks,
            "messages": [{"role": "user", "content": f"Tell me story number {number}."}],
        }
        async with client.stream(body, label=f"demo-{number}") as stream:
            last = 0
            async for batch in texts.over(stream).batches():
                if last:
                    tally.gaps.append((stream.received_at - last) / 1e9)
                last = stream.received_at
                if number == 0:
                    tally.text += "".join(batch)
                    self._on_text("".join(batch))
            result = await stream.result()
            if result.timings.time_to_first_token is not None:
                tally.first_content.append(result.timings.time_to_first_token)

    def _count(self, chunk: Chunk) -> None:
        del chunk
        self.tally.chunks += 1


def _text_of(chunk: TextChunk) -> str:
    return chunk.text


def _resident_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        return 0  # not Linux: the table says that it was not measured
    return pages * 4096


def _sockets() -> int:
    folder = Path("/proc/self/fd")
    found = 0
    for entry in folder.iterdir() if folder.is_dir() else ():
        with contextlib.suppress(OSError):  # the listing's own descriptor is closed by now
            found += str(entry.readlink()).startswith("socket:")
    return found
