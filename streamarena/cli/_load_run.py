"""What `streamarena load` does once its options are read: plans, runs, searches, files.

Invariants: the first interrupt ends the running test early, the second one leaves its open streams at once; whatever
ends a sweep (interrupts, a source that fails, lost workers), what was measured until then is shown and written. That
files can be written is found out before the first request.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import orjson

from streamarena.cli._load_sources import closed_loop, drop_streams, make_source, open_loop, schedules
from streamarena.cli._load_view import show_progress
from streamarena.client import Timeouts
from streamarena.load import ClosedLoop, InProcess, LoadPlan, LoadResult, LoadTest, Processes, TraceArrivals
from streamarena.load.addresses import base_url
from streamarena.load.engines import engine_named
from streamarena.load.export import RequestLines, as_document, write_csv, write_hdr_log, write_json
from streamarena.load.scrape import Scraper
from streamarena.load.search import SearchResult, find_capacity
from streamarena.load.server import first_model, wait_until_ready

if TYPE_CHECKING:
    from collections.abc import Generator

    from streamarena.load import Engine, RequestSource, Schedule

__all__ = ["calibrate_machine", "run_tests"]

_DEFAULT_REQUESTS_A_USER: Final = 10
_DEFAULT_REQUESTS: Final = 100
_INTERRUPTS: Final = (signal.SIGINT, signal.SIGTERM)


async def calibrate_machine() -> None:
    """Say what this machine can measure."""
    from streamarena.load.calibration import calibrate

    click.echo("calibrating against the bundled server ...", err=True)
    click.echo((await calibrate()).table() + "\n")


async def run_tests(options: dict[str, Any]) -> list[LoadResult]:
    """Run every point of the sweep, or the search, and write the files asked for."""
    options["url"] = base_url(options["url"], options["api"])
    _make_sure_of_files(options)
    source = make_source(options)
    if options["calibrate"]:
        await calibrate_machine()
    await _meet_server(options)
    results: list[LoadResult] = []
    try:
        if options["find_max"] is not None:
            await _search(source, options, results)
        else:
            for position, schedule in enumerate(schedules(options, source)):
                await _run_one(make_plan(options, source, schedule), options, f"{position + 1:02}", results)
                if options.get("interrupted"):
                    break
    finally:
        if results:
            _write_results(results, options)
    return results


async def _meet_server(options: dict[str, Any]) -> None:
    """Wait for the server if that was asked for, and ask for its model if none was named."""
    who: dict[str, Any] = {"api": options["api"], "api_key": options["api_key"], "headers": options["headers"]}
    if options["ready_timeout"]:
        await wait_until_ready(options["url"], seconds=options["ready_timeout"], **who)
    if not options["model"]:
        options["model"] = await first_model(options["url"], **who)
        click.echo(f"model: {options['model']}", err=True)


def _make_sure_of_files(options: dict[str, Any]) -> None:
    """Find out now, and not after an hour's run, that a file cannot be written."""
    try:
        if options["artifact_dir"] is not None:
            Path(options["artifact_dir"]).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=options["artifact_dir"]):
                pass
        for name in ("save_result", "html"):
            if options[name] is not None:
                with tempfile.TemporaryFile(dir=Path(options[name]).resolve(strict=False).parent):
                    pass
    except OSError as error:
        raise click.UsageError(f"results cannot be written: {error.filename}: {error.strerror}") from error


def make_plan(options: dict[str, Any], source: RequestSource, schedule: Schedule) -> LoadPlan:
    """Return the plan of one point of the sweep."""
    count = options["request_count"]
    if count is None and isinstance(schedule, TraceArrivals):
        count = len(schedule.seconds)
    if count is None and options["duration"] is None:
        users = schedule.concurrency if isinstance(schedule, ClosedLoop) else 0
        count = _DEFAULT_REQUESTS_A_USER * users or _DEFAULT_REQUESTS
    return LoadPlan(
        url=options["url"],
        model=options["model"],
        api=options["api"],
        requests=source,
        schedule=schedule,
        request_count=count,
        duration=options["duration"],
        warmup_requests=options["warmup_requests"],
        cooldown_requests=options["cooldown_requests"],
        warmup_seconds=options["warmup"],
        cooldown_seconds=options["cooldown"],
        drain_seconds=options["drain"],
        seed=options["seed"],
        api_key=options["api_key"],
        headers=options["headers"],
        path=options["path"],
        timeouts=Timeouts(total=options["timeout"]),
        goodput=options["goodput"],
        drop=drop_streams(options["drop"]),
        rows=options["artifact_dir"] is not None,
    )


def _engine(options: dict[str, Any]) -> Engine:
    if options["engine"] == "ray":
        return engine_named("ray", workers=options["workers"], address=options["ray_address"])
    return Processes(options["workers"]) if options["workers"] > 1 else InProcess()


async def _run_one(plan: LoadPlan, options: dict[str, Any], name: str, results: list[LoadResult]) -> LoadResult:
    """Make one run, show its table, and keep its result, which after a failure is what was measured until then."""
    async with contextlib.AsyncExitStack() as stack:
        lines = None
        if options["artifact_dir"] is not None:
            lines = stack.enter_context(RequestLines(Path(options["artifact_dir"]) / f"requests-{name}.jsonl"))
        scraper = None
        if options["metrics_url"] is not None:
            scraper = await stack.enter_async_context(Scraper(options["metrics_url"]))
        show = stack.enter_context(show_progress(plan, options["ui"]))
        test = LoadTest(
            plan,
            engine=_engine(options),
            percentiles=options["percentiles"],
            progress=show,
            on_interval=lines.take if lines is not None else None,
        )
        stack.enter_context(_interrupts(test, options))
        try:
            await test.run()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not options.get("interrupted") or task is None:
                raise
            task.uncancel()
        finally:
            result = test.result()
            results.append(result)
            if options["ui"] != "none":
                click.echo(result.table() + "\n")
    if scraper is not None:
        result.summary["server_metrics"] = scraper.summary()
    return result


async def _search(source: RequestSource, options: dict[str, Any], results: list[LoadResult]) -> None:
    """Look for the largest load that meets the objectives."""
    objectives = options["objectives"]
    if not objectives:
        raise click.UsageError("--find-max needs at least one --objective")
    by_rate = options["find_max"] == "request-rate"

    async def run(level: float) -> LoadResult:
        schedule = open_loop(options, level) if by_rate else closed_loop(options, int(level))
        result = await _run_one(make_plan(options, source, schedule), options, f"{level:g}", results)
        if options.get("interrupted"):
            raise _InterruptedError
        return result

    def missed(result: LoadResult) -> list[str]:
        return [str(objective) for objective in objectives if not objective.holds(result.summary)]

    try:
        found: SearchResult = await find_capacity(
            run, missed, most=options["search_limit"], most_runs=options["search_runs"], whole=not by_rate
        )
    except _InterruptedError:
        return
    for trial in found.trials:
        met = "meets every objective" if not trial.missed else f"misses {', '.join(trial.missed)}"
        click.echo(f"{trial.level:g}: {met}", err=True)
    click.echo(found.describe("requests/s" if by_rate else "users at once"))
    options["objectives"] = ()  # that larger loads miss them is what was looked for


class _InterruptedError(Exception):
    """Ends a search whose run was interrupted."""


@contextlib.contextmanager
def _interrupts(test: LoadTest, options: dict[str, Any]) -> Generator[None]:
    """Let the first interrupt (or SIGTERM) stop the test, and the second one cancel it."""
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
        for number in _INTERRUPTS:
            loop.add_signal_handler(number, interrupted)
    except (NotImplementedError, ValueError, RuntimeError):  # Windows, or another thread: an interrupt ends everything
        yield
        return
    try:
        yield
    finally:
        for number in _INTERRUPTS:
            loop.remove_signal_handler(number)


def _write_results(results: list[LoadResult], options: dict[str, Any]) -> None:
    """Write the files asked for."""
    if options["save_result"] is not None:
        write_json(results, options["save_result"])
    if options["html"] is not None:
        _write_page(results, Path(options["html"]), options)
    if options["artifact_dir"] is None:
        return
    folder = Path(options["artifact_dir"])
    write_json(results, folder / "results.json")
    write_csv(results, folder / "results.csv")
    _write_page(results, folder / "report.html", options)
    for position, result in enumerate(results):
        write_hdr_log(result, folder / f"latencies-{position + 1:02}.hlog")
    shown = {name: str(value) for name, value in options.items() if name not in {"api_key", "headers"}}
    (folder / "options.json").write_bytes(orjson.dumps(shown, option=orjson.OPT_INDENT_2))
    click.echo(f"written to {folder}", err=True)


def _write_page(results: list[LoadResult], path: Path, options: dict[str, Any]) -> None:
    from streamarena.load.html_report import html_report
    from streamarena.load.page import write_page

    title = f"Load test of {options['model']}"
    write_page(html_report([as_document(result) for result in results], title=title), path)
