"""`streamarena load`: load tests from the command line, with the options that users of other load testers know."""

from __future__ import annotations

import os
from typing import Any, Final

import click

from streamarena.cli._load_values import (
    DURATION,
    JSON_OBJECT,
    NUMBERS,
    OBJECTIVE,
    RATES,
    read_goodput,
    read_headers,
    read_stages,
)
from streamarena.cli._loop import run

__all__ = ["command"]

_APIS: Final = {
    "chat": "openai-chat",
    "completions": "openai-completions",
    "responses": "openai-responses",
    "messages": "anthropic",
    "gemini": "gemini",
}
_KEYS: Final = {"anthropic": "ANTHROPIC_API_KEY", "gemini": "GEMINI_API_KEY"}
_PATTERNS: Final = ("constant", "poisson", "gamma")

_NOT_MET: Final = 3
_CLIENT_LIMITED: Final = 4


@click.command("load", short_help="Load-test a model server and say how far the figures can be trusted.")
@click.option("--url", "--base-url", "url", required=True, help="The server, with or without /v1.")
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
@click.option("--max-concurrency", type=click.IntRange(min=1), help="With a rate: streams at once.")
@click.option("--request-count", "--num-prompts", "-n", "request_count", type=click.IntRange(min=1))
@click.option("--duration", type=DURATION, help="Send for so long: 30, 30s, 5m.")
@click.option("--warmup-requests", type=click.IntRange(min=0), default=0, help="Sent first and left out.")
@click.option("--ramp-up", type=DURATION, default=0.0, help="Seconds to reach full concurrency or rate.")
@click.option("--stage", "stages", multiple=True, metavar="TIME:LEVEL", help="After the ramp: move there in that time.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of arrivals, prompts and chances.")
# ---- what
@click.option("--isl", type=click.IntRange(min=1), default=550, show_default=True, help="Mean input tokens.")
@click.option("--isl-stddev", type=float, default=0.0)
@click.option("--osl", type=click.IntRange(min=0), default=150, show_default=True, help="Output tokens; 0: no limit.")
@click.option("--osl-stddev", type=float, default=0.0)
# ---- results
@click.option("--goodput", multiple=True, metavar="NAME:MS...", help="ttft:500 tpot:50: what a good request meets.")
@click.option("--objective", "objectives", type=OBJECTIVE, multiple=True, help="p99_ttft_ms<=500: exit code 3 if not.")
@click.option("--strict", is_flag=True, help="Exit code 4 if the client could have caused the result.")
@click.option("--percentiles", default="50,90,95,99", show_default=True)
@click.option("--save-result", type=click.Path(dir_okay=False), help="Write the result as JSON.")
@click.option("--artifact-dir", type=click.Path(file_okay=False), help="Write everything here.")
@click.option("--ui", type=click.Choice(["none", "simple", "live"]), default="simple", show_default=True)
@click.argument("more_goodput", nargs=-1, metavar="")
def command(**options: Any) -> None:  # noqa: ANN401 - click's own values
    r"""Load-test a server of token streams.

    \b
    streamarena load --url http://localhost:8000 --model my-model --concurrency 1,8,64
    streamarena load --url http://localhost:8000 --request-rate 20 --duration 60s --goodput ttft:500 tpot:50

    Without --request-count and --duration ten requests for each user are sent. Every figure is shown with how far
    the client's own stamps may be off; "client-limited" says that this machine, not the server, may be the cause.

    Exit codes: 0 done; 1 no request completed; 2 wrong usage; 3 an objective is not met; 4 client-limited and
    --strict; 130 interrupted.
    """
    from streamarena.cli._load_run import run_tests

    options["api"] = _APIS[options.pop("endpoint_type")]
    if options["concurrency"] is not None and options["request_rate"] is not None:
        raise click.UsageError("--concurrency is a closed loop and --request-rate an open one; give one of them")
    options["goodput"] = read_goodput(options["goodput"] + options.pop("more_goodput"))
    options["headers"] = read_headers(options["headers"])
    options["stages"] = read_stages(options["stages"])
    options["api_key"] = options["api_key"] or os.environ.get(_KEYS.get(options["api"], "OPENAI_API_KEY"))
    options["percentiles"] = tuple(float(part) for part in options["percentiles"].split(","))
    results = run(run_tests(options))
    raise SystemExit(_exit_code(results, options))


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
