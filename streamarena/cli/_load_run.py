"""What `streamarena load` does once its options are read: plans, runs, files, objectives.

Invariants: the first interrupt ends the running test early and reports what was measured, the second one ends
everything; results of a sweep that is broken off are kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from streamarena.client import Timeouts
from streamarena.load import ClosedLoop, Lengths, LoadPlan, LoadResult, LoadTest, OpenLoop, Stage, Synthetic
from streamarena.load.addresses import base_url
from streamarena.load.server import first_model, wait_until_ready

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from streamarena.load import RequestSource, Schedule
    from streamarena.load.totals import Totals

__all__ = ["run_tests"]

_DEFAULT_REQUESTS_A_USER = 10


async def run_tests(options: dict[str, Any]) -> list[LoadResult]:
    """Run every point of the sweep and write the files asked for."""
    options["url"] = base_url(options["url"], options["api"])
    if options["ready_timeout"]:
        await wait_until_ready(options["url"], options["api"], options["api_key"], seconds=options["ready_timeout"])
    if not options["model"]:
        options["model"] = await first_model(options["url"], options["api"], options["api_key"])
        click.echo(f"model: {options['model']}", err=True)
    results: list[LoadResult] = []
    for schedule in schedules(options):
        result = await _run_one(make_plan(options, schedule), options)
        results.append(result)
        if options["ui"] != "none":
            click.echo(result.table() + "\n")
        if options.get("interrupted"):
            break
    write_results(results, options)
    return results


def schedules(options: dict[str, Any]) -> Iterator[Schedule]:
    """Return the schedules of a sweep, in the order they were written."""
    stages = tuple(Stage(*stage) for stage in options["stages"])
    if options["request_rate"] is not None:
        for rate in options["request_rate"]:
            yield OpenLoop(
                rate,
                options["arrival_pattern"],
                options["burstiness"],
                options["ramp_up"],
                stages,
                options["max_concurrency"],
            )
        return
    for concurrency in options["concurrency"] or (1,):
        yield ClosedLoop(concurrency, options["ramp_up"], stages)


def make_plan(options: dict[str, Any], schedule: Schedule) -> LoadPlan:
    """Return the plan of one point of the sweep."""
    count = options["request_count"]
    if count is None and options["duration"] is None:
        users = schedule.concurrency if isinstance(schedule, ClosedLoop) else 10
        count = _DEFAULT_REQUESTS_A_USER * users
    return LoadPlan(
        url=options["url"],
        model=options["model"],
        api=options["api"],
        requests=make_source(options),
        schedule=schedule,
        request_count=count,
        duration=options["duration"],
        warmup_requests=options["warmup_requests"],
        seed=options["seed"],
        api_key=options["api_key"],
        headers=options["headers"],
        path=options["path"],
        timeouts=Timeouts(total=options["timeout"]),
        goodput=options["goodput"],
        rows=options["artifact_dir"] is not None,
    )


def make_source(options: dict[str, Any]) -> RequestSource:
    """Return what makes the requests."""
    return Synthetic(
        Lengths(options["isl"], options["isl_stddev"]),
        Lengths(options["osl"], options["osl_stddev"]) if options["osl"] else None,
        api=options["api"],
        members=options["extra_body"] or {},
        seed=options["seed"],
    )


async def _run_one(plan: LoadPlan, options: dict[str, Any]) -> LoadResult:
    show = _progress(plan) if options["ui"] == "simple" else None
    test = LoadTest(plan, percentiles=options["percentiles"], progress=show)
    with _interrupts(test, options):
        result = await test.run()
    if show is not None:
        click.echo("\r" + " " * 78 + "\r", err=True, nl=False)
    return result


@contextlib.contextmanager
def _interrupts(test: LoadTest, options: dict[str, Any]) -> Generator[None]:
    """Let the first interrupt stop the test, and the second one cancel it."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def interrupted() -> None:
        if options.get("interrupted"):
            assert task is not None
            task.cancel()
        else:
            options["interrupted"] = True
            click.echo("\nending: waiting for open streams; interrupt again to leave them", err=True)
            test.stop()

    try:
        loop.add_signal_handler(signal.SIGINT, interrupted)
    except (NotImplementedError, ValueError):  # Windows, or not the main thread: an interrupt ends everything
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def _progress(plan: LoadPlan) -> Any:  # noqa: ANN401 - a local function
    whole = plan.total_requests

    def show(totals: Totals) -> None:
        counters = totals.numbers.counters
        ttft = totals.numbers.histograms.get("ttft")
        p50 = ttft.percentile(50) if ttft is not None else None
        of = f"/{whole}" if whole is not None else ""
        ended = sum(counters[name] for name in ("completed", "failed", "dropped", "left_out"))
        shown = f"{ended}{of} requests, {counters['failed']} failed, {counters['chunks']} chunks"
        latency = f", TTFT p50 {p50 / 1e6:.1f} ms" if p50 is not None else ""
        click.echo(f"\r{plan.schedule.describe()}: {shown}{latency}".ljust(78), err=True, nl=False)

    return show


def write_results(results: list[LoadResult], options: dict[str, Any]) -> None:
    """Write the files asked for."""
    if options["save_result"] is not None:
        summaries = [result.summary for result in results]
        content = orjson.dumps(summaries[0] if len(summaries) == 1 else summaries, option=orjson.OPT_INDENT_2)
        Path(options["save_result"]).write_bytes(content)
