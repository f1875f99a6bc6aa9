"""`streamarena demo`: hundreds of real streams against an embedded fake model server, live, then what they cost."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, Final

import click
from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from streamarena.cli._demo_job import Demo, DemoPlan, OnText, Tally
from streamarena.cli._loop import run
from streamarena.memory import default_manager
from streamarena.testing import FakeLLM

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

__all__ = ["command"]


@click.command("demo", short_help="Run hundreds of streams against an embedded fake model server.")
@click.option("--streams", type=click.IntRange(1, 10_000), default=300, show_default=True, help="Concurrent streams.")
@click.option("--chunks", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Chunks a stream.")
@click.option(
    "--gap", type=click.FloatRange(0.0, 10.0), default=0.04, show_default=True, help="Seconds between chunks."
)
@click.option("--tls", is_flag=True, help="Speak TLS, with a certificate made for this run; needs the extra `testing`.")
@click.option("--plain", is_flag=True, help="No live display, as when the output is not a terminal.")
def command(streams: int, chunks: int, gap: float, tls: bool, plain: bool) -> None:
    """Run hundreds of streams against an embedded fake model server, and show what they cost.

    Half speak OpenAI's chat API, half Anthropic's messages; a few get an injected fault. Everything goes over real
    sockets, through request arenas, the shared receive buffer, the parser, the decoders and a pipeline.

    Exit codes: 0 all is well; 1 something leaked, or failed that was not meant to; 130 interrupted.
    """
    console = Console(highlight=False)
    plan = DemoPlan(streams=streams, chunks=chunks, gap=gap)
    console.print(f"Starting a fake model server in its own process, then {streams} streams of {chunks} chunks ...")
    with FakeLLM.spawn(ttft=0.2, inter_token_latency=gap, tokens=chunks, tls=tls) as server:
        job = partial(Demo, server.url, plan, ssl_context=server.client_context())
        tally = run(_watch(job, console, live=console.is_terminal and not plain))
    console.print(_table(tally, plan))
    through_arenas = default_manager().stats().arenas.bytes
    problems = list(tally.unexpected)
    if tally.leaks:
        problems.append(f"{tally.leaks} resources were not given back")
    if not through_arenas:
        problems.append("no byte went through an arena")
    for problem in problems[:20]:
        console.print(f"[red]{problem}")
    if problems:
        raise SystemExit(1)
    console.print("Everything that was taken came back.")


async def _watch(job: Callable[[OnText], Demo], console: Console, *, live: bool) -> Tally:
    if not live:
        return await _watch_plainly(job, console)
    progress = Progress(
        TextColumn("streams done"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    demo = job(len)  # the display reads the text from the tally
    bar = progress.add_task("", total=demo.plan.streams)
    layout = Table.grid()
    display = Live(layout, console=console, refresh_per_second=8, transient=True)
    with display, _every(0.125, lambda: _draw(layout, progress, bar, demo.tally)):
        return await demo.run()


def _draw(layout: Table, progress: Progress, bar: object, tally: Tally) -> None:
    progress.update(bar, completed=tally.done, description=f"{tally.open} open, {tally.chunks} chunks")  # type: ignore[arg-type]  # rich's TaskID is a NewType of int
    text = tally.text[-320:] or "waiting for the first stream ..."
    layout.rows.clear()
    layout.columns.clear()
    layout.add_row(Panel(text, title="stream 1, as it arrives", width=84, height=7))
    layout.add_row(progress)


async def _watch_plainly(job: Callable[[OnText], Demo], console: Console) -> Tally:
    """Print the first stream's text as it arrives, and the count once a second on lines of its own."""
    demo = job(console.file.write)
    status = Console(stderr=True, highlight=False)

    def report() -> None:
        tally = demo.tally
        print(file=console.file, flush=True)  # the text goes on in a line of its own
        status.print(f"[{tally.done}/{demo.plan.streams} streams done, {tally.open} open, {tally.chunks} chunks]")

    with _every(1.0, report):
        tally = await demo.run()
    console.print()
    return tally


@contextlib.contextmanager
def _every(seconds: float, action: Callable[[], None]) -> Generator[None]:
    """Call `action` at an interval while the block runs."""
    loop = asyncio.get_running_loop()
    timers: list[asyncio.TimerHandle] = []

    def again() -> None:
        action()
        timers[:] = [loop.call_later(seconds, again)]

    timers.append(loop.call_later(seconds, again))
    try:
        yield
    finally:
        timers[0].cancel()


_POOLED: Final = {"request": "parsers and decoders", "response": "accumulators", "token": "chunk lists"}


def _table(tally: Tally, plan: DemoPlan) -> Table:
    table = Table(title=f"{plan.streams} streams, {plan.chunks} chunks each, {plan.gap * 1000:g} ms apart")
    table.caption = (
        "Pools start empty and every stream runs at once, so objects are reused only once streams end; chunks include "
        "those that only start, count or finish a stream; memory includes what the demo itself keeps of each stream."
    )
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in _figures(tally):
        table.add_row(name, value)
    return table


def _figures(tally: Tally) -> Iterator[tuple[str, str]]:
    stats = default_manager().stats()
    chunks = max(1, tally.chunks)
    yield "streams finished", str(tally.finished)
    yield "failed as injected", str(tally.failed_as_injected)
    yield "failed otherwise", str(len(tally.unexpected))
    yield "most streams open at once", str(tally.peak_open)
    yield "chunks", f"{tally.chunks:,}"
    yield "chunks a second", f"{tally.chunks / tally.wall_seconds:,.0f}"
    yield "client CPU a chunk", f"{tally.cpu_seconds / chunks * 1e6:.1f} us"
    yield "time to first token p50 / p99", _percentiles(tally.first_content)
    yield "inter-chunk gap p50 / p99", _percentiles(tally.gaps)
    yield "scopes opened / closed", f"{stats.arenas.opened} / {stats.arenas.closed}"
    yield "bytes through arenas", f"{stats.arenas.bytes:,}"
    yield "escaped from their scope", str(stats.arenas.escaped)
    for tier in stats.buffers.tiers:
        name = f"buffers of {tier.size // 1024} KiB" if tier.size else "larger buffers"
        yield f"{name} reused", _reuse(tier.hits, tier.misses)
    for pool in stats.pools:
        purpose, _, key = pool.name.partition("/")
        api = key.partition(",")[0]
        yield f"{_POOLED[purpose]}{api and ', '}{api} reused", _reuse(pool.hits, pool.misses)
    yield "leases still out", str(stats.outstanding)
    yield (
        "tasks / connections / sockets left",
        (f"{tally.tasks_left} / {tally.connections_left} / {tally.sockets_left}"),
    )
    if tally.rss_open and tally.rss_idle:
        yield "resident memory a stream", f"{max(0, tally.rss_open - tally.rss_idle) / tally.peak_open / 1000:.1f} kB"


def _percentiles(samples: Sequence[float]) -> str:
    if not samples:
        return "-"
    ordered = sorted(samples)
    low, high = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"{low * 1000:.1f} / {high * 1000:.1f} ms"


def _reuse(hits: int, misses: int) -> str:
    return f"{hits / (hits + misses):.1%} of {hits + misses}" if hits + misses else "not used"
