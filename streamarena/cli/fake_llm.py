"""`streamarena fake-llm`: the bundled fake model server, to try clients, middleware and load tests against."""

from __future__ import annotations

import signal
import ssl
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import click

from streamarena.cli._listening import cannot_listen
from streamarena.testing import FAULTS, FakeLLM
from streamarena.testing.serving import serve

__all__ = ["command"]

_FAULTS = "\b\n" + "\n".join(f"{name:<21}{kind.help}" for name, kind in FAULTS.items())

_EPILOG = f"""
Lengths and delays are a number, or normal:MEAN:SD, lognormal:MEAN:SD, exponential:MEAN, uniform:LOW:HIGH; seconds may
be written as 20ms. A request may change its own reply, in the header "x-fake-llm" or behind a comma of its model name:
"fake-model,tokens=20,fault=cut@5".

Faults, as name[:number][@frames before it strikes]:

{_FAULTS}

Counters are at /_fake/stats. Ctrl-C ends the server.
"""


def _faults(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, float]:
    """Read FAULT=SHARE pairs."""
    del ctx, param
    shares: dict[str, float] = {}
    for value in values:
        name, _, share = value.rpartition("=")
        try:
            shares[name] = float(share)
        except ValueError:
            raise click.BadParameter(f"{value!r} is not of the form FAULT=SHARE, such as cut@5=0.01") from None
    return shares


@click.command(epilog=_EPILOG)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8008, show_default=True, help="Port; 0 takes a free one."
)
@click.option("--ttft", default="0.05", show_default=True, help="Time to first token, seconds.")
@click.option("--inter-token-latency", "--itl", default="0.01", show_default=True, help="Seconds between tokens.")
@click.option("--tokens", default="64", show_default=True, help="Tokens in a reply.")
@click.option("--tokens-per-chunk", default="1", show_default=True, help="Tokens in one chunk.")
@click.option("--reasoning-tokens", default="0", show_default=True, help="Tokens of reasoning before the answer.")
@click.option("--tool-calls", default=0, show_default=True, help="Tool calls in each reply.")
@click.option("--model", "models", multiple=True, default=("fake-model",), show_default=True, help="Listed model.")
@click.option("--fault", "faults", multiple=True, callback=_faults, metavar="FAULT=SHARE", help="Inject faults.")
@click.option("--slots", type=int, help="Requests served at once; the others wait. Default: all.")
@click.option("--max-queue", type=int, help="Requests that may wait; the next one gets status 429.")
@click.option("--prefill-tokens-per-second", type=float, help="Speed of reading prompts, shared by all requests.")
@click.option("--batch-slowdown", type=float, help="Share by which each request in service slows the others.")
@click.option("--api-key", help="Demand this key.")
@click.option("--seed", default=0, show_default=True, help="Of texts, lengths, delays and faults.")
@click.option("--certificate", type=click.Path(exists=True, path_type=Path), help="Serve TLS: PEM of key and chain.")
def command(certificate: Path | None, faults: dict[str, float], **options: Any) -> None:  # noqa: ANN401 - click's own values
    """Serve a fake model: OpenAI, Anthropic, Gemini and Ollama APIs on loopback.

    Prints its base URL as the first line. Replies take time as a real model's do, vary by seed, and fail as told.
    Exit codes: 0 ended; 1 the address is in use or cannot be listened on; 2 wrong usage.
    """
    given = {name: value for name, value in options.items() if value is not None}
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(certificate)
        except OSError as error:  # an SSLError is one
            raise click.UsageError(f"{certificate} cannot be used: {error}") from error
    done = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        done.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        serve(FakeLLM(ssl_context=context, faults=faults, **given), done.wait, lambda server: click.echo(server.url))
    except OSError as error:
        cannot_listen(options["host"], options["port"], error)
