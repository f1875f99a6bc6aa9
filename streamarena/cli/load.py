"""`streamarena load`: load tests from the command line, with the options that users of other load testers know."""

from __future__ import annotations

import os
from typing import Any, Final

import click

from streamarena.cli._load_rules import check_options
from streamarena.cli._load_values import (
    DURATION,
    JSON_OBJECT,
    NUMBERS,
    OBJECTIVE,
    PERCENTILES,
    RATES,
    read_goodput,
    read_headers,
    read_stages,
)
from streamarena.cli._loop import run
from streamarena.errors import ConnectionFailedError, WorkerLostError

__all__ = ["command"]

_APIS: Final = {
    "chat": "openai-chat",
    "completions": "openai-completions",
    "responses": "openai-responses",
    "messages": "anthropic",
    "gemini": "gemini",
}
_KEYS: Final = {"anthropic": "ANTHROPIC_API_KEY", "gemini": "GEMINI_API_KEY"}
_SEARCHES: Final = ("concurrency", "request-rate")
_PATTERNS: Final = ("constant", "poisson", "gamma")

_NOT_MET: Final = 3
_CLIENT_LIMITED: Final = 4


@click.command("load", short_help="Load-test a model server and say how far the figures can be trusted.")
@click.option("--url", "--base-url", "url", help="The server, with or without /v1.")
@click.option("--model", "-m", default="", help="Default: the first of the server's /v1/models.")
@click.option("--endpoint-type", type=click.Choice(list(_APIS)), default="chat", show_default=True)
@click.option("--endpoint", "path", help="Replaces the API's path under the base URL.")
@click.option("--header", "-H", "headers", multiple=True, metavar="K:V", help="Sent with every request.")
@click.option("--extra-body", type=JSON_OBJECT, help="JSON members laid over every request body.")
@click.option("--api-key", help="Default: OPENAI_API_KEY, ANTHROPIC_API_KEY or GEMINI_API_KEY.")
@click.option("--timeout", type=DURATION, help="Seconds for one whole request. Default: no limit.")
@click.option("--ready-timeout", type=DURATION, default=0.0, help="Wait so long for the server to be ready.")
# ---- when
@click.option("--concurrency", "-c", type=NUMBERS, help="Users at once; a list is a sweep: 1,8,64.")
@click.option("--request-rate", type=RATES, help="Arrivals a second, or inf; a list is a sweep.")
@click.option("--arrival-pattern", type=click.Choice(_PATTERNS), default="poisson", show_default=True)
@click.option("--burstiness", type=float, default=1.0, help="Shape of the gamma pattern; below 1 is burstier.")
@click.option(
    "--max-concurrency", type=click.IntRange(min=1), help="With a rate: streams at once; alone: as --concurrency."
)
@click.option("--max-rate", type=float, help="With a concurrency: starts a second.")
@click.option("--request-count", "--num-prompts", "-n", "request_count", type=click.IntRange(min=1))
@click.option("--duration", type=DURATION, help="Send for so long: 30, 30s, 5m.")
@click.option("--warmup-requests", type=click.IntRange(min=0), default=0, help="Sent first and left out.")
@click.option("--cooldown-requests", type=click.IntRange(min=0), default=0, help="Sent last and left out.")
@click.option("--warmup", type=DURATION, default=0.0, help="With a duration: time before it, left out.")
@click.option("--cooldown", type=DURATION, default=0.0, help="With a duration: time after it, left out.")
@click.option("--drain", type=DURATION, default=30.0, help="How long open streams may take at the end.")
@click.option("--ramp-up", type=DURATION, default=0.0, help="Seconds to reach full concurrency or rate.")
@click.option("--stage", "stages", multiple=True, metavar="TIME:LEVEL", help="After the ramp: move there in that time.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of arrivals, prompts and chances.")
# ---- what
@click.option("--dataset", type=click.Choice(["synthetic", "jsonl", "sharegpt", "trace"]), help="Of --input-file.")
@click.option("--input-file", type=click.Path(exists=True, dir_okay=False), help="Requests, one JSON object a line.")
@click.option("--fixed-schedule", is_flag=True, help="Send a trace at its recorded times.")
@click.option("--speed", type=float, default=1.0, help="Play a trace so much faster.")
@click.option("--isl", type=click.IntRange(min=1), default=550, show_default=True, help="Mean input tokens.")
@click.option("--isl-stddev", type=float, default=0.0)
@click.option("--osl", type=click.IntRange(min=0), default=150, show_default=True, help="Output tokens; 0: no limit.")
@click.option("--osl-stddev", type=float, default=0.0)
@click.option("--exact-osl", is_flag=True, help="Ask for exactly that length (ignore_eos, min_tokens).")
@click.option("--prefix-tokens", type=click.IntRange(min=0), default=0, help="Tokens of a prefix that prompts share.")
@click.option("--prefixes", type=click.IntRange(min=1), default=1, help="How many such prefixes there are.")
@click.option("--turns", type=click.IntRange(min=1), default=1, help="Questions in a conversation.")
@click.option("--think-time", type=DURATION, default=0.0, help="Before each further question.")
@click.option("--max-history-tokens", type=click.IntRange(min=1), help="Trim histories to this.")
@click.option("--image-size", metavar="WxH", help="Add made-up images of that size.")
@click.option("--images", type=click.IntRange(min=1), default=1, help="How many a request.")
@click.option("--drop", metavar="SHARE@WHEN", help="Leave streams early: 0.1@20 chunks, 0.1@2.5s.")
# ---- where
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes, or actors.")
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True)
@click.option("--ray-address", help="Of the cluster: auto finds it. Default: a local Ray.")
# ---- results
@click.option("--calibrate", is_flag=True, help="First say what this machine can measure; alone without --url.")
@click.option("--find-max", type=click.Choice(_SEARCHES), help="Largest load that meets --objective.")
@click.option("--search-limit", type=float, default=1024, show_default=True, help="Highest load --find-max tries.")
@click.option("--search-runs", type=click.IntRange(min=1), default=12, show_default=True, help="Most runs it makes.")
@click.option("--goodput", multiple=True, metavar="NAME:MS...", help="ttft:500 tpot:50: what a good request meets.")
@click.option("--objective", "objectives", type=OBJECTIVE, multiple=True, help="p99_ttft_ms<=500: exit code 3 if not.")
@click.option("--strict", is_flag=True, help="Exit code 4 if the client could have caused the result.")
@click.option("--percentiles", type=PERCENTILES, default="50,90,95,99", show_default=True)
@click.option("--save-result", type=click.Path(dir_okay=False), help="Write the result as JSON.")
@click.option("--html", type=click.Path(dir_okay=False), help="Write the result as one page.")
@click.option("--artifact-dir", type=click.Path(file_okay=False), help="Write JSON, CSV, HTML, requests, histograms.")
@click.option("--compare", multiple=True, type=click.Path(exists=True), help="Compare results; runs nothing.")
@click.option("--metrics-url", help="Read the server's Prometheus page during the run.")
@click.option("--ui", type=click.Choice(["none", "simple", "live"]), default="simple", show_default=True)
@click.argument("more_goodput", nargs=-1, metavar="")
def command(**options: Any) -> None:  # noqa: ANN401 - click's own values
    """Load-test a server of token streams.

    \b
    streamarena load --url http://localhost:8000 --model my-model --concurrency 1,8,64
    streamarena load --url http://localhost:8000 --request-rate 20 --duration 60s --goodput ttft:500 tpot:50
    streamarena load --compare before.json --compare after.json
    streamarena load --calibrate

    Without --request-count and --duration ten requests for each user are sent. Every figure is shown with how far
    the client's own stamps may be off; "client-limited" says that this machine, not the server, may be the cause.

    Exit codes: 0 done; 1 no request completed, or no server or no worker left; 2 wrong usage; 3 an objective is not
    met; 4 client-limited and --strict; 130 interrupted.
    """  # noqa: D301 - click knows its marker as one character, not as a backslash and a letter
    if options["compare"]:
        _compare(options["compare"], options["html"])
        return
    from streamarena.cli._load_run import calibrate_machine, run_tests

    if options["url"] is None:
        if not options["calibrate"]:
            raise click.UsageError("--url says where the server is")
        run(calibrate_machine())
        return
    check_options(options, click.get_current_context())
    options["api"] = _APIS[options.pop("endpoint_type")]
    options["goodput"] = read_goodput(options["goodput"] + options.pop("more_goodput"))
    options["headers"] = read_headers(options["headers"])
    options["stages"] = read_stages(options["stages"])
    options["api_key"] = options["api_key"] or os.environ.get(_KEYS.get(options["api"], "OPENAI_API_KEY"))
    try:
        results = run(run_tests(options))
    except (ConnectionFailedError, WorkerLostError) as error:
        raise click.ClickException(str(error)) from error  # exit code 1: nobody used the command wrongly
    raise SystemExit(_exit_code(results, options))


def _compare(paths: tuple[str, ...], html: str | None) -> None:
    from streamarena.load.compare import compare_table, load_documents, pair_runs

    try:
        pairs = pair_runs([(path, load_documents(path)) for path in paths])
        click.echo(compare_table(pairs))
        if html is not None:
            from streamarena.load.compare_page import compare_page
            from streamarena.load.page import write_page

            write_page(compare_page(pairs), html)
            click.echo(f"written to {html}", err=True)
    except OSError as error:
        raise click.UsageError(f"{error.filename}: {error.strerror}") from error


def _exit_code(results: list[Any], options: dict[str, Any]) -> int:
    if options.get("interrupted"):
        return 130
    if not all(result.summary["completed"] for result in results):
        return 1
    missed = [
        (result.summary["schedule"], objective, result.summary.get(objective.key))
        for result in results
        for objective in options["objectives"]
        if not objective.holds(result.summary)
    ]
    for schedule, objective, value in missed:
        click.echo(f"not met at {schedule}: {objective} (it is {value})", err=True)
    if missed:
        return _NOT_MET
    if options["strict"] and any(result.verdict.state != "trusted" for result in results):
        return _CLIENT_LIMITED
    return 0
